"""deploy retire: old instances stopped for good, then removed; what stays is named with its reason."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from arr_bluegreen.cli.deploy_make import under_lock
from arr_bluegreen.cli.deploy_world import World, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.ensure import in_service, previous_slot
from arr_bluegreen.deployment.ownership import Owned, read_owned
from arr_bluegreen.deployment.per_release import is_per_release, live_instance
from arr_bluegreen.deployment.ports import MACHINE
from arr_bluegreen.deployment.retire import Item, Retention, RetirePlan, plan_retire
from arr_bluegreen.deployment.retire_run import RetireHands, RetireLimits, perform_retire
from arr_bluegreen.errors import ExitCode
from arr_bluegreen.webfarm.telling import tell


def retire(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Every machine's instances judged; with --dry-run only told."""
    with world(arguments, out) as there:
        if arguments.dry_run:
            plans = [(one, _plan(arguments, there, one)) for one in _machines(there)]
        else:
            with under_lock(there) as renew:
                plans = [(one, _plan(arguments, there, one)) for one in _machines(there)]
                for machine, plan in plans:
                    perform_retire(plan, _hands(arguments, out, there, machine, renew))
        several = len(plans) > 1
        value = [{"machine": machine.name, **_value(item)} for machine, plan in plans for item in plan.items]
        lines = [
            f"{machine.name + ': ' if several else ''}{_line(item, dry_run=arguments.dry_run)}"
            for machine, plan in plans
            for item in plan.items
        ]
        out.result({"dry_run": arguments.dry_run, "items": value}, lines or ["nothing is recorded as ours"])
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------


def _plan(arguments: argparse.Namespace, there: World, machine: Machine) -> RetirePlan:
    deployment = there.deployment
    owned = read_owned(machine.records(deployment.app.farm))
    serving = in_service(deployment, there.controls)
    keep = deployment.retire.keep if arguments.keep is None else arguments.keep
    retention = _retention(arguments, there, owned, serving, keep)
    named = arguments.instance or ""
    return plan_retire(deployment.app.farm, owned, machine.config.read(), retention, serving, named)


def _retention(
    arguments: argparse.Namespace, there: World, owned: Owned, serving: frozenset[str], keep: int
) -> Retention:
    deployment = there.deployment
    fixed = () if is_per_release(deployment) else tuple(one.name for one in deployment.slots.slots)
    record = wanted.newest([one.records(deployment.app.farm) for one in there.controls.arr])
    if fixed:
        return Retention("", "", keep, deployment.retire.stop, fixed)
    live = live_instance(owned, serving, arguments.live or "").slot if owned.instances else ""
    previous = previous_slot(owned, record, live)
    return Retention(live, previous.slot if previous else "", keep)


def _machines(there: World) -> list[Machine]:
    members = [one.machine for slot in there.deployment.slots.slots for one in slot.members]
    found: list[Machine] = []
    for name in dict.fromkeys(members):
        machine = there.controls.machine(name)
        if machine not in found:
            found.append(machine)
    return found


def _hands(
    arguments: argparse.Namespace, out: Output, there: World, machine: Machine, renew: Callable[[], None]
) -> RetireHands:
    deployment = there.deployment
    farm = deployment.app.farm
    limits = RetireLimits(within=deployment.drain.within, then="cut" if arguments.cut else "fail")
    return RetireHands(
        farm,
        machine,
        [one.farm(farm, deployment.app.front) for one in there.controls.arr],
        machine.records(farm),
        machine.records(MACHINE),
        there.controls.clock,
        limits,
        out.say,
        renew,
    )


def _value(item: Item) -> dict[str, Any]:
    changes = [tell(one) for one in getattr(item.act, "changes", ())]
    return {"name": item.name, "act": item.verb, "reason": item.reason, "changes": changes}


def _line(item: Item, *, dry_run: bool) -> str:
    verb = f"would {item.verb}" if dry_run and item.act is not None else item.verb
    return f"{verb:14} {item.name}: {item.reason}"
