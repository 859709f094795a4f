"""The sections this simulated host knows, from arr.md 1 to 3; where that leaves rows out, from its sources S-IIS,
S-ARR, S-WFF and S-RW (arr.md 8)."""

from __future__ import annotations

from arr_bluegreen.simulator.schema import Node, node

# -- webFarms (arr.md 1.1, 1.2) ----------------------------------------------------------------------------

_CACHE = node(
    "cache",
    "enabled:bool=true requestConsolidationEnabled:bool=false requestConsolidationTimeout:timeSpan=00:00:00.1"
    " queryStringHandling:enum(Ignore|NoCaching|Accept)=Ignore validationInterval:timeSpan(0-86400/1)=00:01:00",
)


def _protocol(own: str) -> str:
    """What a farm's protocol and the server's proxy have in common (arr.md 1.2, 1.3), after what differs."""
    return (
        f"{own} httpVersion:enum(Http10|Http11|PassThrough)=PassThrough keepAlive:bool=true"
        " xForwardedByHeaderName=X-Forwarded-By xForwardedByHeader xForwardedForHeaderName=X-Forwarded-For"
        " includePortInXForwardedFor:bool=true arrResponseHeader:bool=true sslHeaderName=X-ARR-SSL"
        " clientCertHeaderName=X-ARR-ClientCert logGuidName=X-ARR-LOG-ID logCacheHitName=X-ARR-CACHE-HIT"
        " maxForwards:uint=10 minResponseBuffer:uint(0-4194303)=256 responseBufferLimit:uint(0-4194303)=4096"
        " maxResponseHeaderSize:uint=65536 proxy proxyBypass stealthMode:bool=false clientCertFileName"
        " clientCertPassword=[enc:AesProvider::enc] clientCertHash bufferChunkedResponses:bool=true"
    )


_FARM_ARR = node(
    "applicationRequestRouting",
    "",
    node(
        "protocol",
        _protocol(
            "timeout:timeSpan(1-86400/1)=00:00:30 preserveHostHeader:bool=true alternateHostName"
            " reverseRewriteHostInResponseHeaders:bool=false"
        ),
        _CACHE,
    ),
    node(
        "healthCheck",
        "url retries:uint(0-20)=3 interval:timeSpan(0-86400/1)=00:00:30 timeout:timeSpan(1-86400/1)=00:00:30"
        " statusCodeMatch=200-399 responseMatch liveTrafficFailureCodes=500-"
        " maxLiveTrafficFailures:uint(1-4294967295)=10 liveTrafficFailurePeriod:timeSpan(0-86400/1)=00:00:00"
        " minServers:uint=0",
    ),
    node(
        "affinity",
        "useCookie:bool=false cookieName<nonEmpty>=ARRAffinity useHostName:bool=false hostCountersEnabled:bool=true"
        " useServerProvider:bool=false timeout:timeSpan(60-2592000/60)=00:20:00 useExternalCache:bool=false"
        " ignoreSubDomain:bool=false ignoreSubDomainClientAffinity:bool=false"
        " ignoreSubDomainFragmentDepth:int(0-32767)=2"
        " hostAffinityProvider=Microsoft.Web.Arr.HostNameRoundRobin serverProviderImage",
        item=node("host", "*name<nonEmpty> servers:uint(1-256)=1", item=node("equivalentHost", "*name<nonEmpty>")),
    ),
    node(
        "loadBalancing",
        "algorithm:enum(WeightedRoundRobin|RequestHash|LeastRequests|LeastResponseTime|WeightedTotalTraffic)"
        "=WeightedRoundRobin leastResponseTimePeriod:timeSpan(1-86400/1)=00:00:05 hashServerVariable queryStringNames"
        " randomizeLBTies:bool=false",
    ),
    node("publicKeys", item=node("publicKey", "*bytes<nonEmpty> algorithmOid")),
)
_SERVER_ARR = node(
    "applicationRequestRouting",
    "hostName<nonEmpty> weight:uint(1-4294967295)=100 httpPort:uint(1-65535)=80 httpsPort:uint(1-65535)=443"
    " healthCheckAlternateHostName<nonEmpty> healthCheckAlternatePort:uint(0-65535)=0",
)
_PROVISIONING = tuple(
    node(tag, open=True)
    for tag in (
        "platformProvision",
        "applicationProvision",
        "customProviderSettings",
        "runProviders",
        "autoRepair",
        "defaultProxy",
    )
)
_WEB_FARM = node(
    "webFarm",
    "*!name<siteName> enabled:bool=true autoEnableAgent:bool=true adminUserName"
    " adminPassword=[enc:AesProvider::enc] minimumServers:int=0 agentUrl=http://{0}:8173/WEBFARMAGENTSERVICE/"
    " restartServerOnConfigurationChange:bool=true restartServerIfReady:bool=true primaryServer"
    " loadBalancerProvider=Arr periodicRuntimeData:timeSpan=00:00:01 enableRuntimeData:bool=true"
    " maximumStoppedServers:int=1 agentRetryTime:timeSpan=00:05:00 frontEndUrl serverAutoStart:bool=true"
    " passConnectionCloseHeader:bool=false passServerHeader:enum(Replace|Remove|PassThrough)=Replace",
    *_PROVISIONING,
    _FARM_ARR,
    item=node("server", "*!address<nonEmpty> enabled:bool=true", _SERVER_ARR),
)

