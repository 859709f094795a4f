# Start, stop, recycle: run time only, no configuration is written (arr.md 3.1, hazard 15). What already is so stays so.
# Request: actions ([{kind: site or pool, name, verb: start, stop or recycle}]).
# needs: common
param($Request)

function Find-Object($manager, $action) {
    $all = if ($action.kind -eq 'site') { $manager.Sites } else { $manager.ApplicationPools }
    $found = $all[$action.name]
    if ($null -eq $found) {
        throw "NoSuchObject|no $($action.kind) '$($action.name)'; there: $(@($all | ForEach-Object { $_.Name }) -join ', ')"
    }
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
