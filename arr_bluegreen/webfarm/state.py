"""A web farm as running: ARR's states, health and counters, and the one rule of who gets a new request.

Nothing here is in a file: it lives in ARR's worker process and is lost with it (arr.md 5.6).
``None`` means not known, never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from arr_bluegreen.webfarm.farm import Server, WebFarm


class NewState(Enum):
    """What SetState is told, by name and never by number: popular scripts swap 2 and 3 (arr.md 1.2, hazard 4)."""

    START = "Start"
    DRAIN = "Drain"
    GRACEFUL_STOP = "GracefulStop"
    FORCEFUL_STOP = "ForcefulStop"


class ServerState(Enum):
    """What ``counters/@state`` says. Both stops read back as INACTIVE (arr.md 1.2)."""

    ACTIVE = "Active"
    DRAINING = "Draining"
    INACTIVE = "Inactive"


READS_BACK = {
    NewState.START: ServerState.ACTIVE,
    NewState.DRAIN: ServerState.DRAINING,
    NewState.GRACEFUL_STOP: ServerState.INACTIVE,
    NewState.FORCEFUL_STOP: ServerState.INACTIVE,
}


class TestResult(Enum):
    """The result of ARR's TestHealth (arr.md 1.2)."""

    __test__ = False  # pytest: this is no test class

    SUCCESS = "Success"
    CONNECTION_FAILURE = "ConnectionFailure"
    STATUS_CODE_FAILURE = "StatusCodeFailure"
    RESPONSE_ENTITY_FAILURE = "ResponseEntityFailure"


@dataclass(frozen=True, slots=True)
class HealthTest:
    """One answer of ARR's TestHealth: the result, the HTTP status and the Win32/WinHTTP error code."""

    __test__ = False

    result: TestResult
    http_status: int = 0
    error_code: int = 0


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """One w3wp.exe: its pool, process id and start time (UTC). The pair (pid, started) is its identity."""

    pool: str
    pid: int
    started: datetime


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server's run-time part, as one ARR machine sees it."""

    address: str
    state: ServerState | None = None
    is_healthy: bool | None = None
    current_requests: int | None = None
    current_web_socket_requests: int | None = None
    total_requests: int | None = None
    failed_requests: int | None = None
    last_reset_tick_count: int | None = None

    @property
    def in_flight(self) -> int | None:
        """Requests ARR has outstanding there, WebSockets not counted; None if not known."""
        return self.current_requests


@dataclass(frozen=True, slots=True)
class FarmStatus:
    """One farm on one ARR machine: its configuration, the run-time part of each server, and ARR's worker processes.

    ``arr_workers`` are the worker processes of the front site's pool (where ARR's state of public traffic lives),
    or None when the front site is not known; ``restarts`` of them lose all run-time state.
    """

    machine: str
    farm: WebFarm
    servers: tuple[ServerStatus, ...]
    arr_workers: tuple[WorkerProcess, ...] | None = None

    def server(self, address: str) -> ServerStatus:
        """The run-time part of the server of this address (without case); all None if ARR told nothing of it."""
        wanted = address.casefold()
        found = (one for one in self.servers if one.address.casefold() == wanted)
        return next(found, ServerStatus(address))


def counts_as_healthy(status: FarmStatus, address: str) -> bool:
    """Whether ARR treats it as healthy: below ``minServers`` healthy ones it stops believing its tests (arr.md 5.3)."""
    healthy = [one for one in status.farm.servers if one.enabled and status.server(one.address).is_healthy is not False]
    if len(healthy) < status.farm.health_check.min_servers:
        return True
    return status.server(address).is_healthy is not False


def receives_new(server: Server, status: FarmStatus) -> bool:
    """Whether ARR would give this server a new client's request: in service (arr.md 5.4).

    Enabled (farm and server), Active, and healthy as ARR counts it. An unknown state or health is taken as
    ARR's own start value, Active and healthy (arr.md 5.6), so that a floor is judged on ``certainly_receives``.
    """
    running = status.server(server.address)
    active = running.state in (ServerState.ACTIVE, None)
    return status.farm.enabled and server.enabled and active and counts_as_healthy(status, server.address)


def certainly_receives(server: Server, status: FarmStatus) -> bool:
    """``receives_new`` with nothing assumed: an unknown state or health counts as not in service."""
    running = status.server(server.address)
    known = running.state is not None and running.is_healthy is not None
    return known and receives_new(server, status)
