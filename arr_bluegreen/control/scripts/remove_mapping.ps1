# Host-name affinity mappings to a server are removed, so that a switch is seen by host-name affinity (arr.md 5.5).
# Request: farm, address.
# needs: common
param($Request)

$manager = Open-Manager
try {
    $farm = Find-Named (Get-Farms $manager) 'name' $Request.farm 'farm'
    [void](Find-Named ($farm.GetCollection()) 'address' $Request.address 'server')
    $affinity = $farm.GetChildElement('applicationRequestRouting').GetChildElement('affinity')
    $lookup = $affinity.Methods['LookupServer'].CreateInstance()
    $lookup.Input.SetAttributeValue('address', [string]$Request.address)
    [void]$lookup.Execute()
    $names = @(foreach ($mapped in $lookup.Output.GetCollection()) { [string]$mapped.GetAttributeValue('name') })
    foreach ($name in $names) {
        $remove = $affinity.Methods['RemoveMapping'].CreateInstance()
        $remove.Input.SetAttributeValue('serverAddress', [string]$Request.address)
        $remove.Input.SetAttributeValue('hostName', $name)
        [void]$remove.Execute()
    }
    @{ removed = $names.Count }
}
finally {
    $manager.Dispose()
}
