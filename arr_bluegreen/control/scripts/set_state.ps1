# SetState by name, never by number (arr.md 1.2). Every server is found before the first is told. Writes no configuration.
# Request: farm, states ([[address, newState], ...]).
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
