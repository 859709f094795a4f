# The hosts file: our lines end in '# OWNER'; all others stay byte for byte. A backup is kept beside it before each write.
# Request: op (read | set | remove), owner (not for read), lines ([[ip, name], ...]; only for set).
param($Request)

$path = Join-Path $env:windir 'System32\drivers\etc\hosts'
# Latin-1 maps every byte to one character and back: foreign lines cannot be changed by decoding.
$latin = [Text.Encoding]::GetEncoding(28591)

function Edit-Lines($text, $owner, $lines) {
    if ($owner -notmatch '^[A-Za-z0-9][\w .-]*\z') { throw "BadName|'$owner' cannot mark a line of the hosts file" }
    $mark = '(?m)^[^\r\n#]*# ' + [regex]::Escape($owner) + '[ \t]*(\r?\n|\z)'
    $kept = [regex]::Replace($text, $mark, '')
    if (@($lines).Count -eq 0) { return $kept }
    if ($kept -and -not $kept.EndsWith("`n")) { $kept += "`r`n" }
    foreach ($pair in $lines) {
        $entry = $pair[0] + ' ' + $pair[1]
        if ($entry -notmatch '^[0-9A-Fa-f.:]+ [A-Za-z0-9.-]+\z') { throw "BadName|'$entry' is no hosts entry" }
        $kept += $entry + ' # ' + $owner + "`r`n"
    }
    $kept
}

function Write-Hosts($text) {
    $stamp = [DateTime]::UtcNow.ToString('yyyyMMdd-HHmmss-ffffff')
    if ([IO.File]::Exists($path)) { [IO.File]::Copy($path, ($path + '.arr-bluegreen-' + $stamp + '.bak')) }
    # Written in place: the file's ACL and its watchers stay.
    [IO.File]::WriteAllBytes($path, $latin.GetBytes($text))
    # Of our own backups the newest five stay.
    $backups = @([IO.Directory]::GetFiles([IO.Path]::GetDirectoryName($path), 'hosts.arr-bluegreen-*.bak') | Sort-Object)
    for ($at = 0; $at -lt $backups.Count - 5; $at++) { [IO.File]::Delete($backups[$at]) }
}

$before = ''
if ([IO.File]::Exists($path)) { $before = $latin.GetString([IO.File]::ReadAllBytes($path)) }
if ($Request.op -eq 'read') { return @{ text = $before } }
switch ($Request.op) {
    'set' { $after = Edit-Lines $before $Request.owner $Request.lines }
    'remove' { $after = Edit-Lines $before $Request.owner @() }
    default { throw "NoSuchObject|no hosts file operation '$($Request.op)'" }
}
$changed = [string]::CompareOrdinal($after, $before) -ne 0
if ($changed) { Write-Hosts $after }
@{ changed = $changed }
