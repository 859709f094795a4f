# ARR's own one-off test of a server (arr.md 5.1). Nothing is inherited from the farm: everything is told.
# Request: farm, address, url, timeout (seconds), status_code_match, response_match.
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

function Read-Value($attribute) {
    $value = $attribute.Value
    switch ($attribute.Schema.Type) {
        'bool' { return [bool]$value }
        'string' { return [string]$value }
        'timeSpan' { return ([TimeSpan]$value).TotalSeconds }
        'enum' {
            foreach ($one in $attribute.Schema.GetEnumValues()) {
                if ([long]$one.Value -eq [long]$value) { return $one.Name }
            }
            return [string]$value
        }
        default { return [long]$value }
    }
}

$manager = Open-Manager
try {
    $farm = Find-Named (Get-Farms $manager) 'name' $Request.farm 'farm'
    $server = Find-Named ($farm.GetCollection()) 'address' $Request.address 'server'
    $method = $server.GetChildElement('applicationRequestRouting').Methods['TestHealth'].CreateInstance()
    $method.Input.SetAttributeValue('url', [string]$Request.url)
    $method.Input.SetAttributeValue('timeout', [TimeSpan]::FromSeconds([double]$Request.timeout))
    $method.Input.SetAttributeValue('statusCodeMatch', [string]$Request.status_code_match)
    if ($Request.response_match) { $method.Input.SetAttributeValue('responseMatch', [string]$Request.response_match) }
    [void]$method.Execute()
    @{
        result      = Read-Value $method.Output.Attributes['result']
        http_status = Read-Value $method.Output.Attributes['httpStatus']
        error_code  = Read-Value $method.Output.Attributes['errorCode']
    }
}
finally {
    $manager.Dispose()
}
