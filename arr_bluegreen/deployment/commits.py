"""A commit outside a run's switch, judged like every commit: run-time states read again, worker processes compared.

A write to applicationHost.config may lose states that were set (which nobody documents: arr.md 8.1) and may restart
ASP.NET Core slots, the live one too (arr.md 5.8). What was out of service before is put out of service again; what
restarted is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from arr_bluegreen.control.interface import Capability, Machine
from arr_bluegreen.control.nodes import each
from arr_bluegreen.control.shared_config import commit_on
from arr_bluegreen.deployment.now import Controls, WorkerKey, worker_keys
from arr_bluegreen.webfarm import FarmStatus, NewState, ServerState
from arr_bluegreen.webfarm.change import ConfigChange

_AGAIN = {ServerState.DRAINING: NewState.DRAIN, ServerState.INACTIVE: NewState.GRACEFUL_STOP}


@dataclass(frozen=True, slots=True)
class Commits:
    """Commits for one farm on any machine. ``front`` names the front sites; ``say`` hears what a commit did besides."""

    controls: Controls
    farm: str
    front: Sequence[str] = ()
    say: Callable[[str], None] = lambda text: None

    def apply(self, machine: Machine, changes: Sequence[ConfigChange]) -> None:
        """The changes in one commit on this machine, judged. Nothing to change: nothing is looked at."""
        if not changes:
            return
        states, workers = self._states(), self._workers()
        commit_on(machine, self.controls.arr, changes, self.controls.clock)
        self._set_again(states)
        for machine_name, pool, pid, _ in sorted(workers - self._workers()):
            where = f" on {machine_name}" if machine_name else ""
            self.say(f"the commit restarted the worker process {pid} of pool '{pool}'{where}")

    # -- private -------------------------------------------------------------------------------------------------

    def _states(self) -> tuple[FarmStatus | None, ...]:
        return each(self.controls.arr, self._status)

    def _status(self, machine: Machine) -> FarmStatus | None:
        there = any(one.name.casefold() == self.farm.casefold() for one in machine.config.read().farms)
        running = Capability.RUN_TIME in machine.capabilities
        return machine.farm(self.farm, self.front).status() if there and running else None

    def _workers(self) -> set[WorkerKey]:
        machines = {one.name: one for one in (*self.controls.arr, *self.controls.others.values())}
        return {
            key
            for name, one in machines.items()
            if Capability.SITES in one.capabilities
            for key in worker_keys((name, pool) for pool in one.sites.pools())
        }

    def _set_again(self, before: tuple[FarmStatus | None, ...]) -> None:
        for machine, old in zip(self.controls.arr, before, strict=True):
            new = self._status(machine) if old is not None else None
            if old is None or new is None:
                continue
            lost: dict[str, NewState] = {}
            for server in new.farm.servers:
                was = old.server(server.address).state if old.farm.server(server.address) is not None else None
                if was in _AGAIN and new.server(server.address).state is ServerState.ACTIVE:
                    lost[server.address] = _AGAIN[was]
            if lost:
                names = ", ".join(lost)
                self.say(f"the commit lost the state of {names} on {machine.name}; set again")
                machine.farm(self.farm, self.front).set_state(lost)
