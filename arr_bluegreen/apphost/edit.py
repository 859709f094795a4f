"""The primitive edits every ConfigChange comes down to: which element, which attributes.

One lowering (``apphost.lower``), three users: ``splice`` turns them into bytes, ``control.appcmd`` into command lines,
``control/scripts/commit.ps1`` (as JSON) into one ``CommitChanges``. XML names live here and below, nowhere above.
"""

from __future__ import annotations

from dataclasses import dataclass

from arr_bluegreen.webfarm.rule import LAST, Position


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: a child element (no key), or an item of a collection told by its key attributes.

    Keys are compared without case unless the schema says ``caseSensitive`` (arr.md 1.0).
    """

    tag: str
    key: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An element: its section (``"webFarms"``, ``"system.webServer/rewrite/globalRules"``), the steps below it,
    and the ``<location>`` it lies in ("" for none)."""

    section: str
    steps: tuple[Step, ...] = ()
    location: str = ""


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


Edit = SetAttributes | AddElement | RemoveElement | MoveElement | CopyAttributes | CopyLocation | RemoveLocation
