# HTTP requests made on this machine: Host header as told, no proxy, no redirect followed, certificates as told.
# Request: requests ([{url, host, method, headers, body, timeout, verify_tls}]), concurrency. A failed one is an answer with error.
param($Request)

$utf8 = New-Object Text.UTF8Encoding $false
$protocols = [Net.ServicePointManager]::SecurityProtocol
# 0: Windows decides, which may be newer than 1.2.
if ([int]$protocols -ne 0) { [Net.ServicePointManager]::SecurityProtocol = $protocols -bor [Net.SecurityProtocolType]::Tls12 }
[Net.ServicePointManager]::DefaultConnectionLimit = 256
[Net.ServicePointManager]::Expect100Continue = $false

function New-AcceptAll {
    # Compiled, not a script block: the callback comes on a thread that has no runspace.
    $certificate = [Security.Cryptography.X509Certificates.X509Certificate]
    $chain = [Security.Cryptography.X509Certificates.X509Chain]
    $types = [object], $certificate, $chain, [Net.Security.SslPolicyErrors]
    $parameters = [Linq.Expressions.ParameterExpression[]]@(foreach ($type in $types) { [Linq.Expressions.Expression]::Parameter($type) })
    $body = [Linq.Expressions.Expression]::Constant($true)
    [Linq.Expressions.Expression]::Lambda([Net.Security.RemoteCertificateValidationCallback], $body, $parameters).Compile()
}

function Add-Header($web, $name, $value) {
    switch ($name) {
        'Accept' { $web.Accept = $value }
        'Content-Type' { $web.ContentType = $value }
        'User-Agent' { $web.UserAgent = $value }
        'Referer' { $web.Referer = $value }
        'Host' { $web.Host = $value }
        default { $web.Headers.Add($name, $value) }
    }
}

function New-Web($one) {
    $web = [Net.WebRequest]::Create([Uri]$one.url)
    $web.Method = $one.method
    $web.Proxy = $null
    $web.AllowAutoRedirect = $false
    $web.KeepAlive = $false
    $web.UserAgent = 'arr-bluegreen'
    $web.Timeout = [int](1000 * $one.timeout)
    $web.ReadWriteTimeout = [int](1000 * $one.timeout)
    if ($one.host) { $web.Host = $one.host }
    if (-not $one.verify_tls) { $web.ServerCertificateValidationCallback = New-AcceptAll }
    foreach ($pair in $one.headers) { Add-Header $web $pair[0] $pair[1] }
    $web
}

function Start-One($one, $index) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $started = @{ index = $index; watch = $watch; web = $null; wait = $null; deadline = [double]$one.timeout; failure = '' }
    try {
        $started.web = New-Web $one
        if ($one.body) {
            $bytes = $utf8.GetBytes([string]$one.body)
            $started.web.ContentLength = $bytes.Length
            $stream = $started.web.GetRequestStream()
            $stream.Write($bytes, 0, $bytes.Length)
            $stream.Dispose()
        }
        $started.wait = $started.web.BeginGetResponse($null, $null)
    }
    catch { $started.failure = $_.Exception.GetBaseException().Message }
    $started
}

function Read-Body($response, $started) {
    $memory = New-Object IO.MemoryStream
    $buffer = [byte[]]::new(8192)
    $stream = $response.GetResponseStream()
    while ($memory.Length -lt 65536 -and $started.watch.Elapsed.TotalSeconds -lt $started.deadline) {
        $count = $stream.Read($buffer, 0, $buffer.Length)
        if ($count -le 0) { break }
        $memory.Write($buffer, 0, $count)
    }
    $utf8.GetString($memory.ToArray(), 0, [Math]::Min(65536, [int]$memory.Length))
}

function Get-Answer($response, $started) {
    try {
        $headers = @(foreach ($name in $response.Headers.AllKeys) { , @($name, [string]$response.Headers[$name]) })
        $text = Read-Body $response $started
        @{ status = [int]$response.StatusCode; headers = $headers; text = $text; seconds = $started.watch.Elapsed.TotalSeconds; error = '' }
    }
    finally { $response.Close() }
}

function New-Failure($started, $message) {
    @{ status = 0; headers = @(); text = ''; seconds = $started.watch.Elapsed.TotalSeconds; error = $message }
}

function Complete-One($started) {
    if ($started.failure) { return New-Failure $started $started.failure }
    $left = [int](1000 * ($started.deadline - $started.watch.Elapsed.TotalSeconds))
    if (-not $started.wait.AsyncWaitHandle.WaitOne([Math]::Max(0, $left))) {
        $started.web.Abort()
        return New-Failure $started "no answer within $($started.deadline) s"
    }
    try { return Get-Answer ($started.web.EndGetResponse($started.wait)) $started }
    catch {
        $cause = $_.Exception
        while ($cause.InnerException -and $cause -isnot [Net.WebException]) { $cause = $cause.InnerException }
        if ($cause -is [Net.WebException] -and $null -ne $cause.Response) { return Get-Answer $cause.Response $started }
        return New-Failure $started ($cause.GetBaseException().Message)
    }
}

$all = @($Request.requests)
$width = [Math]::Max(1, [Math]::Min(32, [int]$Request.concurrency))
$answers = [object[]]::new($all.Count)
for ($from = 0; $from -lt $all.Count; $from += $width) {
    $until = [Math]::Min($all.Count, $from + $width)
    $pending = @(for ($at = $from; $at -lt $until; $at++) { Start-One $all[$at] $at })
    while ($pending.Count -gt 0) {
        # Answers are taken as they come, so that each one's seconds are its own.
        $ready = @($pending | Where-Object { $_.failure -or $_.wait.IsCompleted -or $_.watch.Elapsed.TotalSeconds -ge $_.deadline })
        if ($ready.Count -eq 0) {
            $handles = [Threading.WaitHandle[]]@($pending | ForEach-Object { $_.wait.AsyncWaitHandle })
            [void][Threading.WaitHandle]::WaitAny($handles, 50)
            continue
        }
        foreach ($one in $ready) { $answers[$one.index] = Complete-One $one }
        $done = @($ready | ForEach-Object { $_.index })
        $pending = @($pending | Where-Object { $done -notcontains $_.index })
    }
}
@{ answers = $answers }
