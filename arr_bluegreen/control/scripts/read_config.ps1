# The effective applicationHost.config (shared configuration followed, arr.md 5.13) with its sha256; no bytes when unchanged.
# Request: unless (sha256 hex, or null).
# needs: common
param($Request)

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
