"""The lock of a farm: a record on the ARR machine, created exclusively, with a lease that the run renews.

A process id proves nothing across machines; time does, if it is the ARR machine's own: a lock is taken over only when
its lease has run out by the clock of the machine it lies on. A run takes its own lock back at once (resume) only where
it left it: there the caller's lock on the state folder (``deploy_alive``) proves that the process before is dead.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from arr_bluegreen.control.interface import Clock, Machine
from arr_bluegreen.errors import ArrBlueGreenError, LockedError, RefusedError

RECORD = "lock.json"
SCHEMA = 1
LEASE = timedelta(seconds=90)
MARGIN = timedelta(seconds=15)
"""So much longer than a long call the lease lasts that covers it."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lock: ``until`` is the lease's end by the ARR machine's clock; ``folder`` is where on ``where`` the
    run's journal lies."""

    run: str
    who: str
    where: str
    since: datetime
    until: datetime
    folder: str = ""

    def describe(self) -> str:
        """In words."""
        return (
            f"{self.who} on {self.where} since {_short(self.since)} (run {self.run}, lease until {_short(self.until)})"
        )


def to_text(holder: Holder) -> str:
    """As kept on the machine."""
    values = {**asdict(holder), "since": holder.since.isoformat(), "until": holder.until.isoformat()}
    return json.dumps({"schema": SCHEMA, **values}) + "\n"


def from_text(text: str) -> Holder | None:
    """The holder a text names, None when it cannot be read (then nobody can be named, and only ``unlock`` helps).

    Raises ``RefusedError`` for a lock of a newer version.
    """
    try:
        data = json.loads(text)
        if data["schema"] > SCHEMA:
            raise RefusedError(
                f"the lock on the machine is of a newer arr-bluegreen (schema {data['schema']})",
                hint="Use that version; 'deploy unlock' breaks the lock when its run is surely dead.",
            )
        times = {name: datetime.fromisoformat(data[name]) for name in ("since", "until")}
        return Holder(data["run"], data["who"], data["where"], **times, folder=data.get("folder", ""))
    except (ValueError, KeyError, TypeError):
        return None


def holder_of(machine: Machine, farm: str) -> Holder | None:
    """Who holds the farm's lock on this machine, None when nobody does (or nobody readable)."""
    text = machine.records(farm).read(RECORD)
    return None if text is None else from_text(text)


def told(machine: Machine, farm: str) -> str:
    """Whose lock lies on this machine, in words; "" when there is none."""
    text = machine.records(farm).read(RECORD)
    if text is None:
        return ""
    try:
        holder = from_text(text)
    except RefusedError as error:
        return f"somebody: {error}"
    return holder.describe() if holder is not None else "somebody whose record cannot be read"


def break_lock(machine: Machine, farm: str) -> None:
    """``deploy unlock``: the lock is gone, whatever it says."""
    machine.records(farm).delete(RECORD)


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
        folder: str = "",
    ) -> None:
        self._machine, self._farm, self._clock = machine, farm, clock
        self._run, self._who, self._where, self._over = run, who, where, over
        self._folder = folder
        self._text = ""
        self._renewed = self._ends = 0.0
        self._ahead = timedelta(0)

    def take(self) -> None:
        """Take it. Raises ``LockedError`` naming the holder."""
        now = self._machine.facts().now
        self._ahead = now - self._clock.now()
        mine = Holder(self._run, self._who, self._where, now, now + LEASE, self._folder)
        store = self._machine.records(self._farm)
        for _ in range(5):  # a lock that vanishes between the look and the take is tried again
            if store.create(RECORD, to_text(mine)):
                return self._taken(to_text(mine), LEASE)
            there = store.read(RECORD)
            if there is None:
                continue
            holder = from_text(there)
            if holder is None or self._alive(holder, now):
                raise self._locked(holder)
            if store.replace(RECORD, there, to_text(mine)):
                return self._taken(to_text(mine), LEASE)
        raise self._locked(holder_of(self._machine, self._farm))

    def renew(self, within: timedelta = timedelta(0), *, at_once: bool = False) -> None:
        """Lengthen the lease when a third of it is gone, or so that it covers a call that may take ``within``.

        A call cannot renew while it waits; so the lease is made longer before, and as short as ever by the next
        renewal after it. Raises ``LockedError`` when somebody else has taken the lock.
        """
        now = self._clock.monotonic()
        fresh = now - self._renewed < LEASE.total_seconds() / 3
        covered = now + (within + MARGIN).total_seconds() <= self._ends
        if fresh and covered and not at_once:
            return None
        there = from_text(self._text)
        assert there is not None
        lease = max(LEASE, within + MARGIN)
        text = to_text(replace(there, until=self.machine_now() + lease))
        store = self._machine.records(self._farm)
        if not store.replace(RECORD, self._text, text):
            found = store.read(RECORD)
            if found == text:  # a reply was lost: it is ours
                return self._taken(text, lease)
            raise self._locked(None if found is None else from_text(found))
        return self._taken(text, lease)

    def release(self) -> None:
        """Give it back, if it is still ours."""
        if self._text:
            self._machine.records(self._farm).delete(RECORD, self._text)
            self._text = ""

    def machine_now(self) -> datetime:
        """The ARR machine's time, by the difference measured when the lock was taken."""
        return self._clock.now() + self._ahead

    def _alive(self, holder: Holder, now: datetime) -> bool:
        """Whether somebody else holds it: not run out, not left here by this very run before, and not of a run whose
        journal says that it is over."""
        if holder.until <= now:
            return False
        if holder.run == self._run:  # the same run elsewhere may be alive: two processes must not carry it out
            return (holder.where, holder.folder) != (self._where, self._folder)
        return not self._over(holder.run)

    def _taken(self, text: str, lease: timedelta) -> None:
        self._text, self._renewed = text, self._clock.monotonic()
        self._ends = self._renewed + lease.total_seconds()

    def _locked(self, holder: Holder | None) -> LockedError:
        if holder is not None and holder.run == self._run:
            return LockedError(
                f"this very run is carried out elsewhere: by {holder.describe()}",
                hint="'deploy status' shows how far it is. When that process is dead, 'deploy resume' goes on once its "
                "lease has run out.",
            )
        text = holder.describe() if holder else "somebody whose record cannot be read"
        return LockedError(
            f"the farm '{self._farm}' on {self._machine.name} is locked by {text}",
            hint="Wait for it, or 'deploy unlock' when it is surely dead; its own 'deploy resume' takes it back.",
        )


class Locks:
    """The locks of one run on all its ARR machines: taken all or none."""

    def __init__(self, locks: Sequence[Lock]) -> None:
        self._locks = tuple(locks)

    def take(self) -> None:
        """Take them. Raises ``LockedError`` naming the holder; those taken before are given back."""
        taken: list[Lock] = []
        try:
            for one in self._locks:
                one.take()
                taken.append(one)
        except ArrBlueGreenError:
            for one in taken:
                one.release()
            raise

    def renew(self, within: timedelta = timedelta(0)) -> None:
        """As ``Lock.renew``, each."""
        for one in self._locks:
            one.renew(within)

    def release(self, warn: Callable[[str], None]) -> None:
        """Give them back; what cannot be given back is told, and its lease runs out."""
        for one in self._locks:
            try:
                one.release()
            except ArrBlueGreenError as error:
                warn(f"the lock could not be given back ({error}); its lease runs out by itself")

    def machine_now(self) -> datetime:
        """The first ARR machine's time."""
        return self._locks[0].machine_now()


# -- private -------------------------------------------------------------------------------------------------


def _short(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
