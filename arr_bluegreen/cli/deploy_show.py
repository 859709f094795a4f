"""deploy check, plan, status, history, unlock: looking, and breaking a dead run's lock."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from arr_bluegreen.cli.deploy_alive import is_running
from arr_bluegreen.cli.deploy_first import is_first, tell_first
from arr_bluegreen.cli.deploy_make import cut_off, preview, tell_making, with_known_slots
from arr_bluegreen.cli.deploy_view import plan_lines, plan_value, run_value, standing
from arr_bluegreen.cli.deploy_world import World, journals, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.deployment import lock, wanted
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import read_description
from arr_bluegreen.deployment.find_run import find_run
from arr_bluegreen.deployment.now import Now, stores
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.slots import describe
from arr_bluegreen.errors import ExitCode, NoSuchObject, UsageError
from arr_bluegreen.webfarm import certainly_receives


def check(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """All that a run would refuse, refused now; else what it would do in a line."""
    with world(arguments, out) as there:
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


def status(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """What serves, what is wanted, who holds the lock, where the last run stands, and what to type now."""
    with world(arguments, out) as there:
        if is_first(there):
            return tell_first(out, there)
        if found := cut_off(there):
            return tell_making(out, there, found)
        there = with_known_slots(arguments, there, looks=True)
        now = Now(there.controls, there.deployment)
        record = wanted.newest(stores(there.controls, there.deployment))
        holders = {one.name: lock.holder_of(one, there.deployment.app.farm) for one in there.controls.arr}
        try:
            found_run = find_run(there.journals, there.controls, there.deployment)
            text, commands = standing(*found_run, is_running(there.journals.folder))
        except NoSuchObject:
            text, commands = "no run yet", ["deploy plan", "deploy run"]
        servers = _servers(there, now)
        value = {
            "app": there.deployment.app.name,
            "farm": there.deployment.app.farm,
            "slots": describe(now, there.deployment),
            "servers": servers,
            "wanted": record.slot if record else None,
            "lock": {name: one.describe() if one else None for name, one in holders.items()},
            "instances": (instances := _instances(there)),
            "run": text,
            "commands": commands,
        }
        lines = [f"{there.deployment.app.name}: {value['slots']}"]
        lines += [f"  {one['machine']} {one['slot']} {one['address']}: {one['text']}" for one in servers]
        lines.append(f"wanted: {f'{record.slot} (epoch {record.epoch})' if record else 'nothing recorded'}")
        lines += [f"recorded: {one['slot']} ({one['text']})" for one in instances]
        lines += [f"lock on {name}: {one.describe()}" for name, one in holders.items() if one]
        out.result(value, [*lines, text, *(f"  {one}" for one in there.typed(commands))])
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


def _instances(there: World) -> list[dict[str, Any]]:
    """What is recorded as ours besides the slots at hand: older, kept, or left over from a crash."""
    shown = {one.name.casefold() for one in there.deployment.slots.slots}
    found = []
    for machine in there.controls.arr:
        for one in read_owned(machine.records(there.deployment.app.farm)).instances:
            if one.slot.casefold() not in shown:
                state = f"stopped since {one.stopped:%Y-%m-%d %H:%M}" if one.stopped else "not stopped"
                text = f"site '{one.site}', pool '{one.pool}', {one.address}:{one.http_port}, {state}"
                found.append({"machine": machine.name, "slot": one.slot, "text": text})
    return found


def _servers(there: World, now: Now) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for slot in there.deployment.slots.slots:
        for look in now.of(slot):
            for server in now.servers(slot, look):
                running = look.server(server.address)
                state = running.state.value if running.state else "unknown state"
                service = "in service" if certainly_receives(server, look) else "not in service"
                enabled = "online" if server.enabled else "offline"
                found.append(
                    {
                        "machine": look.machine,
                        "slot": slot.name,
                        "address": server.address,
                        "enabled": server.enabled,
                        "state": running.state.value if running.state else None,
                        "healthy": running.is_healthy,
                        "in_flight": running.current_requests,
                        "text": f"{service} ({enabled}, {state}, {running.current_requests} in flight)",
                    }
                )
    return found
