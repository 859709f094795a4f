"""How ARR passes a request on: which Host header, which port, how often (arr.md 2.3, 2.4, 5.9)."""

from __future__ import annotations

from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import Server, WebFarm


def host_header(farm: WebFarm, server: Server, asked: str, settings: SimulatorSettings) -> str:
    """What the server sees: a name configured for it or for the farm, the public host where it is preserved, else its
    address (arr.md 5.9; two settings, since the sources disagree)."""
    named = server.host_name or farm.protocol.alternate_host_name
    if named and (settings.host_name_replaces or not farm.protocol.preserve_host_header):
        return named
    if farm.protocol.preserve_host_header:
        return asked
    return farm.name if settings.unpreserved_host == "farm" else server.address


def port_of(server: Server, *, secure: bool) -> int:
    """The scheme of the rule's target chooses (arr.md 2.3)."""
    return server.https_port if secure else server.http_port


def forwards_left(given: int | None, most: int) -> int | None:
    """``Max-Forwards`` for the next hop: ``most`` at the first; None when it is used up, which is 400.605 (arr.md
    2.4)."""
    if given is None:
        return most
    return given - 1 if given > 0 else None


def split_host(text: str) -> tuple[str, int | None]:
    """Name and port of ``name:port``, ``name``, ``[::1]:80``."""
    name, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        return text, None
    return name, int(port)
