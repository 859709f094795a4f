"""The primitive edits every ConfigChange comes down to: which element, which attributes.

One lowering (``apphost.lower``), three users: ``splice`` turns them into bytes, ``control.appcmd`` into command lines,
``control/scripts/commit.ps1`` (as JSON) into one ``CommitChanges``. XML names live here and below, nowhere above.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from arr_bluegreen.apphost.steps import Place, Step
from arr_bluegreen.webfarm.rule import LAST, Position


@dataclass(frozen=True, slots=True)
class NewElement:
    """An element to write: its tag, attributes in order, and children."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[NewElement, ...] = ()


@dataclass(frozen=True, slots=True)
class SetAttributes:
    """Attributes of one element set (text) or taken away (None). Missing child elements on the way are made."""

    place: Place
    values: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class AddElement:
    """A new item in the collection at ``place``, at a position among its like (by name, for rules)."""

    place: Place
    element: NewElement
    position: Position = LAST


@dataclass(frozen=True, slots=True)
class RemoveElement:
    """The element at ``place`` goes."""

    place: Place


@dataclass(frozen=True, slots=True)
class MoveElement:
    """The item at ``place`` takes another position in its collection."""

    place: Place
    position: Position


@dataclass(frozen=True, slots=True)
class CopyAttributes:
    """Attributes of ``source`` written at ``place`` as they stand (encrypted values stay as stored, never shown)."""

    source: Place
    place: Place
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CopyLocation:
    """The ``<location>`` blocks of ``source`` (and below) again for ``target``."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class RemoveLocation:
    """The ``<location>`` blocks of this path (and below) go."""

    path: str


__all__ = [
    "AddElement",
    "CopyAttributes",
    "CopyLocation",
    "Edit",
    "MoveElement",
    "NewElement",
    "Place",
    "RemoveElement",
    "RemoveLocation",
    "SetAttributes",
    "Step",
    "to_json",
]

Edit = SetAttributes | AddElement | RemoveElement | MoveElement | CopyAttributes | CopyLocation | RemoveLocation


def to_json(edit: Edit) -> dict[str, Any]:
    """The edit as plain JSON, for ``commit.ps1`` (the contract is that script's own comment)."""
    match edit:
        case SetAttributes():
            return {"kind": "set", **_place(edit.place), "values": [list(one) for one in edit.values]}
        case AddElement():
            return {
                "kind": "add",
                **_place(edit.place),
                "element": _element(edit.element),
                **_position(edit.position),
            }
        case RemoveElement():
            return {"kind": "remove", **_place(edit.place)}
        case MoveElement():
            return {"kind": "move", **_place(edit.place), **_position(edit.position)}
        case CopyAttributes():
            names = list(edit.names)
            return {"kind": "copy_attributes", **_place(edit.place), "source": _place(edit.source), "names": names}
        case CopyLocation():
            return {"kind": "copy_location", "source": edit.source, "target": edit.target}
        case RemoveLocation():
            return {"kind": "remove_location", "path": edit.path}
        case _:
            assert_never(edit)


# -- private ---------------------------------------------------------------------------------------------


def _place(place: Place) -> dict[str, Any]:
    steps = [{"tag": one.tag, "key": [list(pair) for pair in one.key]} for one in place.steps]
    return {"section": place.section, "location": place.location, "steps": steps}


def _position(position: Position) -> dict[str, str]:
    return {"where": position.where.value, "name": position.name}


def _element(element: NewElement) -> dict[str, Any]:
    return {
        "tag": element.tag,
        "attributes": [list(one) for one in element.attributes],
        "children": [_element(one) for one in element.children],
    }
