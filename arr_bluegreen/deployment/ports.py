"""A free port for a slot: chosen from a range, recorded for the slot, never given twice.

A port is free when no binding of any site (stopped ones too), no farm server, no listening socket, no range
reserved by Windows, no earlier claim and no quarantine names it (octopus.md 5). The record is one ``ports.json`` per
machine, changed by compare and swap: two callers at once never get the same port, and a retry for the same
slot gets the one it had.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from arr_bluegreen.control.interface import Configuration, MachineFacts, RecordStore
from arr_bluegreen.errors import LockedError, RefusedError, UsageError

MACHINE = "_machine"
"""The "farm" whose record store holds what belongs to the machine as a whole: ``machine.records(MACHINE)``."""

RECORD = "ports.json"
QUARANTINE = timedelta(minutes=10)
"""How long a freed port rests: connections to the old owner may linger, and health probes of a farm not yet reread."""

_T = TypeVar("_T")
_SWAPS = 2000  # each lost swap means that another caller won, so this many callers at once are served


@dataclass(frozen=True, slots=True)
class PortRange:
    """Ports from ``first`` to ``last``, both included."""

    first: int = 8000
    last: int = 8999

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @staticmethod
    def parse(text: str) -> PortRange:
        """``"8000-8999"`` or ``"8080"``; raises ``UsageError`` when it is no range of TCP ports."""
        first, dash, last = text.partition("-")
        numbers = [one.strip() for one in (first, last if dash else first)]
        if not all(one.isascii() and one.isdigit() and len(one) <= 5 for one in numbers):
            raise UsageError(f"'{text}' is no range of ports", hint="Write it as 8000-8999.")
        low, high = (int(one) for one in numbers)
        if not 1 <= low <= high <= 65535:
            raise UsageError(f"the range of ports {text} is empty or leaves 1-65535", hint="Write it as 8000-8999.")
        return PortRange(low, high)


@dataclass(frozen=True, slots=True)
class Claim:
    """A port given to ``owner`` (``farm/slot``) at ``since`` (UTC)."""

    port: int
    owner: str
    since: datetime


@dataclass(frozen=True, slots=True)
class PortBook:
    """What ``ports.json`` says: the claims, and the ports freed with the time (UTC) they were."""

    claims: tuple[Claim, ...] = ()
    freed: tuple[tuple[int, datetime], ...] = field(default=())

    def of(self, owner: str) -> Claim | None:
        """The claim of this owner (without case), None when it has none."""
        return next((one for one in self.claims if one.owner.casefold() == owner.casefold()), None)

    def to_text(self) -> str:
        """The record as JSON."""
        claims = [{"port": one.port, "owner": one.owner, "since": one.since.isoformat()} for one in self.claims]
        freed = [{"port": port, "at": at.isoformat()} for port, at in self.freed]
        return json.dumps({"schema": 1, "claims": claims, "freed": freed}, indent=1) + "\n"

    @staticmethod
    def parse(text: str | None) -> PortBook:
        """The book of a record's text, empty for None; raises ``RefusedError`` when it is not ours to read."""
        if text is None:
            return PortBook()
        try:
            return _book(json.loads(text))
        except (ValueError, KeyError, TypeError) as error:
            raise RefusedError(f"{RECORD} cannot be read: {error}", hint="Mend it or move it away.") from error


@dataclass(frozen=True, slots=True)
class PortWish:
    """Who wants a port: the owner (``farm/slot``), the range, the slot's own site (whose binding is no obstacle)."""

    owner: str
    range: PortRange = field(default_factory=PortRange)
    site: str = ""


def ports_in_use(configurations: Iterable[Configuration], facts: MachineFacts | None = None) -> dict[int, str]:
    """Every port that a binding, a farm server or a listening socket names, with what names it in words."""
    used: dict[int, str] = {}
    for configuration in configurations:
        for one in configuration.sites:
            used |= {b.port: f"a binding of site '{one.name}'" for b in one.bindings if b.port is not None}
        for farm in configuration.farms:
            for server in farm.servers:
                text = f"server {server.address} of farm '{farm.name}'"
                used |= dict.fromkeys((server.http_port, server.https_port), text)
    if facts is not None:
        used |= dict.fromkeys(facts.listening_ports or (), "a listening socket")
    return used


