"""Worker processes and the requests in them, as values; which binding fits a request, what a pool is recycled for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from arr_bluegreen.simulator.slots import App
from arr_bluegreen.webfarm import ApplicationPool, RunState, WorkerProcess


@dataclass(eq=False, slots=True)
class Worker:
    """One w3wp.exe with its applications by site name (lower case) and the requests in it."""

    pool: str
    pid: int
    started: datetime
    apps: dict[str, App] = field(default_factory=dict)
    executions: set[Execution] = field(default_factory=set)
    retiring: bool = False
    gone: bool = False

    @property
    def process(self) -> WorkerProcess:
        """The word for it."""
        return WorkerProcess(self.pool, self.pid, self.started)


@dataclass(eq=False, slots=True)
class Execution:
    """One request in a worker process. ``cut`` is called (once) when the process is killed under it."""

    worker: Worker
    app: App
    cut: Callable[[], None]
    url: str = ""
    verb: str = "GET"
    client: str = ""
    since: float = 0.0


@dataclass(eq=False, slots=True)
class Pool:
    """What WAS holds of one pool."""

    state: RunState = RunState.STOPPED
    workers: list[Worker] = field(default_factory=list)
    turn: int = 0

    def current(self) -> list[Worker]:
        """Those that take new requests."""
        return [one for one in self.workers if not one.retiring]


def rank(protocol: str, ip: str, port: int | None, host: str, asked: tuple[str, int, str]) -> int:
    """How well a binding fits a request; 0 is not at all."""
    if protocol not in ("http", "https") or port != asked[1] or ip not in ("*", "", asked[0]):
        return 0
    if host and host.casefold() != asked[2].casefold():
        return 0
    return 1 + (2 if ip == asked[0] else 0) + (4 if host else 0)


def recycles(pool: ApplicationPool) -> tuple[object, ...]:
    """What WAS recycles a pool for when it changes (arr.md 5.8, the list from the IIS team)."""
    model, recycling = pool.process_model, pool.recycling
    return (
        recycling.periodic_restart_time,
        recycling.periodic_restart_memory,
        recycling.periodic_restart_private_memory,
        recycling.periodic_restart_requests,
        recycling.schedule,
        model.idle_timeout,
        model.ping_interval,
        model.startup_time_limit,
        model.shutdown_time_limit,
        model.identity_type,
        model.user_name,
        pool.managed_runtime_version,
        pool.managed_pipeline_mode,
        pool.enable32_bit_app_on_win64,
    )
