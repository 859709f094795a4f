"""Before the sequence: the new slot made or found, and per release the two slots a verb is about."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from arr_bluegreen.cli.deploy_world import World, identity
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import need_run_time
from arr_bluegreen.deployment.begin import new_run_id
from arr_bluegreen.deployment.ensure import ensure_new, known_pair
from arr_bluegreen.deployment.lock import Lock
from arr_bluegreen.deployment.per_release import is_per_release, new_slot


@contextmanager
def under_lock(there: World) -> Iterator[Callable[[], None]]:
    """The farm's lock on every ARR machine, as a run holds it; what is yielded renews it. Raises ``LockedError``."""
    me = identity(new_run_id(there.controls.clock.now()))
    taken: list[Lock] = []
    try:
        for machine in there.controls.arr:
            lock = Lock(machine, there.deployment.app.farm, there.controls.clock, me.run, me.who, me.where)
            lock.take()
            taken.append(lock)

        def renew() -> None:
            for one in taken:
                one.renew()

        yield renew
    finally:
        for one in taken:
            one.release()


def with_new_slot(arguments: argparse.Namespace, out: Output, there: World) -> World:
    """The world with the slot that shall go live: made where it is not there, out of service. Under --dry-run a
    description of a pair is taken as it is."""
    if arguments.dry_run:
        return there
    for one in there.controls.arr:
        need_run_time(one, "a deployment")
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


def with_known_slots(arguments: argparse.Namespace, there: World, *, looks: bool = False) -> World:
    """The world with the live slot and the previous one, for verbs that make nothing; see ``known_pair``."""
    live = getattr(arguments, "live", None) or ""
    return replace(there, deployment=known_pair(there.deployment, there.controls, live, newest_other=looks))


def preview(arguments: argparse.Namespace, there: World) -> list[str] | None:
    """What a run would make first, in words; None when the slots are there and a plan can be made of them."""
    if not is_per_release(there.deployment):
        return None
    slot = new_slot(there.deployment, arguments.version or there.deployment.content.version)
    known = {one.name.casefold() for one in there.controls.arr[0].config.read().sites}
    lines = []
    for one in slot.members:
        verb = "is there and would be adopted" if one.site.casefold() in known else "would be made"
        where = f"{one.address}:{one.http_port or 'auto'}"
        lines.append(f"slot '{slot.name}': site '{one.site}' {verb}, pool '{one.pool}', farm server {where} (offline)")
    return [*lines, "then the run's own plan, made of what is there by then"]
