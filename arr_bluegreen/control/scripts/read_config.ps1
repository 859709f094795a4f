# The effective applicationHost.config (shared configuration followed, arr.md 5.13) with its sha256; no bytes when unchanged.
# Request: unless (sha256 hex, or null).
param($Request)

function Open-Manager {
    $dll = Join-Path $env:windir 'System32\inetsrv\Microsoft.Web.Administration.dll'
    if (-not (Test-Path -LiteralPath $dll)) { throw "IisMissing|IIS is not installed here: there is no $dll" }
    [void][Reflection.Assembly]::LoadFrom($dll)
    New-Object Microsoft.Web.Administration.ServerManager
}

function Get-ConfigPath($manager) {
    $redirection = $manager.GetRedirectionConfiguration().GetSection('configurationRedirection')
    $folder = Join-Path $env:windir 'System32\inetsrv\config'
    if ([bool]$redirection.GetAttributeValue('enabled')) {
        $folder = [Environment]::ExpandEnvironmentVariables([string]$redirection.GetAttributeValue('path'))
    }
    Join-Path $folder 'applicationHost.config'
}

function Read-Bytes($path) {
    $share = [IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete
    $file = New-Object IO.FileStream -ArgumentList @($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
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

function Compress-Bytes([byte[]]$bytes) {
    $memory = New-Object IO.MemoryStream
    $zip = New-Object IO.Compression.GZipStream -ArgumentList @($memory, [IO.Compression.CompressionMode]::Compress)
    $zip.Write($bytes, 0, $bytes.Length)
    $zip.Dispose()
    [Convert]::ToBase64String($memory.ToArray())
}

$manager = Open-Manager
try { $path = Get-ConfigPath $manager }
finally { $manager.Dispose() }
$bytes = Read-Bytes $path
$digest = Get-Digest $bytes
if ($digest -eq $Request.unless) { return @{ digest = $digest; unchanged = $true } }
@{ digest = $digest; data = Compress-Bytes $bytes; path = $path }
