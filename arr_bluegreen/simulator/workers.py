"""Worker processes and the requests in them, as values."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from arr_bluegreen.simulator.slots import App
from arr_bluegreen.webfarm import RunState, WorkerProcess


@dataclass(eq=False, slots=True)
class Worker:
    """One w3wp.exe with its applications by site name (lower case) and the requests in it.

    ``held``: it is no process yet, since the one before it must end first; ``waiting`` is called when it is one.
    """

    pool: str
    pid: int
    started: datetime
    apps: dict[str, App] = field(default_factory=dict)
    executions: set[Execution] = field(default_factory=set)
    retiring: bool = False
    gone: bool = False
    held: bool = False
    waiting: list[Callable[[], None]] = field(default_factory=list)
    last_active: float = 0.0
    taken: int = 0
    """Requests so far."""

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
    """What WAS holds of one pool; ``crashes`` are the times of those that rapid-fail protection still counts."""

    state: RunState = RunState.STOPPED
    workers: list[Worker] = field(default_factory=list)
    turn: int = 0
    crashes: deque[float] = field(default_factory=deque)

    def current(self) -> list[Worker]:
        """Those that take new requests."""
        return [one for one in self.workers if not one.retiring]

    def processes(self) -> list[Worker]:
        """Those that exist, the retiring ones too."""
        return [one for one in self.workers if not one.held]
