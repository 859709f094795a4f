"""What ``deploy abort`` does beyond ending a run: a slot that is gone is not cleared, one made for the run goes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arr_bluegreen.cli.deploy_make import under_lock
from arr_bluegreen.cli.deploy_world import World, identity
from arr_bluegreen.cli.output import Output
from arr_bluegreen.deployment.begin import reopened
from arr_bluegreen.deployment.events import RunEnded, RunResumed, Stamped
from arr_bluegreen.deployment.journal import started
from arr_bluegreen.deployment.lookup import find_farm
from arr_bluegreen.deployment.now import stores
from arr_bluegreen.deployment.ownership import Origin, read_owned
from arr_bluegreen.deployment.per_release import is_per_release
from arr_bluegreen.deployment.retire_due import member_machines, plan_due, refuse_farm_writes, retire_hands
from arr_bluegreen.deployment.retire_run import perform_retire
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode


def slot_is_gone(there: World, events: Sequence[Stamped]) -> bool:
    """Whether a farm server of the run's new slot is in its farm on no ARR machine: nothing is left to be cleared."""
    deployment, roles, _ = reopened(events)
    name = roles.new.farm or deployment.app.farm
    farms = [find_farm(one.config.read(), name) for one in there.controls.arr]
    return not any(farm is not None and farm.server(one) is not None for farm in farms for one in roles.new.addresses)


def end_without_slot(
    arguments: argparse.Namespace, out: Output, there: World, run: str, events: Sequence[Stamped]
) -> ExitCode:
    """The run is written down as aborted: its slot was taken away, so that it can neither go on nor be cleared."""
    begin = started(events)
    assert begin is not None
    text = f"run {run} is aborted: its slot '{begin.new}' is gone; '{begin.old}' is live as before"
    if not arguments.dry_run:
        with under_lock(there):
            journal, me, now = there.journals.of(run), identity(run), there.controls.clock.now
            journal.start()
            journal.write(Stamped(now(), run, RunResumed(me.who, me.where)))
            ended = RunEnded("aborted", int(ExitCode.DONE), begin.old, 0.0, error="the slot is gone")
            journal.write(Stamped(now(), run, ended))
            for store in stores(there.controls, there.deployment):
                store.write(f"journal-{run}.jsonl", journal.text())
    out.result({"run": run, "outcome": "aborted", "live": begin.old, "dry_run": arguments.dry_run}, [text])
    return ExitCode.DONE


def retire_aborted(arguments: argparse.Namespace, out: Output, there: World, slot: str) -> None:
    """Per release: the instance that was made for the aborted run and never served goes; what stays is told."""
    if not is_per_release(there.deployment):
        return
    try:
        with under_lock(there) as renew:
            for machine in member_machines(there.deployment, there.controls):
                one = read_owned(machine.records(there.deployment.app.farm)).of(slot)
                if one is None or one.served or one.site_origin is not Origin.MADE:
                    continue
                plan = plan_due(there.deployment, there.controls, machine, named=slot)
                refuse_farm_writes([plan], there.deployment, there.controls, arguments.accept_gap)
                perform_retire(plan, retire_hands(there.deployment, there.controls, machine, out.say, renew))
                out.say(f"'{slot}' on {machine.name}, which never served, is removed")
    except ArrBlueGreenError as error:
        out.say(f"'{slot}' stays: {error}; 'deploy retire --instance {slot}' removes it")
