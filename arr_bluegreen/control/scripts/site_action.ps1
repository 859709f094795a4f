# Start, stop, recycle: run time only, no configuration is written (arr.md 3.1, hazard 15). What already is so stays so.
# Request: actions ([{kind: site or pool, name, verb: start, stop or recycle}]).
# needs: common
param($Request)

function Find-Object($manager, $action) {
    # Indexed where it stands: a collection that leaves an if comes out as a plain array, which knows no names.
    $name = [string]$action.name
    if ($action.kind -eq 'site') {
        $found = $manager.Sites[$name]
        $there = @($manager.Sites | ForEach-Object { $_.Name })
    }
    else {
        $found = $manager.ApplicationPools[$name]
        $there = @($manager.ApplicationPools | ForEach-Object { $_.Name })
    }
    if ($null -eq $found) { throw "NoSuchObject|no $($action.kind) '$name'; there: $($there -join ', ')" }
    $found
}

$manager = Open-Manager
try {
    $found = @(foreach ($action in $Request.actions) { Find-Object $manager $action })
    for ($at = 0; $at -lt $found.Count; $at++) {
        $state = [string]$found[$at].State
        switch ($Request.actions[$at].verb) {
            'start' {
                if ($state -ne 'Started' -and $state -ne 'Starting') { [void]$found[$at].Start() }
            }
            'stop' {
                if ($state -ne 'Stopped' -and $state -ne 'Stopping') { [void]$found[$at].Stop() }
            }
            'recycle' { [void]$found[$at].Recycle() }
            default { throw "NoSuchObject|no verb '$($Request.actions[$at].verb)'" }
        }
    }
    @{}
}
finally {
    $manager.Dispose()
}
