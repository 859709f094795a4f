"""applicationHost.config as IIS's configuration system lets it be changed: places found in a tree, every change
checked by the schema. Both appcmd and our commit script change it through here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lxml import etree

from arr_bluegreen.simulator.config_errors import (
    BadValue,
    Duplicate,
    Incomplete,
    NoItem,
    NotDeclared,
    NotHere,
    UnknownName,
)
from arr_bluegreen.simulator.schema import Attribute, Node
from arr_bluegreen.simulator.schema_sections import SECTIONS

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Position:
    """Where among its like an item goes: "start", "end", a number, or "before" or "after" the item of this name."""

    where: str = "end"
    name: str = ""


END = Position()


@dataclass(frozen=True, slots=True)
class Indexer:
    """Which item: all these attributes, or the one at a position ("start", "end", a number) when there are none."""

    pairs: tuple[tuple[str, str], ...]
    position: str = ""


class Place:
    """An element that may not be there yet (``make`` is called when something is written), and its schema."""

    def __init__(self, node: Node, element: etree._Element | None, make: Callable[[], etree._Element]) -> None:
        self.node, self._element, self._make = node, element, make

    @property
    def element(self) -> etree._Element | None:
        """The element, None while there is none."""
        return self._element

    def made(self) -> etree._Element:
        """The element, made with all above it if need be."""
        if self._element is None:
            self._element = self._make()
        return self._element

    def get(self, name: str) -> str:
        """What is written for an attribute, "" when nothing is."""
        return "" if self._element is None else self._element.get(name, "")

    def child(self, name: str) -> Place:
        """The child element of this name; raises ``UnknownName``."""
        node = self.node.children.get(name)
        if node is None:
            raise UnknownName("element", name, tuple(self.node.children), where=self.node.tag)
        there = None if self._element is None else self._element.find(name)
        return Place(node, there, lambda: insert(self.made(), etree.Element(name)))

    def items(self) -> list[Place]:
        """The items of the collection here, in order."""
        node = self.node.item
        if node is None or self._element is None:
            return []
        return [Place(node, one, self.made) for one in self._element.iterchildren(node.tag)]

    def item(self, which: Indexer) -> Place:
        """The one item that is meant; raises ``NoItem``."""
        items = self.items()
        if which.position and not which.pairs:
            number = {"start": 0, "end": len(items) - 1}.get(which.position)
            number = int(which.position) if number is None else number
            items = items[number : number + 1] if number >= 0 else []
        for one in items:
            if all(one._has(name, value) for name, value in which.pairs):
                return one
        tag = self.node.item.tag if self.node.item else self.node.tag
        key = self.node.item.keys[:1] if self.node.item else ()
        there = tuple(one.get(name) for one in items for name in key)
        raise NoItem(tag, ", ".join(value for _, value in which.pairs), there, where=self.node.tag)

    def walk(self, path: Sequence[str | Indexer]) -> Place:
        """The element at the end of a path of names and indexers."""
        at = self
        for step in path:
            at = at.item(step) if isinstance(step, Indexer) else at.child(step)
        return at

    # -- changes ----------------------------------------------------------------------------------------

    def set(self, name: str, value: str) -> None:
        """One attribute; raises ``UnknownName``, ``BadValue``, and ``Duplicate`` when a key becomes another's."""
        attribute = self._attribute(name)
        complaint = attribute.complaint(value)
        if complaint:
            raise BadValue(name, complaint)
        if attribute.key and self._element is not None and self._element.getparent() is not None:
            collection = self._make()
            others = [one for one in collection.iterchildren(self.node.tag) if one is not self._element]
            _refuse_twin(self.node, others, {**_given(self._element), name: value})
        self.made().set(name, attribute.written(value))

    def clear(self, name: str) -> None:
        """An attribute back to its default; raises ``UnknownName``, and ``Incomplete`` for one that is required."""
        if self._attribute(name).required:
            raise Incomplete(self.node.tag, name)
        if self._element is not None and name in self._element.attrib:
            del self._element.attrib[name]

    def add(self, values: Pairs, at: Position = END, tag: str = "") -> Place:
        """A new item; raises what ``set`` does, and ``Incomplete``."""
        node = self.node.item
        if node is None or tag not in ("", node.tag):
            raise UnknownName("element", tag or self.node.tag, tuple(self.node.children), where=self.node.tag)
        new = Place(node, etree.Element(node.tag), self.made)
        for name, value in values:
            new.set(name, value)
        given = dict(values)
        _refuse_twin(node, [one.made() for one in self.items()], given)
        missing = next((name for name, one in node.attributes.items() if one.required and name not in given), None)
        if missing is not None:
            raise Incomplete(node.tag, missing)
        insert(self.made(), new.made(), at)
        return new

    def remove(self) -> None:
        """The element goes, if it is there."""
        if self._element is not None:
            detach(self._element)
            self._element = None

    # -- private ----------------------------------------------------------------------------------------

    def _attribute(self, name: str) -> Attribute:
        found = self.node.attributes.get(name)
        if found is None:
            raise UnknownName("attribute", name, tuple(self.node.attributes), where=self.node.tag)
        return found

    def _has(self, name: str, value: str) -> bool:
        attribute = self.node.attributes.get(name)
        return attribute is not None and attribute.same(self.node.effective(name, _given(self.made())), value)


