"""Errors as IIS and ARR tell them to a client (arr.md 5.7)."""

from __future__ import annotations

from aiohttp import web

TIMEOUT, CANNOT_CONNECT, CUT, INVALID_RESPONSE = 12002, 12029, 12030, 12152
"""What WinHTTP calls it; the page shows it as 0x8007...."""


def error_page(status: int, sub_status: int, detail: str = "", *, code: int | None = None) -> web.Response:
    """A detailed error page; the connection stays open. ``code`` is WinHTTP's number, 0 where there is none to tell."""
    lines = [f"HTTP Error {status}.{sub_status} - {_SAYS.get((status, sub_status), 'Error')}"]
    lines += [detail or "There was a connection error while trying to route the request."]
    if code is not None:
        lines += [f"Error Code 0x{code and 0x80070000 | code:08x}"]
    text = "\r\n".join([*lines, ""])
    return web.Response(status=status, text=text, headers={"X-Sub-Status": str(sub_status)})


# -- private ---------------------------------------------------------------------------------------------

_SAYS = {
    (400, 605): "Bad Request",
    (404, 0): "Not Found",
    (404, 4): "Not Found",
    (500, 50): "URL Rewrite Module Error.",
    (500, 51): "URL Rewrite Module Error.",
    (502, 3): "Bad Gateway",
    (502, 4): "Bad Gateway",
    (502, 5): "WebSocket failure",
    (503, 0): "Service Unavailable",
}
