# Primitive edits through Microsoft.Web.Administration in ONE CommitChanges: one write, one change notification (arr.md 5.8).
# Request: edits, expect (sha256 of the file they were made for, or null). Passwords are copied here, never sent.
# needs: common
param($Request)

function ConvertTo-Span([string]$text) {
    $days = 0
    if ($text -match '^(\d+)\.(\d+:.*)$') {
        $days = [int]$Matches[1]
        $text = $Matches[2]
    }
    $parts = $text.Split(':')
    $whole = [double]::Parse($parts[2], [Globalization.CultureInfo]::InvariantCulture)
    [TimeSpan]::FromSeconds($days * 86400 + [int]$parts[0] * 3600 + [int]$parts[1] * 60 + $whole)
}

function ConvertTo-Value($schema, [string]$text) {
    switch ($schema.Type) {
        'bool' { return [bool]::Parse($text) }
        'timeSpan' { return ConvertTo-Span $text }
        'int' { return [int]$text }
        'uint' { return [long]$text }
        'int64' { return [long]$text }
        default { return $text }
    }
}

function Get-EnumName($attribute) {
    foreach ($one in $attribute.Schema.GetEnumValues()) {
        if ([long]$one.Value -eq [long]$attribute.Value) { return $one.Name }
    }
    [string]$attribute.Value
}

function Test-Same($attribute, [string]$text) {
    switch ($attribute.Schema.Type) {
        'enum' { return (Get-EnumName $attribute) -eq $text }
        'string' {
            if ($attribute.Schema.IsCaseSensitive) { return [string]$attribute.Value -ceq $text }
            return [string]$attribute.Value -eq $text
        }
        default { return $attribute.Value -eq (ConvertTo-Value $attribute.Schema $text) }
    }
}

function Set-Value($element, $name, $text) {
    if ($null -eq $text) {
        $attribute = $element.GetAttribute($name)
        if (-not $attribute.IsInheritedFromDefaultValue) { $attribute.Delete() }
        return
    }
    $schema = $element.Schema.AttributeSchemas[$name]
    if ($null -eq $schema) { throw "NoSuchObject|no attribute '$name' in the schema of element '$($element.ElementTagName)'" }
    $element.SetAttributeValue($name, (ConvertTo-Value $schema $text))
}

function Find-Item($collection, $key) {
    foreach ($item in $collection) {
        $differing = @($key | Where-Object { -not (Test-Same ($item.GetAttribute($_[0])) $_[1]) })
        if ($differing.Count -eq 0) { return $item }
    }
    $words = @($key | ForEach-Object { "$($_[0])='$($_[1])'" }) -join ', '
    throw "NoSuchObject|no item [$words]"
}

function Get-Place($config, $place, $count) {
    if ($place.location) { $element = $config.GetSection($place.section, $place.location) }
    else { $element = $config.GetSection($place.section) }
    for ($at = 0; $at -lt $count; $at++) {
        $step = $place.steps[$at]
        if (@($step.key).Count -eq 0) { $element = $element.GetChildElement($step.tag) }
        else { $element = Find-Item ($element.GetCollection()) $step.key }
    }
    $element
}

function Test-Child($element, $tag) {
    foreach ($schema in $element.Schema.ChildElementSchemas) {
        if ($schema.Name -eq $tag) { return $true }
    }
    $false
}

function Write-Element($element, $new) {
    foreach ($pair in $new.attributes) { Set-Value $element $pair[0] $pair[1] }
    foreach ($child in $new.children) {
        if (Test-Child $element $child.tag) { Write-Element ($element.GetChildElement($child.tag)) $child }
        else { Add-Item ($element.GetCollection()) $child -1 }
    }
}

function Add-Item($collection, $new, $index) {
    $item = $collection.CreateElement($new.tag)
    Write-Element $item $new
    if ($index -lt 0) { [void]$collection.Add($item) }
    else { [void]$collection.AddAt($index, $item) }
}

function Get-Index($collection, $where, $name) {
    if ($where -eq 'first') { return 0 }
    if ($where -eq 'last') { return -1 }
    for ($at = 0; $at -lt $collection.Count; $at++) {
        if ([string]$collection[$at].GetAttributeValue('name') -eq $name) {
            if ($where -eq 'before') { return $at }
            return $at + 1
        }
    }
    throw "NoSuchObject|no item '$name' to put another before or after"
}

function Copy-Attribute($from, $to, $name) {
    $attribute = $from.GetAttribute($name)
    if ($attribute.IsInheritedFromDefaultValue) { Set-Value $to $name $null }
    elseif ($attribute.Schema.Type -eq 'enum') { $to.SetAttributeValue($name, (Get-EnumName $attribute)) }
    else { $to.SetAttributeValue($name, $attribute.Value) }
}

