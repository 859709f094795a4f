# web.config of folders: is it ASP.NET Core, in process, and does it opt out of rotation on a configuration change (arr.md 5.8).
# Request: paths.
# needs: common
param($Request)

function Read-App($path) {
    $app = @{
        path = $path
        asp_net_core = $false
        in_process = $null
        disallow_rotation_on_config_change = $false
        module_version = Get-ModuleVersion
    }
    # Not Join-Path: it throws where the drive is not there.
    $file = [IO.Path]::Combine([Environment]::ExpandEnvironmentVariables($path), 'web.config')
    if (-not (Test-Path -LiteralPath $file)) { return $app }
    $document = New-Object Xml.XmlDocument
    $document.XmlResolver = $null
    # From bytes, so that the declared encoding counts.
    $document.Load([IO.MemoryStream]::new((Read-Bytes $file)))
    $core = $document.SelectSingleNode('//*[local-name()="aspNetCore"]')
    if ($null -eq $core) { return $app }
    $app.asp_net_core = $true
    $app.in_process = $core.GetAttribute('hostingModel') -eq 'inprocess'
    foreach ($setting in $core.SelectNodes('*[local-name()="handlerSettings"]/*[local-name()="handlerSetting"]')) {
        if ($setting.GetAttribute('name') -eq 'disallowRotationOnConfigChange') {
            $app.disallow_rotation_on_config_change = $setting.GetAttribute('value') -eq 'true'
        }
    }
    $app
}

@{ apps = @(foreach ($path in $Request.paths) { Read-App $path }) }
