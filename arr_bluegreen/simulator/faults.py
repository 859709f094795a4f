"""Faults on demand: what goes wrong, at which message, how often. Scripted by tests, and by ``simulator fault``.

A fault waits for its moment (a kind of message, the n-th of them), happens ``times`` times, and is gone.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

from arr_bluegreen.errors import UsageError


class What(Enum):
    """What happens; ``TOOL_FAULTS`` explains each."""

    DROP = "drop"
    STATUS = "status"
    FAULT = "fault"
    DELAY = "delay"
    DEATH = "powershell-death"
    COMMIT = "commit"
    SHARING = "sharing"
    RTT = "rtt"
    CERTIFICATE = "wrong-certificate"


TOOL_FAULTS = {
    "drop": "drop:when=before|after, the WinRM connection is cut before or after the message is handled",
    "status": "status:code=N, an HTTP status without a body: 401, 503, 500, 404",
    "fault": "fault:code=N, a SOAP fault with this WSManFault code: 2150858793 operation timeout, 2150859173 quota",
    "delay": "delay:ms=N, so much later is the message handled",
    "powershell-death": "powershell-death:when=before|after, powershell.exe ends before or after its next request",
    "commit": "commit:how=sharing|changed|denied, a commit of configuration fails",
    "sharing": "sharing, a file operation of a script meets 0x80070020",
    "rtt": "rtt:ms=N, every WinRM request takes so much longer from now on; 0 ends it",
    "wrong-certificate": "wrong-certificate, HTTPS ports opened from now on show another name's",
}
"""Each takes ``kind=`` (a message kind: Create, Command, Receive, Send, Signal, Delete, http for any; or a script's
name), ``at=`` (the n-th such moment) and ``times=`` (0: for ever) as well; but the last two happen at once."""


@dataclass(slots=True)
class Fault:
    """One planned fault: from the ``at``-th matching moment on, ``times`` times (0: for ever).

    ``kind`` narrows the moment: a message kind (Create, Command, Receive, Send, Signal, Delete, ``http`` for every
    HTTP request, sign-in included), or a script's name for ``powershell-death`` and ``sharing``. "" is any.
    """

    what: What
    kind: str = ""
    at: int = 1
    times: int = 1
    when: str = "before"
    code: int = 0
    how: str = "sharing"
    ms: int = 0
    seen: int = 0
    done: int = 0

    @property
    def spent(self) -> bool:
        """Whether it has happened as often as it should."""
        return 0 < self.times <= self.done


def parse(text: str) -> Fault:
    """A fault from its text: ``drop:at=7,when=after``, ``status:code=503,times=2``, ``commit:how=changed,times=2``.

    Raises ``UsageError`` naming what there is.
    """
    name, _, rest = text.partition(":")
    known = {one.value: one for one in What}
    if name not in known:
        raise UsageError(f"no simulator fault '{name}'", hint=f"There: {', '.join(sorted(known))}.")
    values = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    allowed = {one.name: one.type for one in fields(Fault) if one.name not in ("what", "seen", "done")}
    for key in values:
        if key not in allowed:
            raise UsageError(f"no option '{key}' of a simulator fault", hint=f"There: {', '.join(sorted(allowed))}.")
    try:
        typed: dict[str, Any] = {key: int(text) if allowed[key] == "int" else text for key, text in values.items()}
    except ValueError as error:
        raise UsageError(f"in the simulator fault '{text}' a number is no whole number") from error
    if typed.get("when", "before") not in ("before", "after") or typed.get("how", "sharing") not in _HOW:
        raise UsageError(f"in the simulator fault '{text}': when is before or after, how is {', '.join(_HOW)}")
    return Fault(known[name], **typed)


@dataclass(slots=True)
class Faults:
    """All planned faults of one machine, the added round-trip time, and what passed by.

    ``counts`` has one entry per message kind, and ``http`` for all HTTP requests; bytes are those of the bodies.
    """

    rtt_ms: float = 0.0
    wrong_certificate: bool = False
    planned: list[Fault] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    happened: list[str] = field(default_factory=list)
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, fault: Fault | str) -> Fault:
        """Plan one, given as a value or as text; ``rtt`` and ``wrong-certificate`` take effect at once and stay."""
        made = parse(fault) if isinstance(fault, str) else fault
        if made.what is What.RTT:
            self.rtt_ms = float(made.ms)
        elif made.what is What.CERTIFICATE:
            self.wrong_certificate = True
        else:
            self.planned.append(made)
        return made

    def clear(self) -> None:
        """Nothing more goes wrong; the added round-trip time stays."""
        self.planned.clear()

    def take(self, what: What, kind: str, when: str | None = None) -> Fault | None:
        """The fault due at this moment, if any; the moment counts for every fault that waits for one like it."""
        due = None
        for fault in self.planned:
            if fault.what is not what or fault.spent or not _fits(fault, kind) or when not in (None, fault.when):
                continue
            fault.seen += 1
            if due is None and fault.seen >= fault.at:
                fault.done += 1
                due = fault
                self.happened.append(f"{what.value} {kind}".strip())
        return due

    def reset_counts(self) -> None:
        """Count from zero again."""
        self.counts.clear()
        self.bytes_in = self.bytes_out = 0

    def told(self) -> dict[str, Any]:
        """What is planned and what has been counted, for ``simulator fault`` and JSON."""
        return {
            "rtt_ms": self.rtt_ms,
            "planned": [_told(one) for one in self.planned if not one.spent],
            "happened": list(self.happened),
            "counts": dict(self.counts),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }


# -- private ------------------------------------------------------------------------------------------

_HOW = ("sharing", "changed", "denied")


def _fits(fault: Fault, kind: str) -> bool:
    """``http`` moments concern only the faults that ask for them; every other moment also those that ask for any."""
    return fault.kind.casefold() == kind.casefold() or (not fault.kind and kind != "http")


def _told(fault: Fault) -> dict[str, Any]:
    shown = {one.name: getattr(fault, one.name) for one in fields(Fault) if one.name != "what"}
    return {"fault": fault.what.value, **shown}
