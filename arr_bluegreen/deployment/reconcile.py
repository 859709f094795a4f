"""Reconcile: after a restart of ARR has lost its run-time state (arr.md 5.6), the wanted slot is made live again.

It acts only if ARR's worker process started after the last assertion, no live run holds the lock, the record is of the
newest epoch and not paused, and the wanted slot answers. Else it says why not: what an admin did by hand is respected.
What it changes it changes under the farm's lock, with the record read again there: a run may have begun and ended since
the first look.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from arr_bluegreen.control.interface import Clock, Machine, ProbeRequest
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.lock import Lock, holder_of
from arr_bluegreen.deployment.matching import why_not
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import LockedError, RemoteError, UnreachableError
from arr_bluegreen.webfarm import FarmStatus, NewState, ServerState, certainly_receives, receives_new


class Outcome(Enum):
    """What became of one ARR machine."""

    AS_WANTED = "as wanted"
    ASSERTED = "asserted"
    WOULD_ASSERT = "would be asserted"
    LEFT_ALONE = "left alone"
    CANNOT = "cannot be asserted"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One ARR machine: what became of it, and why."""

    machine: str
    outcome: Outcome
    why: str = ""


def reconcile(
    machines: Sequence[Machine],
    farm: str,
    clock: Clock,
    *,
    who: str = "reconcile",
    where: str = "",
    dry_run: bool = False,
) -> tuple[Reconciled, ...]:
    """Every ARR machine looked at by the newest wanted record; one that came back late gets the record too.

    ``who`` and ``where`` stand in the lock while something is changed.
    """
    one = _Reconcile(machines, farm, clock, who, where, dry_run)
    return tuple(one.machine(machine) for machine in machines)


