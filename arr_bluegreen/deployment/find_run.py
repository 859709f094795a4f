"""The run a command means: the named one or the last, from the state folder, else from the ARR machine's copy."""

from __future__ import annotations

from arr_bluegreen.deployment.copies import copy_name
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.journal import Journals, is_over, parse_journal, started
from arr_bluegreen.deployment.now import Controls, stores
from arr_bluegreen.errors import NoSuchObject


def find_run(
    journals: Journals, controls: Controls, deployment: Deployment, named: str = ""
) -> tuple[str, tuple[Stamped, ...]]:
    """Its name and events. Raises ``NoSuchObject`` naming the runs there are.

    A run that is only on the ARR machine (the worker that ran it is gone), or went on from elsewhere, is copied to the
    state folder first.
    """
    if named:
        events = journals.of(named).read() or _fetched(journals, controls, deployment, named)
        if started(events) is not None:
            return named, events
        raise NoSuchObject("run", named, journals.runs())
    found = journals.last()
    newest = max(_copies(controls, deployment), default="")
    if newest and (found is None or newest > found[0] or (newest == found[0] and not is_over(found[1]))):
        copied = _fetched(journals, controls, deployment, newest)
        if started(copied) is not None:
            return newest, copied
    if found is not None:
        return found
    raise NoSuchObject("run", "(last)", journals.runs())


def unfinished(
    journals: Journals, controls: Controls, deployment: Deployment, named: str = ""
) -> tuple[str, tuple[Stamped, ...]] | None:
    """The named or the last run, from wherever it was started, when it is not over; None otherwise, also for none."""
    try:
        found = find_run(journals, controls, deployment, named)
    except NoSuchObject:
        if named:
            raise
        return None
    return None if is_over(found[1]) else found


# -- private -------------------------------------------------------------------------------------------------


def _copies(controls: Controls, deployment: Deployment) -> list[str]:
    names = {name for store in stores(controls, deployment) for name in store.names()}
    return sorted(one.removeprefix("journal-").removesuffix(".jsonl") for one in names if one.startswith("journal-"))


def _fetched(journals: Journals, controls: Controls, deployment: Deployment, run: str) -> tuple[Stamped, ...]:
    texts = [store.read(copy_name(run)) or "" for store in stores(controls, deployment)]
    here, text = journals.of(run).text(), max(texts, key=len, default="")
    if len(text) <= len(here):
        return parse_journal(here)
    if text:
        path = journals.of(run).path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return parse_journal(text)
