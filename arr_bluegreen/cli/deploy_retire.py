"""deploy retire: old instances stopped for good, then removed; what stays is named with its reason."""

from __future__ import annotations

import argparse
from typing import Any

from arr_bluegreen.cli.deploy_kept import left_claims
from arr_bluegreen.cli.deploy_make import under_lock
from arr_bluegreen.cli.deploy_world import World, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.retire import Item, RetirePlan
from arr_bluegreen.deployment.retire_due import member_machines, plan_due, retire_hands
from arr_bluegreen.deployment.retire_run import perform_retire
from arr_bluegreen.errors import ExitCode, NoSuchObject
from arr_bluegreen.webfarm.telling import tell


def retire(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Every machine's instances judged; with --dry-run only told."""
    with world(arguments, out) as there:
        if arguments.dry_run:
            plans = _plans(arguments, there)
        else:
            with under_lock(there) as renew:
                plans = _plans(arguments, there)
                for machine, plan in plans:
                    hands = retire_hands(there.deployment, there.controls, machine, out.say, renew, cut=arguments.cut)
                    perform_retire(plan, hands)
        several = len(plans) > 1
        value = [{"machine": machine.name, **_value(item)} for machine, plan in plans for item in plan.items]
        lines = [
            f"{machine.name + ': ' if several else ''}{_line(item, dry_run=arguments.dry_run)}"
            for machine, plan in plans
            for item in plan.items
        ]
        left = left_claims(there)
        value += [
            {"machine": one["machine"], "name": f"port {one['port']}", "act": "leave", "reason": one["text"]}
            for one in left
        ]
        lines += [f"{'leave':14} {one['text']}" for one in left]
        out.result({"dry_run": arguments.dry_run, "items": value}, lines or ["nothing is recorded as ours"])
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------


def _plans(arguments: argparse.Namespace, there: World) -> list[tuple[Machine, RetirePlan]]:
    """Each machine's plan; a named instance is looked for on all of them and must be on one."""
    deployment, controls = there.deployment, there.controls
    live, named = arguments.live or "", arguments.instance or ""
    found: list[tuple[Machine, RetirePlan]] = []
    missing: list[NoSuchObject] = []
    for one in member_machines(deployment, controls):
        try:
            found.append((one, plan_due(deployment, controls, one, keep=arguments.keep, live=live, named=named)))
        except NoSuchObject as error:
            missing.append(error)
    if missing and (not named or not found):
        raise missing[0]
    return found


def _value(item: Item) -> dict[str, Any]:
    changes = [tell(one) for one in getattr(item.act, "changes", ())]
    return {"name": item.name, "act": item.verb, "reason": item.reason, "changes": changes}


def _line(item: Item, *, dry_run: bool) -> str:
    verb = f"would {item.verb}" if dry_run and item.act is not None else item.verb
    return f"{verb:14} {item.name}: {item.reason}"
