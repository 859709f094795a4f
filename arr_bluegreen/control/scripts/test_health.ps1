# ARR's own one-off test of a server (arr.md 5.1). Nothing is inherited from the farm: everything is told.
# Request: farm, address, url, timeout (seconds), status_code_match, response_match.
# needs: common
param($Request)

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
