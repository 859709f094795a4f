# Functions of several scripts; no script by itself. A script that says '# needs: common' gets them right after its param.

function Open-Manager {
    # By path: by name the GAC may hand out that of IIS Express, which edits another configuration (winrm.md 5).
    $dll = Join-Path $env:windir 'System32\inetsrv\Microsoft.Web.Administration.dll'
    if (-not (Test-Path -LiteralPath $dll)) { throw "IisMissing|IIS is not installed here: there is no $dll" }
    [void][Reflection.Assembly]::LoadFrom($dll)
    New-Object Microsoft.Web.Administration.ServerManager
}

function Get-ConfigPath($manager) {
    # Shared configuration followed (arr.md 5.13).
    $redirection = $manager.GetRedirectionConfiguration().GetSection('configurationRedirection')
    $folder = Join-Path $env:windir 'System32\inetsrv\config'
    if ([bool]$redirection.GetAttributeValue('enabled')) {
        $folder = [Environment]::ExpandEnvironmentVariables([string]$redirection.GetAttributeValue('path'))
    }
    [IO.Path]::Combine($folder, 'applicationHost.config')
}

function Open-Shared($path) {
    # Others may go on writing it, and may replace it.
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    New-Object IO.FileStream -ArgumentList @($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
}

function Read-Bytes($path) {
    $file = Open-Shared $path
    try {
        $memory = New-Object IO.MemoryStream
        $file.CopyTo($memory)
        return , $memory.ToArray()
    }
    finally { $file.Dispose() }
}

function Get-Digest([byte[]]$bytes) {
    $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    ([BitConverter]::ToString($sha.ComputeHash($bytes)) -replace '-').ToLowerInvariant()
}

function Assert-Unchanged($path, $expected) {
    if ($expected -and (Get-Digest (Read-Bytes $path)) -ne $expected) {
        throw 'ChangedOnDisk|applicationHost.config changed on disk since it was read; nothing was written'
    }
}

function Open-Mutex($name) {
    try { return New-Object Threading.Mutex -ArgumentList @($false, $name) }
    catch {
        if ($_.Exception.GetBaseException() -isnot [UnauthorizedAccessException]) { throw }
    }
    # Made by a service: administrators may wait for it (and so release it), and no more.
    [Threading.Mutex]::OpenExisting($name, [Security.AccessControl.MutexRights]::Synchronize)
}

function Enter-Mutex {
    # The name Octopus uses, so that its IIS steps and ours take turns (arr.md 5.11).
    $mutex = Open-Mutex 'Global\Octopus-IIS-Metabase-Mutex'
    try { $taken = $mutex.WaitOne(20000) }
    catch {
        if ($_.Exception.GetBaseException() -isnot [Threading.AbandonedMutexException]) { throw }
        $taken = $true
    }
    if (-not $taken) { throw 'Busy|another tool has held the IIS configuration for 20 s (mutex Octopus-IIS-Metabase-Mutex)' }
    $mutex
}

function Get-Farms($manager) {
    try {
        return , $manager.GetApplicationHostConfiguration().GetSection('webFarms').GetCollection()
    }
    catch {
        $schema = Join-Path $env:windir 'System32\inetsrv\config\schema\arr_schema.xml'
        if (-not (Test-Path -LiteralPath $schema)) { throw 'ArrMissing|Application Request Routing is not installed here' }
        throw
    }
}

function Find-Named($items, $key, $name, $kind) {
    $there = @()
    foreach ($item in $items) {
        $found = [string]$item.GetAttributeValue($key)
        if ($found -eq $name) { return $item }
        $there += $found
    }
    throw "NoSuchObject|no $kind '$name'; there: $($there -join ', ')"
}

function Read-Value($attribute) {
    $value = $attribute.Value
    switch ($attribute.Schema.Type) {
        'bool' { return [bool]$value }
        'string' { return [string]$value }
        'timeSpan' { return ([TimeSpan]$value).TotalSeconds }
        'enum' {
            foreach ($one in $attribute.Schema.GetEnumValues()) {
                if ([long]$one.Value -eq [long]$value) { return $one.Name }
            }
            return [string]$value
        }
        default { return [long]$value }
    }
}

function Read-Workers($pool) {
    foreach ($worker in $pool.WorkerProcesses) {
        $process = Get-Process -Id $worker.ProcessId -ErrorAction SilentlyContinue
        if ($null -eq $process) { continue }
        try { $started = $process.StartTime.ToUniversalTime().ToString('o') }
        catch {
            if ($process.HasExited) { continue }
            throw
        }
        @{ pool = [string]$pool.Name; pid = [long]$worker.ProcessId; started = $started }
    }
}

function Get-ModuleVersion {
    $dll = Join-Path $env:ProgramFiles 'IIS\Asp.Net Core Module\V2\aspnetcorev2.dll'
    if (-not (Test-Path -LiteralPath $dll)) { return $null }
    [Diagnostics.FileVersionInfo]::GetVersionInfo($dll).FileVersion
}

function Remove-Partials($target) {
    # What a filling of this folder that was killed left beside it.
    $parent = [IO.Path]::GetDirectoryName($target)
    if (-not [IO.Directory]::Exists($parent)) { return }
    foreach ($left in [IO.Directory]::GetDirectories($parent, [IO.Path]::GetFileName($target) + '.partial-*')) {
        Remove-Item -LiteralPath $left -Recurse -Force
    }
}
