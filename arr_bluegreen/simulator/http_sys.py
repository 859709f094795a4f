"""Which site a request belongs to, by the bindings of those that are started (arr.md 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.webfarm import Site

Started = Callable[[str], bool]
"""Whether the site of this name (lower case) is started."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One http or https binding taken apart; ``ip`` is "" for every address, ``host`` "" for every name."""

    key: str
    site: Site
    ip: str
    port: int
    host: str
    secure: bool

    def rank(self, name: str) -> int:
        """How well it fits a host name in lower case: the name itself, ``*.`` of what it is below (IIS 10), any; 0: not
        at all. Of equals one with an address of its own goes first."""
        if self.host == name and name:
            fits = 6
        elif self.host.startswith("*.") and name.endswith(self.host[1:]):
            fits = 4
        else:
            fits = 0 if self.host else 2
        return fits + bool(self.ip) if fits else 0


@lru_cache(maxsize=256)
def endpoints(reading: Reading) -> tuple[Endpoint, ...]:
    """All of them, in the file's order."""
    return tuple(
        Endpoint(
            site.name.casefold(),
            site,
            "" if one.address == "*" else one.address,
            one.port,
            one.host.casefold(),
            one.protocol == "https",
        )
        for site in reading.sites
        for one in site.bindings
        if one.protocol in ("http", "https") and one.port is not None
    )


def at(reading: Reading, started: Started, ip: str, port: int) -> Iterator[Endpoint]:
    """Those that listen at an address and port."""
    return (one for one in endpoints(reading) if one.port == port and one.ip in ("", ip) and started(one.key))


def site_for(reading: Reading, started: Started, ip: str, port: int, host: str) -> Site | None:
    """The site a request is given to: an exact host name before none, an exact address before any."""
    name = host.casefold()
    best: tuple[int, Site] | None = None
    for one in at(reading, started, ip, port):
        fits = one.rank(name)
        if fits and (best is None or fits > best[0]):
            best = fits, one.site
    return None if best is None else best[1]
