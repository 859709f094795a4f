# SetHealthy or SetUnhealthy (arr.md 5.1). Every server is found before the first is told. Writes no configuration.
# Request: farm, healthy ([[address, true or false], ...]).
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
