"""What one worker process that runs ARR remembers of its farms, and whom it gives a request to (arr.md 5.3 to 5.6).

All of it is lost with the process. Nothing here knows of time but by being told it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from arr_bluegreen.webfarm import AffinityHost, Server, ServerState, ServerStatus, WebFarm


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
    """When the bad live answers came that still count (arr.md 5.2)."""
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


Candidate = tuple[Server, ServerMemory]


@dataclass(eq=False, slots=True)
class Forwarded:
    """One request ARR gave to a server. ``cut`` is called when a ForcefulStop ends it (arr.md 5.4)."""

    remembered: FarmMemory
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
class HostMapping:
    """Which servers (lower case) a public host name is pinned to, and when it was last used (arr.md 5.5)."""

    servers: list[str]
    used: float


@dataclass(eq=False, slots=True)
class FarmMemory:
    """One farm in one worker process. ``born`` is the tick count its counters start with."""

    name: str
    born: int = 0
    servers: dict[str, ServerMemory] = field(default_factory=dict)
    hosts: dict[str, HostMapping] = field(default_factory=dict)
    routed: int = 0

    def server(self, address: str) -> ServerMemory:
        """The memory of a server (without case); a new one when ARR never heard of it."""
        key = address.casefold()
        found = self.servers.get(key)
        if found is None:
            found = self.servers[key] = ServerMemory(address, last_reset=self.born)
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
        if farm.affinity.use_host_name:
            return self._by_host(farm, ask, candidates, now)
        return self._balanced(farm, ask, candidates)

    def forget(self, address: str) -> int:
        """Host-name mappings to a server go; how many."""
        key, removed = address.casefold(), 0
        for host, mapping in list(self.hosts.items()):
            if key in mapping.servers:
                mapping.servers.remove(key)
                removed += 1
            if not mapping.servers:
                del self.hosts[host]
        return removed

    # -- private -----------------------------------------------------------------------------------------

    def _open(self, farm: WebFarm) -> list[Candidate]:
        enabled = [(one, self.server(one.address)) for one in farm.servers if one.enabled and farm.enabled]
        healthy = [pair for pair in enabled if pair[1].healthy]
        return enabled if len(healthy) < farm.health_check.min_servers else healthy

    def _balanced(self, farm: WebFarm, ask: RouteAsk, candidates: list[Candidate]) -> Server | None:
        """By the farm's algorithm among the Active ones; those that need response times or bytes are played as
        weighted round robin."""
        active = [(one, memory) for one, memory in candidates if memory.state is ServerState.ACTIVE]
        if not active:
            return None
        algorithm = farm.load_balancing.algorithm
        if algorithm == "RequestHash":
            return active[int(hashlib.sha256(ask.hash_text.encode()).hexdigest(), 16) % len(active)][0]
        if algorithm == "LeastRequests":
            fewest = min(memory.current + memory.web_sockets for _, memory in active)
            active = [pair for pair in active if pair[1].current + pair[1].web_sockets == fewest]
        return _weighted(active)

    def _by_host(self, farm: WebFarm, ask: RouteAsk, candidates: list[Candidate], now: float) -> Server | None:
        """A host name stays with its servers, as many as its ``host`` item says (1 unless set), until the mapping is
        removed, runs out, or none of them may serve (arr.md 5.5)."""
        named = _named_host(farm, ask.host)
        key = ask.host.casefold() if named is None else named.name.casefold()
        mapping = self.hosts.get(key)
        if mapping is not None and now - mapping.used <= farm.affinity.timeout.total_seconds():
            pinned = [pair for pair in candidates if _is_pinned(pair, mapping)]
            if pinned:
                mapping.used = now
                return _weighted(pinned)
        chosen = self._new_hosts(farm, ask, candidates, 1 if named is None else named.servers)
        if not chosen:
            return None
        self.hosts[key] = HostMapping([one.address.casefold() for one, _ in chosen], now)
        return _weighted(chosen)

    def _new_hosts(self, farm: WebFarm, ask: RouteAsk, candidates: list[Candidate], number: int) -> list[Candidate]:
        left, chosen = list(candidates), list[Candidate]()
        while len(chosen) < number and (server := self._balanced(farm, ask, left)) is not None:
            chosen += [pair for pair in left if pair[0] is server]
            left = [pair for pair in left if pair[0] is not server]
        return chosen


def token(farm: str, address: str) -> str:
    """The affinity cookie's value: opaque and the same on every ARR machine (arr.md 5.5)."""
    return hashlib.sha256(f"{farm}/{address}".casefold().encode()).hexdigest()


def _named_host(farm: WebFarm, host: str) -> AffinityHost | None:
    """The ``affinity/host`` item of a name, or of one it is equivalent to."""
    for one in farm.affinity.hosts:
        if host.casefold() in (one.name.casefold(), *(name.casefold() for name in one.equivalent_hosts)):
            return one
    return None


def _is_pinned(candidate: Candidate, mapping: HostMapping) -> bool:
    server, memory = candidate
    return server.address.casefold() in mapping.servers and memory.state is not ServerState.INACTIVE


def _weighted(active: list[Candidate]) -> Server:
    """Weighted round robin, spread evenly: each is owed its weight, the one owed most pays the sum."""
    if len(active) == 1:
        return active[0][0]
    whole = sum(one.weight for one, _ in active)
    for server, memory in active:
        memory.turn += server.weight
    server, memory = max(active, key=lambda pair: pair[1].turn)
    memory.turn -= whole
    return server
