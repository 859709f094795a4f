# What this machine is. What cannot be learned is null, never a guess.
# Request: ports (true: also listening and reserved TCP ports; may be missing).
# needs: common
param($Request)

function Read-Modules($manager) {
    $section = $manager.GetApplicationHostConfiguration().GetSection('system.webServer/globalModules')
    @(foreach ($module in $section.GetCollection()) { [string]$module.GetAttributeValue('name') })
}

function Read-Redirection($manager) {
    $section = $manager.GetRedirectionConfiguration().GetSection('configurationRedirection')
    if (-not [bool]$section.GetAttributeValue('enabled')) { return $null }
    [string]$section.GetAttributeValue('path')
}

function Read-Version {
    $key = Get-ItemProperty -LiteralPath 'HKLM:\SOFTWARE\Microsoft\InetStp' -ErrorAction SilentlyContinue
    if ($null -eq $key) { return $null }
    "$($key.MajorVersion).$($key.MinorVersion)"
}

function Read-Reserved {
    # Windows' own excluded ranges: lines of two numbers, whatever the language of the words around them.
    $lines = & (Join-Path $env:windir 'System32\netsh.exe') interface ipv4 show excludedportrange protocol=tcp
    foreach ($line in $lines) {
        if ($line -match '^\s*(\d+)\s+(\d+)') { , @([int]$Matches[1], [int]$Matches[2]) }
    }
}

$identity = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
$facts = @{
    computer           = $env:COMPUTERNAME
    now                = [DateTime]::UtcNow.ToString('o')
    is_64_bit          = ([IntPtr]::Size -eq 8)
    elevated           = $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
    arr_installed      = $null
    rewrite_installed  = $null
    request_monitor    = $null
    redirected_to      = $null
    aspnetcore_module  = Get-ModuleVersion
    iis_version        = Read-Version
    program_data       = $env:ProgramData
}
if ($null -eq $facts.iis_version) {
    $facts.arr_installed = $false
    $facts.rewrite_installed = $false
}
else {
    $manager = $null
    try {
        $manager = Open-Manager
        $modules = @(Read-Modules $manager)
        $facts.arr_installed = $modules -contains 'ApplicationRequestRouting'
        $facts.rewrite_installed = $modules -contains 'RewriteModule'
        $facts.request_monitor = $modules -contains 'RequestMonitorModule'
        $facts.redirected_to = Read-Redirection $manager
    }
    catch {
        if ($facts.elevated) { throw }
    }
    finally {
        if ($null -ne $manager) { $manager.Dispose() }
    }
}
if ($Request.PSObject.Properties['ports'] -and $Request.ports) {
    $listeners = [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().GetActiveTcpListeners()
    $facts.listening_ports = @($listeners | ForEach-Object { $_.Port } | Sort-Object -Unique)
    $facts.reserved_ports = @(Read-Reserved)
}
$facts
