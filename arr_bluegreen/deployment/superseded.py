"""A run that others have gone past: a later run, seen in the wanted record, has decided since which slot is live."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.journal import started
from arr_bluegreen.deployment.wanted import Wanted, newest_of
from arr_bluegreen.errors import RefusedError


def superseded_by(run: str, events: Sequence[Stamped], records: Iterable[Wanted | None]) -> Wanted | None:
    """The newest record, when another run wrote it after this one began; None also for a journal without an epoch."""
    begin, newest = started(events), newest_of(records)
    if begin is None or begin.epoch is None or newest is None:
        return None
    return newest if newest.run != run and newest.epoch > begin.epoch else None


def refuse_superseded(run: str, by: Wanted | None) -> None:
    """Raises ``RefusedError`` when there is one: going on would undo what was decided since."""
    if by is not None:
        raise RefusedError(
            f"run {run} is superseded: run {by.run} has made '{by.slot}' the wanted slot since (epoch {by.epoch})",
            hint="'deploy abort' closes it and touches nothing.",
        )


def refuse_by_hand(run: str, slot: str) -> None:
    """Raises ``RefusedError`` for a slot that somebody made live while the run waited to do so."""
    if slot:
        raise RefusedError(
            f"run {run} is overtaken: '{slot}' serves alone by now, and it was not this run that brought it in service",
            hint="'deploy abort' closes it and touches nothing.",
        )
