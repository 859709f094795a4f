"""From ``--on`` and its kin to machines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.sign_in import settings_of
from arr_bluegreen.control.connect import connect
from arr_bluegreen.errors import CapabilityMissing, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Machine

R = TypeVar("R")


@contextmanager
def machines(arguments: argparse.Namespace, out: Output) -> Iterator[tuple[Machine, ...]]:
    """The machines of ``--on``, closed afterwards. Raises ``UsageError`` when target or secret cannot be taken."""
    target = target_of(arguments)
    found = connect(target, settings_of(arguments, target, out))
    try:
        yield found
    finally:
        _close(found)


def each(found: Sequence[Machine], ask: Callable[[Machine], R]) -> tuple[R, ...]:
    """What every machine answers, several of them asked side by side (``nodes``, which a file never needs)."""
    if len(found) == 1:
        return (ask(found[0]),)
    from arr_bluegreen.control import nodes

    return nodes.each(found, ask)


def target_of(arguments: argparse.Namespace) -> str:
    """``--on``, else $ARR_BLUEGREEN_ON, else ``local`` on Windows; raises ``UsageError`` elsewhere."""
    given = getattr(arguments, "on", None) or os.environ.get("ARR_BLUEGREEN_ON")
    if given:
        return str(given)
    if os.name == "nt":
        return "local"
    raise UsageError("which machine? This one has no IIS", hint="Say --on file:PATH or --on winrm:HOST.")


def has_run_time(machine: Machine) -> bool:
    """Whether the machine can be asked for states and health. Asks nothing where it is sure (two messages less)."""
    from arr_bluegreen.control.interface import Capability

    return Capability.RUN_TIME in getattr(machine, "sure", ()) or Capability.RUN_TIME in machine.capabilities


def need_run_time(machine: Machine, what: str) -> None:
    """Raises ``CapabilityMissing`` when the machine is only a file."""
    if not has_run_time(machine):
        raise CapabilityMissing(
            f"{what} is run time, and {machine.name} is only a file",
            hint="Say --on local or --on winrm:HOST. In a file, a server can be taken online and offline.",
        )


def _close(found: Sequence[Machine]) -> None:
    if len(found) == 1:
        return found[0].close()
    from arr_bluegreen.control import nodes

    return nodes.close_all(found)
