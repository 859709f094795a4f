"""deploy run, resume, switch-back, abort: each carries a run to its end and answers its exit code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arr_bluegreen.cli.deploy_abort import end_without_slot, retire_aborted, slot_is_gone
from arr_bluegreen.cli.deploy_alive import carried_out, later_run, refuse_unfinished
from arr_bluegreen.cli.deploy_first import abort_first, is_first, put_back_rules, run_first_deployment
from arr_bluegreen.cli.deploy_make import abort_making, preview, with_known_slots, with_new_slot
from arr_bluegreen.cli.deploy_story import listeners
from arr_bluegreen.cli.deploy_view import end_lines, plan_lines, plan_value, standing
from arr_bluegreen.cli.deploy_world import World, identity, refuse_missing_commands, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.deployment.begin import new_run_id, plan_run, plan_switch_back, reopened
from arr_bluegreen.deployment.events import RunEnded, Stamped
from arr_bluegreen.deployment.find_run import find_run, unfinished
from arr_bluegreen.deployment.journal import is_over, started
from arr_bluegreen.deployment.memory import FORWARD, Memory, refuse_abort
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.plan import Plan, forward_steps, what_is_seen
from arr_bluegreen.deployment.run import Asked, Run
from arr_bluegreen.deployment.step import Step
from arr_bluegreen.errors import ExitCode, UsageError

STOPPED = ("failed", "interrupted", "paused")
"""Outcomes that finish nothing: the run waits to be gone on with. A program that looks at the exit code alone takes
``paused`` (0: done as asked) for a deployment; ``finished`` tells it."""


def run(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Bring the new version live. Refused (3) while an earlier run of this deployment is unfinished."""
    with world(arguments, out) as there:
        if is_first(there):
            return run_first_deployment(arguments, out, there)
        refuse_unfinished(there)
        refuse_missing_commands(there.deployment)
        put_back_rules(arguments, out, there)
        if arguments.dry_run and (lines := preview(arguments, there)) is not None:
            out.result({"dry_run": True, "make": lines}, lines)
            return ExitCode.DONE
        there = with_new_slot(arguments, out, there)
        plan = plan_run(
            there.deployment,
            there.controls,
            live=arguments.live or "",
            version=arguments.version,
            accept_gap=arguments.accept_gap,
        )
        if arguments.dry_run:
            out.result({**plan_value(plan), "dry_run": True}, plan_lines(plan))
            return ExitCode.DONE
        saved = _saved_plan(arguments.plan)
        return _start(arguments, out, there, plan, saved)