def next_port(
    wish: PortWish,
    configurations: Sequence[Configuration],
    facts: MachineFacts | None,
    book: PortBook,
    now: datetime,
    quarantine: timedelta = QUARANTINE,
) -> int:
    """The first free port of the range; the recorded one when the owner has it already and nobody else took it.

    Raises ``RefusedError`` when the range is used up.
    """
    had = book.of(wish.owner)
    if had is not None and had.port in wish.range and not _taken_by_another_site(had.port, configurations, wish):
        return had.port
    taken = set(ports_in_use(configurations, facts))
    taken |= {one.port for one in book.claims}
    taken |= {port for port, at in book.freed if now - at < quarantine}
    reserved = (facts.reserved_ports or ()) if facts is not None else ()
    for port in range(wish.range.first, wish.range.last + 1):
        if port not in taken and not any(first <= port <= last for first, last in reserved):
            return port
    raise RefusedError(f"no port of {wish.range} is free", hint="Give another range, or retire old instances.")


def claim_port(records: RecordStore, wish: PortWish, choose: Callable[[PortBook], int], now: datetime) -> int:
    """Claim the port that ``choose`` picks from the book, by compare and swap on the machine's record.

    The claim is written before anything is bound, so a crash leaves a claim with a name and never a port without one.
    """

    def claimed(book: PortBook) -> tuple[PortBook, int]:
        port = choose(book)
        had = book.of(wish.owner)
        if had is not None and had.port == port:
            return book, port
        others = tuple(one for one in book.claims if one is not had)
        freed = tuple(one for one in book.freed if one[0] != port)
        return replace(book, claims=(*others, Claim(port, wish.owner, now)), freed=freed), port

    return _swap(records, claimed)


def free_port(records: RecordStore, owner: str, now: datetime, quarantine: timedelta = QUARANTINE) -> int | None:
    """Give the owner's port back; it rests in quarantine. The port, or None when the owner had none."""

    def freed(book: PortBook) -> tuple[PortBook, int | None]:
        had = book.of(owner)
        if had is None:
            return book, None
        resting = tuple(one for one in book.freed if now - one[1] < quarantine)
        return PortBook(tuple(one for one in book.claims if one is not had), (*resting, (had.port, now))), had.port

    return _swap(records, freed)


# -- private -------------------------------------------------------------------------------------------


def _taken_by_another_site(port: int, configurations: Sequence[Configuration], wish: PortWish) -> bool:
    if not wish.site:
        return False  # without a name our own binding cannot be told from a foreign one: the record decides
    bindings = ((one.name, b.port) for c in configurations for one in c.sites for b in one.bindings)
    return any(bound == port and name.casefold() != wish.site.casefold() for name, bound in bindings)


def _swap(records: RecordStore, change: Callable[[PortBook], tuple[PortBook, _T]]) -> _T:
    for _ in range(_SWAPS):
        text = records.read(RECORD)
        before = PortBook.parse(text)
        after, answer = change(before)
        if after == before:
            return answer
        done = (
            records.create(RECORD, after.to_text()) if text is None else records.replace(RECORD, text, after.to_text())
        )
        if done:
            return answer
    raise LockedError(f"{RECORD} changed {_SWAPS} times under our hands", hint="Try again.")


def _book(data: Any) -> PortBook:
    if data["schema"] != 1:
        raise ValueError(f"schema {data['schema']} is not known to this version")
    claims = tuple(Claim(int(c["port"]), str(c["owner"]), datetime.fromisoformat(c["since"])) for c in data["claims"])
    return PortBook(claims, tuple((int(f["port"]), datetime.fromisoformat(f["at"])) for f in data["freed"]))
