"""What the hazards are looked for in: farms, rules, sites and pools each with its element, and who belongs to whom.

*Slot sites* are the sites of this file that a farm server's address and port reach. *Front sites* are those that
listen where the farms' rules look (arr.md 2.4, 5.10). Both are inferred, so findings that rest on them say so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from arr_bluegreen.apphost.lint_requests import port_of
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.routing import Target
from arr_bluegreen.webfarm.rule import Condition, Rule
from arr_bluegreen.webfarm.site import ApplicationPool, Binding, Site


class Severity(Enum):
    """How bad, worst first."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Severity).index(self)


ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a hazard was seen: the element, and what is wrong there."""

    element: Element
    what: str


@dataclass(frozen=True, slots=True)
class Hazard:
    """One rule of the lint: a stable code, how bad, what it is, why it hurts and what to do; ``look`` finds it.

    ``refused``: IIS does not take a file that has it, so nobody can insist on writing one.
    """

    code: str
    severity: Severity
    title: str
    why: str
    fix: str
    look: Callable[[Seen], list[Hit]]
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ServerSeen:
    """A server and its element."""

    element: Element
    word: Server


@dataclass(frozen=True, slots=True)
class FarmSeen:
    """A farm, its element and its servers."""

    element: Element
    word: WebFarm
    servers: tuple[ServerSeen, ...]


@dataclass(frozen=True, slots=True)
class RuleSeen:
    """A rule, its element, the location it lies in ("" for the server's own), and where it may send requests."""

    element: Element
    word: Rule
    location: str
    is_global: bool
    targets: tuple[Target, ...] = ()

    @property
    def target(self) -> str:
        """The first host it rewrites to, lower case; "" for none and for one that only the request knows."""
        return self.targets[0].host if self.targets else ""

    def conditions_on(self, *inputs: str) -> list[Condition]:
        """The conditions on one of these inputs (``{HTTP_HOST}``), compared without case."""
        wanted = {one.casefold() for one in inputs}
        return [one for one in self.word.conditions if one.input.casefold() in wanted]


@dataclass(frozen=True, slots=True)
class SiteSeen:
    """A site and its element."""

    element: Element
    word: Site


@dataclass(frozen=True, slots=True)
class PoolSeen:
    """A pool and its element; ``states_runtime`` when it says managedRuntimeVersion itself."""

    element: Element
    word: ApplicationPool
    states_runtime: bool


@dataclass(frozen=True)
class Seen:
    """One file, taken apart for the lint."""

    root: Element
    farms: tuple[FarmSeen, ...]
    rules: tuple[RuleSeen, ...]
    sites: tuple[SiteSeen, ...]
    pools: tuple[PoolSeen, ...]

    @property
    def global_rules(self) -> list[RuleSeen]:
        """The server's own rules, in the order they run, without the disabled ones."""
        return [one for one in self.rules if one.is_global and not one.location and one.word.enabled]

    def farm(self, name: str) -> FarmSeen | None:
        """The farm of this name, without case."""
        return self._farms.get(name.casefold())

    def pool(self, name: str) -> PoolSeen | None:
        """The pool of this name, without case."""
        return self._pools.get(name.casefold())

    def rules_of(self, farm: FarmSeen) -> list[RuleSeen]:
        """The enabled rules that rewrite to this farm."""
        return self._rules.get(farm.word.name.casefold(), [])

    def schemes(self, farm: FarmSeen) -> list[str]:
        """How the rules speak to the farm: http, https or both; http when none does (arr.md 2.3)."""
        name = farm.word.name.casefold()
        found = [one.scheme for rule in self.rules_of(farm) for one in rule.targets if one.host == name]
        return list(dict.fromkeys(found)) or ["http"]

    def sites_of(self, farm: FarmSeen, server: Server) -> list[SiteSeen]:
        """The sites of this machine that would answer at the server's port, or ports."""
        return list(
            {id(site.element): site for one in self.schemes(farm) for site in self.sites_at(server, one)}.values()
        )

    def sites_at(self, server: Server, scheme: str) -> list[SiteSeen]:
        """The sites of this machine that would answer at the server's port for a scheme."""
        at_port = self._sites.get(port_of(server, scheme), [])
        return [one for one in at_port if any(reaches(server, binding, scheme) for binding in one.word.bindings)]

    @cached_property
    def slot_sites(self) -> tuple[SiteSeen, ...]:
        """The sites that some farm's server reaches."""
        reached = {
            id(s.element): s for farm in self.farms for one in farm.servers for s in self.sites_of(farm, one.word)
        }
        return tuple(reached.values())

    @cached_property
    def front_sites(self) -> tuple[SiteSeen, ...]:
        """The sites that listen on the ports the farms' rules name (80 and 443 when they name none), slots excepted."""
        farms = {farm.word.name.casefold() for farm in self.farms}
        routing = [one for one in self.rules if one.word.enabled and any(each.host in farms for each in one.targets)]
        if not routing:
            return ()
        by_location = {one.location.split("/")[0].casefold() for one in routing if one.location}
        ports = front_ports(routing)
        slots = {id(one.element) for one in self.slot_sites}
        return tuple(
            one
            for one in self.sites
            if id(one.element) not in slots
            and (
                one.word.name.casefold() in by_location or any(is_web(b) and b.port in ports for b in one.word.bindings)
            )
        )

    def pools_of(self, sites: tuple[SiteSeen, ...]) -> list[PoolSeen]:
        """The pools of these sites' applications, each once, in the order of the sites."""
        names = dict.fromkeys(app.pool.casefold() for one in sites for app in one.word.applications if app.pool)
        return [pool for name in names if (pool := self.pool(name)) is not None]

    # -- private: indexes, for files of thousands ------------------------------------------------------

    @cached_property
    def _farms(self) -> dict[str, FarmSeen]:
        return {one.word.name.casefold(): one for one in reversed(self.farms)}

    @cached_property
    def _pools(self) -> dict[str, PoolSeen]:
        return {one.word.name.casefold(): one for one in reversed(self.pools)}

    @cached_property
    def _rules(self) -> dict[str, list[RuleSeen]]:
        found: dict[str, list[RuleSeen]] = {}
        for one in self.rules:
            for host in dict.fromkeys(each.host for each in one.targets if one.word.enabled):
                found.setdefault(host, []).append(one)
        return found

    @cached_property
    def _sites(self) -> dict[int, list[SiteSeen]]:
        found: dict[int, list[SiteSeen]] = {}
        for one in self.sites:
            for port in {binding.port for binding in one.word.bindings if binding.port is not None}:
                found.setdefault(port, []).append(one)
        return found


def front_ports(rules: list[RuleSeen]) -> set[int]:
    """The ports that conditions on {SERVER_PORT} name; 80 and 443 when there are none."""
    named = (
        re.sub(r"[\^$\\()]", "", c.pattern) for r in rules for c in r.conditions_on("{SERVER_PORT}") if not c.negate
    )
    found = {int(one) for text in named for one in text.split("|") if re.fullmatch("[0-9]{1,5}", one)}
    return found or {80, 443}


def is_loopback(address: str) -> bool:
    """localhost, 127.x.x.x and ::1."""
    return address.casefold() in ("localhost", "::1", "[::1]") or re.fullmatch(r"127(\.\d+){1,3}", address) is not None


def is_web(binding: Binding) -> bool:
    """An http or https binding."""
    return binding.protocol.casefold() in ("http", "https")


def reaches(server: Server, binding: Binding, scheme: str) -> bool:
    """Whether a request to the server's address and port can meet this binding, as far as a file can tell.

    An address that is no loopback and in no binding may be another machine; an alias of this one (arr.md 5.10) is
    taken for it when a site has exactly that uncommon port.
    """
    port = port_of(server, scheme)
    if binding.protocol.casefold() != scheme or binding.port != port:
        return False
    address = server.address.casefold()
    ip = binding.address.strip("[]").casefold()
    if ip not in ("", "*", "0.0.0.0"):
        return ip == address.strip("[]") or (address == "localhost" and ip in ("127.0.0.1", "::1"))
    if is_loopback(address) or binding.host.casefold() == address:
        return True
    return "." not in address and ":" not in address and port not in (80, 443)
