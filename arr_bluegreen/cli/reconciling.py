"""``farm reconcile``: after a restart of ARR the wanted slot live again; pause and unpause."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arr_bluegreen.cli.deploy_world import identity
from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.reconcile import Outcome, Reconciled, reconcile
from arr_bluegreen.errors import ExitCode


def run(arguments: argparse.Namespace, out: Output, machines: Sequence[Machine]) -> ExitCode:
    """Reconcile each ARR machine and say what became of it. Refused (3) when the wanted slot cannot be made live."""
    if arguments.pause or arguments.unpause:
        return _pause(arguments, out, machines)
    me = identity("")
    found = reconcile(
        machines, arguments.farm, SystemClock(), who=me.who, where=me.where, dry_run=arguments.dry_run
    )
    value = [{"machine": one.machine, "outcome": one.outcome.value, "why": one.why} for one in found]
    out.result(value, [_line(one) for one in found])
    cannot = any(one.outcome is Outcome.CANNOT for one in found)
    return ExitCode.REFUSED if cannot else ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------------


def _pause(arguments: argparse.Namespace, out: Output, machines: Sequence[Machine]) -> ExitCode:
    paused = bool(arguments.pause)
    stores = [one.records(arguments.farm) for one in machines]
    changed = 0 if arguments.dry_run else wanted.pause(stores, paused)
    word = "paused" if paused else "goes on"
    out.result({"paused": paused, "changed": changed}, [f"reconcile of '{arguments.farm}' {word} ({changed} changed)"])
    return ExitCode.DONE


def _line(one: Reconciled) -> str:
    return f"{one.machine}: {one.outcome.value}{f': {one.why}' if one.why else ''}"
