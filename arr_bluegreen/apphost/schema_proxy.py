"""The schema of system.webServer/proxy and of webFarms' own attribute, where a field's own name and type do not say
it (arr.md 1.1, 1.3)."""

from __future__ import annotations

from typing import Any

from arr_bluegreen.apphost.schema_farm import BUFFER, HTTP, SERVER_HEADER
from arr_bluegreen.apphost.values import Type, span
from arr_bluegreen.webfarm.proxy import Proxy

PATHS: dict[tuple[type[Any], str], tuple[str, ...]] = {
    (Proxy, "cache"): ("cache",),
}
NAMES: dict[tuple[type[Any], str], str] = {}
TYPES: dict[tuple[type[Any], str], Type] = {
    (Proxy, "http_version"): HTTP,
    (Proxy, "timeout"): span(1, 86400),
    (Proxy, "min_response_buffer"): BUFFER,
    (Proxy, "response_buffer_limit"): BUFFER,
    (Proxy, "pass_server_header"): SERVER_HEADER,
}
