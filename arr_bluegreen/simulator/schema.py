"""The schema the played appcmd knows: which attributes and collections there are, and which values they take.

Own knowledge, taken from arr.md 1 to 3, on purpose not shared with ``apphost``: a value that our own schema lets pass
and IIS would refuse has to fail here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: kind (string, bool, int, uint, timeSpan, enum, flags), range of numbers (seconds for timeSpan)."""

    name: str
    kind: str = "string"
    low: int | None = None
    high: int | None = None
    names: tuple[str, ...] = ()
    key: bool = False

    def complaint(self, text: str) -> str:
        """Why IIS would not take ``text``; "" when it would."""
        match self.kind:
            case "bool":
                return "" if text.casefold() in ("true", "false") else "Enum must be one of false, true"
            case "enum" | "flags":
                parts = [one.strip() for one in text.split(",")] if self.kind == "flags" else [text]
                fine = all(any(one.casefold() == name.casefold() for name in self.names) for one in parts)
                return "" if fine else f"Enum must be one of {', '.join(self.names)}"
            case "int" | "uint":
                return self._number(text)
            case "timeSpan":
                seconds = span_seconds(text)
                if seconds is None:
                    return "String is not in the form of a timespan such as 00:00:00"
                between = f"Timespan value must be between {self.low} and {self.high} seconds inclusive"
                return "" if self._within(seconds) else between
            case _:
                return ""

    def written(self, text: str) -> str:
        """The value as IIS writes it: enumerations and booleans in the schema's own case."""
        if self.kind == "bool":
            return text.casefold()
        if self.kind == "enum":
            return next((one for one in self.names if one.casefold() == text.casefold()), text)
        return text

    def _number(self, text: str) -> str:
        low = 0 if self.kind == "uint" else -(2**31)
        if not re.fullmatch(r"-?\d+", text) or not low <= int(text) <= 2**32 - 1:
            return f"Integer must not be '{text}'"
        return "" if self._within(int(text)) else f"Integer value must be between {self.low} and {self.high} inclusive"

    def _within(self, number: float) -> bool:
        return (self.low is None or number >= self.low) and (self.high is None or number <= self.high)


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its attributes, child elements, and the items of its collection (``item`` None: no collection)."""

    tag: str
    attributes: dict[str, Attribute] = field(default_factory=dict)
    children: dict[str, Node] = field(default_factory=dict)
    item: Node | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """The attributes that make an item unique."""
        return tuple(name for name, one in self.attributes.items() if one.key)


def span_seconds(text: str) -> float | None:
    """``[d.]hh:mm:ss[.fff]`` in seconds, None when it is not that."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d(?:\.\d+)?)", text)
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


# -- private: the notation -------------------------------------------------------------------------------


def _node(tag: str, attributes: str = "", *children: Node, item: Node | None = None) -> Node:
    """``attributes``: words such as ``*name`` (a key), ``retries:uint(0-20)``, ``type:enum(None|Rewrite)``."""
    made = (_attribute(word) for word in attributes.split())
    return Node(tag, {one.name: one for one in made}, {one.tag: one for one in children}, item)


def _attribute(word: str) -> Attribute:
    name, _, rest = word.lstrip("*").partition(":")
    kind, _, inside = rest.rstrip(")").partition("(")
    key = word.startswith("*")
    if kind in ("enum", "flags"):
        return Attribute(name, kind, names=tuple(inside.split("|")), key=key)
    low, _, high = inside.partition("-")
    return Attribute(name, kind or "string", int(low) if low else None, int(high) if high else None, (), key)


# -- webFarms (arr.md 1.1, 1.2) ----------------------------------------------------------------------------

