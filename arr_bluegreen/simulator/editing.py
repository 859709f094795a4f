"""The primitive edits (as JSON) of ``commit.ps1``, done as Microsoft.Web.Administration would: the simulator's own
hands, and its own schema."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree

from arr_bluegreen.simulator.config_errors import NoItem
from arr_bluegreen.simulator.config_tree import Indexer, Place, Position, detach, insert, section_place

Edit = Mapping[str, Any]


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes after all edits.

    Raises ``NoItem`` and ``UnknownName`` for what is not there or not in the schema, ``Refused`` (its ``code`` is the
    HRESULT) for what the schema does not allow.
    Written as IIS writes (arr.md 5.14): UTF-8, no BOM, CRLF if the file had it; edited places are indented by four.
    """
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
    for edit in edits:
        _DO[str(edit["kind"])](root, edit)
    return written(root, data)


def written(root: etree._Element, like: bytes) -> bytes:
    """The tree as bytes, with the line ends of ``like``."""
    before = [etree.tostring(one, encoding="unicode", with_tail=False) for one in _leading(root)]
    body = etree.tostring(root, encoding="unicode", with_tail=False)
    text = "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', *before, body, ""])
    spaced = _TAGS.sub(lambda found: found[0][:-2].rstrip() + " />" if found[1] else found[0], text)
    return spaced.replace("\n", "\r\n" if b"\r\n" in like else "\n").encode()


_TAGS = re.compile(r"<!--.*?-->|<[A-Za-z][^<>]*(/)>", re.DOTALL)


def _leading(root: etree._Element) -> list[etree._Element]:
    """The comments before the root, in order."""
    return list(root.itersiblings(preceding=True))[::-1]


# -- private: the kinds ------------------------------------------------------------------------------------


def _set(root: etree._Element, edit: Edit) -> None:
    _set_or_clear(_walk(root, edit), edit["values"])


def _set_or_clear(place: Place, values: Sequence[tuple[str, str | None]]) -> None:
    for name, text in values:
        if text is None:
            place.clear(name)
        else:
            place.set(name, text)


def _add(root: etree._Element, edit: Edit) -> None:
    _grow(_walk(root, edit), edit["element"], _position(edit))


def _grow(collection: Place, element: Mapping[str, Any], at: Position) -> None:
    """A new item, with all that lies in it."""
    pairs = [(str(name), str(value)) for name, value in element.get("attributes", ())]
    _fill(collection.add(pairs, at, str(element["tag"])), element)


def _fill(place: Place, element: Mapping[str, Any]) -> None:
    for child in element.get("children", ()):
        if child["tag"] in place.node.children:
            below = place.child(str(child["tag"]))
            _set_or_clear(below, child.get("attributes", ()))
            _fill(below, child)
        else:
            _grow(place, child, Position())


def _remove(root: etree._Element, edit: Edit) -> None:
    _walk(root, edit).remove()


def _move(root: etree._Element, edit: Edit) -> None:
    element = _walk(root, edit).made()
    collection = element.getparent()
    assert collection is not None, "an item always lies in a collection"
    detach(element)
    insert(collection, element, _position(edit))


def _copy_attributes(root: etree._Element, edit: Edit) -> None:
    """The values as they stand, encrypted ones too."""
    source, target = _walk(root, edit["source"]).element, _walk(root, edit)
    _set_or_clear(target, [(name, None if source is None else source.get(name)) for name in edit["names"]])


def _copy_location(root: etree._Element, edit: Edit) -> None:
    source, target = str(edit["source"]), str(edit["target"])
    for block in _locations(root, source):
        twin = copy.deepcopy(block)
        twin.set("path", target + block.get("path", "")[len(source) :])
        insert(root, twin)


def _remove_location(root: etree._Element, edit: Edit) -> None:
    for block in _locations(root, str(edit["path"])):
        detach(block)


_DO: dict[str, Callable[[etree._Element, Edit], None]] = {
    "set": _set,
    "add": _add,
    "remove": _remove,
    "move": _move,
    "copy_attributes": _copy_attributes,
    "copy_location": _copy_location,
    "remove_location": _remove_location,
}

# -- private: places ----------------------------------------------------------------------------------------


def _walk(root: etree._Element, place: Edit) -> Place:
    at = section_place(root, str(place["section"]), str(place.get("location") or ""))
    for step in place.get("steps", ()):
        at = _step(at, str(step["tag"]), step.get("key") or ())
    return at


def _step(at: Place, tag: str, key: Sequence[Sequence[str]]) -> Place:
    if not key:
        return at.child(tag)
    if at.node.item is None or at.node.item.tag != tag:
        raise NoItem(tag, ", ".join(value for _, value in key), where=at.node.tag)
    return at.item(Indexer(tuple((str(name), str(value)) for name, value in key)))


def _position(edit: Edit) -> Position:
    where = str(edit.get("where", "last"))
    return Position({"first": "start", "last": "end"}.get(where, where), str(edit.get("name", "")))


def _locations(root: etree._Element, path: str) -> list[etree._Element]:
    own, below = path.casefold(), path.casefold() + "/"
    paths = [(one, one.get("path", "").casefold()) for one in root.iterchildren("location")]
    return [one for one, text in paths if text == own or text.startswith(below)]
