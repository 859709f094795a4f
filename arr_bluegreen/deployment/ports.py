"""A free port for a slot: chosen from a range, recorded for the slot, never given twice.

A port is free when no binding of any site (stopped ones too), no farm server, no listening socket, no range
reserved by Windows, no earlier claim and no quarantine names it (octopus.md 5). The record is one ``ports.json`` per
machine, changed by compare and swap: two callers at once never get the same port, and a retry for the same
slot gets the one it had, unless somebody else uses that one meanwhile. A claim for a slot stays until it is freed; one
for nobody in particular lapses when the quarantine's time is over.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from arr_bluegreen.control.interface import Configuration, Machine, MachineFacts, RecordStore
from arr_bluegreen.errors import LockedError, NoSuchObject, RefusedError, UsageError

MACHINE = "_machine"
"""The "farm" whose record store holds what belongs to the machine as a whole: ``machine.records(MACHINE)``."""

RECORD = "ports.json"
QUARANTINE = timedelta(minutes=10)
"""How long a freed port rests: connections to the old owner may linger, and health probes of a farm not yet reread.
So long an unnamed claim holds too."""

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

    @property
    def slot(self) -> str:
        """The slot's name alone."""
        return self.owner.rpartition("/")[2]

    def until(self, quarantine: timedelta = QUARANTINE) -> datetime | None:
        """When it lapses (UTC): an unnamed one does, one of a slot (None) is held until it is freed."""
        return self.since + quarantine if _UNNAMED.fullmatch(self.owner) else None


@dataclass(frozen=True, slots=True)
class PortBook:
    """What ``ports.json`` says: the claims, and the ports freed with the time (UTC) they were."""

    claims: tuple[Claim, ...] = ()
    freed: tuple[tuple[int, datetime], ...] = field(default=())

    def of(self, owner: str) -> Claim | None:
        """The claim of this owner (without case), None when it has none."""
        return next((one for one in self.claims if one.owner.casefold() == owner.casefold()), None)

    def at(self, now: datetime, quarantine: timedelta = QUARANTINE) -> PortBook:
        """The book without what is over: unnamed claims that lapsed, freed ports that rested."""
        claims = tuple(one for one in self.claims if (until := one.until(quarantine)) is None or now < until)
        return PortBook(claims, tuple(one for one in self.freed if now - one[1] < quarantine))

    def find(self, named: str) -> Claim:
        """The claim of this port, owner (``farm/slot``) or slot. Raises ``NoSuchObject``, or ``UsageError`` where
        several farms have a slot of this name."""
        wanted = named.casefold()
        for keys in (lambda one: (str(one.port), one.owner.casefold()), lambda one: (one.slot.casefold(),)):
            found = [one for one in self.claims if wanted in keys(one)]
            if len(found) == 1:
                return found[0]
            if found:
                owners = ", ".join(f"'{one.owner}'" for one in found)
                raise UsageError(f"'{named}' is the slot of several claims", hint=f"Say which: {owners}.")
        raise NoSuchObject("port claim", named, tuple(f"{one.port} ({one.owner})" for one in self.claims))

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


def owner_of(farm: str, slot: str) -> str:
    """``farm/slot``; raises ``UsageError`` for names that would read as others."""
    if not slot or "/" in farm + slot:
        raise UsageError(f"'{slot}' of farm '{farm}' is no slot to record a port for", hint="Name it, without a slash.")
    return f"{farm}/{slot}"


def unnamed_owner() -> str:
    """An owner for a port that is asked for without a slot: never the same, and its claim lapses."""
    return f"/unnamed-{uuid.uuid4().hex[:12]}"


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
    if had is not None and not why_not(had.port, wish, configurations, facts):
        return had.port
    book = book.at(now, quarantine)
    taken = set(ports_in_use(configurations, facts))
    taken |= {one.port for one in book.claims}
    taken |= {port for port, _ in book.freed}
    for port in range(wish.range.first, wish.range.last + 1):
        if port not in taken and not _reserved(port, facts):
            return port
    raise RefusedError(
        f"no port of {wish.range} is free",
        hint="Give another range, or retire old instances; 'port list' tells what is claimed.",
    )


