"""The primitive edits (as JSON) done on the tree, as Microsoft.Web.Administration would do them: the simulator's own
hands.

Keys are compared without case (arr.md 1.0); a second item of the same key, and an item that is not there, are errors.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from arr_bluegreen.errors import NoSuchObject, RemoteError

Edit = Mapping[str, Any]


def edited(data: bytes, edits: Sequence[Edit]) -> bytes:
    """The bytes after all edits. Raises ``NoSuchObject`` for a missing item, ``RemoteError`` (0x800700B7) for a second
    one.

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
    element = _walk(root, edit, make=True)
    for name, text in edit["values"]:
        if text is None:
            _clear(element, name)
        else:
            element.set(name, text)


def _clear(element: etree._Element, name: str) -> None:
    if name in element.attrib:
        del element.attrib[name]


def _add(root: etree._Element, edit: Edit) -> None:
    collection = _walk(root, edit, make=True)
    element = _built(edit["element"])
    twin = next((one for one in collection if _same_key(one, element)), None)
    if twin is not None:
        raise RemoteError(
            f"Cannot add duplicate collection entry of type '{element.tag}' with unique key {_key_text(element)}",
            code=0x800700B7,
        )
    _put(collection, element, str(edit.get("where", "last")), str(edit.get("name", "")))


def _remove(root: etree._Element, edit: Edit) -> None:
    _detach(_walk(root, edit, make=False))


def _move(root: etree._Element, edit: Edit) -> None:
    element = _walk(root, edit, make=False)
    collection = element.getparent()
    assert collection is not None, "an item always lies in a collection"
    _detach(element)
    _put(collection, element, str(edit.get("where", "last")), str(edit.get("name", "")))


def _copy_attributes(root: etree._Element, edit: Edit) -> None:
    # In a copy: an element that is not written has the defaults of its schema, and reading it does not write it.
    source = _walk(copy.deepcopy(root), edit["source"], make=True)
    target = _walk(root, edit, make=True)
    for name in edit["names"]:
        text = source.get(name)
        if text is None:
            _clear(target, name)
        else:
            target.set(name, text)


def _copy_location(root: etree._Element, edit: Edit) -> None:
    source, target = str(edit["source"]), str(edit["target"])
    for block in _locations(root, source):
        twin = copy.deepcopy(block)
        twin.set("path", target + block.get("path", "")[len(source) :])
        _put(root, twin, "last", "")


def _remove_location(root: etree._Element, edit: Edit) -> None:
    for block in _locations(root, str(edit["path"])):
        _detach(block)


_DO = {
    "set": _set,
    "add": _add,
    "remove": _remove,
    "move": _move,
    "copy_attributes": _copy_attributes,
    "copy_location": _copy_location,
    "remove_location": _remove_location,
}


# -- private: places ----------------------------------------------------------------------------------------

_KEYS = {
    "server": ("address",),
    "application": ("path",),
    "virtualDirectory": ("path",),
    "binding": ("protocol", "bindingInformation"),
}


def _walk(root: etree._Element, place: Edit, *, make: bool) -> etree._Element:
    at = _location(root, str(place.get("location") or ""), make=make)
    for tag in str(place["section"]).split("/"):
        at = _step(at, tag, [], make=True)
    for step in place.get("steps", ()):
        at = _step(at, str(step["tag"]), list(step.get("key") or ()), make=make)
    return at


def _step(parent: etree._Element, tag: str, key: Sequence[Sequence[str]], *, make: bool) -> etree._Element:
    for child in parent.iterchildren(tag):
        if all(child.get(name, "").casefold() == value.casefold() for name, value in key):
            return child
    if make and not key:
        child = etree.Element(tag)
        _put(parent, child, "last", "")
        return child
    there = tuple(one.get(name, "") for one in parent.iterchildren(tag) for name, _ in list(key)[:1])
    raise NoSuchObject(tag, ", ".join(value for _, value in key), there, where=str(parent.tag))


def _location(root: etree._Element, path: str, *, make: bool) -> etree._Element:
    if not path:
        return root
    for block in root.iterchildren("location"):
        if block.get("path", "").casefold() == path.casefold():
            return block
    if not make:
        raise NoSuchObject("location", path, tuple(one.get("path", "") for one in root.iterchildren("location")))
    block = etree.Element("location", path=path)
    _put(root, block, "last", "")
    return block


def _locations(root: etree._Element, path: str) -> list[etree._Element]:
    own, below = path.casefold(), path.casefold() + "/"
    paths = [(one, one.get("path", "").casefold()) for one in root.iterchildren("location")]
    return [one for one, text in paths if text == own or text.startswith(below)]


def _same_key(one: etree._Element, other: etree._Element) -> bool:
    if one.tag != other.tag:
        return False
    if one.tag == "set" or (one.tag == "add" and "input" in other.attrib):
        return False
    keys = _KEYS.get(str(one.tag), ("name",) if "name" in other.attrib else ("key",))
    values = [(one.get(name, ""), other.get(name, "")) for name in keys]
    return any(theirs for _, theirs in values) and all(a.casefold() == b.casefold() for a, b in values)


def _key_text(element: etree._Element) -> str:
    keys = _KEYS.get(str(element.tag), ("name", "key"))
    return ", ".join(f"'{name}' set to '{element.get(name)}'" for name in keys if element.get(name) is not None)


def _built(element: Mapping[str, Any]) -> etree._Element:
    made = etree.Element(str(element["tag"]))
    for name, value in element.get("attributes", ()):
        made.set(name, value)
    for child in element.get("children", ()):
        made.append(_built(child))
    return made


# -- private: text between elements -------------------------------------------------------------------------


def _put(parent: etree._Element, child: etree._Element, where: str, name: str) -> None:
    """Insert with indentation: the depth of the parent decides."""
    depth = len(list(parent.iterancestors())) + 1
    _indent(child, depth)
    at = _index(parent, child, where, name)
    if len(parent) == 0:
        parent.text = "\n" + "    " * depth
        child.tail = "\n" + "    " * (depth - 1)
    elif at >= len(parent):
        last = parent[-1]
        child.tail, last.tail = last.tail, "\n" + "    " * depth
    else:
        child.tail = "\n" + "    " * depth
    parent.insert(at, child)


def _index(parent: etree._Element, child: etree._Element, where: str, name: str) -> int:
    like = [at for at, one in enumerate(parent) if one.tag == child.tag]
    if where == "first":
        return like[0] if like else len(parent)
    if where == "last":
        return like[-1] + 1 if like else len(parent)
    for at in like:
        if parent[at].get("name", "").casefold() == name.casefold():
            return at if where == "before" else at + 1
    raise NoSuchObject(str(child.tag), name, tuple(parent[at].get("name", "") for at in like), where=str(parent.tag))


def _indent(element: etree._Element, depth: int) -> None:
    if len(element) == 0:
        return
    if element.text is None or not element.text.strip():
        element.text = "\n" + "    " * (depth + 1)
    for child in element:
        _indent(child, depth + 1)
        child.tail = "\n" + "    " * (depth + 1)
    element[-1].tail = "\n" + "    " * depth


def _detach(element: etree._Element) -> None:
    parent, before = element.getparent(), element.getprevious()
    assert parent is not None, "the root is never taken away"
    if element.getnext() is None and before is not None:
        before.tail = element.tail
    elif element.getnext() is None:
        parent.text = None
    element.tail = None
    parent.remove(element)
