# Small text files (UTF-8), in order, one result each. Written whole or not at all (temp, then File.Replace).
# create, replace and delete take turns by a lock file beside the file, so that compare and swap holds against all of ours.
# A byte order mark stays in the text, both ways; what is no UTF-8 is refused, since it could not be written back.
# Request: ops ([{op: read|write|create|replace|delete|names|folder_exists|delete_folder, path, text?, expected?}]).
# needs: common
param($Request)

$utf8 = New-Object Text.UTF8Encoding $false

function Enter-Lock($path) {
    $lock = "$path.lock"
    for ($try = 0; $true; $try++) {
        try {
            $how = @([IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite, [IO.FileShare]::None, 1, [IO.FileOptions]::DeleteOnClose)
            return New-Object IO.FileStream -ArgumentList (@($lock) + $how)
        }
        catch {
            if ($try -ge 100) { throw }
            Start-Sleep -Milliseconds 50
        }
    }
}

function Use-Lock($path, $action) {
    [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
    $lock = Enter-Lock $path
    try { & $action }
    finally { $lock.Dispose() }
}

function Read-Text($path) {
    if (-not [IO.File]::Exists($path)) { return $null }
    if ((New-Object IO.FileInfo $path).Length -gt 4194304) { throw "TooLarge|$path is larger than 4 MB" }
    $strict = [Text.UTF8Encoding]::new($false, $true)
    try { $strict.GetString((Read-Bytes $path)) }
    catch [Text.DecoderFallbackException] { throw "NotUtf8|'$path' is not UTF-8" }
}

function Write-Text($path, $text) {
    $temp = "$path.$([Guid]::NewGuid().ToString('N')).tmp"
    try {
        $bytes = $utf8.GetBytes([string]$text)
        $file = New-Object IO.FileStream -ArgumentList @($temp, [IO.FileMode]::CreateNew, [IO.FileAccess]::Write)
        try {
            $file.Write($bytes, 0, $bytes.Length)
            $file.Flush($true)
        }
        finally { $file.Dispose() }
        # [NullString]: a plain null would reach the method as an empty string and be refused.
        if ([IO.File]::Exists($path)) { [IO.File]::Replace($temp, $path, [NullString]::Value) }
        else { [IO.File]::Move($temp, $path) }
    }
    finally {
        if ([IO.File]::Exists($temp)) { [IO.File]::Delete($temp) }
    }
}

function Test-Expected($path, $expected) {
    if (-not [IO.File]::Exists($path)) { return $false }
    # By code units: -ceq takes a text and the same with a byte order mark for equal.
    ($null -eq $expected) -or ([string]::CompareOrdinal((Read-Text $path), $expected) -eq 0)
}

function Invoke-Op($op) {
    $path = [Environment]::ExpandEnvironmentVariables($op.path)
    if (-not [IO.Path]::IsPathRooted($path)) { throw "BadPath|'$path' is not an absolute path" }
    switch ($op.op) {
        'read' { return @{ text = Read-Text $path } }
        'folder_exists' { return @{ done = [IO.Directory]::Exists($path) } }
        'names' {
            $names = @()
            if ([IO.Directory]::Exists($path)) {
                $all = @([IO.Directory]::GetFiles($path) | ForEach-Object { [IO.Path]::GetFileName($_) } | Sort-Object)
                $names = @($all | Where-Object { $_ -notmatch '\.(lock|tmp)$' })
            }
            return @{ names = $names }
        }
        'delete_folder' {
            Remove-Partials $path.TrimEnd('\')
            if (-not [IO.Directory]::Exists($path)) { return @{ done = $false } }
            Remove-Item -LiteralPath $path -Recurse -Force
            return @{ done = $true }
        }
        'write' {
            Use-Lock $path { Write-Text $path $op.text }
            return @{ done = $true }
        }
        'create' {
            $done = Use-Lock $path {
                if ([IO.File]::Exists($path)) { $false }
                else {
                    Write-Text $path $op.text
                    $true
                }
            }
            return @{ done = [bool]$done }
        }
        'replace' {
            $done = Use-Lock $path {
                if (Test-Expected $path $op.expected) {
                    Write-Text $path $op.text
                    $true
                }
                else { $false }
            }
            return @{ done = [bool]$done }
        }
        'delete' {
            if (-not [IO.File]::Exists($path)) { return @{ done = $false } }
            $done = Use-Lock $path {
                if (Test-Expected $path $op.expected) {
                    [IO.File]::Delete($path)
                    $true
                }
                else { $false }
            }
            return @{ done = [bool]$done }
        }
        default { throw "NoSuchObject|no file operation '$($op.op)'" }
    }
}

@{ results = @(foreach ($op in $Request.ops) { Invoke-Op $op }) }
