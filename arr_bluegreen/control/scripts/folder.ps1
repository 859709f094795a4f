# Folders: digest, copy, a zip expanded under the rules of a safe extract, and the pieces of an upload.
# A digest is the sha256 of one line per file, 'relative/name NUL bytes NUL sha256-of-content LF', in ordinal order of names.
# Request: op (digest | copy | expand | append), path | source and target | path, data (base64), offset.
param($Request)

Add-Type -AssemblyName System.IO.Compression
Add-Type -AssemblyName System.IO.Compression.FileSystem
$utf8 = New-Object Text.UTF8Encoding $false

function Expand-Path($path) {
    $full = [Environment]::ExpandEnvironmentVariables([string]$path)
    if (-not [IO.Path]::IsPathRooted($full)) { throw "BadPath|'$full' is not an absolute path" }
    $full.TrimEnd('\')
}

function ConvertTo-Hex([byte[]]$bytes) {
    ([BitConverter]::ToString($bytes) -replace '-').ToLowerInvariant()
}

function Get-FolderDigest($folder) {
    $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    $relative = @{}
    foreach ($file in [IO.Directory]::GetFiles($folder, '*', [IO.SearchOption]::AllDirectories)) {
        $relative[$file.Substring($folder.Length + 1).Replace('\', '/')] = $file
    }
    $names = [string[]]@($relative.Keys)
    [Array]::Sort($names, [StringComparer]::Ordinal)
    $all = New-Object IO.MemoryStream
    $size = [long]0
    foreach ($name in $names) {
        $stream = [IO.File]::OpenRead($relative[$name])
        try {
            $size += $stream.Length
            $line = $utf8.GetBytes($name + "`0" + $stream.Length + "`0" + (ConvertTo-Hex $sha.ComputeHash($stream)) + "`n")
        }
        finally { $stream.Dispose() }
        $all.Write($line, 0, $line.Length)
    }
    @{ files = $names.Count; bytes = $size; digest = ConvertTo-Hex $sha.ComputeHash($all.ToArray()) }
}

function Test-EntryName($name) {
    if ($name -match '^[/\\]' -or $name -match '[:<>"|?*\x00-\x1f]') { return $false }
    foreach ($part in ($name.TrimEnd('/', '\') -split '[/\\]')) {
        if ($part -eq '' -or $part -eq '.' -or $part -eq '..' -or $part -match '[. ]$') { return $false }
        if ($part -match '^(CON|PRN|AUX|NUL|CLOCK\$|COM[0-9\u00b9\u00b2\u00b3]|LPT[0-9\u00b9\u00b2\u00b3])(\..*)?$') { return $false }
    }
    $true
}

function Test-Link($entry) {
    if (-not $entry.PSObject.Properties['ExternalAttributes']) { return $false }
    (($entry.ExternalAttributes -shr 16) -band 0xF000) -eq 0xA000
}

function Assert-Entries($zip, $length) {
    $seen = @{}
    $total = [long]0
    if ($zip.Entries.Count -gt 100000) { throw 'BadZip|the zip holds more than 100000 entries' }
    foreach ($entry in $zip.Entries) {
        $name = $entry.FullName
        if (-not (Test-EntryName $name)) { throw "BadZip|the zip holds an entry whose name is not safe on Windows: '$name'" }
        if (Test-Link $entry) { throw "BadZip|the zip holds a link: '$name'" }
        $key = $name.Replace('\', '/').TrimEnd('/').ToUpperInvariant()
        if ($seen.ContainsKey($key)) { throw "BadZip|the zip holds two entries of the same name on Windows: '$name'" }
        $seen[$key] = -not ($name -match '[/\\]$')
        $total += $entry.Length
    }
    foreach ($key in $seen.Keys) {
        for ($at = $key.LastIndexOf('/'); $at -gt 0; $at = $key.LastIndexOf('/', $at - 1)) {
            $above = $key.Substring(0, $at)
            if ($seen.ContainsKey($above) -and $seen[$above]) { throw "BadZip|the zip holds '$above' as a file and as a folder" }
        }
    }
    Assert-Size $total $length
}

function Assert-Size($total, $length) {
    # 8 GB at most; 200 times the zip's own size, but at least 100 MB.
    $limit = [Math]::Min([long]8589934592, [Math]::Max([long]104857600, [long](200 * $length)))
    if ($total -gt $limit) { throw "BadZip|the zip would expand to more than $limit bytes" }
}

function Expand-Entries($zip, $length, $folder) {
    $total = [long]0
    $buffer = New-Object byte[] 81920
    foreach ($entry in $zip.Entries) {
        $target = [IO.Path]::GetFullPath((Join-Path $folder $entry.FullName.Replace('/', '\')))
        if (-not $target.StartsWith($folder + '\', [StringComparison]::OrdinalIgnoreCase)) { throw "BadZip|'$($entry.FullName)' climbs out" }
        if ($entry.FullName -match '[/\\]$') {
            [void][IO.Directory]::CreateDirectory($target)
            continue
        }
        [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($target))
        $in = $entry.Open()
        $out = New-Object IO.FileStream -ArgumentList @($target, [IO.FileMode]::CreateNew, [IO.FileAccess]::Write)
        try {
            # What is written counts, not what the zip's directory claims.
            while (($count = $in.Read($buffer, 0, $buffer.Length)) -gt 0) {
                $total += $count
                Assert-Size $total $length
                $out.Write($buffer, 0, $count)
            }
        }
        finally {
            $out.Dispose()
            $in.Dispose()
        }
    }
}

function Use-Partial($target, $fill) {
    # Filled beside its place and moved there last: whole or not at all.
    if ([IO.Directory]::Exists($target) -or [IO.File]::Exists($target)) { throw "Exists|there is something at '$target' already" }
    $partial = "$target.partial-$([Guid]::NewGuid().ToString('N'))"
    [void][IO.Directory]::CreateDirectory($partial)
    try {
        & $fill $partial
        [IO.Directory]::Move($partial, $target)
    }
    finally {
        if ([IO.Directory]::Exists($partial)) { Remove-Item -LiteralPath $partial -Recurse -Force }
    }
    Get-FolderDigest $target
}

function Expand-Zip($source, $target) {
    $length = (New-Object IO.FileInfo $source).Length
    $zip = [IO.Compression.ZipFile]::OpenRead($source)
    try {
        Assert-Entries $zip $length
        Use-Partial $target { param($partial) Expand-Entries $zip $length $partial }
    }
    finally { $zip.Dispose() }
}

function Copy-Folder($source, $target) {
    if (-not [IO.Directory]::Exists($source)) { throw "NoSuchObject|no folder '$source'" }
    Use-Partial $target {
        param($partial)
        foreach ($item in [IO.Directory]::GetFileSystemEntries($source)) { Copy-Item -LiteralPath $item -Destination $partial -Recurse -Force }
    }
}

function Add-Piece($path, $data, $offset) {
    [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($path))
    $bytes = [Convert]::FromBase64String($data)
    $file = New-Object IO.FileStream -ArgumentList @($path, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::Write)
    try {
        if ($file.Length -lt $offset) { throw "BadPath|'$path' holds $($file.Length) bytes, fewer than the piece's offset $offset" }
        $file.SetLength($offset)
        $file.Position = $offset
        $file.Write($bytes, 0, $bytes.Length)
        @{ size = $file.Length }
    }
    finally { $file.Dispose() }
}

switch ($Request.op) {
    'digest' {
        $path = Expand-Path $Request.path
        if ([IO.Directory]::Exists($path)) { Get-FolderDigest $path } else { @{ missing = $true } }
    }
    'copy' { Copy-Folder (Expand-Path $Request.source) (Expand-Path $Request.target) }
    'expand' { Expand-Zip (Expand-Path $Request.source) (Expand-Path $Request.target) }
    'append' { Add-Piece (Expand-Path $Request.path) $Request.data ([long]$Request.offset) }
    default { throw "NoSuchObject|no folder operation '$($Request.op)'" }
}
