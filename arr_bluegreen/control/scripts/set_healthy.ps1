# SetHealthy or SetUnhealthy (arr.md 5.1). Every server is found before the first is told. Writes no configuration.
# Request: farm, healthy ([[address, true or false], ...]).
# needs: common
param($Request)

$manager = Open-Manager
try {
    $farm = Find-Named (Get-Farms $manager) 'name' $Request.farm 'farm'
    $calls = @(foreach ($pair in $Request.healthy) {
        $server = Find-Named ($farm.GetCollection()) 'address' $pair[0] 'server'
        $verb = if ($pair[1]) { 'SetHealthy' } else { 'SetUnhealthy' }
        $server.GetChildElement('applicationRequestRouting').Methods[$verb].CreateInstance()
    })
    foreach ($method in $calls) { [void]$method.Execute() }
    @{}
}
finally {
    $manager.Dispose()
}
