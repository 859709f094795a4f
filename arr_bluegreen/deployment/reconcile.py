"""Reconcile: after a restart of ARR has lost its run-time state (arr.md 5.6), the wanted slot is made live again.

It acts only if ARR's worker process started after the last assertion, no live run holds the lock, the record is of the
newest epoch and not paused, and the wanted slot answers. Else it says why not: what an admin did by hand is respected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from arr_bluegreen.control.interface import Machine, ProbeRequest
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.lock import holder_of
from arr_bluegreen.deployment.matching import why_not
from arr_bluegreen.deployment.wanted import Wanted
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
    machines: Sequence[Machine], farm: str, *, floor: int = 1, dry_run: bool = False
) -> tuple[Reconciled, ...]:
    """Every ARR machine looked at by the newest wanted record; one that came back late gets the record too."""
    newest = wanted.newest(one.records(farm) for one in machines)
    if newest is None:
        return tuple(Reconciled(one.name, Outcome.LEFT_ALONE, "there is no wanted record") for one in machines)
    return tuple(_one(machine, farm, newest, machines, floor, dry_run) for machine in machines)


# -- private -------------------------------------------------------------------------------------------------


def _one(
    machine: Machine, farm: str, record: Wanted, machines: Sequence[Machine], floor: int, dry_run: bool
) -> Reconciled:
    now = machine.facts().now
    status = machine.farm(farm, record.front).status()
    if _as_wanted(status, record):
        _pass_on(machine, farm, record, dry_run)
        return Reconciled(machine.name, Outcome.AS_WANTED, f"{record.slot} is live")
    reason = _why_leave_alone(machine, farm, record, status, now)
    if reason:
        return Reconciled(machine.name, Outcome.LEFT_ALONE, reason)
    reason = _why_cannot(machine, record, status, machines, floor)
    if reason:
        return Reconciled(machine.name, Outcome.CANNOT, reason)
    if dry_run:
        return Reconciled(machine.name, Outcome.WOULD_ASSERT, f"{record.slot} would be made live again")
    return _assert(machine, farm, record, now, floor)


def _as_wanted(status: FarmStatus, record: Wanted) -> bool:
    found = [status.farm.server(one) for one in (*record.into, *record.out)]
    into, out = found[: len(record.into)], found[len(record.into) :]
    good = all(one is not None and certainly_receives(one, status) for one in into)
    return good and not any(one is not None and receives_new(one, status) for one in out)


def _why_leave_alone(machine: Machine, farm: str, record: Wanted, status: FarmStatus, now: datetime) -> str:
    if record.paused:
        return "reconcile is paused"
    holder = holder_of(machine, farm)
    if holder is not None and holder.until > now:
        return f"a run is at work: {holder.describe()}"
    if record.by == "health-file":
        return "by health file ARR's own probe decides"
    if not status.arr_workers:
        return "which worker process runs ARR is not known ([app] front)"
    if all(one.started <= record.asserted for one in status.arr_workers):
        return "ARR has not restarted since the last assertion, so somebody did this on purpose"
    return ""


def _why_cannot(machine: Machine, record: Wanted, status: FarmStatus, machines: Sequence[Machine], floor: int) -> str:
    if len(record.into) < floor:
        return f"the record names {len(record.into)} server(s), and the floor is {floor}"
    missing = [one for one in record.into if status.farm.server(one) is None]
    if missing:
        return f"there is no server {', '.join(missing)} any more"
    by_name = {one.name.casefold(): one for one in machines}
    for probe in record.probes:
        asker = by_name.get(probe.machine.casefold(), machine) if probe.machine else machine
        answer = asker.probe.ask([ProbeRequest(probe.url, host=probe.host)])[0]
        bad = why_not(answer, probe.status)
        if bad:
            return f"the wanted slot '{record.slot}' does not pass its gate: {probe.url}: {bad}"
    return ""


def _assert(machine: Machine, farm: str, record: Wanted, now: datetime, floor: int) -> Reconciled:
    """First what shall be in service, seen; then what shall not."""
    control = machine.farm(farm, record.front)
    status = control.status()
    start = {one: NewState.START for one in record.into if status.server(one).state is not ServerState.ACTIVE}
    if start:
        control.set_state(start)
        status = control.status()
    servers = [status.farm.server(one) for one in record.into]
    serving = [one for one in servers if one is not None and certainly_receives(one, status)]
    if len(serving) < max(floor, 1):
        return Reconciled(machine.name, Outcome.CANNOT, f"'{record.slot}' does not come in service")
    stop = {one: NewState.GRACEFUL_STOP for one in record.out if status.server(one).state is not ServerState.INACTIVE}
    if stop:
        control.set_state(stop)
    if not _as_wanted(control.status(), record):
        return Reconciled(machine.name, Outcome.CANNOT, "the states were set and do not read back")
    machine.records(farm).write(wanted.RECORD, wanted.to_text(replace(record, asserted=now)))
    return Reconciled(machine.name, Outcome.ASSERTED, f"{record.slot} is live again")


def _pass_on(machine: Machine, farm: str, record: Wanted, dry_run: bool) -> None:
    """A machine that was away when the record was written gets it."""
    if not dry_run:
        there = wanted.read(machine.records(farm))
        if there is None or there.epoch < record.epoch:
            wanted.write(machine.records(farm), record)
