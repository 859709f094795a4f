"""The run a command means: the named one or the last, from the state folder, else from the ARR machine's copy."""

from __future__ import annotations

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.journal import Journals, is_over, parse_journal, started
from arr_bluegreen.deployment.now import Controls, stores
from arr_bluegreen.errors import NoSuchObject


def find_run(
    journals: Journals, controls: Controls, deployment: Deployment, named: str = ""
) -> tuple[str, tuple[Stamped, ...]]:
    """Its name and events. Raises ``NoSuchObject`` naming the runs there are.

    A run that is only on the ARR machine (the worker that ran it is gone) is copied to the state folder first.
    """
    if named:
        events = journals.of(named).read() or _fetched(journals, controls, deployment, named)
        if started(events) is not None:
            return named, events
        raise NoSuchObject("run", named, journals.runs())
    found = journals.last()
    if found is not None:
        return found
    copies = _copies(controls, deployment)
    if copies:
        return copies[-1], _fetched(journals, controls, deployment, copies[-1])
    raise NoSuchObject("run", "(last)", journals.runs())


def is_unfinished(journals: Journals) -> tuple[str, tuple[Stamped, ...]] | None:
    """The last run, when it is not over; None otherwise."""
    found = journals.last()
    return found if found is not None and not is_over(found[1]) else None


# -- private -------------------------------------------------------------------------------------------------


def _copies(controls: Controls, deployment: Deployment) -> list[str]:
    names = {name for store in stores(controls, deployment) for name in store.names()}
    return sorted(one.removeprefix("journal-").removesuffix(".jsonl") for one in names if one.startswith("journal-"))


def _fetched(journals: Journals, controls: Controls, deployment: Deployment, run: str) -> tuple[Stamped, ...]:
    texts = [store.read(f"journal-{run}.jsonl") or "" for store in stores(controls, deployment)]
    text = max(texts, key=len, default="")
    if text:
        path = journals.of(run).path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return parse_journal(text)
