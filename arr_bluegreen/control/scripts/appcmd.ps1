# appcmd.exe, run while no other tool writes (the mutex of commit.ps1): what it says and its exit code (arr.md 4.4).
# Request: arguments (each quoted for CommandLineToArgvW by the caller), expect (sha256 of the file they were made for, or null).
# needs: common
param($Request)

function Start-Appcmd($arguments) {
    $exe = Join-Path $env:windir 'System32\inetsrv\appcmd.exe'
    if (-not (Test-Path -LiteralPath $exe)) { throw "IisMissing|IIS has no scripting tools here: there is no $exe" }
    $start = New-Object Diagnostics.ProcessStartInfo
    $start.FileName = $exe
    $start.Arguments = $arguments -join ' '
    $start.UseShellExecute = $false
    # All three, or it would read our next request and write between our answers.
    $start.RedirectStandardInput = $true
    $start.RedirectStandardOutput = $true
    $start.RedirectStandardError = $true
    [Diagnostics.Process]::Start($start)
}

function Invoke-Appcmd($arguments) {
    $process = Start-Appcmd $arguments
    try {
        $process.StandardInput.Close()
        # Both read at once: a full pipe would stop it.
        $output = New-Object IO.MemoryStream
        $reading = $process.StandardOutput.BaseStream.CopyToAsync($output)
        $errors = $process.StandardError.BaseStream.CopyToAsync([IO.Stream]::Null)
        if (-not $process.WaitForExit(50000)) {
            $process.Kill()
            throw 'TimedOut|appcmd did not end within 50 s and was stopped'
        }
        [void]$reading.Wait(5000)
        [void]$errors.Wait(5000)
        @{ exit_code = [long]$process.ExitCode; output = [Convert]::ToBase64String($output.ToArray()) }
    }
    finally { $process.Dispose() }
}

$mutex = Enter-Mutex
try {
    $manager = Open-Manager
    try { $path = Get-ConfigPath $manager }
    finally { $manager.Dispose() }
    Assert-Unchanged $path $Request.expect
    Invoke-Appcmd $Request.arguments
}
finally {
    $mutex.ReleaseMutex()
    $mutex.Dispose()
}
