# The hosts file: our lines end in '# OWNER'; all others stay byte for byte. A backup is kept beside it before each write.
# Request: op (read | set | remove), owner, lines ([[ip, name], ...]). Read with an owner tells its lines only.
param($Request)

$path = Join-Path $env:windir 'System32\drivers\etc\hosts'
# Latin-1 maps every byte to one character and back: foreign lines cannot be changed by decoding.
$latin = [Text.Encoding]::GetEncoding(28591)

function Read-Entries($text, $owner) {
    foreach ($line in ($text -split '\r?\n')) {
        if ($owner -and $line -cnotmatch ('# ' + [regex]::Escape($owner) + '[ \t]*$')) { continue }
        $words = @(($line -replace '#.*$').Trim() -split '\s+' | Where-Object { $_ })
        for ($at = 1; $at -lt $words.Count; $at++) { , @($words[0], $words[$at]) }
    }
}

function Edit-Lines($text, $owner, $lines) {
    $mark = '(?m)^[^\r\n#]*# ' + [regex]::Escape($owner) + '[ \t]*(\r?\n|\z)'
    $kept = [regex]::Replace($text, $mark, '')
    if (@($lines).Count -eq 0) { return $kept }
    if ($kept -and -not $kept.EndsWith("`n")) { $kept += "`r`n" }
    foreach ($pair in $lines) {
        $entry = $pair[0] + ' ' + $pair[1]
        if ($entry -notmatch '^[0-9A-Fa-f.:]+ [A-Za-z0-9.-]+$') { throw "BadName|'$entry' is no hosts entry" }
        $kept += $entry + ' # ' + $owner + "`r`n"
    }
    $kept
}

function Write-Hosts($text) {
    $stamp = [DateTime]::UtcNow.ToString('yyyyMMdd-HHmmss-ffffff')
    [IO.File]::Copy($path, ($path + '.arr-bluegreen-' + $stamp + '.bak'))
    # Written in place: the file's ACL and its watchers stay.
    [IO.File]::WriteAllBytes($path, $latin.GetBytes($text))
}

$before = if ([IO.File]::Exists($path)) { $latin.GetString([IO.File]::ReadAllBytes($path)) } else { '' }
$after = $before
if ($Request.op -eq 'set') { $after = Edit-Lines $before $Request.owner $Request.lines }
if ($Request.op -eq 'remove') { $after = Edit-Lines $before $Request.owner @() }
$changed = $after -cne $before
if ($changed) { Write-Hosts $after }
$only = if ($Request.op -eq 'read') { $Request.owner } else { $null }
@{ entries = @(Read-Entries $after $only); changed = $changed }