def why_not(port: int, wish: PortWish, configurations: Sequence[Configuration], facts: MachineFacts | None) -> str:
    """Why the owner cannot keep the port it has; "" when it can.

    A listener is the owner's own where a site of the configuration binds the port: http.sys listens for all of them.
    Without the name of the owner's site its binding cannot be told from another's: then the record decides.
    """
    if port not in wish.range:
        return f"is outside {wish.range}"
    bound = {one.name for c in configurations for one in c.sites for b in one.bindings if b.port == port}
    others = sorted(one for one in bound if wish.site and one.casefold() != wish.site.casefold())
    if others:
        return f"is bound by site '{others[0]}' now"
    if not bound and facts is not None and port in (facts.listening_ports or ()):
        return "is listened on by a program outside IIS now"
    return "is reserved by Windows now" if not bound and _reserved(port, facts) else ""


def give_port(
    machine: Machine, wish: PortWish, configuration: Configuration, *, record: bool = True
) -> tuple[int, str]:
    """The port for the wish on this machine, claimed (but for ``record=False``: only looked for).

    Beside it, in words, why it is not the recorded one; "" when it is, or none was. Raises as ``next_port``.
    """
    facts, records, told = machine.facts(), machine.records(MACHINE), ""

    def choose(book: PortBook) -> int:
        nonlocal told
        had = book.of(wish.owner)
        why = why_not(had.port, wish, [configuration], facts) if had is not None else ""
        told = f"port {had.port}, claimed for {wish.owner}, {why}: it gets another" if had is not None and why else ""
        return next_port(wish, [configuration], facts, book, facts.now)

    if not record:
        return choose(PortBook.parse(records.read(RECORD))), told
    return claim_port(records, wish, choose, facts.now), told


def claims_without(book: PortBook, farm: str, slots: Iterable[str]) -> tuple[Claim, ...]:
    """The farm's claims for slots that are not among these: what was cut off between its claim and its record."""
    known = {one.casefold() for one in slots}
    own = (one for one in book.claims if one.owner.casefold() == f"{farm}/{one.slot}".casefold())
    return tuple(one for one in own if one.slot.casefold() not in known)


def claim_port(records: RecordStore, wish: PortWish, choose: Callable[[PortBook], int], now: datetime) -> int:
    """Claim the port that ``choose`` picks from the book, by compare and swap on the machine's record.

    The claim is written before anything is bound, so a crash leaves a claim with a name and never a port without one.
    """

    def claimed(book: PortBook) -> tuple[PortBook, int]:
        port = choose(book)
        had = book.of(wish.owner)
        if had is not None and had.port == port:
            return book, port
        book = book.at(now)
        others = tuple(one for one in book.claims if one != had)
        left = ((had.port, now),) if had is not None else ()
        freed = (*(one for one in book.freed if one[0] != port), *left)
        return replace(book, claims=(*others, Claim(port, wish.owner, now)), freed=freed), port

    return _swap(records, claimed)


def free_port(records: RecordStore, owner: str, now: datetime, quarantine: timedelta = QUARANTINE) -> int | None:
    """Give the owner's port back; it rests in quarantine. The port, or None when the owner had none."""

    def freed(book: PortBook) -> tuple[PortBook, int | None]:
        had = book.of(owner)
        if had is None:
            return book, None
        rest = book.at(now, quarantine)
        return PortBook(tuple(one for one in rest.claims if one != had), (*rest.freed, (had.port, now))), had.port

    return _swap(records, freed)


# -- private -------------------------------------------------------------------------------------------


_UNNAMED = re.compile(r"/unnamed-[0-9a-f]{12}")


def _reserved(port: int, facts: MachineFacts | None) -> bool:
    ranges = (facts.reserved_ports or ()) if facts is not None else ()
    return any(first <= port <= last for first, last in ranges)


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
