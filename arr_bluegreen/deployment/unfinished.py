"""Which slots unfinished runs are about: nobody may take them away, or the run could neither go on nor go back."""

from __future__ import annotations

from arr_bluegreen.deployment import lock
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.journal import Journals, is_over, parse_journal, started
from arr_bluegreen.deployment.now import Controls, stores
from arr_bluegreen.deployment.ownership import read_owned

COPIES = 3
"""So many of the newest journals on the ARR machines are read: a paused run lets others begin elsewhere."""


def busy_slots(
    controls: Controls, deployment: Deployment, journals: Journals | None = None, besides: str = ""
) -> tuple[tuple[str, str], ...]:
    """Slot and run, for both slots of every run that is not over: the last one here, and those copied to the ARR
    machines. ``besides`` is a run of the caller's own.

    A lock whose run no journal tells of may be about any slot that never served: those are named too.
    """
    runs = _runs(controls, deployment, journals)
    runs.pop(besides, None)
    found: list[tuple[str, str]] = []
    for run, events in runs.items():
        begin = started(events)
        if begin is not None and not is_over(events):
            found += [(begin.new, run), (begin.old, run)]
    for run in _unknown_holders(controls, deployment, {besides, *runs}):
        found += [(slot, run) for slot in _never_served(controls, deployment)]
    return tuple(found)


# -- private -------------------------------------------------------------------------------------------------


def _runs(controls: Controls, deployment: Deployment, journals: Journals | None) -> dict[str, tuple[Stamped, ...]]:
    found: dict[str, tuple[Stamped, ...]] = {}
    for store in stores(controls, deployment):
        names = sorted(one for one in store.names() if one.startswith("journal-"))
        for name in names[-COPIES:]:
            run = name.removeprefix("journal-").removesuffix(".jsonl")
            own = journals.of(run).read() if journals is not None else ()
            events = own or parse_journal(store.read(name) or "")
            if len(events) > len(found.get(run, ())):
                found[run] = events
    last = journals.last() if journals is not None else None
    return found if last is None else {**found, last[0]: last[1]}


def _unknown_holders(controls: Controls, deployment: Deployment, known: set[str]) -> set[str]:
    holders = (lock.holder_of(one, deployment.app.farm) for one in controls.arr)
    return {one.run for one in holders if one is not None} - known


def _never_served(controls: Controls, deployment: Deployment) -> set[str]:
    machines = {one.name: one for one in (*controls.arr, *controls.others.values())}
    records = [read_owned(one.records(deployment.app.farm)) for one in machines.values()]
    return {one.slot for owned in records for one in owned.instances if not one.served and not one.making}
