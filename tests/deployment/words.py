"""A configuration as words alone, and records in memory: enough for what is pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.webfarm import (
    Application,
    ApplicationPool,
    Binding,
    Proxy,
    RewriteMap,
    RuleList,
    Server,
    Site,
    VirtualDirectory,
    WebFarm,
)

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Words:
    """``interface.Configuration`` from what a test names."""

    farms: tuple[WebFarm, ...] = ()
    sites: tuple[Site, ...] = ()
    pools: tuple[ApplicationPool, ...] = ()
    rule_lists: tuple[RuleList, ...] = ()
    rewrite_maps: tuple[RewriteMap, ...] = ()
    proxy: Proxy = field(default_factory=Proxy)
    default_site: Site = field(default_factory=lambda: Site("", applications=(Application("/", "DefaultAppPool"),)))
    digest: str = "0" * 64

    def farm(self, name: str) -> WebFarm:
        """The farm of this name."""
        for one in self.farms:
            if one.name.casefold() == name.casefold():
                return one
        raise NoSuchObject("farm", name, tuple(one.name for one in self.farms))


class MemoryRecords:
    """``interface.RecordStore`` in a dictionary; ``interfere`` runs once before the next swap."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.interfere: list[object] = []

    def read(self, name: str) -> str | None:
        """The text."""
        return self.texts.get(name)

    def write(self, name: str, text: str) -> None:
        """Written."""
        self.texts[name] = text

    def create(self, name: str, text: str) -> bool:
        """Created, or False."""
        self._disturb()
        if name in self.texts:
            return False
        self.texts[name] = text
        return True

    def replace(self, name: str, expected: str, text: str) -> bool:
        """Compare and swap."""
        self._disturb()
        if self.texts.get(name) != expected:
            return False
        self.texts[name] = text
        return True

    def delete(self, name: str, expected: str | None = None) -> bool:
        """Gone, or False."""
        if name not in self.texts or (expected is not None and self.texts[name] != expected):
            return False
        del self.texts[name]
        return True

    def names(self) -> tuple[str, ...]:
        """The records."""
        return tuple(sorted(self.texts))

    def _disturb(self) -> None:
        if self.interfere:
            act = self.interfere.pop()
            assert callable(act)
            act()


def site(name: str, number: int, port: int, pool: str = "", path: str = "", host: str = "") -> Site:
    """A site with one http binding and one root application."""
    root = Application("/", pool or name, virtual_directories=(VirtualDirectory("/", path or rf"C:\sites\{name}"),))
    return Site(name, number, True, (Binding("http", f"*:{port}:{host}"),), (root,))


def pair(*, live: str = "127.0.0.2") -> Words:
    """A front site and a farm 'shop' with blue (8001) and green (8002) on one machine."""
    servers = (
        Server("127.0.0.2", enabled=live == "127.0.0.2", http_port=8001),
        Server("127.0.0.3", enabled=live == "127.0.0.3", http_port=8002),
    )
    return Words(
        farms=(WebFarm("shop", servers=servers),),
        sites=(site("Front", 1, 80), site("shop-blue", 2, 8001), site("shop-green", 3, 8002)),
        pools=tuple(ApplicationPool(one) for one in ("Front", "shop-blue", "shop-green")),
    )


def at(minutes: float) -> datetime:
    """So many minutes after the tests' now."""
    return NOW + timedelta(minutes=minutes)
