"""Headers as ARR changes them, on the way to a server and back (arr.md 5.9)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDict

from arr_bluegreen.webfarm import FarmProtocol, Proxy

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of one connection, which no proxy passes on."""


def onward_headers(
    request: web.BaseRequest, protocol: FarmProtocol | Proxy, forwards: int, tls_of: str
) -> CIMultiDict[str]:
    """The request's headers with what ARR adds and takes away; ``tls_of`` is the machine whose certificate the client
    saw, "" without TLS."""
    headers: CIMultiDict[str] = CIMultiDict(
        (name, value) for name, value in request.headers.items() if name.casefold() not in HOP_BY_HOP
    )
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    ip, port = (peer[0], peer[1]) if peer else ("127.0.0.1", 0)
    client = f"{ip}:{port}" if protocol.include_port_in_x_forwarded_for else ip
    before = headers.get(protocol.x_forwarded_for_header_name)
    headers[protocol.x_forwarded_for_header_name] = f"{before}, {client}" if before else client
    if protocol.x_forwarded_by_header:
        headers[protocol.x_forwarded_by_header_name] = protocol.x_forwarded_by_header
    for name in (protocol.ssl_header_name, protocol.client_cert_header_name):
        headers.popall(name, None)  # ARR alone sets these: a client's own never reaches a server (P-502's trace)
    if tls_of:
        headers[protocol.ssl_header_name] = f"2048|256|CN={tls_of}|CN={tls_of}"
    headers[protocol.log_guid_name] = str(uuid.uuid4())
    headers["X-Original-URL"] = request.raw_path
    headers["Max-Forwards"] = str(forwards)
    if "Transfer-Encoding" in request.headers:
        headers.pop("Content-Length", None)
    return headers


def set_headers(headers: CIMultiDict[str], values: Iterable[tuple[str, str]]) -> None:
    """What rewrite rules set; an empty value takes a header away."""
    for name, value in values:
        headers.popall(name, None)
        if value:
            headers[name] = value


def public_location(location: str, names: tuple[str, ...], public: str) -> str:
    """A redirect to the server's own name, put back to the public ``scheme://host``
    (``reverseRewriteHostInResponseHeaders``)."""
    for start in (f"{scheme}://{name}" for name in names for scheme in ("http", "https")):
        if location == start or location.startswith(f"{start}/"):
            return public + location[len(start) :]
    return location