# -- rewrite (arr.md 2.1, 2.6; what 2.1 of the module added is known, too) -----------------------------------

_MATCH_TYPE = "matchType:enum(Pattern|IsFile|IsDirectory)=Pattern"
_CONDITION_OF_GLOBAL_RULE = f"*input *{_MATCH_TYPE} *pattern *ignoreCase:bool=true *negate:bool=false"
_CONDITION = f"input {_MATCH_TYPE} pattern ignoreCase:bool=true negate:bool=false"
_ACTION = (
    "type:enum(None|Rewrite|Redirect|CustomResponse|AbortRequest)=None url<trimmed> appendQueryString:bool=true"
    " redirectType:enum(Permanent|Found|SeeOther|Temporary)=Permanent statusCode:uint(^300-307)=0"
    " subStatusCode:uint(0-999)=0 statusReason statusDescription"
)


def _rules(tag: str, condition: str, action: str) -> Node:
    rule = node(
        "rule",
        "*!name enabled:bool=true patternSyntax:enum(ECMAScript|Wildcard|ExactMatch)=ECMAScript"
        " stopProcessing:bool=false responseCacheDirective:enum(Auto|Always|Never|NotIfRuleMatched)=Auto",
        node("match", "url<nonEmpty> ignoreCase:bool=true negate:bool=false"),
        node(
            "conditions",
            "logicalGrouping:enum(MatchAll|MatchAny)=MatchAll trackAllCaptures:bool=false",
            item=node("add", condition),
        ),
        node("serverVariables", item=node("set", "*!name<trimmed> value replace:bool=true")),
        node("action", action),
    )
    return node(tag, "useOriginalURLEncoding:bool=true", item=rule, clears=True)


# -- sites (arr.md 3.1) ----------------------------------------------------------------------------------------

