"""From ``--on`` and its kin to machines."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.sign_in import settings_of
from arr_bluegreen.control.connect import connect
from arr_bluegreen.control.interface import Capability, Machine
from arr_bluegreen.control.nodes import close_all
from arr_bluegreen.errors import CapabilityMissing, UsageError


@contextmanager
def machines(arguments: argparse.Namespace, out: Output) -> Iterator[tuple[Machine, ...]]:
    """The machines of ``--on``, closed afterwards. Raises ``UsageError`` when target or secret cannot be taken."""
    target = target_of(arguments)
    found = connect(target, settings_of(arguments, target, out))
    try:
        yield found
    finally:
        close_all(found)


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
    return Capability.RUN_TIME in getattr(machine, "sure", ()) or Capability.RUN_TIME in machine.capabilities


def need_run_time(machine: Machine, what: str) -> None:
    """Raises ``CapabilityMissing`` when the machine is only a file."""
    if not has_run_time(machine):
        raise CapabilityMissing(
            f"{what} is run time, and {machine.name} is only a file",
            hint="Say --on local or --on winrm:HOST. In a file, a server can be taken online and offline.",
        )