_CACHE = _node(
    "cache",
    "enabled:bool requestConsolidationEnabled:bool requestConsolidationTimeout:timeSpan"
    " queryStringHandling:enum(Ignore|NoCaching|Accept) validationInterval:timeSpan(0-86400)",
)
_PROTOCOL = (
    "httpVersion:enum(Http10|Http11|PassThrough) keepAlive:bool timeout:timeSpan(1-86400) preserveHostHeader:bool"
    " reverseRewriteHostInResponseHeaders:bool xForwardedByHeaderName xForwardedByHeader xForwardedForHeaderName"
    " includePortInXForwardedFor:bool arrResponseHeader:bool sslHeaderName clientCertHeaderName logGuidName"
    " logCacheHitName maxForwards:uint minResponseBuffer:uint(0-4194303) responseBufferLimit:uint(0-4194303)"
    " maxResponseHeaderSize:uint proxy proxyBypass"
)
_FARM_ARR = _node(
    "applicationRequestRouting",
    "",
    _node(
        "protocol",
        _PROTOCOL + " alternateHostName stealthMode:bool clientCertFileName clientCertPassword clientCertHash"
        " bufferChunkedResponses:bool",
        _CACHE,
    ),
    _node(
        "healthCheck",
        "url retries:uint(0-20) interval:timeSpan(0-86400) timeout:timeSpan(1-86400) statusCodeMatch responseMatch"
        " liveTrafficFailureCodes maxLiveTrafficFailures:uint(1-4294967295) liveTrafficFailurePeriod:timeSpan(0-86400)"
        " minServers:uint",
    ),
    _node(
        "affinity",
        "useCookie:bool cookieName useHostName:bool hostCountersEnabled:bool useServerProvider:bool"
        " timeout:timeSpan(60-2592000) useExternalCache:bool ignoreSubDomain:bool ignoreSubDomainClientAffinity:bool"
        " ignoreSubDomainFragmentDepth:int(0-32767) hostAffinityProvider serverProviderImage",
        item=_node("host", "*name servers:uint(1-256)", item=_node("equivalentHost", "*name")),
    ),
    _node(
        "loadBalancing",
        "algorithm:enum(WeightedRoundRobin|RequestHash|LeastRequests|LeastResponseTime|WeightedTotalTraffic)"
        " leastResponseTimePeriod:timeSpan(1-86400) hashServerVariable queryStringNames randomizeLBTies:bool",
    ),
)
_SERVER_ARR = _node(
    "applicationRequestRouting",
    "hostName weight:uint(1-4294967295) httpPort:uint(1-65535) httpsPort:uint(1-65535) healthCheckAlternateHostName"
    " healthCheckAlternatePort:uint(0-65535)",
)
_WEB_FARM = _node(
    "webFarm",
    "*name enabled:bool autoEnableAgent:bool adminUserName adminPassword minimumServers:int agentUrl primaryServer"
    " loadBalancerProvider periodicRuntimeData:timeSpan enableRuntimeData:bool maximumStoppedServers:int"
    " agentRetryTime:timeSpan frontEndUrl serverAutoStart:bool passConnectionCloseHeader:bool"
    " restartServerOnConfigurationChange:bool restartServerIfReady:bool"
    " passServerHeader:enum(Replace|Remove|PassThrough)",
    _FARM_ARR,
    item=_node("server", "*address enabled:bool", _SERVER_ARR),
)

# -- rewrite (arr.md 2.1) ------------------------------------------------------------------------------------


def _rule(condition: str) -> Node:
    return _node(
        "rule",
        "*name enabled:bool patternSyntax:enum(ECMAScript|Wildcard|ExactMatch) stopProcessing:bool",
        _node("match", "url ignoreCase:bool negate:bool"),
        _node(
            "conditions",
            "logicalGrouping:enum(MatchAll|MatchAny) trackAllCaptures:bool",
            item=_node("add", condition),
        ),
        _node("serverVariables", item=_node("set", "*name value replace:bool")),
        _node(
            "action",
            "type:enum(None|Rewrite|Redirect|CustomResponse|AbortRequest) url appendQueryString:bool"
            " logRewrittenUrl:bool redirectType:enum(Permanent|Found|SeeOther|Temporary) statusCode:uint"
            " subStatusCode:uint(0-999) statusReason statusDescription",
        ),
    )


_MATCH = "matchType:enum(Pattern|IsFile|IsDirectory)"
_GLOBAL_CONDITION = f"*input *{_MATCH} *pattern *ignoreCase:bool *negate:bool"
_OWN_CONDITION = f"input {_MATCH} pattern ignoreCase:bool negate:bool"

# -- sites and pools (arr.md 3.1, 3.2) -----------------------------------------------------------------------