_VDIR = (
    "physicalPath userName password=[enc:AesProvider::enc]"
    " logonMethod:enum(Interactive|Batch|Network|ClearText)=ClearText allowSubDirConfig:bool=true"
)
_APP = (
    "applicationPool<poolName> enabledProtocols=http serviceAutoStartEnabled:bool=false serviceAutoStartProvider"
    " preloadEnabled:bool=false"
)
_LOG_FILE = (
    "logExtFileFlags:flags(Date|Time|ClientIP|UserName|SiteName|ComputerName|ServerIP|Method|UriStem|UriQuery"
    "|HttpStatus|Win32Status|BytesSent|BytesRecv|TimeTaken|ServerPort|UserAgent|Cookie|Referer|ProtocolVersion|Host"
    "|HttpSubStatus)=Date,Time,ClientIP,UserName,ServerIP,Method,UriStem,UriQuery,TimeTaken,HttpStatus,Win32Status,"
    "ServerPort,UserAgent,HttpSubStatus,Referer customLogPluginClsid= logFormat:enum(IIS|NCSA|W3C|Custom)=W3C"
    " directory<nonEmpty>=%SystemDrive%\\inetpub\\logs\\LogFiles"
    " period:enum(MaxSize|Daily|Weekly|Monthly|Hourly)=Daily truncateSize:int64(1048576-4294967295)=20971520"
    " localTimeRollover:bool=false enabled:bool=true logSiteId:bool=true"
)
_SITE_CHILDREN = (
    node(
        "bindings",
        item=node("binding", "*!protocol<nonEmpty> *!bindingInformation<nonEmpty> sslFlags:uint=0"),
        clears=True,
    ),
    node(
        "limits",
        "maxBandwidth:uint(^0-1023)=4294967295 maxConnections:uint=4294967295"
        " connectionTimeout:timeSpan(0-65535/1)=00:02:00 maxUrlSegments:uint(0-16383)=32",
    ),
    node("logFile", _LOG_FILE, open=True),
    node(
        "traceFailedRequestsLogging",
        "enabled:bool=false directory=%SystemDrive%\\inetpub\\logs\\FailedReqLogFiles maxLogFiles:uint(1-10000)=50"
        " maxLogFileSizeKB:uint(0-1048576)=1024 customActionsEnabled:bool=false",
    ),
)
_APP_DEFAULTS = node("applicationDefaults", f"path<path> {_APP}", open=True)
_VDIR_DEFAULTS = node("virtualDirectoryDefaults", f"path<path> {_VDIR}", open=True)
_SITES = node(
    "sites",
    "",
    node("siteDefaults", "name<siteName> id:uint serverAutoStart:bool=true", *_SITE_CHILDREN, open=True),
    _APP_DEFAULTS,
    _VDIR_DEFAULTS,
    item=node(
        "site",
        "*!name<siteName> *!id:uint serverAutoStart:bool=true",
        *_SITE_CHILDREN,
        _APP_DEFAULTS,
        _VDIR_DEFAULTS,
        item=node(
            "application",
            f"*!path<path> {_APP}",
            _VDIR_DEFAULTS,
            item=node("virtualDirectory", f"*path<path> {_VDIR}", open=True),
            open=True,
        ),
        open=True,
    ),
    open=True,
)

# -- application pools (arr.md 3.2) ------------------------------------------------------------------------------

