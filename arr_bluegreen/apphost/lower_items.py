"""A rule's conditions and server variables brought to a list: each item that stays keeps its element, with whatever
else is written in it and around it. What goes is removed, what differs is set, what is new is added at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Any, Generic, TypeVar

from arr_bluegreen.apphost import element
from arr_bluegreen.apphost.edit import AddElement, Edit, NewElement, Place, RemoveElement, SetAttributes, Step
from arr_bluegreen.apphost.schema import attributes
from arr_bluegreen.webfarm.rule import Condition, ServerVariable

W = TypeVar("W", Condition, ServerVariable)


def condition_edits(rule: Place, old: Sequence[Condition], new: Sequence[Condition]) -> tuple[Edit, ...]:
    """The edits that make the rule's conditions ``new``; their order counts, for ``{C:1}`` (arr.md 2.2)."""
    place = replace(rule, steps=(*rule.steps, Step("conditions")))
    return _edits(
        place, align(old, new, lambda one: one.input.casefold()), _condition_steps(old), element.condition_element
    )


def variable_edits(rule: Place, old: Sequence[ServerVariable], new: Sequence[ServerVariable]) -> tuple[Edit, ...]:
    """The edits that make the rule's server variables ``new``."""
    place = replace(rule, steps=(*rule.steps, Step("serverVariables")))
    return _edits(place, align(old, new, lambda one: one.name.casefold()), _variable, element.variable_element)


@dataclass(frozen=True, slots=True)
class Alignment(Generic[W]):
    """Which items go, which become which, and which come, at the end."""

    gone: tuple[W, ...]
    pairs: tuple[tuple[W, W], ...]
    come: tuple[W, ...]


def align(old: Sequence[W], new: Sequence[W], key: Callable[[W], str]) -> Alignment[W]:
    """The least that makes ``new`` of ``old``; items that differ and have one key are one item changed.

    Where that would need an item in the middle, or a value that another item still has, all from the first difference
    on are written anew.
    """
    gone: list[W] = []
    pairs: list[tuple[W, W]] = []
    come: list[W] = []
    fits = True
    for kind, a, b, c, d in _blocks(old, new, key):
        both = min(b - a, d - c) if kind == "replace" else 0
        pairs += zip(old[a : a + both], new[c : c + both], strict=True)
        gone += old[a + both : b]
        fits = fits and (c + both == d or b == len(old))
        come += new[c + both : d]
    if fits and not any(after in old for _, after in pairs):
        return Alignment(tuple(gone), tuple(pairs), tuple(come))
    same = next(
        (at for at, (one, two) in enumerate(zip(old, new, strict=False)) if one != two), min(len(old), len(new))
    )
    return Alignment(tuple(old[same:]), (), tuple(new[same:]))


# -- private ---------------------------------------------------------------------------------------------

_Block = tuple[str, int, int, int, int]


def _blocks(old: Sequence[W], new: Sequence[W], key: Callable[[W], str]) -> list[_Block]:
    """Where the lists differ; within a stretch that differs, items of one key are paired first."""
    found: list[_Block] = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "replace":
            keys = [key(one) for one in old[a:b]], [key(one) for one in new[c:d]]
            inner = SequenceMatcher(None, *keys, autojunk=False).get_opcodes()
            found += [("replace" if one == "equal" else one, a + i, a + j, c + k, c + m) for one, i, j, k, m in inner]
        elif kind != "equal":
            found.append((kind, a, b, c, d))
    return found


def _edits(
    place: Place, found: Alignment[W], step: Callable[[W], Step], made: Callable[[W], NewElement]
) -> tuple[Edit, ...]:
    def at(one: W) -> Place:
        return replace(place, steps=(*place.steps, step(one)))

    return (
        *(RemoveElement(at(one)) for one in found.gone),
        *(SetAttributes(at(old), _differing(old, new)) for old, new in found.pairs),
        *(AddElement(place, made(one)) for one in found.come),
    )


def _differing(old: Any, new: Any) -> tuple[tuple[str, str | None], ...]:
    values: list[tuple[str, str | None]] = []
    for one in attributes(type(new)):
        value = element.value_at(new, one.field)
        if value != element.value_at(old, one.field):
            away = not one.required and value == one.default and one.name != "value"
            values.append((one.name, None if away else element.text_of(one, value)))
    return tuple(values)


def _condition_steps(old: Sequence[Condition]) -> Callable[[Condition], Step]:
    """A condition by input and pattern and what else is not the default; by all five of its attributes, which are its
    key (arr.md 2.1), where that would fit another too."""

    def key(one: Condition, *, whole: bool) -> tuple[tuple[str, str], ...]:
        return tuple(
            (each.name, element.text_of(each, value))
            for each in attributes(Condition)
            if (value := element.value_at(one, each.field)) != each.default or whole or each.name == "pattern"
        )

    def step(one: Condition) -> Step:
        short = key(one, whole=False)
        fits = [each for each in old if set(short) <= set(key(each, whole=True))]
        return Step("add", short if len(fits) < 2 else key(one, whole=True))

    return step


def _variable(one: ServerVariable) -> Step:
    return Step("set", (("name", one.name),))
