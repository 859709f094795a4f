"""The simulator's two clocks: one that jumps, for tests, and one that runs on an asyncio loop.

Both keep timers, so that everything in the simulator (probes, starts, shutdown limits) is one mechanism:
``call_later``.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Timer(Protocol):
    """Something that will happen, unless cancelled."""

    def cancel(self) -> None:
        """It will not happen; nothing when it already has."""


class Timers(Protocol):
    """A clock one can leave a call with. ``monotonic`` counts seconds."""

    def now(self) -> datetime:
        """UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, ``seconds`` from now, on the clock's own thread."""


class _Due:
    """One entry of the virtual clock's heap."""

    __slots__ = ("at", "call", "order")

    def __init__(self, at: float, order: int, call: Callable[[], None]) -> None:
        self.at, self.order = at, order
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self.call = None

    def __lt__(self, other: _Due) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class SimulatedClock:
    """``interface.Clock`` in virtual time: ``sleep`` takes no time and runs what falls due on the way, in order."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._time = 0.0
        self._count = 0
        self._due: list[_Due] = []

    def now(self) -> datetime:
        """UTC, aware: the start plus the virtual seconds gone by."""
        return self._start + timedelta(seconds=self._time)

    def monotonic(self) -> float:
        """Virtual seconds since the start."""
        return self._time

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once, when virtual time gets there."""
        self._count += 1
        due = _Due(self._time + max(0.0, seconds), self._count, call)
        heapq.heappush(self._due, due)
        return due

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass: what falls due is called at its own moment. Timers set meanwhile count too."""
        until = self._time + max(0.0, seconds)
        while self._due and self._due[0].at <= until:
            due = heapq.heappop(self._due)
            if due.call is not None:
                self._time = max(self._time, due.at)
                due.call()
        self._time = max(self._time, until)

    def sleep_until(self, ready: Callable[[], bool], limit: float = 86400.0) -> bool:
        """Let time pass timer by timer until ``ready()``; False when ``limit`` seconds or all timers ran out first."""
        until = self._time + limit
        while not ready():
            if not self._due or self._due[0].at > until:
                return False
            self.sleep(max(0.0, self._due[0].at - self._time))
        return True


class LoopClock:
    """Real time on the running asyncio loop. It does not sleep: only ``call_later`` waits."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        """UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """The loop's own seconds."""
        return self._loop.time()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call once on the loop."""
        return self._loop.call_later(max(0.0, seconds), call)
