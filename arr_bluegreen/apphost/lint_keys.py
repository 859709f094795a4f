"""Keys that are there twice and values outside their range: IIS refuses the whole file for each (arr.md 1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from arr_bluegreen.apphost.lint_model import ERROR, Hazard, Hit, Seen
from arr_bluegreen.apphost.schema import Attribute, attributes
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import in_range, shown


def _out_of_range(seen: Seen) -> list[Hit]:
    things: list[Iterable[Any]] = [seen.farms, *(one.servers for one in seen.farms), seen.rules, seen.sites, seen.pools]
    return [
        Hit(_holder(thing.element, one), f"{one.name}={shown(value)} is not allowed; allowed: {one.type.allowed()}")
        for some in things
        for thing in some
        for one, get in _ranged(type(thing.word))
        if not in_range(value := get(thing.word), one.type) and value != one.default
    ]


_Ranged = tuple[tuple[Attribute, Callable[[Any], Any]], ...]
_KNOWN: dict[type[Any], _Ranged] = {}


def _ranged(word: type[Any]) -> _Ranged:
    """The attributes that have bounds, each with what reads it: a file may have ten thousand of the word."""
    if word not in _KNOWN:
        bounded = [one for one in attributes(word) if one.type.low is not None or one.type.step]
        _KNOWN[word] = tuple((one, attrgetter(one.field)) for one in bounded)
    return _KNOWN[word]


def _holder(element: Element, attribute: Attribute) -> Element:
    """The element that the attribute stands on, or the last one on the way: a defaults element may have it."""
    for tag in attribute.path:
        below = element.find(tag)
        if below is None:
            break
        element = below
    return element


def _twice(things: Iterable[tuple[object, Element, str]], what: str) -> Iterator[Hit]:
    """A hit for each thing whose key and holder were there before."""
    seen: dict[tuple[object, str], str] = {}
    for holder, element, name in things:
        key = holder, name.casefold()
        if key in seen:
            first = seen[key]
            yield Hit(element, f"{what} '{name}' is there twice" + ("" if first == name else f" ('{first}')"))
        seen.setdefault(key, name)


def _same_farm(seen: Seen) -> list[Hit]:
    return list(_twice(((None, one.element, one.word.name) for one in seen.farms), "the farm"))


def _same_rule(seen: Seen) -> list[Hit]:
    return list(_twice(((one.element.getparent(), one.element, one.word.name) for one in seen.rules), "the rule"))


def _same_site(seen: Seen) -> list[Hit]:
    return [
        *_twice(((None, one.element, one.word.name) for one in seen.sites), "the site"),
        *_twice(((None, one.element, str(one.word.id)) for one in seen.sites if one.word.id), "the site id"),
    ]


def _same_pool(seen: Seen) -> list[Hit]:
    return list(_twice(((None, one.element, one.word.name) for one in seen.pools), "the application pool"))


_WHY = "Names are compared without case and are unique; IIS refuses the whole file otherwise (arr.md 1.0, 2.1, 3.1)."
HAZARDS = (
    Hazard(
        "ARR017", ERROR, "a value outside its range",
        "IIS refuses the whole file for a value its schema does not allow, and every site answers 500.19.",
        "Write what is allowed there, or take the attribute away.",
        _out_of_range,
        refused=True,
    ),
    Hazard("ARR018", ERROR, "the same farm twice", _WHY, "Remove one, or rename it.", _same_farm, refused=True),
    Hazard("ARR032", ERROR, "the same rule name twice", _WHY, "Remove one, or rename it.", _same_rule, refused=True),
    Hazard("ARR056", ERROR, "the same site name or id twice", _WHY, "Remove or rename one.", _same_site, refused=True),
    Hazard("ARR057", ERROR, "the same pool twice", _WHY, "Remove one, or rename it.", _same_pool, refused=True),
)  # fmt: skip