_POOL = (
    "queueLength:uint(10-65535)=1000 autoStart:bool=true enable32BitAppOnWin64:bool=false managedRuntimeVersion="
    " managedRuntimeLoader=webengine4.dll enableConfigurationOverride:bool=true"
    " managedPipelineMode:enum(Integrated|Classic)=Integrated CLRConfigFile= passAnonymousToken:bool=true"
    " startMode:enum(OnDemand|AlwaysRunning)=OnDemand"
)
_RECYCLED = "Time|Requests|Schedule|Memory|IsapiUnhealthy|OnDemand|ConfigChange|PrivateMemory"
_POOL_CHILDREN = (
    node(
        "processModel",
        "identityType:enum(LocalSystem|LocalService|NetworkService|SpecificUser|ApplicationPoolIdentity)"
        "=ApplicationPoolIdentity userName password=[enc:IISWASOnlyAesProvider::enc] loadUserProfile:bool=false"
        " setProfileEnvironment:bool=true logonType:enum(LogonBatch|LogonService)=LogonBatch"
        " manualGroupMembership:bool=false idleTimeout:timeSpan(0-2592000/60)=00:20:00"
        " idleTimeoutAction:enum(Terminate|Suspend)=Terminate maxProcesses:uint(0-2147483647)=1"
        " shutdownTimeLimit:timeSpan(1-4294967/1)=00:01:30 startupTimeLimit:timeSpan(1-4294967/1)=00:01:30"
        " pingingEnabled:bool=true pingInterval:timeSpan(1-4294967/1)=00:00:30"
        " pingResponseTime:timeSpan(1-4294967/1)=00:01:30 logEventOnProcessModel:flags(IdleTimeout)=IdleTimeout",
    ),
    node(
        "recycling",
        "disallowOverlappingRotation:bool=false disallowRotationOnConfigChange:bool=false"
        f" logEventOnRecycle:flags({_RECYCLED})={_RECYCLED.replace('|', ',')}",
        node(
            "periodicRestart",
            "memory:uint=0 privateMemory:uint=0 requests:uint=0 time:timeSpan(0-25920000/60)=29:00:00",
            node("schedule", item=node("add", "*!value:timeSpan(0-86399/60)"), clears=True),
        ),
    ),
    node(
        "failure",
        "loadBalancerCapabilities:enum(TcpLevel|HttpLevel)=HttpLevel orphanWorkerProcess:bool=false orphanActionExe"
        " orphanActionParams rapidFailProtection:bool=true"
        " rapidFailProtectionInterval:timeSpan(60-8640000/60)=00:05:00"
        " rapidFailProtectionMaxCrashes:uint(1-2147483647)=5 autoShutdownExe autoShutdownParams",
    ),
    node(
        "cpu",
        "limit:uint(0-100000)=0 action:enum(NoAction|KillW3wp|Throttle|ThrottleUnderLoad)=NoAction"
        " resetInterval:timeSpan(0-86400/60)=00:05:00 smpAffinitized:bool=false"
        " smpProcessorAffinityMask:uint=4294967295 smpProcessorAffinityMask2:uint=4294967295"
        " processorGroup:int(0-2147483647)=0 numaNodeAssignment:enum(MostAvailableMemory|WindowsScheduling)"
        "=MostAvailableMemory numaNodeAffinityMode:enum(Soft|Hard)=Soft",
    ),
    node("environmentVariables", item=node("add", "*!name<nonEmpty> !value<nonEmpty>"), clears=True),
)
_POOLS = node(
    "applicationPools",
    "",
    node("applicationPoolDefaults", f"name<poolName> {_POOL}", *_POOL_CHILDREN, open=True),
    item=node("add", f"*!name<poolName> {_POOL}", *_POOL_CHILDREN, open=True),
    open=True,
)

SECTIONS: dict[str, Node] = {
    "webFarms": node(
        "webFarms",
        "onDemandHealthCheck:bool=false",
        node(
            "applicationRequestRouting",
            "",
            node("hostAffinityProviderList", item=node("add", "*!name<nonEmpty>")),
        ),
        item=_WEB_FARM,
    ),
    "system.webServer/rewrite/globalRules": _rules("globalRules", _CONDITION_OF_GLOBAL_RULE, _ACTION),
    "system.webServer/rewrite/rules": _rules("rules", _CONDITION, f"{_ACTION} logRewrittenUrl:bool=false"),
    "system.webServer/rewrite/rewriteMaps": node(
        "rewriteMaps",
        item=node(
            "rewriteMap",
            "*!name<trimmed> defaultValue ignoreCase:bool=true",
            item=node("add", "*!key:exact value"),
            clears=True,
        ),
        clears=True,
    ),
    "system.webServer/rewrite/allowedServerVariables": node(
        "allowedServerVariables", item=node("add", "*!name"), clears=True
    ),
    "system.webServer/proxy": node(
        "proxy",
        _protocol(
            "enabled:bool=false passConnectionCloseHeader:bool=false passServerHeader:enum(Replace|Remove|PassThrough)"
            "=Replace timeout:timeSpan(1-86400/1)=00:02:00 preserveHostHeader:bool=false"
            " reverseRewriteHostInResponseHeaders:bool=true"
        ),
        _CACHE,
    ),
    "system.applicationHost/sites": _SITES,
    "system.applicationHost/applicationPools": _POOLS,
    "system.webServer/applicationInitialization": node(
        "applicationInitialization",
        "remapManagedRequestsTo= skipManagedModules:bool=false doAppInitAfterRestart:bool=false",
        item=node("add", "*!initializationPage hostName="),
        clears=True,
    ),
}