_VDIR = "physicalPath userName password logonMethod:enum(Interactive|Batch|Network|ClearText) allowSubDirConfig:bool"
_APP = "applicationPool enabledProtocols serviceAutoStartEnabled:bool serviceAutoStartProvider preloadEnabled:bool"
_BINDING = _node("binding", "*protocol *bindingInformation sslFlags:uint")
_SITE_CHILDREN = (
    _node("bindings", item=_BINDING),
    _node(
        "limits",
        "maxBandwidth:uint maxConnections:uint connectionTimeout:timeSpan(0-65535) maxUrlSegments:uint(0-16383)",
    ),
    _node("logFile", "logFormat directory period enabled:bool"),
    _node(
        "traceFailedRequestsLogging",
        "enabled:bool directory maxLogFiles:uint(1-10000) maxLogFileSizeKB:uint(0-1048576) customActionsEnabled:bool",
    ),
)
_APPLICATION = _node("application", f"*path {_APP}", item=_node("virtualDirectory", f"*path {_VDIR}"))
_SITE = _node("site", "*name id:uint serverAutoStart:bool", *_SITE_CHILDREN, item=_APPLICATION)
_POOL_CHILDREN = (
    _node(
        "processModel",
        "identityType:enum(LocalSystem|LocalService|NetworkService|SpecificUser|ApplicationPoolIdentity) userName"
        " password loadUserProfile:bool setProfileEnvironment:bool logonType:enum(LogonBatch|LogonService)"
        " manualGroupMembership:bool idleTimeout:timeSpan(0-2592000) idleTimeoutAction:enum(Terminate|Suspend)"
        " maxProcesses:uint(0-2147483647) shutdownTimeLimit:timeSpan(1-4294967) startupTimeLimit:timeSpan(1-4294967)"
        " pingingEnabled:bool pingInterval:timeSpan(1-4294967) pingResponseTime:timeSpan(1-4294967)"
        " logEventOnProcessModel:flags(IdleTimeout)",
    ),
    _node(
        "recycling",
        "disallowOverlappingRotation:bool disallowRotationOnConfigChange:bool"
        " logEventOnRecycle:flags(Time|Requests|Schedule|Memory|IsapiUnhealthy|OnDemand|ConfigChange|PrivateMemory)",
        _node(
            "periodicRestart",
            "memory:uint privateMemory:uint requests:uint time:timeSpan(0-25920000)",
            _node("schedule", item=_node("add", "*value:timeSpan(0-86399)")),
        ),
    ),
    _node(
        "failure",
        "loadBalancerCapabilities:enum(TcpLevel|HttpLevel) orphanWorkerProcess:bool orphanActionExe orphanActionParams"
        " rapidFailProtection:bool rapidFailProtectionInterval:timeSpan(60-8640000)"
        " rapidFailProtectionMaxCrashes:uint(1-2147483647) autoShutdownExe autoShutdownParams",
    ),
    _node("cpu", "limit:uint action resetInterval:timeSpan smpAffinitized:bool"),
    _node("environmentVariables", item=_node("add", "*name value")),
)
_POOL = (
    "queueLength:uint(10-65535) autoStart:bool enable32BitAppOnWin64:bool managedRuntimeVersion managedRuntimeLoader"
    " enableConfigurationOverride:bool managedPipelineMode:enum(Integrated|Classic) CLRConfigFile"
    " passAnonymousToken:bool startMode:enum(OnDemand|AlwaysRunning)"
)

SECTIONS: dict[str, Node] = {
    "webFarms": _node(
        "webFarms",
        "onDemandHealthCheck:bool",
        _node("applicationRequestRouting", "", _node("hostAffinityProviderList", item=_node("add", "*name"))),
        item=_WEB_FARM,
    ),
    "system.webServer/rewrite/globalRules": _node("globalRules", item=_rule(_GLOBAL_CONDITION)),
    "system.webServer/rewrite/rules": _node("rules", item=_rule(_OWN_CONDITION)),
    "system.webServer/rewrite/rewriteMaps": _node(
        "rewriteMaps",
        item=_node("rewriteMap", "*name defaultValue ignoreCase:bool", item=_node("add", "*key value")),
    ),
    "system.webServer/rewrite/allowedServerVariables": _node("allowedServerVariables", item=_node("add", "*name")),
    "system.webServer/proxy": _node("proxy", _PROTOCOL + " enabled:bool bufferChunkedResponses:bool", _CACHE),
    "system.applicationHost/sites": _node(
        "sites",
        "",
        _node("siteDefaults", "serverAutoStart:bool", *_SITE_CHILDREN),
        _node("applicationDefaults", _APP),
        _node("virtualDirectoryDefaults", _VDIR),
        item=_SITE,
    ),
    "system.applicationHost/applicationPools": _node(
        "applicationPools",
        "",
        _node("applicationPoolDefaults", _POOL, *_POOL_CHILDREN),
        item=_node("add", f"*name {_POOL}", *_POOL_CHILDREN),
    ),
    "system.webServer/applicationInitialization": _node(
        "applicationInitialization",
        "remapManagedRequestsTo skipManagedModules:bool doAppInitAfterRestart:bool",
        item=_node("add", "*initializationPage hostName"),
    ),
}
ONLY_AT_THE_TOP = ("webFarms", "system.webServer/rewrite/globalRules", "system.webServer/proxy")
"""Sections that are AppHostOnly: never in a location (arr.md 1.0)."""
