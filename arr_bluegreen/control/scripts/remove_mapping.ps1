# Host-name affinity mappings to a server are removed, so that a switch is seen by host-name affinity (arr.md 5.5).
# Request: farm, address.
param($Request)

function Open-Manager {
    $dll = Join-Path $env:windir 'System32\inetsrv\Microsoft.Web.Administration.dll'
    if (-not (Test-Path -LiteralPath $dll)) { throw "IisMissing|IIS is not installed here: there is no $dll" }
    [void][Reflection.Assembly]::LoadFrom($dll)
    New-Object Microsoft.Web.Administration.ServerManager
}

function Get-Farms($manager) {
    try {
        return , $manager.GetApplicationHostConfiguration().GetSection('webFarms').GetCollection()
    }
    catch {
        $schema = Join-Path $env:windir 'System32\inetsrv\config\schema\arr_schema.xml'
        if (-not (Test-Path -LiteralPath $schema)) { throw 'ArrMissing|Application Request Routing is not installed here' }
        throw
    }
}

function Find-Named($items, $key, $name, $kind) {
    $there = @()
    foreach ($item in $items) {
        $found = [string]$item.GetAttributeValue($key)
        if ($found -eq $name) { return $item }
        $there += $found
    }
    throw "NoSuchObject|no $kind '$name'; there: $($there -join ', ')"
}

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
