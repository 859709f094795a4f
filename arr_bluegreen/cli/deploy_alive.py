"""Whether a run of this deployment is being carried out on this computer now: a file lock, which dies with its process.

The lock on the ARR machine cannot tell: a run that was left in this folder takes its own lock back at once, and two
processes would carry it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from arr_bluegreen.cli.deploy_world import World
from arr_bluegreen.deployment import lock
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.find_run import unfinished
from arr_bluegreen.deployment.journal import started
from arr_bluegreen.deployment.now import stores
from arr_bluegreen.deployment.superseded import superseded_by
from arr_bluegreen.deployment.wanted import Wanted, read
from arr_bluegreen.errors import LockedError, RefusedError, UsageError

_FILE = "running.lock"


@contextmanager
def carried_out(there: World) -> Iterator[None]:
    """The only process of this computer that carries out a run of this deployment. Raises ``LockedError``."""
    from filelock import FileLock, Timeout

    folder = there.journals.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(str(folder / _FILE), timeout=0):
            yield
    except Timeout as error:
        raise under_way(there) from error
    except PermissionError as error:
        raise UsageError(f"cannot write in {folder}: {error.strerror}", hint="Give --state-dir DIR.") from error


def is_running(folder: Path) -> bool:
    """Whether a process of this computer carries out a run whose journal lies in the folder."""
    from filelock import FileLock, Timeout

    if not (folder / _FILE).exists():
        return False
    try:
        with FileLock(str(folder / _FILE), timeout=0):
            return False
    except (Timeout, PermissionError):
        return True


def refuse_unfinished(there: World) -> None:
    """Raises ``LockedError`` while a run is carried out here, ``RefusedError`` when the last one, from wherever it was
    started, is not over. One that others have gone past hinders nobody."""
    if is_running(there.journals.folder):
        raise under_way(there)
    found = unfinished(there.journals, there.controls, there.deployment)
    if found is None or later_run(there, *found) is not None:
        return
    begin = started(found[1])
    by = f", begun by {begin.who} on {begin.where}," if begin is not None and begin.who else ""
    raise RefusedError(
        f"run {found[0]} of this deployment{by} is not finished",
        hint="'deploy status' explains; 'deploy resume', 'deploy switch-back' or 'deploy abort' ends it.",
    )


def later_run(there: World, run: str, events: tuple[Stamped, ...]) -> Wanted | None:
    """The wanted record of the run that superseded this one, None when none did."""
    return superseded_by(run, events, [read(one) for one in stores(there.controls, there.deployment)])


def under_way(there: World) -> LockedError:
    """The refusal, with who it is as far as the ARR machines tell."""
    farm = there.deployment.app.farm
    holders = [one for machine in there.controls.arr if (one := lock.told(machine, farm))]
    who = f" by {holders[0]}" if holders else ""
    return LockedError(
        f"a run of this deployment is being carried out on this computer{who}",
        hint="Wait for it, or stop it with Ctrl+C where it runs; 'deploy status' shows how far it is.",
    )