def switch(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """The idle slot live as it stands, after one quick probe. Refused (3) while an earlier run is unfinished."""
    with world(arguments, out) as there:
        refuse_unfinished(there)
        return _quick(arguments, out, with_known_slots(arguments, there), "switch", arguments.version)


def resume(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Go on with a run that stopped. Nothing to resume is done (0)."""
    with world(arguments, out) as there:
        name, events = find_run(there.journals, there.controls, there.deployment, arguments.run_name or "")
        if is_over(events):
            out.result({"run": name, "outcome": "nothing to resume"}, [f"run {name} is over; nothing to resume"])
            return ExitCode.DONE
        return _again(arguments, out, there, name, events, Run.resume)


def switch_back(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """The old slot live again: back over an unfinished run, else a new run the other way."""
    with world(arguments, out) as there:
        found = unfinished(there.journals, there.controls, there.deployment, arguments.run_name or "")
        if found is not None:
            return _again(arguments, out, there, found[0], found[1], Run.switch_back)
        return _quick(arguments, out, with_known_slots(arguments, there), "switch-back", "")


def abort(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """End a run before its switch."""
    with world(arguments, out) as there:
        if is_first(there):
            return abort_first(arguments, out, there)
        if (ended := abort_making(arguments, out, there)) is not None:
            return ended
        name, events = find_run(there.journals, there.controls, there.deployment, arguments.run_name or "")
        if is_over(events):
            out.result({"run": name, "outcome": "nothing to abort"}, [f"run {name} is over; nothing to abort"])
            return ExitCode.DONE
        later = later_run(there, name, events)
        if later is None:
            refuse_abort(name, Memory(events))
        if slot_is_gone(there, events):
            return end_without_slot(arguments, out, there, name, events)
        code = _again(arguments, out, there, name, events, Run.abort)
        begin = started(events)
        if code is ExitCode.DONE and begin is not None and later is None and not arguments.dry_run:
            retire_aborted(arguments, out, there, begin.new)
        return code


# -- private -------------------------------------------------------------------------------------------------


def _quick(arguments: argparse.Namespace, out: Output, there: World, kind: str, version: str) -> ExitCode:
    plan = plan_switch_back(
        there.deployment,
        there.controls,
        live=arguments.live or "",
        accept_gap=arguments.accept_gap,
        kind=kind,
        version=version,
    )
    if arguments.dry_run:
        out.result({**plan_value(plan), "dry_run": True}, plan_lines(plan))
        return ExitCode.DONE
    return _start(arguments, out, there, plan, None)


def _start(
    arguments: argparse.Namespace, out: Output, there: World, plan: Plan, saved: Mapping[str, str] | None
) -> ExitCode:
    _refuse_unknown_until(arguments.until, plan.steps)
    name = new_run_id(there.controls.clock.now())
    with carried_out(there), listeners(out, arguments.events) as told:
        one = Run(
            there.deployment,
            there.controls,
            there.journals.of(name),
            identity(name, there.journals.folder),
            plan.roles,
            plan.durable,
            Asked(arguments.until, told, there.journals.is_over),
        )

        def check(now: Now) -> None:
            if saved is not None:
                plan.refuse_other(saved)
            plan.refuse_stale(what_is_seen(now))

        ended = one.start(plan, check)
    return _say_end(arguments, out, there, name, ended)


def _again(
    arguments: argparse.Namespace,
    out: Output,
    there: World,
    name: str,
    events: tuple[Stamped, ...],
    how: Callable[[Run], RunEnded],
) -> ExitCode:
    deployment, roles, durable = reopened(events)
    _refuse_unknown_until(arguments.until, forward_steps(deployment, roles, durable))
    if arguments.dry_run:
        text = f"run {name} would go on: {roles.new.name} and {roles.old.name} looked at first"
        out.result({"run": name, "dry_run": True}, [text])
        return ExitCode.DONE
    with carried_out(there), listeners(out, arguments.events) as told:
        asked = Asked(arguments.until, told, there.journals.is_over)
        journal = there.journals.of(name)
        me = identity(name, there.journals.folder)
        ended = how(Run(deployment, there.controls, journal, me, roles, durable, asked, events))
    return _say_end(arguments, out, there, name, ended)


def _say_end(arguments: argparse.Namespace, out: Output, there: World, name: str, ended: RunEnded) -> ExitCode:
    value: dict[str, Any] = {
        "run": name,
        "outcome": ended.outcome,
        "finished": ended.outcome not in STOPPED,
        "exit_code": ended.exit_code,
        "live": ended.live,
        "seconds": ended.seconds,
        "durable": ended.durable,
        "error": ended.error,
    }
    journal = there.journals.of(name).read()
    begin, begun = started(journal), Memory(journal).get("switch_begun", way=FORWARD)
    lines = end_lines(name, ended, begin, switched=bool(begun))
    if ended.outcome in STOPPED:
        commands = standing(name, journal)[1]
        value["commands"] = commands
        lines += ["What makes sense now:", *(f"  {one}" for one in there.typed(["deploy status", *commands]))]
    if arguments.events != "-" or out.json:
        out.result(value, lines)
    else:  # stdout is the events'
        for line in lines:
            out.say(line)
    return ExitCode(ended.exit_code)


def _refuse_unknown_until(until: str, steps: Sequence[Step]) -> None:
    """Raises ``UsageError`` for a name that is neither a phase nor a step: the run would go on to its end."""
    phases, names = dict.fromkeys(one.phase for one in steps), [one.name for one in steps]
    if until and until not in phases and until.removeprefix("after:") not in names:
        raise UsageError(
            f"--until {until}: no phase or step is called so",
            hint=f"Before a phase: {', '.join(phases)}. After a step: "
            f"{', '.join(f'after:{one}' if one in phases else one for one in names)}.",
        )


def _saved_plan(file: str | None) -> Mapping[str, str] | None:
    if not file:
        return None
    try:
        rests_on = json.loads(Path(file).read_text(encoding="utf-8"))["rests_on"]
        return {str(key): str(value) for key, value in rests_on.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"--plan {file} is no plan of 'deploy plan --out': {error}") from error
