"""deploy retire: old instances stopped for good, then removed; what stays is named with its reason."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from arr_bluegreen.cli.deploy_kept import left_claims
from arr_bluegreen.cli.deploy_make import under_lock
from arr_bluegreen.cli.deploy_world import World, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.retire import Item, Remove, RemoveFolder, RetirePlan
from arr_bluegreen.deployment.retire_due import member_machines, plan_due, refuse_farm_writes, retire_hands
from arr_bluegreen.deployment.retire_run import perform_retire
from arr_bluegreen.deployment.unfinished import busy_slots
from arr_bluegreen.errors import ExitCode, NoSuchObject, UsageError
from arr_bluegreen.webfarm.telling import tell


def retire(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Every machine's instances judged; with --dry-run only told. The slots of an unfinished run stay."""
    if arguments.keep is not None and arguments.keep < 0:
        raise UsageError(f"--keep {arguments.keep}: a number of releases, 0 or more")
    with world(arguments, out) as there:
        busy = busy_slots(there.controls, there.deployment, there.journals)  # before our own lock hides another's
        if arguments.dry_run:
            plans = _plans(arguments, there, busy)
        else:
            with under_lock(there) as renew:
                plans = _plans(arguments, there, busy)
                told = [plan for _, plan in plans]
                refuse_farm_writes(told, there.deployment, there.controls, arguments.accept_gap)
                for machine, plan in plans:
                    hands = retire_hands(there.deployment, there.controls, machine, out.say, renew, cut=arguments.cut)
                    perform_retire(plan, hands)
        several = len(plans) > 1
        value = [{"machine": machine.name, **_value(item)} for machine, plan in plans for item in plan.items]
        lines = [
            f"{machine.name + ': ' if several else ''}{line}"
            for machine, plan in plans
            for item in plan.items
            for line in _lines(item, dry_run=arguments.dry_run)
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


def _plans(
    arguments: argparse.Namespace, there: World, busy: Sequence[tuple[str, str]]
) -> list[tuple[Machine, RetirePlan]]:
    """Each machine's plan; a named instance is looked for on all of them and must be on one."""
    deployment, controls = there.deployment, there.controls
    live, named = arguments.live or "", arguments.instance or ""
    found: list[tuple[Machine, RetirePlan]] = []
    missing: list[NoSuchObject] = []
    for one in member_machines(deployment, controls):
        try:
            plan = plan_due(deployment, controls, one, keep=arguments.keep, live=live, named=named, busy=busy)
            found.append((one, plan))
        except NoSuchObject as error:
            missing.append(error)
    if missing and (not named or not found):
        raise missing[0]
    return found


def _value(item: Item) -> dict[str, Any]:
    act = item.act
    value: dict[str, Any] = {"name": item.name, "act": item.verb, "reason": item.reason}
    value["changes"] = [tell(one) for one in getattr(act, "changes", ())]
    value["folders"] = [act.folder.path] if isinstance(act, RemoveFolder) else list(getattr(act, "folders", ()))
    value["left"] = list(getattr(act, "left", ()))
    if isinstance(act, Remove):
        value |= {"alias": act.instance.alias, "port": act.instance.http_port}
    return value


def _lines(item: Item, *, dry_run: bool) -> list[str]:
    """The item with its reason; where it is only told, also each piece that would go; always what stays behind."""
    verb = f"would {item.verb}" if dry_run and item.act is not None else item.verb
    value = _value(item)
    pieces = [*value["changes"], *(f"folder {one}: remove" for one in value["folders"])] if dry_run else []
    if dry_run and isinstance(item.act, Remove):
        alias = value["alias"]
        pieces += [*([f"hosts-file name {alias}: remove"] if alias else []), f"port {value['port']}: free"]
    pieces += [f"left: {one}" for one in value["left"]]
    return [f"{verb:14} {item.name}: {item.reason}", *(f"    {one}" for one in pieces)]
