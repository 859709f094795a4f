"""``system.webServer/proxy``: ARR as a plain reverse proxy. A file of its own: reading farms does not need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from arr_bluegreen.webfarm.farm import Cache, seconds


@dataclass(frozen=True, slots=True)
class Proxy:
    """``system.webServer/proxy``: for rewrites that do not go to a farm; other defaults than a farm's (arr.md 1.3)."""

    enabled: bool = False
    timeout: timedelta = seconds(120)
    preserve_host_header: bool = False
    reverse_rewrite_host_in_response_headers: bool = True
    http_version: str = "PassThrough"
    keep_alive: bool = True
    include_port_in_x_forwarded_for: bool = True
    max_forwards: int = 10
    min_response_buffer: int = 256
    response_buffer_limit: int = 4096
    buffer_chunked_responses: bool = True
    cache: Cache = field(default_factory=Cache)
    pass_connection_close_header: bool = False
    pass_server_header: str = "Replace"
    x_forwarded_for_header_name: str = "X-Forwarded-For"
    arr_response_header: bool = True
    ssl_header_name: str = "X-ARR-SSL"
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
