"""The schema of webFarms, where a field's own name and type do not say it (arr.md 1)."""

from __future__ import annotations

from typing import Any

from arr_bluegreen.apphost.values import NON_EMPTY, Kind, Type, number, one_of, span
from arr_bluegreen.webfarm.farm import (
    Affinity,
    AffinityHost,
    Cache,
    FarmProtocol,
    HealthCheck,
    LoadBalancing,
    Server,
    WebFarm,
)

_ROUTING = "applicationRequestRouting"
_MAX = 4294967295
HTTP = one_of("Http10", "Http11", "PassThrough")
SERVER_HEADER = one_of("Replace", "Remove", "PassThrough")
BUFFER = number(0, 4194303)
_PORT = number(1, 65535)
_URL = Type(
    Kind.STRING, pattern=r"(?i)|https?://[^\s/?#@]+(?:[/?#]\S*)?", said="nothing, or a url such as http://shop/up"
)
_STATUS = r"\s*[0-9]{1,3}(?:\.[0-9]+)?\s*"
_RANGE = rf"{_STATUS}(?:-(?:{_STATUS}|\s*))?"
_STATUSES = Type(Kind.STRING, pattern=rf"|{_RANGE}(?:,{_RANGE})*", said="statuses such as 200, 200-299,304 or 500-")
_HOST = Type(Kind.STRING, non_empty=True, pattern=r"[^\s/\\?#@\"<>]+", said="a host name, perhaps with a port")
PATHS: dict[tuple[type[Any], str], tuple[str, ...]] = {
    (WebFarm, "health_check"): (_ROUTING, "healthCheck"),
    (WebFarm, "affinity"): (_ROUTING, "affinity"),
    (WebFarm, "load_balancing"): (_ROUTING, "loadBalancing"),
    (WebFarm, "protocol"): (_ROUTING, "protocol"),
    (FarmProtocol, "cache"): ("cache",),
    (Server, "host_name"): (_ROUTING,),
    (Server, "weight"): (_ROUTING,),
    (Server, "http_port"): (_ROUTING,),
    (Server, "https_port"): (_ROUTING,),
    (Server, "health_check_alternate_host_name"): (_ROUTING,),
    (Server, "health_check_alternate_port"): (_ROUTING,),
}
NAMES: dict[tuple[type[Any], str], str] = {
    (LoadBalancing, "randomize_lb_ties"): "randomizeLBTies",
}
TYPES: dict[tuple[type[Any], str], Type] = {
    (WebFarm, "pass_server_header"): SERVER_HEADER,
    (WebFarm, "minimum_servers"): Type(Kind.INT),
    (WebFarm, "maximum_stopped_servers"): Type(Kind.INT),
    (WebFarm, "name"): NON_EMPTY,
    (Server, "address"): NON_EMPTY,
    (Server, "weight"): number(1, _MAX),
    (Server, "http_port"): _PORT,
    (Server, "https_port"): _PORT,
    (Server, "host_name"): _HOST,
    (Server, "health_check_alternate_host_name"): _HOST,
    (Server, "health_check_alternate_port"): number(0, 65535),
    (HealthCheck, "url"): _URL,
    (HealthCheck, "status_code_match"): _STATUSES,
    (HealthCheck, "live_traffic_failure_codes"): _STATUSES,
    (HealthCheck, "retries"): number(0, 20),
    (HealthCheck, "interval"): span(0, 86400),
    (HealthCheck, "timeout"): span(1, 86400),
    (HealthCheck, "max_live_traffic_failures"): number(1, _MAX),
    (HealthCheck, "live_traffic_failure_period"): span(0, 86400),
    (Affinity, "cookie_name"): NON_EMPTY,
    (Affinity, "timeout"): span(60, 2592000, 60),
    (Affinity, "ignore_sub_domain_fragment_depth"): Type(Kind.INT, 0, 32767),
    (AffinityHost, "name"): NON_EMPTY,
    (AffinityHost, "servers"): number(1, 256),
    (LoadBalancing, "algorithm"): one_of(
        "WeightedRoundRobin", "RequestHash", "LeastRequests", "LeastResponseTime", "WeightedTotalTraffic"
    ),
    (LoadBalancing, "least_response_time_period"): span(1, 86400),
    (Cache, "query_string_handling"): one_of("Ignore", "NoCaching", "Accept"),
    (Cache, "validation_interval"): span(0, 86400),
    (FarmProtocol, "http_version"): HTTP,
    (FarmProtocol, "timeout"): span(1, 86400),
    (FarmProtocol, "min_response_buffer"): BUFFER,
    (FarmProtocol, "response_buffer_limit"): BUFFER,
}
