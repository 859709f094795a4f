# Farms as configured and as running: states, health and counters of every server, and ARR's worker processes.
# Request: farm (null: all), front (names of front sites). Methods and counters are ARR's run-time extension (arr.md 1.2).
# needs: common
param($Request)

function ConvertTo-Word($name) {
    ($name -creplace '(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])', '_').ToLowerInvariant()
}

function Add-Settings($settings, $prefix, $element) {
    foreach ($attribute in $element.Attributes) {
        if ($attribute.IsInheritedFromDefaultValue -or $attribute.Name -match 'password') { continue }
        $settings[$prefix + (ConvertTo-Word $attribute.Name)] = Read-Value $attribute
    }
}

function Read-Settings($farm) {
    $settings = @{}
    Add-Settings $settings '' $farm
    [void]$settings.Remove('name')
    [void]$settings.Remove('enabled')
    $routing = $farm.GetChildElement('applicationRequestRouting')
    foreach ($part in 'healthCheck', 'affinity', 'loadBalancing', 'protocol') {
        Add-Settings $settings ((ConvertTo-Word $part) + '.') ($routing.GetChildElement($part))
    }
    $protocol = $routing.GetChildElement('protocol')
    Add-Settings $settings 'protocol.cache.' ($protocol.GetChildElement('cache'))
    $settings
}

function Read-Counter($counters, $name) {
    if ($null -eq $counters) { return $null }
    try { return Read-Value $counters.Attributes[$name] }
    catch { return $null }
}

function Read-Server($server) {
    $routing = $server.GetChildElement('applicationRequestRouting')
    $read = @{ address = [string]$server.GetAttributeValue('address'); enabled = [bool]$server.GetAttributeValue('enabled') }
    $configured = 'hostName', 'weight', 'httpPort', 'httpsPort', 'healthCheckAlternateHostName', 'healthCheckAlternatePort'
    foreach ($name in $configured) { $read[(ConvertTo-Word $name)] = Read-Value $routing.Attributes[$name] }
    $counters = $null
    try { $counters = $routing.GetChildElement('counters') }
    catch { $counters = $null }
    $running = 'state', 'isHealthy', 'currentRequests', 'currentWebSocketRequests', 'totalRequests', 'failedRequests', 'lastResetTickCount'
    foreach ($name in $running) { $read[(ConvertTo-Word $name)] = Read-Counter $counters $name }
    $read
}

function Read-Farm($farm) {
    $servers = @(foreach ($server in $farm.GetCollection()) { Read-Server $server })
    @{
        name     = [string]$farm.GetAttributeValue('name')
        enabled  = [bool]$farm.GetAttributeValue('enabled')
        settings = Read-Settings $farm
        servers  = $servers
    }
}

function Read-ArrWorkers($manager, $front) {
    $names = @{}
    foreach ($name in $front) {
        $site = $manager.Sites[$name]
        if ($null -eq $site) { throw "NoSuchObject|no site '$name'; there: $(@($manager.Sites | ForEach-Object { $_.Name }) -join ', ')" }
        foreach ($application in $site.Applications) { $names[$application.ApplicationPoolName] = $true }
    }
    $pools = @($manager.ApplicationPools | Where-Object { $names.ContainsKey($_.Name) })
    @(foreach ($pool in $pools) { Read-Workers $pool })
}

$manager = Open-Manager
try {
    $all = @(foreach ($farm in (Get-Farms $manager)) { $farm })
    $wanted = @($all | Where-Object { $null -eq $Request.farm -or $_.GetAttributeValue('name') -eq $Request.farm })
    if ($null -ne $Request.farm -and $wanted.Count -eq 0) {
        throw "NoSuchObject|no farm '$($Request.farm)'; there: $(@($all | ForEach-Object { $_.GetAttributeValue('name') }) -join ', ')"
    }
    $workers = $null
    if (@($Request.front).Count -gt 0) { $workers = @(Read-ArrWorkers $manager $Request.front) }
    @{ computer = $env:COMPUTERNAME; farms = @(foreach ($farm in $wanted) { Read-Farm $farm }); arr_workers = $workers }
}
finally {
    $manager.Dispose()
}