# -- sections -------------------------------------------------------------------------------------------------


def section_place(root: etree._Element, section: str, location: str = "") -> Place:
    """The section at the top, or for a location; raises ``NotDeclared`` and ``NotHere``, ``UnknownName`` for one whose
    schema this host does not know."""
    declaration = declarations(root).get(section)
    if declaration is None:
        raise NotDeclared(section)
    if location and only_at_the_top(declaration):
        raise NotHere(section, location)
    node = SECTIONS.get(section)
    if node is None:
        raise UnknownName("section", section, tuple(SECTIONS), where="this simulated host")

    def make() -> etree._Element:
        at = root if not location else _location(root, location, make=True)
        assert at is not None, "it was made"
        for tag in section.split("/"):
            found = at.find(tag)
            at = insert(at, etree.Element(tag)) if found is None else found
        return at

    above = _location(root, location, make=False) if location else root
    return Place(node, None if above is None else above.find(section), make)


def declarations(root: etree._Element) -> dict[str, etree._Element]:
    """The sections that ``configSections`` declares, by path, with their ``section`` element."""
    found: dict[str, etree._Element] = {}

    def look(group: etree._Element, above: str) -> None:
        for one in group.iterchildren("section", "sectionGroup"):
            path = above + one.get("name", "")
            if one.tag == "section":
                found[path] = one
            else:
                look(one, f"{path}/")

    for declared in root.iterchildren("configSections"):
        look(declared, "")
    return found


def only_at_the_top(declaration: etree._Element) -> bool:
    """Whether the section may not stand in a ``<location>`` with a path (arr.md 1.0)."""
    return declaration.get("allowDefinition", "") in ("AppHostOnly", "MachineOnly")


# -- elements, and the white space between them -----------------------------------------------------------------


def insert(parent: etree._Element, child: etree._Element, at: Position = END) -> etree._Element:
    """Put a child among its like, indented by four as IIS writes (arr.md 5.14); raises ``NoItem``."""
    index = _index(parent, str(child.tag), at)
    depth = len(list(parent.iterancestors())) + 1
    inner, outer = "\n" + "    " * depth, "\n" + "    " * (depth - 1)
    child.tail = inner
    if len(parent) == 0:
        parent.text, child.tail = inner, outer
    elif index >= len(parent):
        child.tail, parent[-1].tail = parent[-1].tail, inner
    parent.insert(index, child)
    return child


def detach(element: etree._Element) -> None:
    """Take an element out; the white space around it closes up."""
    parent, before = element.getparent(), element.getprevious()
    assert parent is not None, "the root is never taken away"
    if element.getnext() is None and before is not None:
        before.tail = element.tail
    elif element.getnext() is None:
        parent.text = None
    element.tail = None
    parent.remove(element)


# -- private ------------------------------------------------------------------------------------------


def _index(parent: etree._Element, tag: str, at: Position) -> int:
    like = [index for index, one in enumerate(parent) if one.tag == tag]
    after_the_last = like[-1] + 1 if like else len(parent)
    match at.where:
        case "start":
            return like[0] if like else len(parent)
        case "before" | "after":
            for index in like:
                if parent[index].get("name", "").casefold() == at.name.casefold():
                    return index + (at.where == "after")
            raise NoItem(tag, at.name, tuple(parent[one].get("name", "") for one in like), where=str(parent.tag))
        case number if number.isdigit() and int(number) < len(like):
            return like[int(number)]
        case _:
            return after_the_last


def _given(element: etree._Element) -> dict[str, str]:
    return {str(name): str(text) for name, text in element.attrib.items()}


def _refuse_twin(node: Node, others: Sequence[etree._Element], given: dict[str, str]) -> None:
    keys = [name for name in node.keys if name in given or node.combined]
    for other in others:
        if _twins(node, given, _given(other)):
            raise Duplicate(node.tag, [(name, node.effective(name, given)) for name in keys], combined=node.combined)


def _twins(node: Node, one: dict[str, str], other: dict[str, str]) -> bool:
    """Whether two items have the same key; an unwritten part of a combined key is its default (arr.md 2.1)."""
    same = [
        node.attributes[name].same(node.effective(name, one), node.effective(name, other))
        for name in node.keys
        if node.combined or (name in one and name in other)
    ]
    return bool(same) and (all(same) if node.combined else any(same))


def _location(root: etree._Element, path: str, *, make: bool) -> etree._Element | None:
    for one in root.iterchildren("location"):
        if one.get("path", "").casefold() == path.casefold():
            return one
    return insert(root, etree.Element("location", path=path)) if make else None
