"""``lint(host)``: the hazards of arr.md section 7 that a file can show, each with its place, why it hurts, and the fix.

``HAZARDS`` is the registry: one small pure function per hazard, in ``lint_farms``, ``lint_rules`` and ``lint_sites``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from arr_bluegreen.apphost import lint_bindings, lint_farms, lint_keys, lint_rules, lint_sites, rewrite, sites, webfarms
from arr_bluegreen.apphost.document import ApplicationHost
from arr_bluegreen.apphost.lint_model import (
    ERROR,
    FarmSeen,
    Hazard,
    Hit,
    PoolSeen,
    RuleSeen,
    Seen,
    ServerSeen,
    Severity,
    SiteSeen,
)
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm.routing import targets

__all__ = ["HAZARDS", "Finding", "Hazard", "Severity", "explain", "lint"]

W = TypeVar("W")
P = ParamSpec("P")

UNREADABLE = Hazard(
    "ARR000",
    ERROR,
    "a value that is none",
    "IIS refuses the whole file for a value its schema does not allow, and every site answers 500.19.",
    "Write what is allowed there.",
    lambda seen: [],
    refused=True,
)
HAZARDS: tuple[Hazard, ...] = (
    UNREADABLE,
    *lint_farms.HAZARDS,
    *lint_keys.HAZARDS,
    *lint_rules.HAZARDS,
    *lint_sites.HAZARDS,
    *lint_bindings.HAZARDS,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One hazard at one place: line and column from 1 (None when not known), ``element`` as errors name elements."""

    code: str
    severity: Severity
    title: str
    what: str
    why: str
    fix: str
    line: int | None
    column: int | None
    element: str


def lint(host: ApplicationHost) -> tuple[Finding, ...]:
    """Every finding, in the order of the file; the worse first where one place has several.

    Never raises for what is in the file: a value that cannot be read is a finding too.
    """
    reading = host.reading
    faults: list[Finding] = []
    seen = _look(reading, faults)
    places = _Places(reading)
    found = [_finding(hazard, hit, places) for hazard in HAZARDS for hit in hazard.look(seen)]
    return tuple(sorted([*dict.fromkeys(faults), *found], key=_order))


def explain(code: str) -> Hazard:
    """The hazard of this code (without case); raises ``NoSuchObject`` naming the codes."""
    found = next((one for one in HAZARDS if one.code == code.upper()), None)
    if found is None:
        raise NoSuchObject("finding", code, tuple(one.code for one in HAZARDS))
    return found


def refused_by_iis(code: str) -> bool:
    """Whether IIS does not take a file with such a finding."""
    return explain(code).refused


# -- private -------------------------------------------------------------------------------------------


def _order(finding: Finding) -> tuple[int, int, int, str]:
    return finding.line or 0, finding.column or 0, finding.severity.rank, finding.code


class _Places:
    """Line and column of many elements: line starts are looked for once; ``Reading.position`` counts every time."""

    def __init__(self, reading: Reading) -> None:
        self._reading, self._body = reading, reading.source.body
        self._starts = [0, *(found.end() for found in re.finditer(rb"\r\n|\n|\r", self._body))]

    def of(self, element: Element) -> tuple[int, int] | tuple[None, None]:
        """From 1, the column in characters; nothing for an element that is not in the text."""
        at = self._reading.spans.start(element)
        if at is None:
            return None, None
        line = bisect_right(self._starts, at)
        return line, len(self._body[self._starts[line - 1] : at].decode("utf-8", "replace")) + 1

    def path(self, element: Element) -> str:
        """The element as errors name it."""
        return self._reading.find.path_of(element)


def _finding(hazard: Hazard, hit: Hit, places: _Places) -> Finding:
    line, column = places.of(hit.element)
    element = places.path(hit.element)
    return Finding(hazard.code, hazard.severity, hazard.title, hit.what, hazard.why, hazard.fix, line, column, element)


def _look(reading: Reading, faults: list[Finding]) -> Seen:
    return Seen(
        reading.root,
        tuple(_farms(reading, faults)),
        tuple(_rules(reading, faults)),
        tuple(_sites(reading, faults)),
        tuple(_pools(reading, faults)),
    )


def _farms(reading: Reading, faults: list[Finding]) -> Iterator[FarmSeen]:
    for element in _items(reading, webfarms.SECTION, "webFarm"):
        for word in _read(webfarms.read_farm, faults, element, reading):
            servers = zip(element.iterchildren("server"), word.servers, strict=True)
            yield FarmSeen(element, word, tuple(ServerSeen(one, server) for one, server in servers))


def _rules(reading: Reading, faults: list[Finding]) -> Iterator[RuleSeen]:
    maps = [one for found in _read(lambda: reading.rewrite_maps, faults) for one in found]
    places = [(section, "", True) for section in reading.find.sections(rewrite.GLOBAL_RULES)]
    for path in ["", *reading.find.paths()]:
        places += [(section, path, False) for section in reading.find.sections(rewrite.RULES, path)]
    for section, path, is_global in places:
        for element in section.iterchildren("rule"):
            for word in _read(rewrite.read_rule, faults, element, reading):
                yield RuleSeen(element, word, path, is_global, targets(word, maps))


def _sites(reading: Reading, faults: list[Finding]) -> Iterator[SiteSeen]:
    for element in _items(reading, sites.SITES, "site"):
        for defaults in _read(reading.defaults, faults, element.getparent()):
            for word in _read(sites.read_site, faults, element, defaults, reading):
                yield SiteSeen(element, word)


def _pools(reading: Reading, faults: list[Finding]) -> Iterator[PoolSeen]:
    for element in _items(reading, sites.POOLS, "add"):
        for defaults in _read(reading.defaults, faults, element.getparent()):
            for word in _read(sites.read_pool, faults, element, defaults, reading):
                yield PoolSeen(element, word, "managedRuntimeVersion" in element.attrib)


def _items(reading: Reading, section: str, tag: str) -> Iterable[Element]:
    return (one for found in reading.find.sections(section) for one in found.iterchildren(tag))


def _read(read: Callable[P, W], faults: list[Finding], /, *args: P.args, **more: P.kwargs) -> list[W]:
    """The word, or nothing and a finding when a value in it cannot be read."""
    try:
        return [read(*args, **more)]
    except ConfigurationError as error:
        faults.append(
            Finding(
                UNREADABLE.code,
                UNREADABLE.severity,
                UNREADABLE.title,
                error.detail,
                UNREADABLE.why,
                error.hint or UNREADABLE.fix,
                error.line,
                error.column,
                error.element,
            )
        )
        return []
