"""What a step is given to act with: a look, judged commits, run-time states that are kept up, waits, and a voice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arr_bluegreen.control.interface import Machine
from arr_bluegreen.control.nodes import in_order
from arr_bluegreen.control.shared_config import commit_on_all
from arr_bluegreen.deployment.description import Deployment, Slot
from arr_bluegreen.deployment.events import Event, Noted, StepProgress, Warned
from arr_bluegreen.deployment.memory import Memory
from arr_bluegreen.deployment.now import Controls, Now, WorkerKey, check_floor, farm_control, server_of
from arr_bluegreen.deployment.switched import Switched
from arr_bluegreen.errors import FloorError, WaitRanOutError
from arr_bluegreen.webfarm import READS_BACK, NewState
from arr_bluegreen.webfarm.change import ConfigChange

Beat = Callable[[timedelta], None]
"""Renews the lock where it is due, so that it is held for a call of that length."""
LOOK_SECONDS = 0.5
"""So old may a look be that only says which step is next; what takes something out of service looks anew."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Who is who on the present way: ``new`` shall be live, ``old`` shall not; ``version`` "" needs no proof."""

    new: Slot
    old: Slot
    version: str = ""
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Which run this is, and who runs it where, with its journal in which folder there."""

    run: str
    who: str
    where: str
    folder: str = ""


class Hands:
    """One run's hands. ``tell`` journals an event and tells the listeners; ``beat`` renews the lock."""

    def __init__(
        self,
        deployment: Deployment,
        controls: Controls,
        memory: Memory,
        roles: Roles,
        identity: Identity,
        tell: Callable[[Event], None],
        beat: Beat,
        machine_now: Callable[[], datetime],
    ) -> None:
        self.deployment, self.controls, self.memory, self.roles = deployment, controls, memory, roles
        self.identity, self.machine_now = identity, machine_now
        self.first_roles = roles  # as the run began; ``roles`` turn with its way
        self.step = ""
        self._tell, self._beat = tell, beat
        self._now: Now | None = None
        self._switched = Switched()
        self._records: tuple[str | None, ...] | None = None

    # -- seeing and saying --------------------------------------------------------------------------------------

    def now(self) -> Now:
        """The last look, if nothing was done and hardly any time has gone since; else a new one."""
        if self._now is None or self.controls.clock.monotonic() - self._now.at > LOOK_SECONDS:
            self._now = Now(self.controls, self.deployment)
        return self._now

    def look(self) -> Now:
        """A new look."""
        self._now = None
        return self.now()

    def forget(self) -> None:
        """Something was done: the last look is old."""
        self._now = None

    def records(self) -> tuple[str | None, ...]:
        """wanted.json of every ARR machine as this run last read or wrote it: good for comparing and swapping alone (a
        pause may have come in between), which spares reading it while nothing must lie between gate and switch."""
        if self._records is None:
            self._records = self.now().records()
        return self._records

    def keep_records(self, texts: tuple[str | None, ...] | None) -> None:
        """The records are these now (None: not known); what was seen of the farms still stands."""
        self._records = texts
        if self._now is not None:
            self._now.keep_records(texts)

    def workers(self, slot: Slot) -> tuple[WorkerKey, ...]:
        """The slot's worker processes, read again; the rest of the last look stands."""
        self.now().forget_pools()
        return self.now().workers(slot)

    def tell(self, event: Event) -> None:
        """Journal and tell."""
        self._tell(event)

    def note(self, name: str, value: Any) -> None:
        """Remember a fact over a crash."""
        self._tell(Noted(name, value))
        self.memory.take(name, value)

    def warn(self, text: str) -> None:
        """Say what people should know."""
        self._tell(Warned(text))

    # -- run time ------------------------------------------------------------------------------------------------

    def set_state(self, slot: Slot, state: NewState) -> None:
        """The state for every server of the slot on every ARR machine, where it reads otherwise; kept up from now.

        Raises ``PartlyDoneError`` when some machines have it and one does not: ``put_back`` undoes that.
        """
        self._set_state(slot, state, self._switched if len(self.controls.arr) > 1 else None)

    def take_out(self, slot: Slot, state: NewState) -> None:
        """``set_state`` for a slot that leaves; raises ``FloorError`` when too few would certainly stay in service."""
        reason = check_floor(self.look(), slot, self.deployment.floor)
        if reason:
            raise FloorError(reason, hint="Bring the other slot in service first ('deploy status').")
        self.set_state(slot, state)

    def reassert(self) -> bool:
        """The states this run has set, set again where ARR's restart lost them (arr.md 5.6). Whether any was.

        First what shall be in service, then what shall not, and that only above the floor.
        """
        acted = False
        hold: Mapping[str, str] = self.memory.get("hold", {})
        wanted = sorted(hold.items(), key=lambda one: one[1] != NewState.START.value)
        for name, value in wanted:
            slot, state = self.deployment.slot(name), NewState(value)
            if self._reads(slot, state):
                continue
            if state is not NewState.START and check_floor(self.now(), slot, self.deployment.floor):
                continue  # the other side is not surely in service yet: rather two versions than none
            self.warn(f"ARR lost the state of '{name}' ({_lost(self.now(), slot)}); set to {value} again")
            self._set_state(slot, state, None)
            acted = True
        return acted

    # -- configuration -----------------------------------------------------------------------------------------

    def commit(
        self, changes: Callable[[Machine], Sequence[ConfigChange]], *, keep_up: bool = True, switches: bool = False
    ) -> bool:
        """One commit per configuration of the ARR machines, each judged: states read and set again, worker processes
        compared. Machines that share one are waited for until each has seen it.

        Returns whether worker processes of either slot restarted. Without ``keep_up`` the caller sets states again.
        The slot must prove itself once more: a module may end an application and keep its process (arr.md 5.8).
        Raises ``PartlyDoneError`` as ``set_state``; only a commit that ``switches`` is undone by ``put_back``.
        """
        before = self._workers()
        self.note("unproven", True)
        self.forget()
        undo = self._switched if switches and len(self.controls.arr) > 1 else Switched()
        within = self.deployment.seen_within
        commit_on_all(self.controls.arr, changes, self.controls.clock, within, undo.wrote, self.beat)
        self._switched.wrote_all()
        self.look()
        if keep_up:
            self.reassert()
        restarted = [one for one in before if one not in self._workers()]
        for machine_name, pool, pid, _ in restarted:
            where = f" on {machine_name}" if machine_name else ""
            self.warn(f"the commit restarted the worker process {pid} of pool '{pool}'{where}")
        return bool(restarted)

    def put_back(self) -> None:
        """What a failed step switched on some ARR machines only is put back there, above the floor; told."""
        if not self._switched:
            return
        self.forget()
        hold, told = self._switched.back(self.deployment.floor)
        if hold is not None:
            self.note("hold", hold)
        if self.memory.get("out_since"):
            self.note("out_since", {})  # the old slot serves again, also where it did not
        for line in told:
            self.warn(line)

    # -- waiting ------------------------------------------------------------------------------------------------

    def wait(
        self,
        until: Callable[[Now], str],
        within: timedelta,
        every: timedelta,
        *,
        keep_up: bool = True,
    ) -> None:
        """Look again and again until ``until`` answers "" ; what it answers is what is waited for.

        Raises ``WaitRanOutError`` with the last answer. Lost run-time states are set again meanwhile (``keep_up``).
        """
        clock = self.controls.clock
        began = clock.monotonic()
        while True:
            if keep_up:
                self.reassert()
            waiting_for = until(self.now())
            if not waiting_for:
                return
            gone = clock.monotonic() - began
            if gone >= within.total_seconds():
                raise WaitRanOutError(f"waited {gone:.0f} s: {waiting_for}", hint="See 'deploy status'.")
            self.progress(waiting_for, gone / within.total_seconds())
            self.pause(every)

    def beat(self, within: timedelta = timedelta(0)) -> None:
        """The lock is renewed where it is due; it is ours for a call that may take ``within``."""
        self._beat(within)

    def pause(self, every: timedelta) -> None:
        """Wait a little, with the lock renewed; the next look is a new one."""
        self._beat(every)
        self.controls.clock.sleep(every.total_seconds())
        self.forget()

    def progress(self, text: str, fraction: float | None = None) -> None:
        """Say what is waited for."""
        self._tell(StepProgress(self.step, text, None if fraction is None else min(1.0, fraction)))

    # -- private -------------------------------------------------------------------------------------------------

    def _set_state(self, slot: Slot, state: NewState, switched: Switched | None) -> None:
        hold = dict(self.memory.get("hold", {}))
        self.note("hold", {**hold, slot.name: state.value})
        now = self.now()  # the barrier: every machine has just answered
        looks = dict(zip((one.name for one in self.controls.arr), now.of(slot), strict=True))

        def tell(machine: Machine) -> None:
            status = looks[machine.name]
            read = {one.address: status.server(one.address).state for one in now.servers(slot, status)}
            states = {address: state for address, was in read.items() if was is not READS_BACK[state]}
            if not states:
                return
            self.forget()
            control = farm_control(machine, self.deployment, slot)
            if switched is not None:
                switched.telling(machine.name, control, read, state, hold)
            control.set_state(states)

        in_order(f"{state.value} of '{slot.name}'", {one.name: one for one in self.controls.arr}, tell)
        if switched is not None:
            switched.told_all()

    def _reads(self, slot: Slot, state: NewState) -> bool:
        looks = self.now().of(slot)
        read = [status.server(one.address).state for status in looks for one in self.now().servers(slot, status)]
        return all(one in (READS_BACK[state], None) for one in read)  # not known is not lost

    def _workers(self) -> set[WorkerKey]:
        now = self.now()
        return {*now.workers(self.roles.new), *now.workers(self.roles.old)}


# -- private -------------------------------------------------------------------------------------------------


def _lost(now: Now, slot: Slot) -> str:
    states = {status.server(server_of(status, one).address).state for status in now.of(slot) for one in slot.addresses}
    return "/".join(sorted("unknown" if one is None else one.value for one in states))