# -- private -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one machine's state is measured by: the newest record with this machine's own time of assertion.

    ``missed``: the machine was away when the record was written, so that its state is of an earlier one.
    """

    record: Wanted
    missed: bool


class _Reconcile:
    def __init__(
        self, machines: Sequence[Machine], farm: str, clock: Clock, who: str, where: str, dry_run: bool
    ) -> None:
        self._machines, self._farm, self._clock, self._dry_run = machines, farm, clock, dry_run
        self._who, self._where = who, where

    def machine(self, machine: Machine) -> Reconciled:
        """One machine. What cannot be reached is told, and the others are looked at all the same."""
        try:
            outcome, why = self._looked(machine)
        except LockedError as error:
            outcome, why = Outcome.LEFT_ALONE, f"a run is at work: {error}"
        except (UnreachableError, RemoteError) as error:
            outcome, why = Outcome.CANNOT, str(error)
        return Reconciled(machine.name, outcome, why)

    # -- private ---------------------------------------------------------------------------------------------

    def _looked(self, machine: Machine) -> tuple[Outcome, str]:
        wish = self._wish(machine)
        if wish is None:
            return Outcome.LEFT_ALONE, "there is no wanted record"
        now = machine.facts().now  # before the look: a restart after it must count as later
        found = self._judged(machine, wish, now)
        if found is not None:
            return found
        reason = self._why_cannot(machine, wish.record)
        if reason:
            return Outcome.CANNOT, reason
        if self._dry_run:
            return Outcome.WOULD_ASSERT, f"{wish.record.slot} would be made live again"
        run = f"reconcile-{secrets.token_hex(4)}"
        lock = Lock(machine, self._farm, self._clock, run, self._who, self._where)
        lock.take()
        try:
            return self._locked(machine, wish, lock)
        finally:
            lock.release()

    def _locked(self, machine: Machine, before: _Wish, lock: Lock) -> tuple[Outcome, str]:
        """Under the lock, where no run begins: what was probed is still what is wanted, or nothing is touched."""
        wish, now = self._wish(machine), machine.facts().now
        if wish != before:
            return Outcome.LEFT_ALONE, "the wanted record has just been changed"
        found = self._judged(machine, wish, now, locked=True)
        return found or self._assert(machine, wish.record, lock)

    def _judged(
        self, machine: Machine, wish: _Wish, now: datetime, *, locked: bool = False
    ) -> tuple[Outcome, str] | None:
        """What is to be said without a change of the states; None when the wanted slot is to be made live."""
        record = wish.record
        if record.by == "rule":  # the configuration names the slot, and a restart loses none of it
            if wish.missed:
                self._bring(machine, replace(record, asserted=now))
            return Outcome.LEFT_ALONE, "by rule the configuration decides"
        status = machine.farm(self._farm, record.front).status()
        if _as_wanted(status, record):
            if wish.missed or any(one.started > record.asserted for one in status.arr_workers or ()):
                self._bring(machine, replace(record, asserted=now))  # else the next act by hand would count as a loss
            return Outcome.AS_WANTED, f"{record.slot} is live"
        reason = "" if locked else self._why_locked(machine, now)
        reason = ("reconcile is paused" if record.paused else "") or reason or _why_leave_alone(status, wish)
        if reason:
            return Outcome.LEFT_ALONE, reason
        missing = [one for one in record.into if status.farm.server(one) is None]
        return (Outcome.CANNOT, f"there is no server {', '.join(missing)} any more") if missing else None

    def _wish(self, machine: Machine) -> _Wish | None:
        """By the newest record there is on any machine that can be reached."""
        own = wanted.read(machine.records(self._farm))
        found = [own] if own is not None else []
        for other in self._machines:
            if other is not machine:
                try:
                    there = wanted.read(other.records(self._farm))
                except (UnreachableError, RemoteError):
                    continue
                found += [there] if there is not None else []
        if not found:
            return None
        newest = max(found, key=lambda one: one.epoch)
        if own is None or own.epoch < newest.epoch:
            return _Wish(newest, missed=True)
        return _Wish(own, missed=False)

    def _why_locked(self, machine: Machine, now: datetime) -> str:
        holder = holder_of(machine, self._farm)
        return f"a run is at work: {holder.describe()}" if holder is not None and holder.until > now else ""

    def _why_cannot(self, machine: Machine, record: Wanted) -> str:
        if len(record.into) < record.floor:
            return f"the record names {len(record.into)} server(s), and the floor is {record.floor}"
        by_name = {one.name.casefold(): one for one in self._machines}
        for probe in record.probes:
            asker = by_name.get(probe.machine.casefold(), machine) if probe.machine else machine
            answer = asker.probe.ask([ProbeRequest(probe.url, host=probe.host)])[0]
            bad = why_not(answer, probe.status)
            if bad:
                return f"the wanted slot '{record.slot}' does not pass its gate: {probe.url}: {bad}"
        return ""

    def _assert(self, machine: Machine, record: Wanted, lock: Lock) -> tuple[Outcome, str]:
        """First what shall be in service, seen; then what shall not."""
        now = machine.facts().now
        control = machine.farm(self._farm, record.front)
        status = control.status()
        start = {one: NewState.START for one in record.into if status.server(one).state is not ServerState.ACTIVE}
        if start:
            lock.renew()
            control.set_state(start)
            status = control.status()
        servers = [status.farm.server(one) for one in record.into]
        serving = [one for one in servers if one is not None and certainly_receives(one, status)]
        if len(serving) < max(record.floor, 1):
            return Outcome.CANNOT, f"'{record.slot}' does not come in service"
        there = [one for one in record.out if status.farm.server(one) is not None]
        stop = {one: NewState.GRACEFUL_STOP for one in there if status.server(one).state is not ServerState.INACTIVE}
        if stop:
            lock.renew()
            control.set_state(stop)
        if not _as_wanted(control.status(), record):
            return Outcome.CANNOT, "the states were set and do not read back"
        self._bring(machine, replace(record, asserted=now))
        return Outcome.ASSERTED, f"{record.slot} is live again"

    def _bring(self, machine: Machine, record: Wanted) -> None:
        """The machine has this record, unless it has a newer one by now; a pause asked for meanwhile stays."""
        if not self._dry_run:
            wanted.change(machine.records(self._farm), _newer_than(record))


def _newer_than(record: Wanted) -> Callable[[Wanted | None], Wanted | None]:
    def decide(there: Wanted | None) -> Wanted | None:
        if there is None or there.epoch < record.epoch:
            return record
        same = (there.epoch, there.run) == (record.epoch, record.run)
        return replace(there, asserted=max(there.asserted, record.asserted)) if same else None

    return decide


def _as_wanted(status: FarmStatus, record: Wanted) -> bool:
    found = [status.farm.server(one) for one in (*record.into, *record.out)]
    into, out = found[: len(record.into)], found[len(record.into) :]
    good = all(one is not None and certainly_receives(one, status) for one in into)
    return good and not any(one is not None and receives_new(one, status) for one in out)


def _why_leave_alone(status: FarmStatus, wish: _Wish) -> str:
    if wish.record.by == "health-file":
        return "by health file ARR's own probe decides"
    if wish.missed:
        return ""
    if not status.arr_workers:
        return "which worker process runs ARR is not known ([app] front)"
    if all(one.started <= wish.record.asserted for one in status.arr_workers):
        return "ARR has not restarted since the last assertion, so somebody did this on purpose"
    return ""
