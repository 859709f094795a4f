"""An element and a word: what is written, what the defaults element adds, and where each value comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from arr_bluegreen.apphost.schema import Attribute, attributes
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import read_value
from arr_bluegreen.errors import ConfigurationError

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Value

W = TypeVar("W")


class Origin(Enum):
    """Where an effective value comes from (arr.md 3.3)."""

    ELEMENT = "the element itself"
    DEFAULTS = "the defaults element"
    SCHEMA = "the schema's default"


@dataclass(frozen=True, slots=True)
class Written:
    """One attribute as it stands in the file."""

    attribute: Attribute
    element: Element
    text: str


class Faults(Protocol):
    """Makes the error for a bad value, with its place."""

    def fault(self, element: Element, message: str, attribute: str = "", *, hint: str = "") -> ConfigurationError: ...


def written(element: Element, word: type[Any]) -> dict[str, Written]:
    """The attributes of ``word`` that the element (and the child elements that belong to the word) has, by field."""
    found: dict[str, Written] = {}
    for attribute, holder, text in _present(element, _shape(word)):
        found.setdefault(attribute.field, Written(attribute, holder, text))
    return found


def read_word(
    word: type[W],
    element: Element,
    faults: Faults,
    collections: Mapping[str, Any],
    defaults: Mapping[str, Value] | None = None,
) -> W:
    """The word with its effective values: the element's, else those of the defaults elements, else the schema's.

    ``collections`` are the fields that are items of their own (dotted where nested). Raises ``ConfigurationError``
    for a value of the wrong type.
    """
    values = {**(defaults or {}), **values_of(element, word, faults)}
    return _build(word, values, collections)


def values_of(element: Element, word: type[Any], faults: Faults) -> dict[str, Value]:
    """The values that the element itself has, by dotted field."""
    return {field: _value(one, faults) for field, one in written(element, word).items()}


# -- private ---------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Shape:
    """The attributes and child elements of one element that belong to a word."""

    attributes: dict[str, Attribute]
    children: dict[str, _Shape]


_SHAPES: dict[type[Any], _Shape] = {}
_NESTED: dict[type[Any], dict[str, type[Any]]] = {}


def _shape(word: type[Any]) -> _Shape:
    if word in _SHAPES:
        return _SHAPES[word]
    shape = _Shape({}, {})
    for attribute in attributes(word):
        here = shape
        for tag in attribute.path:
            here = here.children.setdefault(tag, _Shape({}, {}))
        here.attributes[attribute.name] = attribute
    _SHAPES[word] = shape  # only now: machines are read side by side, and another thread would take a half one
    return shape


def _present(element: Element, shape: _Shape) -> Iterator[tuple[Attribute, Element, str]]:
    for name, text in element.attrib.items():
        attribute = shape.attributes.get(str(name))
        if attribute is not None:
            yield attribute, element, str(text)
    if not shape.children:
        return
    for child in element.iterchildren(*shape.children):
        yield from _present(child, shape.children[str(child.tag)])


def _value(one: Written, faults: Faults) -> Value:
    try:
        return read_value(one.text, one.attribute.type)
    except ValueError as error:
        raise faults.fault(one.element, f"{one.attribute.name}={error}", one.attribute.name) from error


def _nested(word: type[Any]) -> dict[str, type[Any]]:
    if word not in _NESTED:
        made: dict[str, Any] = {one.name: one.default_factory for one in fields(word)}
        _NESTED[word] = {name: factory for name, factory in made.items() if isinstance(factory, type)}
    return _NESTED[word]


def _build(word: type[W], values: Mapping[str, Value], collections: Mapping[str, Any]) -> W:
    arguments: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = {}
    for field, value in (*values.items(), *collections.items()):
        first, dot, rest = field.partition(".")
        if dot:
            inner.setdefault(first, {})[rest] = value
        else:
            arguments[field] = value
    nested = _nested(word)
    for name, below in inner.items():
        arguments[name] = _build(nested[name], below, {})
    return word(**arguments)
