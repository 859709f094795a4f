"""What a step has switched on some ARR machines and not yet on all, so that it can be put back there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from arr_bluegreen.control.interface import Commit, FarmControl, Machine
from arr_bluegreen.errors import ArrBlueGreenError
from arr_bluegreen.webfarm import READS_BACK, FarmStatus, NewState, ServerState, certainly_receives
from arr_bluegreen.webfarm.change import ConfigChange

_AGAIN = {
    ServerState.ACTIVE: NewState.START,
    ServerState.DRAINING: NewState.DRAIN,
    ServerState.INACTIVE: NewState.GRACEFUL_STOP,
}


@dataclass(frozen=True, slots=True)
class _Told:
    """One machine that was told ``state``, and what its servers read before."""

    control: FarmControl
    before: Mapping[str, ServerState | None]
    state: NewState

    def back(self, floor: int) -> str:
        """Only what still reads what it was told."""
        status = self.control.status()
        ours = [one for one in self.before if status.server(one).state is READS_BACK[self.state]]
        was = {one: self.before[one] for one in ours if self.before[one] is not READS_BACK[self.state]}
        states = {one: _AGAIN[state] for one, state in was.items() if state is not None}
        if not states:
            return ""
        if self.state is NewState.START and _left(status, states) < floor:
            return f"{', '.join(states)} stays in service: without it fewer than {floor} would be"
        self.control.set_state(states)
        return f"put back: {', '.join(f'{address} {state.value}' for address, state in states.items())}"


@dataclass(frozen=True, slots=True)
class _Written:
    """One machine that was written, and what undoes it."""

    machine: Machine
    inverse: tuple[ConfigChange, ...]

    def back(self, floor: int) -> str:
        """Old and new change places again, so that the floor holds as it did before."""
        self.machine.config.apply(self.inverse)
        return "the commit was undone"


class Switched:
    """Kept over the tries of one step, forgotten once every machine has it. Empty is false."""

    def __init__(self) -> None:
        self._told: dict[str, _Told] = {}
        self._written: dict[str, _Written] = {}
        self._hold: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self._told or self._written)

    def told_all(self) -> None:
        """Every machine has the state."""
        self._told, self._hold = {}, None

    def wrote_all(self) -> None:
        """Every machine has the commit."""
        self._written = {}

    def telling(
        self,
        machine: str,
        control: FarmControl,
        before: Mapping[str, ServerState | None],
        state: NewState,
        hold: Mapping[str, Any],
    ) -> None:
        """A machine is about to be told: its fate may be unknown later. A second try changes nothing here."""
        self._told.setdefault(machine, _Told(control, before, state))
        if self._hold is None:
            self._hold = hold

    def wrote(self, machine: Machine, commit: Commit) -> None:
        """A commit was made there."""
        if commit.commits:
            self._written.setdefault(machine.name, _Written(machine, commit.inverse))

    def back(self, floor: int) -> tuple[Mapping[str, Any] | None, list[str]]:
        """Put back on each machine; the states to hold from now on (None: as they are), and what was done, in words.

        Never raises: a machine that cannot be told is named.
        """
        hold = self._hold
        lines = [_tried(name, one, floor) for some in (self._told, self._written) for name, one in some.items()]
        self.told_all()
        self.wrote_all()
        return hold, [one for one in lines if one]


# -- private -------------------------------------------------------------------------------------------------


def _tried(machine: str, one: _Told | _Written, floor: int) -> str:
    try:
        done = one.back(floor)
    except ArrBlueGreenError as error:
        return f"{machine} could not be put back: {error}"
    return f"{machine}: {done}" if done else ""


def _left(status: FarmStatus, without: Mapping[str, object]) -> int:
    gone = {one.casefold() for one in without}
    left = [one for one in status.farm.servers if one.address.casefold() not in gone]
    return sum(certainly_receives(one, status) for one in left)
