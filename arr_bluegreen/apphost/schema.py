"""What the schema says of the attributes we know: where each field of a word lies, its XML name and its type.

Defaults live in the words themselves; here are only names, paths and bounds (arr.md 1.1, 1.2, 1.3, 2.1, 3.1, 3.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from typing import Any

from arr_bluegreen.apphost.values import Kind, Type
from arr_bluegreen.webfarm import farm, rule, site
from arr_bluegreen.webfarm.change import Value


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the dotted ``field`` of the word, the child elements on the way, its XML name, type and default.
    ``required`` ones are keys: they have no default and are always written."""

    field: str
    path: tuple[str, ...]
    name: str
    type: Type
    default: Value
    required: bool = False

    @property
    def xml_path(self) -> str:
        """``applicationRequestRouting/healthCheck/@url``, for people."""
        return "/".join((*self.path, f"@{self.name}"))


def attributes(word: type[Any]) -> tuple[Attribute, ...]:
    """Every attribute of a word (``WebFarm``, ``ApplicationPool``, ...) and of those nested in it, in order."""
    known = _KNOWN.get(word)
    if known is None:
        known = _KNOWN[word] = {one.field: one for one in _walk(word, "", ())}
    return tuple(known.values())


def attribute(word: type[Any], name: str) -> Attribute | None:
    """The attribute a dotted field stands for, None when the word has no such field."""
    attributes(word)
    return _KNOWN[word].get(name)


# -- private ---------------------------------------------------------------------------------------------

_KNOWN: dict[type[Any], dict[str, Attribute]] = {}
_ROUTING = "applicationRequestRouting"
# fields that are child elements; () means the same element
_PATHS: dict[tuple[type[Any], str], tuple[str, ...]] = {
    (farm.WebFarm, "health_check"): (_ROUTING, "healthCheck"),
    (farm.WebFarm, "affinity"): (_ROUTING, "affinity"),
    (farm.WebFarm, "load_balancing"): (_ROUTING, "loadBalancing"),
    (farm.WebFarm, "protocol"): (_ROUTING, "protocol"),
    (farm.FarmProtocol, "cache"): ("cache",),
    (farm.Proxy, "cache"): ("cache",),
    (farm.Server, "host_name"): (_ROUTING,),
    (farm.Server, "weight"): (_ROUTING,),
    (farm.Server, "http_port"): (_ROUTING,),
    (farm.Server, "https_port"): (_ROUTING,),
    (farm.Server, "health_check_alternate_host_name"): (_ROUTING,),
    (farm.Server, "health_check_alternate_port"): (_ROUTING,),
    (rule.Rule, "match"): ("match",),
    (rule.Rule, "action"): ("action",),
    (rule.Rule, "logical_grouping"): ("conditions",),
    (rule.Rule, "track_all_captures"): ("conditions",),
    (site.Site, "limits"): ("limits",),
    (site.Site, "failed_request_tracing"): ("traceFailedRequestsLogging",),
    (site.ApplicationPool, "process_model"): ("processModel",),
    (site.ApplicationPool, "recycling"): ("recycling",),
    (site.ApplicationPool, "failure"): ("failure",),
    (site.Recycling, "periodic_restart_time"): ("periodicRestart",),
    (site.Recycling, "periodic_restart_memory"): ("periodicRestart",),
    (site.Recycling, "periodic_restart_private_memory"): ("periodicRestart",),
    (site.Recycling, "periodic_restart_requests"): ("periodicRestart",),
}
_NAMES: dict[tuple[type[Any], str], str] = {
    (farm.LoadBalancing, "randomize_lb_ties"): "randomizeLBTies",
    (site.Binding, "information"): "bindingInformation",
    (site.Application, "pool"): "applicationPool",
    (site.FailedRequestTracing, "max_log_file_size_kb"): "maxLogFileSizeKB",
    (site.ApplicationPool, "clr_config_file"): "CLRConfigFile",
    (site.Recycling, "periodic_restart_time"): "time",
    (site.Recycling, "periodic_restart_memory"): "memory",
    (site.Recycling, "periodic_restart_private_memory"): "privateMemory",
    (site.Recycling, "periodic_restart_requests"): "requests",
}
_MAX = 4294967295