function Copy-Element($from, $to) {
    foreach ($attribute in $from.Attributes) {
        if (-not $attribute.IsInheritedFromDefaultValue) { Copy-Attribute $from $to $attribute.Name }
    }
    foreach ($child in $from.ChildElements) { Copy-Element $child ($to.GetChildElement($child.ElementTagName)) }
    if ($null -eq $from.Schema.CollectionSchema) { return }
    $target = $to.GetCollection()
    foreach ($item in $from.GetCollection()) {
        $copy = $target.CreateElement($item.ElementTagName)
        Copy-Element $item $copy
        [void]$target.Add($copy)
    }
}

function Move-Item-To($config, $edit) {
    $count = @($edit.steps).Count
    $collection = (Get-Place $config $edit ($count - 1)).GetCollection()
    $item = Get-Place $config $edit $count
    $copy = $collection.CreateElement($item.ElementTagName)
    Copy-Element $item $copy
    $collection.Remove($item)
    $index = Get-Index $collection $edit.where $edit.name
    if ($index -lt 0) { [void]$collection.Add($copy) }
    else { [void]$collection.AddAt($index, $copy) }
}

function Remove-Place($config, $edit) {
    $count = @($edit.steps).Count
    $element = Get-Place $config $edit $count
    if ($count -gt 0 -and @($edit.steps[$count - 1].key).Count -gt 0) {
        (Get-Place $config $edit ($count - 1)).GetCollection().Remove($element)
    }
    else { $element.Delete() }
}

function Get-SectionPaths($group, $prefix) {
    foreach ($section in $group.Sections) {
        # These stand at the top of the file only; to ask for them in a location is an error.
        if (@('AppHostOnly', 'MachineOnly', 'MachineToRootWeb') -notcontains $section.AllowDefinition) { $prefix + $section.Name }
    }
    foreach ($below in $group.SectionGroups) { Get-SectionPaths $below ($prefix + $below.Name + '/') }
}

function Get-LocationSection($config, $name, $location) {
    # A section that is declared and has no schema (its module is gone) cannot be read, by IIS neither.
    try { return $config.GetSection($name, $location) }
    catch { return $null }
}

function Get-Locations($config, $path) {
    $all = @($config.GetLocationPaths())
    @($all | Where-Object { $_ -eq $path -or $_.StartsWith("$path/", [StringComparison]::OrdinalIgnoreCase) })
}

function Copy-Location($config, $source, $target) {
    $sections = @(Get-SectionPaths ($config.RootSectionGroup) '')
    foreach ($location in (Get-Locations $config $source)) {
        $to = $target + $location.Substring($source.Length)
        foreach ($name in $sections) {
            $section = Get-LocationSection $config $name $location
            if ($null -eq $section -or -not $section.IsLocallyStored) { continue }
            $copy = $config.GetSection($name, $to)
            if ($copy.OverrideMode -ne $section.OverrideMode) { $copy.OverrideMode = $section.OverrideMode }
            Copy-Element $section $copy
        }
    }
}

function Invoke-Edit($config, $edit) {
    switch ($edit.kind) {
        'set' {
            $element = Get-Place $config $edit (@($edit.steps).Count)
            foreach ($pair in $edit.values) { Set-Value $element $pair[0] $pair[1] }
        }
        'add' {
            $collection = (Get-Place $config $edit (@($edit.steps).Count)).GetCollection()
            Add-Item $collection $edit.element (Get-Index $collection $edit.where $edit.name)
        }
        'remove' { Remove-Place $config $edit }
        'move' { Move-Item-To $config $edit }
        'copy_attributes' {
            $from = Get-Place $config $edit.source (@($edit.source.steps).Count)
            $to = Get-Place $config $edit (@($edit.steps).Count)
            foreach ($name in $edit.names) { Copy-Attribute $from $to $name }
        }
        'copy_location' { Copy-Location $config $edit.source $edit.target }
        'remove_location' {
            foreach ($location in (Get-Locations $config $edit.path)) { $config.RemoveLocationPath($location) }
        }
        default { throw "NoSuchObject|no edit of kind '$($edit.kind)'" }
    }
}

$mutex = Enter-Mutex
try {
    $manager = Open-Manager
    try {
        $path = Get-ConfigPath $manager
        $config = $manager.GetApplicationHostConfiguration()
        [void]$config.GetSection('system.applicationHost/sites').GetCollection().Count
        Assert-Unchanged $path $Request.expect
        foreach ($edit in $Request.edits) { Invoke-Edit $config $edit }
        $manager.CommitChanges()
    }
    finally { $manager.Dispose() }
    @{ digest = Get-Digest (Read-Bytes $path) }
}
finally {
    $mutex.ReleaseMutex()
    $mutex.Dispose()
}
