"""``HOST[:PORT][/PATH]`` to a WinRM endpoint. Built here: pywinrm's builder loses IPv6, paths, ports (winrm.md 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from arr_bluegreen.errors import UsageError

HTTP_PORT, HTTPS_PORT = 5985, 5986


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a machine's WinRM listens. ``host`` is ASCII, an IPv6 address without brackets."""

    host: str
    port: int
    tls: bool = False
    path: str = "/wsman"

    @property
    def url(self) -> str:
        """``http://host:5985/wsman``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


def parse_endpoint(text: str, *, tls: bool = False) -> Endpoint:
    """``web01``, ``web01:5986``, ``[::1]:5985``, ``::1``, ``web01:443/wsman``; raises ``UsageError``."""
    place, slash, path = text.partition("/")
    host, port = _host_and_port(place)
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(path) or not 0 <= port <= 65535:
        raise UsageError(
            f"'{text}' names no WinRM machine", hint="Write winrm:HOST, winrm:HOST:PORT or winrm:[IPv6]:PORT."
        )
    return Endpoint(host, port or (HTTPS_PORT if tls else HTTP_PORT), tls, f"/{path}" if slash else "/wsman")


# -- private -------------------------------------------------------------------------------------------

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?")
_PATH = re.compile(r"[A-Za-z0-9/._~-]*")


def _host_and_port(place: str) -> tuple[str, int]:
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d{1,5}))?", place)
    if bracketed:
        return bracketed[1], int(bracketed[2] or 0)
    if place.count(":") > 1:
        return place, 0
    host, colon, port = place.partition(":")
    if colon and not re.fullmatch(r"\d{1,5}", port):
        return "", 0
    try:
        return host.encode("idna").decode("ascii"), int(port or 0)
    except UnicodeError:
        return "", 0
