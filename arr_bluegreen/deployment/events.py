"""What happens in a run, as frozen values: told to people, to ``--events`` as JSON lines, and kept in the journal.

One JSON object a line: ``{"schema": 1, "event": "step_done", "at": "2026-11-23T08:10:00.123456+00:00", "run": "...",
...the event's own fields}``. A reader skips events and fields it does not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from arr_bluegreen.errors import RefusedError

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins: ``kind`` is ``run``, ``switch`` or ``switch-back``; ``new`` shall be live, ``old`` is.

    ``description`` is the text of deployment.toml and ``folder`` where it lay, to resume without the file. ``epoch`` is
    the wanted record's when it began (None: not known): a higher one of another run means that this one is superseded.
    """

    kind: str
    app: str
    farm: str
    new: str
    old: str
    version: str
    by: str
    durable: str
    steps: tuple[str, ...]
    accept_gap: bool = False
    who: str = ""
    where: str = ""
    folder: str = ""
    description: str = ""
    epoch: int | None = None


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A run goes on after a crash, a stop or an approval."""

    who: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """The intent, written before the act; ``title`` is a short phrase."""

    step: str
    title: str


@dataclass(frozen=True, slots=True)
class StepProgress:
    """A wait goes on: what it waits for, how far it is (0 to 1, None: cannot be said). Not in the journal."""

    step: str
    text: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class StepDone:
    """The act is done and was seen to hold."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class StepSkipped:
    """Nothing to do, and why."""

    step: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The act failed or its wait ran out."""

    step: str
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Switched:
    """The switch: ``at`` is the moment before the first run-time change (or write) that gives ``to`` new requests."""

    to: str
    at: str


@dataclass(frozen=True, slots=True)
class Drained:
    """The slot has finished: how long it took, how many requests and WebSockets were cut; None: not known."""

    slot: str
    seconds: float
    cut: int | None = 0
    how: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """Something people should know that stops nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact the run must remember over a crash (which worker processes passed the gate, ...)."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run waits before the phase ``step``, at most ``until`` (ISO, "" without end); then ``otherwise``.

    For an ``approval``, or because ``--until`` said so; ``after`` names the step it was to stop after.
    """

    step: str
    until: str = ""
    otherwise: str = "hold"
    approval: bool = True
    after: str = ""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """How it ended: ``outcome`` is ``done``, ``old-slot-serves``, ``aborted``, ``superseded``, ``failed`` or
    ``interrupted``. ``failed`` and ``interrupted`` runs can be resumed; the others are over.
    """

    outcome: str
    exit_code: int
    live: str
    seconds: float
    durable: bool | None = None
    error: str = ""


Event = (
    RunStarted
    | RunResumed
    | StepStarted
    | StepProgress
    | StepDone
    | StepSkipped
    | StepFailed
    | Switched
    | Drained
    | Warned
    | Noted
    | RunPaused
    | RunEnded
)


@dataclass(frozen=True, slots=True)
class Stamped:
    """An event with its moment (UTC) and its run."""

    at: datetime
    run: str
    event: Event


Listener = Callable[[Stamped], None]


def to_line(stamped: Stamped) -> str:
    """One line of JSON, without the line end."""
    event = stamped.event
    head = {"schema": SCHEMA, "event": _NAME_OF[type(event)], "at": stamped.at.isoformat(), "run": stamped.run}
    body = {one.name: getattr(event, one.name) for one in fields(event)}
    return json.dumps({**head, **{_key(name): value for name, value in body.items()}}, ensure_ascii=True)


def from_line(line: str) -> Stamped | None:
    """The event of a line; None for an event that is not known here. Raises ``ValueError`` for torn text,
    ``RefusedError`` for a line of a newer schema, whose words may mean something else."""
    data = json.loads(line)
    if not isinstance(data, dict) or not isinstance(data.get("event"), str):
        raise ValueError("not an event")
    if data["schema"] > SCHEMA:
        text = f"the journal is of a newer arr-bluegreen (schema {data['schema']})"
        raise RefusedError(text, hint="Use that version.")
    kind = _KIND_OF.get(data["event"])
    if kind is None:
        return None
    return Stamped(datetime.fromisoformat(data["at"]), data["run"], _build(kind, data))


# -- private -------------------------------------------------------------------------------------------------

_KINDS: tuple[type[Any], ...] = (
    RunStarted,
    RunResumed,
    StepStarted,
    StepProgress,
    StepDone,
    StepSkipped,
    StepFailed,
    Switched,
    Drained,
    Warned,
    Noted,
    RunPaused,
    RunEnded,
)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


_NAME_OF: dict[type[Any], str] = {kind: _snake(kind.__name__) for kind in _KINDS}
_KIND_OF: dict[str, type[Any]] = {name: kind for kind, name in _NAME_OF.items()}


def _key(name: str) -> str:
    return "switched_at" if name == "at" else name  # the envelope's own "at" is when the line was written


def _build(kind: type[Any], data: Mapping[str, Any]) -> Any:
    names = {one.name: _key(one.name) for one in fields(kind)}
    values = {name: data[key] for name, key in names.items() if key in data}
    return kind(**{name: tuple(value) if name == "steps" else value for name, value in values.items()})
