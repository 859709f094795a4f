"""Before the sequence: the new slot made or found, and per release the two slots a verb is about."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from arr_bluegreen.cli.deploy_world import World, identity
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import need_run_time
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.begin import new_run_id
from arr_bluegreen.deployment.ensure import check_new, ensure_new, in_service, known_pair
from arr_bluegreen.deployment.leases import locks_of
from arr_bluegreen.deployment.lock import holder_of
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site
from arr_bluegreen.deployment.ownership import Instance, read_owned
from arr_bluegreen.deployment.package import inspect_content
from arr_bluegreen.deployment.per_release import is_per_release
from arr_bluegreen.deployment.retire_due import member_machines, plan_due, refuse_farm_writes, retire_hands
from arr_bluegreen.deployment.retire_run import perform_retire
from arr_bluegreen.errors import ExitCode, UnreachableError


@contextmanager
def under_lock(there: World) -> Iterator[Callable[..., None]]:
    """The farm's lock on every ARR machine, as a run holds it; what is yielded renews it. Raises ``LockedError``."""
    me = identity(new_run_id(there.controls.clock.now()))
    locks = locks_of(there.deployment, there.controls, me, there.journals.is_over)
    locks.take()
    try:
        yield locks.renew
    finally:
        kept: list[str] = []
        locks.release(kept.append)
        if kept:  # what comes next would find the farm locked
            raise UnreachableError(kept[0], hint="Wait for that, or 'deploy unlock'.")


def with_new_slot(arguments: argparse.Namespace, out: Output, there: World) -> World:
    """The world with the slot that shall go live: made where it is not there, out of service. Under --dry-run a
    description of a pair is taken as it is."""
    if arguments.dry_run:
        return there
    for one in there.controls.arr:
        need_run_time(one, "a deployment")
    judge_content(arguments, there)
    with under_lock(there):
        made = ensure_new(
            there.deployment,
            there.controls,
            release=arguments.version,
            live=arguments.live or "",
            accept_gap=arguments.accept_gap,
        )
    for note in made.notes:
        out.say(note)
    return replace(there, deployment=made.deployment)


def judge_content(arguments: argparse.Namespace, there: World) -> None:
    """A package that is not there or breaks a rule is refused (2) before anything is made for it."""
    deployment, controls = there.deployment, there.controls
    release = arguments.version or deployment.content.version
    inspect_content(deployment, controls, release, lambda: in_service(deployment, controls))


def cut_off(there: World) -> list[tuple[Machine, Instance]]:
    """What a run that died was making, on each machine of a member: recorded, and not known to be whole."""
    farm = there.deployment.app.farm
    machines = member_machines(there.deployment, there.controls)
    return [(one, found) for one in machines for found in read_owned(one.records(farm)).instances if found.making]


def tell_making(out: Output, there: World, found: list[tuple[Machine, Instance]]) -> ExitCode:
    """What of it is there, and what to type."""
    lines, values = [], []
    for machine, one in found:
        pieces = _pieces(there, machine, one)
        holder = holder_of(there.controls.arr[0], there.deployment.app.farm)
        how = f"is being made by {holder.describe()}, or was cut off" if holder else "was cut off in its making"
        text = f"'{one.slot}' on {machine.name} {how}: {', '.join(pieces) or 'only recorded'}"
        values.append({"machine": machine.name, "slot": one.slot, "release": one.release, "made": pieces})
        lines.append(f"{there.deployment.app.name}: {text}; nothing that serves was touched")
    again = f"deploy run --version {found[0][1].release}" if found[0][1].release else "deploy run"
    locked = any(holder_of(one, there.deployment.app.farm) for one in there.controls.arr)
    # whoever made it may live: then both are refused until it ends, its lease runs out, or its lock is broken
    commands = [*(["deploy unlock"] if locked else []), again, "deploy abort"]
    value = {"app": there.deployment.app.name, "making": values, "commands": commands}
    out.result(value, [*lines, *(f"  {one}" for one in there.typed(commands))])
    return ExitCode.DONE


def abort_making(arguments: argparse.Namespace, out: Output, there: World) -> ExitCode | None:
    """What was being made is cleared away again; None when nothing was."""
    found = cut_off(there)
    if not found:
        return None
    names = ", ".join(f"'{one.slot}'" for _, one in found)
    if not arguments.dry_run:
        with under_lock(there) as renew:
            for machine, one in found:
                live = getattr(arguments, "live", None) or ""
                plan = plan_due(there.deployment, there.controls, machine, live=live, named=one.slot)
                refuse_farm_writes([plan], there.deployment, there.controls, arguments.accept_gap)
                perform_retire(plan, retire_hands(there.deployment, there.controls, machine, out.say, renew))
    verb = "would be" if arguments.dry_run else "is"
    out.result(
        {"outcome": "aborted", "making": [one.slot for _, one in found], "dry_run": arguments.dry_run},
        [f"what was being made of {names} {verb} cleared away"],
    )
    return ExitCode.DONE


def with_known_slots(arguments: argparse.Namespace, there: World, *, looks: bool = False) -> World:
    """The world with the live slot and the previous one, for verbs that make nothing; see ``known_pair``."""
    live = getattr(arguments, "live", None) or ""
    return replace(there, deployment=known_pair(there.deployment, there.controls, live, newest_other=looks))


def preview(arguments: argparse.Namespace, there: World) -> list[str] | None:
    """What a run would make first, in words; None when the slots are there and a plan can be made of them.

    Raises all that the making would raise, with nothing done.
    """
    judge_content(arguments, there)
    lines = check_new(
        there.deployment,
        there.controls,
        release=arguments.version,
        live=arguments.live or "",
        accept_gap=arguments.accept_gap,
    )
    if not lines and not is_per_release(there.deployment):
        return None
    return [*lines, "then the run's own plan, made of what is there by then"]


# -- private -------------------------------------------------------------------------------------------


def _pieces(there: World, machine: Machine, one: Instance) -> list[str]:
    config = machine.config.read()
    farm = find_farm(there.controls.arr[0].config.read(), there.deployment.app.farm)
    found = [f"site '{one.site}'"] if find_site(config, one.site) is not None else []
    found += [f"pool '{one.pool}'"] if find_pool(config, one.pool) is not None else []
    return found + ([f"server {one.address}"] if farm is not None and farm.server(one.address) is not None else [])
