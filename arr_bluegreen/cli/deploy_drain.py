"""deploy drain: one slot out of service, by hand, and finished by count."""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace

from arr_bluegreen.cli.deploy_make import under_lock, with_known_slots
from arr_bluegreen.cli.deploy_story import Story
from arr_bluegreen.cli.deploy_world import identity, world
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import need_run_time
from arr_bluegreen.deployment.begin import new_run_id
from arr_bluegreen.deployment.drain_alone import drain_slot, named_slot
from arr_bluegreen.deployment.events import Event, Stamped
from arr_bluegreen.deployment.now import Now, check_floor
from arr_bluegreen.deployment.toml_table import parse_duration
from arr_bluegreen.errors import ExitCode, FloorError, UsageError


def drain(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Drain the named slot. Refused (3) where too few servers would stay in service."""
    with world(arguments, out) as there:
        for one in there.controls.arr:
            need_run_time(one, "a drain")
        there = with_known_slots(arguments, there)
        deployment, controls = there.deployment, there.controls
        slot = named_slot(deployment, arguments.slot)
        how = deployment.drain
        try:
            within = parse_duration(arguments.within) if arguments.within else how.within
        except ValueError as error:
            raise UsageError(f"--within {arguments.within}: {error}", hint="Write 90s or 5m.") from error
        deployment = replace(deployment, drain=replace(how, within=within, then=arguments.then or how.then))
        if arguments.dry_run:
            reason = check_floor(Now(controls, deployment), slot, deployment.floor)
            if reason:
                raise FloorError(reason, hint="Bring the other slot in service first ('deploy status').")
            text = (
                f"would take {', '.join(slot.addresses)} out of service and wait at most {within.total_seconds():g} s"
            )
            out.result({"slot": slot.name, "dry_run": True}, [text])
            return ExitCode.DONE
        me, story = identity(new_run_id(controls.clock.now())), Story(out.say, out.verbose)

        def tell(event: Event) -> None:
            story(Stamped(controls.clock.now(), me.run, event))

        with under_lock(there) as renew:
            done = drain_slot(deployment, controls, slot, me, tell, renew)
    lines = [f"{slot.name} has finished: {done.how}" + (f", {done.cut} cut" if done.cut else "")]
    again = f"'server available {deployment.app.farm} {slot.addresses[0]}' brings it back; so does a restart of ARR"
    out.result(asdict(done), [*lines, again])
    return ExitCode.DONE
