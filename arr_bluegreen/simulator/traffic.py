"""Clients and watchers in virtual time: requests that never stop, and the floor at every instant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.simulator.clock import Timer, Timers
from arr_bluegreen.simulator.exchange import Outcome, PublicRequest
from arr_bluegreen.simulator.host import SimulatedHost


@dataclass(frozen=True, slots=True)
class Lost:
    """One request that failed: when it ended (monotonic seconds), and why."""

    at: float
    reason: str


class Traffic:
    """A new request every ``every`` virtual seconds, in turn through each ARR machine; every so many it is a long one.

    ``sent``, ``by_version``, ``lost`` and ``open`` (not over yet) count; ``first_seen`` says when each version first
    answered.
    """

    def __init__(
        self,
        hosts: Sequence[SimulatedHost],
        clock: Timers,
        *,
        host: str = "shop.example",
        every: float = 0.1,
        long_every: int = 20,
        long_seconds: float = 2.0,
    ) -> None:
        self._hosts, self._clock, self._host = list(hosts), clock, host
        self._every, self._long_every, self._long_seconds = every, long_every, long_seconds
        self._timer: Timer | None = None
        self.sent = 0
        self.open = 0
        self.by_version: Counter[str] = Counter()
        self.first_seen: dict[str, float] = {}
        self.lost: list[Lost] = []

    def start(self) -> Traffic:
        """The first request goes now."""
        self._tick()
        return self

    def stop(self) -> None:
        """No more requests; what is open may end."""
        if self._timer is not None:
            self._timer.cancel()

    # -- private -----------------------------------------------------------------------------------------

    def _tick(self) -> None:
        self._timer = self._clock.call_later(self._every, self._tick)
        self.sent += 1
        self.open += 1
        long = self._long_every and self.sent % self._long_every == 0
        request = PublicRequest(self._host, seconds=self._long_seconds if long else None)
        self._hosts[self.sent % len(self._hosts)].exchange.send(request, self._over)

    def _over(self, outcome: Outcome) -> None:
        self.open -= 1
        if outcome.lost:
            code = f"{outcome.status}.{outcome.sub_status}" if outcome.sub_status else str(outcome.status)
            self.lost.append(Lost(self._clock.monotonic(), f"{code} {outcome.error}".strip()))
            return
        self.by_version[outcome.version] += 1
        self.first_seen.setdefault(outcome.version, self._clock.monotonic())


class FloorWatch:
    """Looks after every change at how many servers are in service and able to answer; ``lowest`` is the fewest seen."""

    def __init__(self, host: SimulatedHost, farm: str, floor: int = 1) -> None:
        self._host, self._farm, self.floor = host, farm, floor
        self.paused = False
        self.lowest = len(host.serving(farm))
        self.broken: list[float] = []
        host.arr.changed.append(self._look)
        host.iis.changed.append(self._look)

    # -- private -----------------------------------------------------------------------------------------

    def _look(self) -> None:
        if self.paused or self._host.config.reading.farm(self._farm) is None:
            return
        count = len(self._host.serving(self._farm))
        self.lowest = min(self.lowest, count)
        if count < self.floor:
            self.broken.append(self._host.clock.monotonic())
