# SetState by name, never by number (arr.md 1.2). Every server is found before the first is told. Writes no configuration.
# Request: farm, states ([[address, newState], ...]).
# needs: common
param($Request)

$manager = Open-Manager
try {
    $farm = Find-Named (Get-Farms $manager) 'name' $Request.farm 'farm'
    $calls = @(foreach ($pair in $Request.states) {
        $server = Find-Named ($farm.GetCollection()) 'address' $pair[0] 'server'
        $method = $server.GetChildElement('applicationRequestRouting').Methods['SetState'].CreateInstance()
        $method.Input.SetAttributeValue('newState', [string]$pair[1])
        $method
    })
    foreach ($method in $calls) { [void]$method.Execute() }
    @{}
}
finally {
    $manager.Dispose()
}
