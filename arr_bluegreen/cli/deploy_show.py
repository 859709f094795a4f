"""deploy check, plan, history, unlock: looking, and breaking a dead run's lock."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from arr_bluegreen.cli.deploy_alive import refuse_unfinished
from arr_bluegreen.cli.deploy_first import is_first, plan_first_deployment
from arr_bluegreen.cli.deploy_make import preview
from arr_bluegreen.cli.deploy_view import plan_lines, plan_value, run_value
from arr_bluegreen.cli.deploy_world import World, journals, refuse_missing_commands, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.deployment import lock
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import read_description
from arr_bluegreen.deployment.placeholders import doubtful_settings
from arr_bluegreen.errors import ExitCode, UsageError


def check(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """All that a run would refuse, refused now; else what it would do in a line."""
    with world(arguments, out) as there:
        for text in doubtful_settings(there.deployment):
            out.say(f"note: {text}")
        refuse_missing_commands(there.deployment)
        if is_first(there):
            return plan_first_deployment(out, there)
        refuse_unfinished(there)
        if (lines := preview(arguments, there)) is not None:
            out.result({"make": lines}, lines)
            return ExitCode.DONE
        plan = _plan(arguments, there)
        value = plan_value(plan)
        out.result(
            value,
            [
                f"ready: {plan.roles.old.name} is live, {plan.roles.new.name} is idle, {len(plan.steps)} steps",
                *(f"Gap: {one}." for one in plan.gaps),
            ],
        )
    return ExitCode.DONE


def plan(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """The plan, shown and (``--out``) kept."""
    with world(arguments, out) as there:
        if is_first(there):
            return plan_first_deployment(out, there)
        if (lines := preview(arguments, there)) is not None:
            out.result({"make": lines}, lines)
            return ExitCode.DONE
        made = _plan(arguments, there)
        if arguments.out:
            try:
                Path(arguments.out).write_text(json.dumps(plan_value(made), indent=1) + "\n", encoding="utf-8")
            except OSError as error:
                raise UsageError(f"cannot write {arguments.out}: {error.strerror or error}") from error
        out.result(plan_value(made), plan_lines(made))
    return ExitCode.DONE


def history(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """The runs in the state folder, oldest first."""
    kept = journals(arguments, read_description(Path(arguments.file)))
    found = [run_value(run, kept.of(run).read()) for run in kept.runs()]
    columns = ["run", "kind", "old", "new", "version", "outcome", "who"]
    out.table(found, columns, [[one[name] for name in columns] for one in found])
    return ExitCode.DONE


def unlock(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """The lock is gone from every ARR machine. Only for a run that is surely dead."""
    with world(arguments, out) as there:
        lines, broken = [], {}
        for machine in there.controls.arr:
            holder = lock.told(machine, there.deployment.app.farm)
            if not arguments.dry_run:
                lock.break_lock(machine, there.deployment.app.farm)
            broken[machine.name] = holder or None
            verb = "would be broken" if arguments.dry_run else "is broken"
            lines.append(f"{machine.name}: " + (f"the lock of {holder} {verb}" if holder else "no lock"))
        out.result({"broken": broken}, lines)
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------------


def _plan(arguments: argparse.Namespace, there: World) -> Any:
    return plan_run(
        there.deployment,
        there.controls,
        live=arguments.live or "",
        version=arguments.version,
        accept_gap=arguments.accept_gap,
    )
