"""The wanted record: which slot shall be live, kept on every ARR machine with an epoch that only grows.

ARR's own run-time state is lost with its worker process (arr.md 5.6); this record is what ``reconcile`` re-asserts.
It says all that is needed for that, so that the description need not be there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from arr_bluegreen.control.interface import RecordStore
from arr_bluegreen.errors import RefusedError

RECORD = "wanted.json"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class QuickProbe:
    """One request that shows that a member serves: made on ``machine`` ("" = the ARR machine)."""

    url: str
    host: str = ""
    status: str = "200-399"
    machine: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """``slot`` shall be live: ``into`` in service, ``out`` not; ``by`` as in ``[switch]``.

    ``asserted`` is when this was last made so, by the ARR machine's own clock (UTC); ``paused`` stops ``reconcile``,
    which keeps to ``floor``.
    """

    slot: str
    epoch: int
    run: str
    who: str
    asserted: datetime
    by: str = "state"
    into: tuple[str, ...] = ()
    out: tuple[str, ...] = ()
    probes: tuple[QuickProbe, ...] = ()
    version: str = ""
    front: tuple[str, ...] = ()
    paused: bool = False
    floor: int = 1


def to_text(wanted: Wanted) -> str:
    """As kept on the machine."""
    values = asdict(wanted)
    return json.dumps({"schema": SCHEMA, **values, "asserted": wanted.asserted.isoformat()}, indent=1) + "\n"


def from_text(text: str) -> Wanted:
    """The record of a text; raises ``RefusedError`` when it is none of ours or of a newer version."""
    try:
        data: dict[str, Any] = json.loads(text)
        if data.pop("schema") != SCHEMA:
            raise RefusedError("wanted.json on the machine is of a newer arr-bluegreen", hint="Use that version.")
        probes = tuple(QuickProbe(**one) for one in data.pop("probes"))
        asserted = datetime.fromisoformat(data.pop("asserted"))
        into, out, front = (tuple(data.pop(name, ())) for name in ("into", "out", "front"))
        return Wanted(**data, into=into, out=out, front=front, asserted=asserted, probes=probes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RefusedError(
            f"wanted.json on the machine cannot be read: {error}",
            hint="Look at it; when it is worthless, remove it and name the live slot with --live.",
        ) from error


def read(store: RecordStore) -> Wanted | None:
    """The record on one machine, None when there is none."""
    text = store.read(RECORD)
    return None if text is None else from_text(text)


def newest(stores: Iterable[RecordStore]) -> Wanted | None:
    """The record of the highest epoch over all machines."""
    return newest_of(map(read, stores))


def newest_of(records: Iterable[Wanted | None]) -> Wanted | None:
    """The record of the highest epoch, of those read from all machines."""
    return max((one for one in records if one is not None), key=lambda one: one.epoch, default=None)


def change(store: RecordStore, decide: Callable[[Wanted | None], Wanted | None]) -> bool:
    """The record changed as ``decide`` says of the one there (None: left as it is); whether it was.

    Compared and swapped: who wrote in between is read again, never written over.
    """
    for _ in range(5):
        text = store.read(RECORD)
        after = decide(None if text is None else from_text(text))
        if after is None or to_text(after) == text:
            return False
        if swap(store, text, to_text(after)):
            return True
    raise RefusedError("wanted.json changes faster than it can be written", hint="Try again.")


def swap(store: RecordStore, seen: str | None, after: str) -> bool:
    """The text written, if the one there is still the one seen (None: none)."""
    return store.create(RECORD, after) if seen is None else store.replace(RECORD, seen, after)


def pause(stores: Iterable[RecordStore], paused: bool) -> int:
    """``reconcile`` stopped (or let go on) on every machine; how many records were changed."""
    return sum(change(one, lambda there: there and replace(there, paused=paused)) for one in stores)
