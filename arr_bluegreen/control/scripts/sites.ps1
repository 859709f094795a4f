# Sites and pools as running: states, worker processes with start time, requests in flight (Request Monitor, arr.md 6).
# Request: pools (names; none: all), requests (true: count requests in flight; null where the feature is missing).
# needs: common
param($Request)

function Read-State($object) {
    try { return [string]$object.State }
    catch { return 'Unknown' }
}

function Read-Requests($pool) {
    $count = 0
    try {
        foreach ($worker in $pool.WorkerProcesses) { $count += @($worker.GetRequests(0)).Count }
        return $count
    }
    catch { return $null }
}

function Read-Pool($pool) {
    $requests = $null
    if ($Request.requests) { $requests = Read-Requests $pool }
    @{ name = [string]$pool.Name; state = Read-State $pool; workers = @(Read-Workers $pool); requests = $requests }
}

$manager = Open-Manager
try {
    $names = @($Request.pools)
    foreach ($name in $names) {
        if ($null -eq $manager.ApplicationPools[$name]) {
            throw "NoSuchObject|no pool '$name'; there: $(@($manager.ApplicationPools | ForEach-Object { $_.Name }) -join ', ')"
        }
    }
    $pools = @($manager.ApplicationPools | Where-Object { $names.Count -eq 0 -or $names -contains $_.Name })
    @{
        sites = @(foreach ($site in $manager.Sites) { @{ name = [string]$site.Name; id = [long]$site.Id; state = Read-State $site } })
        pools = @(foreach ($pool in $pools) { Read-Pool $pool })
    }
}
finally {
    $manager.Dispose()
}
