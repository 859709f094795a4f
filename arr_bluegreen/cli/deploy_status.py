"""deploy status: where things stand on each ARR machine, what hinders a run, and what to type now."""

from __future__ import annotations

import argparse
from typing import Any

from arr_bluegreen.cli.deploy_alive import is_running
from arr_bluegreen.cli.deploy_first import is_first, missing_rules, tell_first
from arr_bluegreen.cli.deploy_kept import left_claims, recorded_folders
from arr_bluegreen.cli.deploy_make import cut_off, tell_making, with_known_slots
from arr_bluegreen.cli.deploy_view import Around, standing
from arr_bluegreen.cli.deploy_world import World, identity, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.nodes import each
from arr_bluegreen.deployment import lock
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.find_run import find_run
from arr_bluegreen.deployment.lookup import find_site
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.slots import describe, nothing_serves
from arr_bluegreen.deployment.superseded import superseded_by
from arr_bluegreen.deployment.wanted import Wanted, newest_of
from arr_bluegreen.errors import ExitCode, NoSuchObject, RefusedError
from arr_bluegreen.webfarm import certainly_receives


def status(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """What serves, what is wanted, who holds the lock, where the last run stands, and what to type now. A machine that
    cannot be reached is told of, and the others are shown all the same."""
    with world(arguments, out, looks=True) as there:
        if is_first(there):
            return tell_first(out, there)
        if found := cut_off(there):
            return tell_making(out, there, found)
        there = with_known_slots(arguments, there, looks=True)
        now = Now(there.controls, there.deployment)
        record = newest_of(now.wanted())
        text, commands = _run(there, now)
        instances, farm = _instances(there), there.deployment.app.farm
        commands += ["deploy retire"] if any(one["cut_off"] for one in instances) else []
        alarm = nothing_serves(now, there.deployment)
        if alarm:
            commands = [*_bring_back(there, record), *(one for one in commands if one != "deploy run")]
        value = {
            "app": there.deployment.app.name,
            "farm": there.deployment.app.farm,
            "slots": describe(now, there.deployment),
            "alarm": alarm,
            "servers": _servers(there, now),
            "unreachable": dict(there.missing),
            "wanted": record.slot if record else None,
            "reconcile_paused": bool(record and record.paused),
            "lock": {one.name: lock.told(one, farm) or None for one in there.controls.arr},
            "instances": instances,
            "folders": recorded_folders(there),
            "ports": left_claims(there),
            "rules": _rules(there),
            "run": text,
            "commands": commands,
        }
        out.result(value, _lines(there, value, record))
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------------


def _lines(there: World, value: dict[str, Any], record: Wanted | None) -> list[str]:
    lines = [f"{there.deployment.app.name}: {value['slots']}", *([value["alarm"]] if value["alarm"] else [])]
    lines += [f"  {one['machine']} {one['slot']} {one['address']}: {one['text']}" for one in value["servers"]]
    lines += [f"  {name}: cannot be reached: {why}" for name, why in value["unreachable"].items()]
    lines.append(f"wanted: {f'{record.slot} (epoch {record.epoch})' if record else 'nothing recorded'}")
    if value["reconcile_paused"]:
        lines.append(f"reconcile is paused ('farm reconcile {there.deployment.app.farm} --unpause' lets it go on)")
    lines += [f"recorded: {one['slot']} ({one['text']})" for one in value["instances"]]
    lines += [f"folder: {one['text']}" for one in value["folders"]]
    lines += [str(one["text"]) for one in value["ports"]]
    lines += [f"rules: {value['rules']}"] if value["rules"] else []
    lines += [f"lock on {name}: {one}" for name, one in value["lock"].items() if one]
    return [*lines, value["run"], *(f"  {one}" for one in there.typed(value["commands"]))]


def _run(there: World, now: Now) -> tuple[str, list[str]]:
    try:
        name, events = find_run(there.journals, there.controls, there.deployment)
    except NoSuchObject:
        return "no run yet", ["deploy plan", "deploy run"]
    except RefusedError as error:
        return str(error), []
    return standing(name, events, _around(there, now, name, events))


def _around(there: World, now: Now, name: str, events: tuple[Stamped, ...]) -> Around:
    later = superseded_by(name, events, now.wanted())
    running = is_running(there.journals.folder)
    return Around(running, _elsewhere(there, name), later.run if later else "", there.controls.clock.now())


def _elsewhere(there: World, run: str) -> str:
    """Who carries out the run, when it is not from here, as far as its lock's lease tells."""
    me = identity(run, there.journals.folder)
    for machine in there.controls.arr:
        try:
            holder = lock.holder_of(machine, there.deployment.app.farm)
        except RefusedError:
            continue
        if holder is None or holder.run != run or (holder.where, holder.folder) == (me.where, me.folder):
            continue
        if holder.until > machine.facts().now:
            return holder.describe()
    return ""


def _bring_back(there: World, record: Wanted | None) -> list[str]:
    """Nobody is served: the wanted slot's servers (else any slot's) are to be brought in service by hand."""
    slots = there.deployment.slots.slots
    best = [one for one in slots if record is not None and one.name == record.slot] or list(slots)
    farms = [(one.farm or there.deployment.app.farm, address) for one in best for address in one.addresses]
    return [f"server available {farm} {address}" for farm, address in farms]


def _rules(there: World) -> str:
    """What is wrong with the rules of a first deployment that is done, "" when nothing is."""
    gone = len(missing_rules(there))
    site = there.deployment.app.from_site
    return f"{gone} public rule(s) are gone, so site '{site}' serves; 'deploy run' puts them back" if gone else ""


def _instances(there: World) -> list[dict[str, Any]]:
    """What is recorded as ours besides the slots at hand: older, kept, or left over from a crash."""
    shown = {one.name.casefold() for one in there.deployment.slots.slots}
    machines = {one.name: one for one in (*there.controls.arr, *there.controls.others.values())}
    found = []
    farm = there.deployment.app.farm
    owned = each(tuple(machines.values()), lambda one: read_owned(one.records(farm)))
    for machine, records in zip(machines.values(), owned, strict=True):
        configuration = machine.config.read()
        for one in records.instances:
            if one.slot.casefold() not in shown:
                gone = find_site(configuration, one.site) is None
                state = f"stopped since {one.stopped:%Y-%m-%d %H:%M}" if one.stopped else "not stopped"
                state = "its site is gone: its retiring was cut off" if gone else state
                text = f"site '{one.site}', pool '{one.pool}', {one.address}:{one.http_port}, {state}"
                found.append({"machine": machine.name, "slot": one.slot, "text": text, "cut_off": gone})
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
