"""A web farm as configured: frozen values, named as arr_schema.xml and webfarm.xml name them (arr.md 1.1, 1.2).

Every default here is the schema's. Times are ``timedelta``. A server's key is its address, compared without case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


def seconds(number: float) -> timedelta:
    """``number`` seconds as a timedelta."""
    return timedelta(seconds=number)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """``applicationRequestRouting/healthCheck``. An empty url means that the URL test is off (arr.md 5.1)."""

    url: str = ""
    retries: int = 3
    interval: timedelta = seconds(30)
    timeout: timedelta = seconds(30)
    status_code_match: str = "200-399"
    response_match: str = ""
    live_traffic_failure_codes: str = "500-"
    max_live_traffic_failures: int = 10
    live_traffic_failure_period: timedelta = seconds(0)
    min_servers: int = 0


@dataclass(frozen=True, slots=True)
class AffinityHost:
    """``affinity/host``: how many servers a public host name is spread over, and the names that count as the same."""

    name: str
    servers: int = 1
    equivalent_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Affinity:
    """``applicationRequestRouting/affinity``: cookie affinity and host-name affinity (arr.md 5.5)."""

    use_cookie: bool = False
    cookie_name: str = "ARRAffinity"
    use_host_name: bool = False
    host_affinity_provider: str = "Microsoft.Web.Arr.HostNameRoundRobin"
    timeout: timedelta = seconds(1200)
    use_external_cache: bool = False
    host_counters_enabled: bool = True
    use_server_provider: bool = False
    ignore_sub_domain: bool = False
    ignore_sub_domain_client_affinity: bool = False
    ignore_sub_domain_fragment_depth: int = 2
    server_provider_image: str = ""
    hosts: tuple[AffinityHost, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadBalancing:
    """``applicationRequestRouting/loadBalancing``. Only WeightedRoundRobin, RequestHash work in ARR 3 (arr.md 1.2)."""

    algorithm: str = "WeightedRoundRobin"
    hash_server_variable: str = ""
    query_string_names: str = ""
    least_response_time_period: timedelta = seconds(5)
    randomize_lb_ties: bool = False


@dataclass(frozen=True, slots=True)
class Cache:
    """``protocol/cache``: ARR's own response cache, on by default (arr.md 5.9)."""

    enabled: bool = True
    query_string_handling: str = "Ignore"
    validation_interval: timedelta = seconds(60)
    request_consolidation_enabled: bool = False
    request_consolidation_timeout: timedelta = seconds(0.1)


@dataclass(frozen=True, slots=True)
class FarmProtocol:
    """``applicationRequestRouting/protocol``: how ARR talks to the servers (arr.md 5.9)."""

    timeout: timedelta = seconds(30)
    preserve_host_header: bool = True
    alternate_host_name: str = ""
    reverse_rewrite_host_in_response_headers: bool = False
    http_version: str = "PassThrough"
    keep_alive: bool = True
    include_port_in_x_forwarded_for: bool = True
    x_forwarded_for_header_name: str = "X-Forwarded-For"
    ssl_header_name: str = "X-ARR-SSL"
    arr_response_header: bool = True
    max_forwards: int = 10
    min_response_buffer: int = 256
    response_buffer_limit: int = 4096
    buffer_chunked_responses: bool = True
    cache: Cache = field(default_factory=Cache)
    x_forwarded_by_header_name: str = "X-Forwarded-By"
    x_forwarded_by_header: str = ""
    client_cert_header_name: str = "X-ARR-ClientCert"
    client_cert_file_name: str = ""
    client_cert_hash: str = ""
    log_guid_name: str = "X-ARR-LOG-ID"
    log_cache_hit_name: str = "X-ARR-CACHE-HIT"
    max_response_header_size: int = 65536
    proxy: str = ""
    proxy_bypass: str = ""
    stealth_mode: bool = False


@dataclass(frozen=True, slots=True)
class Server:
    """``webFarm/server`` with its ``applicationRequestRouting``; weight is at least 1 (arr.md 1.2)."""

    address: str
    enabled: bool = True
    host_name: str = ""
    weight: int = 100
    http_port: int = 80
    https_port: int = 443
    health_check_alternate_host_name: str = ""
    health_check_alternate_port: int = 0


@dataclass(frozen=True, slots=True)
class WebFarm:
    """``webFarms/webFarm`` as configured: what is in the file, or the schema's default where nothing is."""

    name: str
    enabled: bool = True
    servers: tuple[Server, ...] = ()
    health_check: HealthCheck = field(default_factory=HealthCheck)
    affinity: Affinity = field(default_factory=Affinity)
    load_balancing: LoadBalancing = field(default_factory=LoadBalancing)
    protocol: FarmProtocol = field(default_factory=FarmProtocol)
    server_auto_start: bool = True
    pass_connection_close_header: bool = False
    pass_server_header: str = "Replace"
    auto_enable_agent: bool = True
    admin_user_name: str = ""
    minimum_servers: int = 0
    maximum_stopped_servers: int = 1
    agent_url: str = "http://{0}:8173/WEBFARMAGENTSERVICE/"
    agent_retry_time: timedelta = seconds(300)
    restart_server_on_configuration_change: bool = True
    restart_server_if_ready: bool = True
    primary_server: str = ""
    front_end_url: str = ""
    load_balancer_provider: str = "Arr"
    enable_runtime_data: bool = True
    periodic_runtime_data: timedelta = seconds(1)

    def server(self, address: str) -> Server | None:
        """The server of this address, compared without case; None if there is none."""
        wanted = address.casefold()
        return next((one for one in self.servers if one.address.casefold() == wanted), None)