def _number(low: int, high: int, *, exclude: bool = False) -> Type:
    return Type(Kind.UINT, low, high, exclude=exclude)


def _span(low: int, high: int, step: int = 1) -> Type:
    return Type(Kind.TIME_SPAN, low, high, step)


def _one_of(*names: str) -> Type:
    return Type(Kind.ENUM, names=names)


_HTTP = _one_of("Http10", "Http11", "PassThrough")
_SERVER_HEADER = _one_of("Replace", "Remove", "PassThrough")
_BUFFER = _number(0, 4194303)
_PORT = _number(1, 65535)
_NAME = Type(Kind.STRING, non_empty=True)
_WAS_SPAN = _span(1, 4294967)
_TYPES: dict[tuple[type[Any], str], Type] = {
    (farm.WebFarm, "pass_server_header"): _SERVER_HEADER,
    (farm.WebFarm, "minimum_servers"): Type(Kind.INT),
    (farm.WebFarm, "maximum_stopped_servers"): Type(Kind.INT),
    (farm.WebFarm, "name"): _NAME,
    (farm.Server, "address"): _NAME,
    (farm.Server, "weight"): _number(1, _MAX),
    (farm.Server, "http_port"): _PORT,
    (farm.Server, "https_port"): _PORT,
    (farm.Server, "host_name"): _NAME,
    (farm.Server, "health_check_alternate_host_name"): _NAME,
    (farm.Server, "health_check_alternate_port"): _number(0, 65535),
    (farm.HealthCheck, "retries"): _number(0, 20),
    (farm.HealthCheck, "interval"): _span(0, 86400),
    (farm.HealthCheck, "timeout"): _span(1, 86400),
    (farm.HealthCheck, "max_live_traffic_failures"): _number(1, _MAX),
    (farm.HealthCheck, "live_traffic_failure_period"): _span(0, 86400),
    (farm.Affinity, "cookie_name"): _NAME,
    (farm.Affinity, "timeout"): _span(60, 2592000, 60),
    (farm.Affinity, "ignore_sub_domain_fragment_depth"): Type(Kind.INT, 0, 32767),
    (farm.AffinityHost, "name"): _NAME,
    (farm.AffinityHost, "servers"): _number(1, 256),
    (farm.LoadBalancing, "algorithm"): _one_of(
        "WeightedRoundRobin", "RequestHash", "LeastRequests", "LeastResponseTime", "WeightedTotalTraffic"
    ),
    (farm.LoadBalancing, "least_response_time_period"): _span(1, 86400),
    (farm.Cache, "query_string_handling"): _one_of("Ignore", "NoCaching", "Accept"),
    (farm.Cache, "validation_interval"): _span(0, 86400),
    (farm.FarmProtocol, "http_version"): _HTTP,
    (farm.FarmProtocol, "timeout"): _span(1, 86400),
    (farm.FarmProtocol, "min_response_buffer"): _BUFFER,
    (farm.FarmProtocol, "response_buffer_limit"): _BUFFER,
    (farm.Proxy, "http_version"): _HTTP,
    (farm.Proxy, "timeout"): _span(1, 86400),
    (farm.Proxy, "min_response_buffer"): _BUFFER,
    (farm.Proxy, "response_buffer_limit"): _BUFFER,
    (farm.Proxy, "pass_server_header"): _SERVER_HEADER,
    (rule.Rule, "pattern_syntax"): _one_of("ECMAScript", "Wildcard", "ExactMatch"),
    (rule.Rule, "logical_grouping"): _one_of("MatchAll", "MatchAny"),
    (rule.Match, "url"): _NAME,
    (rule.Condition, "match_type"): _one_of("Pattern", "IsFile", "IsDirectory"),
    (rule.Action, "type"): _one_of("None", "Rewrite", "Redirect", "CustomResponse", "AbortRequest"),
    (rule.Action, "redirect_type"): _one_of("Permanent", "Found", "SeeOther", "Temporary"),
    (rule.Action, "status_code"): _number(300, 307, exclude=True),
    (rule.Action, "sub_status_code"): _number(0, 999),
    (rule.ServerVariable, "name"): _NAME,
    (site.Binding, "protocol"): _NAME,
    (site.Binding, "information"): _NAME,
    (site.Application, "pool"): _NAME,
    (site.VirtualDirectory, "logon_method"): _one_of("Interactive", "Batch", "Network", "ClearText"),
    (site.SiteLimits, "max_bandwidth"): _number(0, 1023, exclude=True),
    (site.SiteLimits, "connection_timeout"): _span(0, 65535),
    (site.SiteLimits, "max_url_segments"): _number(0, 16383),
    (site.FailedRequestTracing, "max_log_files"): _number(1, 10000),
    (site.FailedRequestTracing, "max_log_file_size_kb"): _number(0, 1048576),
    (site.ApplicationPool, "queue_length"): _number(10, 65535),
    (site.ApplicationPool, "managed_pipeline_mode"): _one_of("Integrated", "Classic"),
    (site.ApplicationPool, "start_mode"): _one_of("OnDemand", "AlwaysRunning"),
    (site.ProcessModel, "identity_type"): _one_of(
        "LocalSystem", "LocalService", "NetworkService", "SpecificUser", "ApplicationPoolIdentity"
    ),
    (site.ProcessModel, "logon_type"): _one_of("LogonBatch", "LogonService"),
    (site.ProcessModel, "idle_timeout"): _span(0, 2592000, 60),
    (site.ProcessModel, "idle_timeout_action"): _one_of("Terminate", "Suspend"),
    (site.ProcessModel, "max_processes"): _number(0, 2147483647),
    (site.ProcessModel, "shutdown_time_limit"): _WAS_SPAN,
    (site.ProcessModel, "startup_time_limit"): _WAS_SPAN,
    (site.ProcessModel, "ping_interval"): _WAS_SPAN,
    (site.ProcessModel, "ping_response_time"): _WAS_SPAN,
    (site.ProcessModel, "log_event_on_process_model"): Type(Kind.FLAGS, names=("IdleTimeout",)),
    (site.Recycling, "periodic_restart_time"): _span(0, 25920000, 60),
    (site.Recycling, "log_event_on_recycle"): Type(
        Kind.FLAGS,
        names=("Time", "Requests", "Schedule", "Memory", "IsapiUnhealthy", "OnDemand", "ConfigChange", "PrivateMemory"),
    ),
    (site.Failure, "load_balancer_capabilities"): _one_of("TcpLevel", "HttpLevel"),
    (site.Failure, "rapid_fail_protection_interval"): _span(60, 8640000, 60),
    (site.Failure, "rapid_fail_protection_max_crashes"): _number(1, 2147483647),
}
SCHEDULE = _span(0, 86399, 60)
"""``schedule/add/@value``: a time of day in whole minutes."""


def _walk(word: type[Any], prefix: str, path: tuple[str, ...]) -> Iterator[Attribute]:
    for one in fields(word):
        below = (*path, *_PATHS.get((word, one.name), ()))
        default: Any = one.default
        if one.default_factory is not MISSING:
            default = one.default_factory()
        if is_dataclass(default):
            yield from _walk(type(default), f"{prefix}{one.name}.", below)
        elif not isinstance(default, tuple) and one.name not in _NOT_ATTRIBUTES.get(word, ()):
            required = default is MISSING
            kind = _TYPES.get((word, one.name)) or _type_of("" if required else default)
            name = _NAMES.get((word, one.name)) or _camel(one.name)
            yield Attribute(prefix + one.name, below, name, kind, None if required else default, required)


_NOT_ATTRIBUTES: dict[type[Any], tuple[str, ...]] = {
    rule.RewriteMap: ("location",),
}


def _type_of(default: object) -> Type:
    match default:
        case bool():
            return Type(Kind.BOOL)
        case int():
            return Type(Kind.UINT)
        case timedelta():
            return Type(Kind.TIME_SPAN)
        case _:
            return Type(Kind.STRING)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(one[:1].upper() + one[1:] for one in rest)
