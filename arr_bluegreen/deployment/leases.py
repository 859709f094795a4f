"""The locks of a run, and calls that may take longer than their lease: it is made to cover them before.

A helper thread could renew it meanwhile, but a WinRM connection belongs to one thread (only ``nodes`` fans out), and a
thread that outlives what it guards would keep a dead run's lock. So a call says how long it may take.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from arr_bluegreen.control.interface import CommandResult, CommandRunner
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.hands import Beat, Identity
from arr_bluegreen.deployment.lock import Lock, Locks
from arr_bluegreen.deployment.now import Controls

FOLDER = timedelta(minutes=30)
"""How long a folder or zip may take to be put in place, at most."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A ``CommandRunner`` whose commands (hooks, judges) find the lock held for their whole timeout."""

    commands: CommandRunner
    beat: Beat

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        """As the runner it wraps."""
        self.beat(timeout)
        return self.commands.run(command, stdin, environment, timeout)


def locks_of(deployment: Deployment, controls: Controls, me: Identity, over: Callable[[str], bool]) -> Locks:
    """The farm's locks on every ARR machine, not taken yet; ``over`` says of a run whether its journal ends."""
    return Locks(
        [
            Lock(one, deployment.app.farm, controls.clock, me.run, me.who, me.where, over, me.folder)
            for one in controls.arr
        ]
    )
