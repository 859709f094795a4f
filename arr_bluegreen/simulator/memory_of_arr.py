"""What one worker process that runs ARR remembers of its farms, and whom it gives a request to (arr.md 5.3 to 5.6).

All of it is lost with the process. Nothing here knows of time but by being told it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from arr_bluegreen.webfarm import Server, ServerState, ServerStatus, WebFarm


@dataclass(eq=False, slots=True)
class ServerMemory:
    """One server: Active and healthy with zero counters from the start (arr.md 5.6)."""

    address: str
    state: ServerState = ServerState.ACTIVE
    healthy: bool = True
    current: int = 0
    web_sockets: int = 0
    total: int = 0
    failed: int = 0
    last_reset: int = 0
    failures: int = 0
    """Failed URL tests in a row."""
    live_failures: deque[float] = field(default_factory=deque)
    turn: float = 0.0
    """Weighted round robin: how much this server is owed."""
    in_flight: set[Forwarded] = field(default_factory=set)

    def status(self) -> ServerStatus:
        """The counters as ARR tells them."""
        return ServerStatus(
            self.address,
            self.state,
            self.healthy,
            self.current,
            self.web_sockets,
            self.total,
            self.failed,
            self.last_reset,
        )


@dataclass(eq=False, slots=True)
class Forwarded:
    """One request ARR gave to a server. ``cut`` is called when a ForcefulStop ends it (arr.md 5.4)."""

    memory: ServerMemory
    server: Server
    farm: WebFarm
    cut: Callable[[], None]
    web_socket: bool = False
    cookie: str = ""
    """The affinity cookie's value to set, "" for none."""
    over: bool = False


@dataclass(frozen=True, slots=True)
class RouteAsk:
    """What ARR looks at when it chooses: the public host, the affinity cookie's value, what RequestHash hashes."""

    host: str = ""
    cookie: str = ""
    hash_text: str = ""
    web_socket: bool = False


@dataclass(eq=False, slots=True)
class FarmMemory:
    """One farm in one worker process."""

    name: str
    servers: dict[str, ServerMemory] = field(default_factory=dict)
    hosts: dict[str, tuple[str, float]] = field(default_factory=dict)
    """Host-name affinity: public host to server and when it was last used (arr.md 5.5)."""
    routed: int = 0

    def server(self, address: str) -> ServerMemory:
        """The memory of a server (without case); a new one when ARR never heard of it."""
        key = address.casefold()
        found = self.servers.get(key)
        if found is None:
            found = self.servers[key] = ServerMemory(address)
        return found

    def in_service(self, farm: WebFarm) -> list[Server]:
        """Who gets a new client's request: enabled, Active, and healthy as ``minServers`` has it (arr.md 5.3, 5.4)."""
        return [one for one, memory in self._open(farm) if memory.state is ServerState.ACTIVE]

    def choose(self, farm: WebFarm, ask: RouteAsk, now: float) -> Server | None:
        """The server for this request, None when no server qualifies: 502.4 (arr.md 5.4)."""
        self.routed += 1
        candidates = self._open(farm)
        if farm.affinity.use_cookie and ask.cookie:
            for server, memory in candidates:
                if memory.state is not ServerState.INACTIVE and token(farm.name, server.address) == ask.cookie:
                    return server
        if farm.affinity.use_host_name and (kept := self._kept_host(farm, ask, candidates, now)) is not None:
            return kept
        active = [(one, memory) for one, memory in candidates if memory.state is ServerState.ACTIVE]
        if not active:
            return None
        if farm.load_balancing.algorithm == "RequestHash":
            chosen = active[int(hashlib.sha256(ask.hash_text.encode()).hexdigest(), 16) % len(active)][0]
        else:
            chosen = _weighted(active)
        if farm.affinity.use_host_name:
            self.hosts[ask.host.casefold()] = (chosen.address.casefold(), now)
        return chosen

    # -- private -----------------------------------------------------------------------------------------

    def _open(self, farm: WebFarm) -> list[tuple[Server, ServerMemory]]:
        enabled = [(one, self.server(one.address)) for one in farm.servers if one.enabled and farm.enabled]
        healthy = [pair for pair in enabled if pair[1].healthy]
        return enabled if len(healthy) < farm.health_check.min_servers else healthy

    def _kept_host(
        self, farm: WebFarm, ask: RouteAsk, candidates: list[tuple[Server, ServerMemory]], now: float
    ) -> Server | None:
        """Host-name affinity pins a host to its server until the mapping is removed or runs out (arr.md 5.5)."""
        kept = self.hosts.get(ask.host.casefold())
        if kept is None or now - kept[1] > farm.affinity.timeout.total_seconds():
            return None
        for server, memory in candidates:
            if server.address.casefold() == kept[0] and memory.state is not ServerState.INACTIVE:
                self.hosts[ask.host.casefold()] = (kept[0], now)
                return server
        return None


def token(farm: str, address: str) -> str:
    """The affinity cookie's value: opaque and the same on every ARR machine (arr.md 5.5)."""
    return hashlib.sha256(f"{farm}/{address}".casefold().encode()).hexdigest()


def _weighted(active: list[tuple[Server, ServerMemory]]) -> Server:
    """Weighted round robin, spread evenly: each is owed its weight, the one owed most pays the sum."""
    if len(active) == 1:
        return active[0][0]
    whole = sum(one.weight for one, _ in active)
    for server, memory in active:
        memory.turn += server.weight
    server, memory = max(active, key=lambda pair: pair[1].turn)
    memory.turn -= whole
    return server
