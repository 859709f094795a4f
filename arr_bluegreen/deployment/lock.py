"""The lock of a farm: a record on the ARR machine, created exclusively, with a lease that the run renews.

A process id proves nothing across machines; time does, if it is the ARR machine's own: a lock is taken over only when
its lease has run out by the clock of the machine it lies on. The same run takes its own lock back at once (resume).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from arr_bluegreen.control.interface import Clock, Machine
from arr_bluegreen.errors import LockedError

RECORD = "lock.json"
LEASE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: ``until`` is the lease's end by the ARR machine's clock."""

    run: str
    who: str
    where: str
    since: datetime
    until: datetime

    def describe(self) -> str:
        """In words."""
        return (
            f"{self.who} on {self.where} since {_short(self.since)} (run {self.run}, lease until {_short(self.until)})"
        )


def to_text(holder: Holder) -> str:
    """As kept on the machine."""
    values = {**asdict(holder), "since": holder.since.isoformat(), "until": holder.until.isoformat()}
    return json.dumps({"schema": 1, **values}) + "\n"


def from_text(text: str) -> Holder | None:
    """The holder a text names, None when it cannot be read (then nobody can be named, and only ``unlock`` helps)."""
    try:
        data = json.loads(text)
        times = {name: datetime.fromisoformat(data[name]) for name in ("since", "until")}
        return Holder(data["run"], data["who"], data["where"], **times)
    except (ValueError, KeyError, TypeError):
        return None


def holder_of(machine: Machine, farm: str) -> Holder | None:
    """Who holds the farm's lock on this machine, None when nobody does (or nobody readable)."""
    text = machine.records(farm).read(RECORD)
    return None if text is None else from_text(text)


def break_lock(machine: Machine, farm: str) -> Holder | None:
    """``deploy unlock``: the lock is gone; who had it."""
    holder = holder_of(machine, farm)
    machine.records(farm).delete(RECORD)
    return holder


class Lock:
    """The lock of one run on one ARR machine."""

    def __init__(
        self,
        machine: Machine,
        farm: str,
        clock: Clock,
        run: str,
        who: str,
        where: str,
        over: Callable[[str], bool] = lambda run: False,
    ) -> None:
        self._machine, self._farm, self._clock = machine, farm, clock
        self._run, self._who, self._where, self._over = run, who, where, over
        self._text = ""
        self._renewed = 0.0
        self._ahead = timedelta(0)

    def take(self) -> None:
        """Take it. Raises ``LockedError`` naming the holder."""
        now = self._machine.facts().now
        self._ahead = now - self._clock.now()
        mine = Holder(self._run, self._who, self._where, now, now + LEASE)
        store = self._machine.records(self._farm)
        for _ in range(5):  # a lock that vanishes between the look and the take is tried again
            if store.create(RECORD, to_text(mine)):
                return self._taken(to_text(mine))
            there = store.read(RECORD)
            if there is None:
                continue
            holder = from_text(there)
            if holder is None or self._alive(holder, now):
                raise self._locked(holder)
            if store.replace(RECORD, there, to_text(mine)):
                return self._taken(to_text(mine))
        raise self._locked(holder_of(self._machine, self._farm))

    def renew(self, *, at_once: bool = False) -> None:
        """Lengthen the lease when a third of it is gone. Raises ``LockedError`` when another run has taken the lock."""
        if not at_once and self._clock.monotonic() - self._renewed < LEASE.total_seconds() / 3:
            return None
        there = from_text(self._text)
        assert there is not None
        text = to_text(replace(there, until=self.machine_now() + LEASE))
        store = self._machine.records(self._farm)
        if not store.replace(RECORD, self._text, text):
            found = store.read(RECORD)
            if found == text:  # a reply was lost: it is ours
                return self._taken(text)
            raise self._locked(None if found is None else from_text(found))
        return self._taken(text)

    def release(self) -> None:
        """Give it back, if it is still ours."""
        if self._text:
            self._machine.records(self._farm).delete(RECORD, self._text)
            self._text = ""

    def machine_now(self) -> datetime:
        """The ARR machine's time, by the difference measured when the lock was taken."""
        return self._clock.now() + self._ahead

    def _alive(self, holder: Holder, now: datetime) -> bool:
        """Whether another run holds it: not this one, not one whose journal says that it is over, and not run out."""
        return holder.run != self._run and holder.until > now and not self._over(holder.run)

    def _taken(self, text: str) -> None:
        self._text, self._renewed = text, self._clock.monotonic()

    def _locked(self, holder: Holder | None) -> LockedError:
        text = holder.describe() if holder else "somebody whose record cannot be read"
        return LockedError(
            f"the farm '{self._farm}' on {self._machine.name} is locked by {text}",
            hint="Wait for it, or 'deploy unlock' when it is surely dead; its own 'deploy resume' takes it back.",
        )


# -- private -------------------------------------------------------------------------------------------------


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
