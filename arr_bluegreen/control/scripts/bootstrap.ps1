# The kept process: says it is ready, then answers one request per line of stdin (winrm.md 5).
# Sent without full-line comments and indents; must not mention the automatic variable for piped input:
# powershell.exe would then read stdin to its end by itself.
# In: base64 of UTF-8 JSON {id, script, text?, request}. Out: one write of ARRBG-BEGIN id, base64 lines, ARRBG-END id.
# A script that throws 'Kind|message' names the kind of its error.
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-StrictMode -Version 2
# Else an array that went through a cmdlet would be written as {"value": [...], "Count": n} (PowerShell issue 3163).
Remove-TypeData System.Array -ErrorAction Ignore
$mode = "$($ExecutionContext.SessionState.LanguageMode)"
if ($mode -ne 'FullLanguage') {
    "ARRBG-REFUSED $mode"
    exit 3
}
$utf8 = New-Object Text.UTF8Encoding $false
$stdout = [Console]::OpenStandardOutput()
$stdin = New-Object IO.StreamReader -ArgumentList @([Console]::OpenStandardInput(), $utf8)
$known = @{}
function Say($lines) {
    $bytes = $utf8.GetBytes(($lines -join "`n") + "`n")
    $stdout.Write($bytes, 0, $bytes.Length)
    $stdout.Flush()
}
function Wire($value) {
    [Convert]::ToBase64String($utf8.GetBytes((ConvertTo-Json -InputObject $value -Depth 20 -Compress)))
}
function Unwire($text) {
    $utf8.GetString([Convert]::FromBase64String($text))
}
function Describe($record) {
    $e = $record.Exception
    while ($e.InnerException) { $e = $e.InnerException }
    $type = $e.GetType().FullName
    $message = $e.Message
    if ($message -match '(?s)^([A-Z]\w+)\|(.*)$') {
        $type = $Matches[1]
        $message = $Matches[2]
    }
    $code = '0x{0:X8}' -f $e.HResult
    $line = 0
    if ($record.InvocationInfo) { $line = $record.InvocationInfo.ScriptLineNumber }
    @{ message = $message; hresult = $code; type = $type; line = $line }
}
$about = @{ version = "$($PSVersionTable.PSVersion)"; is_64_bit = [IntPtr]::Size -eq 8; language_mode = $mode; computer = $env:COMPUTERNAME }
Say "ARRBG-READY $(Wire $about)"
while ($null -ne ($line = $stdin.ReadLine())) {
    if (-not $line) { continue }
    $id = '0'
    try {
        $call = ConvertFrom-Json (Unwire $line)
        $id = $call.id
        if ($call.PSObject.Properties['text']) {
            $known[$call.script] = [ScriptBlock]::Create((Unwire $call.text))
        }
        $answer = Wire @{ ok = $true; reply = @(& $known[$call.script] $call.request)[-1] }
    }
    catch {
        $answer = Wire @{ ok = $false; error = (Describe $_) }
    }
    $lines = @("ARRBG-BEGIN $id")
    for ($at = 0; $at -lt $answer.Length; $at += 8000) {
        $lines += $answer.Substring($at, [Math]::Min(8000, $answer.Length - $at))
    }
    Say ($lines + "ARRBG-END $id")
}
exit 0
