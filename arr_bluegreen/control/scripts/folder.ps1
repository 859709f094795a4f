# Folders: digest, copy, a zip expanded under the rules of a safe extract, and the pieces of an upload.
# A digest is the sha256 of one line per file, 'relative/name NUL bytes NUL sha256-of-content LF', in ordinal order of names.
# Request: op (digest | copy | expand | check | append), path | source and target | source | path, data (base64), offset.
# needs: common
param($Request)

Add-Type -AssemblyName System.IO.Compression
Add-Type -AssemblyName System.IO.Compression.FileSystem
$utf8 = New-Object Text.UTF8Encoding $false

function Expand-Path($path) {
    $full = [Environment]::ExpandEnvironmentVariables([string]$path)
    if (-not [IO.Path]::IsPathRooted($full)) { throw "BadPath|'$full' is not an absolute path" }
    # Normalised, so that what lies below begins with it.
    [IO.Path]::GetFullPath($full).TrimEnd('\')
}

function ConvertTo-Hex([byte[]]$bytes) {
    ([BitConverter]::ToString($bytes) -replace '-').ToLowerInvariant()
}

function Get-Files($folder) {
    # A link or junction leads elsewhere, maybe into itself, and a copy would follow it: refused, as on the controller.
    # A file that Windows deduplicated is a reparse point too, and is the file it looks like.
    foreach ($item in (New-Object IO.DirectoryInfo $folder).GetFileSystemInfos()) {
        $isFolder = ($item.Attributes -band [IO.FileAttributes]::Directory) -ne 0
        if (($item.Attributes -band [IO.FileAttributes]::ReparsePoint) -ne 0) {
            $link = $isFolder -or (Get-Item -LiteralPath $item.FullName -Force).LinkType -eq 'SymbolicLink'
            if ($link) { throw "BadPath|'$($item.FullName)' is a link or a junction; take it out" }
        }
        if ($isFolder) { Get-Files $item.FullName }
        else { $item.FullName }
    }
}

function Get-FolderDigest($folder) {
    $sha = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    $relative = @{}
    $folder = (New-Object IO.DirectoryInfo $folder).FullName
    foreach ($file in (Get-Files $folder)) {
        $relative[$file.Substring($folder.Length + 1).Replace('\', '/')] = $file
    }
    $names = [string[]]@($relative.Keys)
    [Array]::Sort($names, [StringComparer]::Ordinal)
    $all = New-Object IO.MemoryStream
    $size = [long]0
    foreach ($name in $names) {
        $stream = Open-Shared $relative[$name]
        try {
            $size += $stream.Length
            $line = $utf8.GetBytes($name + "`0" + $stream.Length + "`0" + (ConvertTo-Hex $sha.ComputeHash($stream)) + "`n")
        }
        finally { $stream.Dispose() }
        $all.Write($line, 0, $line.Length)
    }
    @{ files = $names.Count; bytes = $size; digest = ConvertTo-Hex $sha.ComputeHash($all.ToArray()) }
}

function Get-Parts($name) {
    @($name -split '[/\\]' | Where-Object { $_ -ne '' -and $_ -ne '.' })
}

function Test-EntryName($name) {
    if ($name -match '^[/\\]' -or $name -match '[:<>"|?*\x00-\x1f\x7f]') { return $false }
    $parts = @(Get-Parts $name)
    if ($parts.Count -eq 0 -or ($parts -join '/').Length -gt 180) { return $false }
    foreach ($part in $parts) {
        if ($part -eq '..' -or $part -match '[. ]$' -or $part.Length -gt 255) { return $false }
        if ($part -match '^(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|COM[0-9\u00b9\u00b2\u00b3]|LPT[0-9\u00b9\u00b2\u00b3])\s*(\..*)?$') {
            return $false
        }
    }
    $true
}

function Read-Piece($stream, [long]$offset, [int]$count) {
    $bytes = [byte[]]::new($count)
    [void]$stream.Seek($offset, [IO.SeekOrigin]::Begin)
    $done = 0
    while ($done -lt $count) {
        $read = $stream.Read($bytes, $done, $count - $done)
        if ($read -eq 0) { throw 'BadZip|the zip is cut off' }
        $done += $read
    }
    , $bytes
}

function Read-Directory($source) {
    # What ZipArchive of .NET Framework does not tell: flags, method, CRC, sizes and mode (APPNOTE.TXT 4.3.12, 4.3.16).
    $stream = [IO.File]::OpenRead($source)
    try {
        $size = [int][Math]::Min([long]65557, $stream.Length)
        $tail = Read-Piece $stream ($stream.Length - $size) $size
        $end = $size - 22
        while ($end -ge 0 -and [BitConverter]::ToUInt32($tail, $end) -ne 0x06054b50) { $end-- }
        if ($end -lt 0) { throw 'BadZip|it is no whole zip' }
        $count = [BitConverter]::ToUInt16($tail, $end + 10)
        $length = [long][BitConverter]::ToUInt32($tail, $end + 12)
        $start = [long][BitConverter]::ToUInt32($tail, $end + 16)
        if ($count -eq 65535 -or $start -eq [uint32]::MaxValue) { throw 'BadZip|it is a zip64 of more than 65534 entries or 4 GB' }
        if ($start + $length -gt $stream.Length) { throw 'BadZip|the zip is cut off' }
        $disks = [BitConverter]::ToUInt32($tail, $end + 4)
        if ($disks -ne 0 -or [BitConverter]::ToUInt16($tail, $end + 8) -ne $count) { throw 'BadZip|it is one part of a zip of several' }
        if ($end + 22 + [BitConverter]::ToUInt16($tail, $end + 20) -ne $size) { throw 'BadZip|the zip has something behind its end' }
        if ($start + $length -ne $stream.Length - $size + $end) { throw 'BadZip|the zip has something before its first entry or its end' }
        $bytes = Read-Piece $stream $start ([int]$length)
        for ($at = 0; $at -lt $length; $at += 46 + $names) {
            if ($at + 46 -gt $length -or [BitConverter]::ToUInt32($bytes, $at) -ne 0x02014b50) { throw "BadZip|the zip's directory is damaged" }
            $names = [BitConverter]::ToUInt16($bytes, $at + 28) + [BitConverter]::ToUInt16($bytes, $at + 30)
            $names += [BitConverter]::ToUInt16($bytes, $at + 32)
            [pscustomobject]@{
                encrypted = ([BitConverter]::ToUInt16($bytes, $at + 8) -band 1) -ne 0
                method = [BitConverter]::ToUInt16($bytes, $at + 10)
                crc = [BitConverter]::ToUInt32($bytes, $at + 16)
                packed = [long][BitConverter]::ToUInt32($bytes, $at + 20)
                size = [long][BitConverter]::ToUInt32($bytes, $at + 24)
                kind = [BitConverter]::ToUInt16($bytes, $at + 40) -band 0xF000
                at = [long][BitConverter]::ToUInt32($bytes, $at + 42)
            }
        }
    }
    finally { $stream.Dispose() }
}

function Assert-Kind($name, $told) {
    if ($told.encrypted) { throw "BadZip|the zip holds an encrypted entry: '$name'" }
    if ($told.method -ne 0 -and $told.method -ne 8) { throw "BadZip|'$name' is compressed by method $($told.method); Stored and Deflate are known" }
    if ($told.kind -eq 0xA000) { throw "BadZip|the zip holds a link: '$name'" }
    if ($told.kind -ne 0 -and $told.kind -ne 0x8000 -and $told.kind -ne 0x4000) { throw "BadZip|'$name' is neither a file nor a folder" }
    if ($name -match '[/\\]$' -and $told.size -gt 0) { throw "BadZip|'$name' is a folder with content" }
}

function Assert-Entries($zip, $directory, $length) {
    $files = @{}
    $folders = @{}
    $total = [long]0
    $packed = [long]0
    if ($zip.Entries.Count -ne $directory.Count) { throw "BadZip|the zip's directory is damaged" }
    if ($directory.Count -gt 100000) { throw 'BadZip|the zip holds more than 100000 entries' }
    for ($index = 0; $index -lt $directory.Count; $index++) {
        $name = $zip.Entries[$index].FullName
        if (-not (Test-EntryName $name)) { throw "BadZip|the zip holds an entry whose name is not safe on Windows: '$name'" }
        Assert-Kind $name $directory[$index]
        $total += $directory[$index].size
        $packed += $directory[$index].packed
        $parts = @(Get-Parts $name)
        $isFolder = $name -match '[/\\]$'
        for ($depth = 1; $depth -le $parts.Count; $depth++) {
            $path = $parts[0..($depth - 1)] -join '/'
            $key = $path.ToUpperInvariant()
            if ($depth -eq $parts.Count -and -not $isFolder) {
                if ($files.ContainsKey($key)) { throw "BadZip|the zip holds two entries of the same name on Windows: '$name'" }
                $files[$key] = $path
            }
            elseif (-not $folders.ContainsKey($key)) { $folders[$key] = $path }
            elseif ($folders[$key] -cne $path) { throw "BadZip|'$path' and '$($folders[$key])' differ only in case" }
        }
    }
    foreach ($key in $files.Keys) {
        if ($folders.ContainsKey($key)) { throw "BadZip|the zip holds '$key' as a file and as a folder" }
    }
    if ($files.Count -eq 0) { throw 'BadZip|the zip holds no file' }
    if (@($directory | Where-Object { $_.at -eq 0 }).Count -eq 0) { throw 'BadZip|the zip has something before its first entry' }
    if ($packed -gt $length) { throw 'BadZip|the zip has entries that overlap, as a zip bomb does' }
    Assert-Size $total $packed
}

function Assert-Size($total, $packed) {
    # 8 GB at most; from 16 MB on at most 200 times what it was packed to.
    if ($total -gt 8589934592) { throw 'BadZip|the zip would expand to more than 8 GB' }
    if ($total -gt 16777216 -and $total -gt 200 * [Math]::Max($packed, [long]1)) { throw 'BadZip|the zip expands as a zip bomb does' }
}

function Add-Crc {
    # ZipArchive of .NET Framework reads an entry without comparing its CRC. A struct, once per process.
    if ('ArrBlueGreenCrc' -as [type]) { return }
    Add-Type -TypeDefinition @'
public struct ArrBlueGreenCrc
{
    static readonly uint[] table = Make();

    static uint[] Make()
    {
        uint[] made = new uint[256];
        for (uint n = 0; n < 256; n++)
        {
            uint one = n;
            for (int bit = 0; bit < 8; bit++) one = (one & 1) != 0 ? 0xEDB88320u ^ (one >> 1) : one >> 1;
            made[n] = one;
        }
        return made;
    }

    public static uint Add(uint crc, byte[] data, int count)
    {
        crc = ~crc;
        for (int at = 0; at < count; at++) crc = table[(crc ^ data[at]) & 0xFF] ^ (crc >> 8);
        return ~crc;
    }
}
'@
}

function Expand-Entry($entry, $told, $target) {
    $buffer = [byte[]]::new(81920)
    $size = [long]0
    $crc = [uint32]0
    $in = $entry.Open()
    $out = [IO.Stream]::Null
    if ($target) { $out = New-Object IO.FileStream -ArgumentList @($target, [IO.FileMode]::CreateNew, [IO.FileAccess]::Write) }
    try {
        # What is read counts, not what the zip's directory claims.
        while (($count = $in.Read($buffer, 0, $buffer.Length)) -gt 0) {
            $size += $count
            if ($size -gt $told.size) { throw "BadZip|'$($entry.FullName)' is longer than the zip says" }
            $crc = [ArrBlueGreenCrc]::Add($crc, $buffer, $count)
            $out.Write($buffer, 0, $count)
        }
    }
    finally {
        $out.Dispose()
        $in.Dispose()
    }
    if ($size -ne $told.size) { throw "BadZip|'$($entry.FullName)' is shorter than the zip says" }
    if ($crc -ne $told.crc) { throw "BadZip|'$($entry.FullName)' is damaged: its CRC is another" }
}

function Expand-Entries($zip, $directory, $folder) {
    for ($index = 0; $index -lt $directory.Count; $index++) {
        $entry = $zip.Entries[$index]
        $target = [IO.Path]::GetFullPath((Join-Path $folder ((Get-Parts $entry.FullName) -join '\')))
        if (-not $target.StartsWith($folder + '\', [StringComparison]::OrdinalIgnoreCase)) { throw "BadZip|'$($entry.FullName)' climbs out" }
        if ($entry.FullName -match '[/\\]$') {
            [void][IO.Directory]::CreateDirectory($target)
            continue
        }
        [void][IO.Directory]::CreateDirectory([IO.Path]::GetDirectoryName($target))
        Expand-Entry $entry $directory[$index] $target
    }
}

function Move-Folder($from, $to) {
    # Virus scanners hold new files for a moment, and a folder with an open file in it cannot be renamed.
    for ($try = 1; $true; $try++) {
        try { return [IO.Directory]::Move($from, $to) }
        catch {
            $code = $_.Exception.GetBaseException().HResult -band 0xFFFF
            if ($try -ge 20 -or @(5, 32, 33) -notcontains $code) { throw }
            Start-Sleep -Milliseconds 250
        }
    }
}

function Use-Partial($target, $fill) {
    # Filled beside its place and moved there last: whole or not at all.
    if ([IO.Directory]::Exists($target) -or [IO.File]::Exists($target)) { throw "Exists|there is something at '$target' already" }
    $partial = "$target.partial-$([Guid]::NewGuid().ToString('N'))"
    Remove-Partials $target
    [void][IO.Directory]::CreateDirectory($partial)
    try {
        & $fill $partial
        Move-Folder $partial $target
    }
    finally {
        # Quietly: what went wrong before is what must be told.
        if ([IO.Directory]::Exists($partial)) { Remove-Item -LiteralPath $partial -Recurse -Force -ErrorAction SilentlyContinue }
    }
    Get-FolderDigest $target
}

function Test-Entries($zip, $directory) {
    # Every byte read, as expanding would, and none written.
    for ($index = 0; $index -lt $directory.Count; $index++) {
        if ($zip.Entries[$index].FullName -notmatch '[/\\]$') { Expand-Entry $zip.Entries[$index] $directory[$index] $null }
    }
    @{ done = $true }
}

function Use-Zip($source, $use) {
    if (-not [IO.File]::Exists($source)) { throw "NoSuchObject|no file '$source'" }
    $length = (New-Object IO.FileInfo $source).Length
    $directory = @(Read-Directory $source)
    Add-Crc
    try {
        $zip = [IO.Compression.ZipFile]::OpenRead($source)
        try {
            Assert-Entries $zip $directory $length
            & $use $zip $directory
        }
        finally { $zip.Dispose() }
    }
    catch [IO.InvalidDataException] { throw "BadZip|the zip is damaged: $($_.Exception.GetBaseException().Message)" }
}

function Expand-Zip($source, $target) {
    Use-Zip $source {
        param($zip, $directory)
        Use-Partial $target { param($partial) Expand-Entries $zip $directory $partial }
    }
}

function Copy-Folder($source, $target) {
    if (-not [IO.Directory]::Exists($source)) { throw "NoSuchObject|no folder '$source'" }
    [void]@(Get-Files $source)
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
    'check' { Use-Zip (Expand-Path $Request.source) { param($zip, $directory) Test-Entries $zip $directory } }
    'append' { Add-Piece (Expand-Path $Request.path) $Request.data ([long]$Request.offset) }
    default { throw "NoSuchObject|no folder operation '$($Request.op)'" }
}
