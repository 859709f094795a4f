"""Configuration as the played appcmd changes it: paths found in a tree, values checked by its schema (arr.md 4.1)."""

from __future__ import annotations

from lxml import etree

from arr_bluegreen.simulator.appcmd_arguments import Indexer, Path
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, configuration_error, no_element, unknown_attribute
from arr_bluegreen.simulator.appcmd_schema import SECTIONS, Node


class Place:
    """An element that may not be there yet (it is made when something is written), and its schema."""

    def __init__(self, node: Node, element: etree._Element | None, parent: Place | None = None) -> None:
        self.node, self._element, self._parent = node, element, parent

    @property
    def element(self) -> etree._Element | None:
        """The element, None while there is none."""
        return self._element

    def made(self) -> etree._Element:
        """The element, made with all above it if need be."""
        if self._element is None:
            assert self._parent is not None, "a section is always there"
            self._element = insert(self._parent.made(), etree.Element(self.node.tag))
        return self._element

    def child(self, name: str) -> Place:
        """The child element of this name."""
        node = self.node.children.get(name)
        if node is None:
            raise unknown_attribute(name)
        there = None if self._element is None else self._element.find(name)
        return Place(node, there, self)

    def items(self) -> list[etree._Element]:
        """The items of the collection here."""
        if self.node.item is None or self._element is None:
            return []
        return list(self._element.iterchildren(self.node.item.tag))

    def item(self, indexer: Indexer) -> Place:
        """The one item the indexer means; keys are compared without case (arr.md 1.0)."""
        if self.node.item is None:
            raise no_element()
        items = self.items()
        if indexer.position and not indexer.pairs:
            at = {"start": 0, "end": len(items) - 1}.get(indexer.position)
            number = int(indexer.position) if at is None else at
            items = items[number : number + 1] if number >= 0 else []
        found = [one for one in items if _fits(one, indexer.pairs)]
        if not found:
            raise no_element()
        return Place(self.node.item, found[0], self)

    def walk(self, path: Path) -> Place:
        """The element at the end of a path."""
        at = self
        for step in path:
            at = at.item(step) if isinstance(step, Indexer) else at.child(step)
        return at

    # -- changes ----------------------------------------------------------------------------------------

    def set(self, name: str, value: str) -> None:
        """One attribute; unknown names and values IIS would refuse are errors."""
        attribute = self.node.attributes.get(name)
        if attribute is None:
            raise unknown_attribute(name)
        complaint = attribute.complaint(value)
        if complaint:
            raise configuration_error(f"The '{name}' attribute is invalid.  {complaint}\n", 13)
        self.made().set(name, attribute.written(value))

    def clear(self, name: str) -> None:
        """An attribute back to its default."""
        if name not in self.node.attributes:
            raise unknown_attribute(name)
        if self._element is not None and name in self._element.attrib:
            del self._element.attrib[name]

    def add(self, indexer: Indexer) -> Place:
        """A new item; one of the same key is an error with the misleading text of arr.md 4.4."""
        node = self.node.item
        if node is None:
            raise no_element()
        missing = [key for key in node.keys[:1] if key not in dict(indexer.pairs)]
        if missing:
            raise AppcmdError(f"New {node.tag} object missing required attributes. ", 87)
        self._refuse_twin(node, indexer)
        new = Place(node, etree.Element(node.tag))
        for name, value in indexer.pairs:
            new.set(name, value)
        new._element = insert(self.made(), new.made(), indexer.position)
        return new

    def remove(self) -> None:
        """The element goes."""
        if self._element is not None:
            _detach(self._element)
            self._element = None

    # -- private ----------------------------------------------------------------------------------------

    def _refuse_twin(self, node: Node, indexer: Indexer) -> None:
        given = dict(indexer.pairs)
        keys = [key for key in node.keys if key in given]
        if not keys or not any(_same_key(one, node, given) for one in self.items()):
            return
        if len(keys) == 1:
            which = f"unique key attribute '{keys[0]}' set to '{given[keys[0]]}'"
        else:
            names, values = ", ".join(keys), ", ".join(given[key] for key in keys)
            which = f"combined key attributes '{names}' respectively set to '{values}'"
        raise AppcmdError(
            f"New {node.tag} object missing required attributes. Cannot add duplicate collection entry of type"
            f" '{node.tag}' with {which}\n. ",
            183,
        )


def section_place(root: etree._Element, section: str, location: str = "") -> Place:
    """The section in the tree, made where it is missing."""
    at = _location(root, location) if location else root
    for tag in section.split("/"):
        found = at.find(tag)
        at = insert(at, etree.Element(tag)) if found is None else found
    return Place(SECTIONS[section], at)


def insert(parent: etree._Element, child: etree._Element, position: str = "") -> etree._Element:
    """Put a new child among its like, indented as IIS writes (arr.md 5.14); ``position`` is start, end or a number."""
    like = [at for at, one in enumerate(parent) if one.tag == child.tag]
    at = like[-1] + 1 if like else len(parent)
    if like and position == "start":
        at = like[0]
    elif like and position.isdigit():
        at = like[int(position)] if int(position) < len(like) else at
    depth = len(list(parent.iterancestors())) + 1
    inner, outer = "\n" + "    " * depth, "\n" + "    " * (depth - 1)
    child.tail = inner
    if len(parent) == 0:
        parent.text, child.tail = inner, outer
    elif at == len(parent):
        child.tail, parent[-1].tail = parent[-1].tail, inner
    parent.insert(at, child)
    return child


# -- private ------------------------------------------------------------------------------------------


def _fits(element: etree._Element, pairs: tuple[tuple[str, str], ...]) -> bool:
    return all(element.get(name, "").casefold() == value.casefold() for name, value in pairs)


_DEFAULTS = {"matchType": "Pattern", "ignoreCase": "true", "negate": "false"}


def _same_key(element: etree._Element, node: Node, given: dict[str, str]) -> bool:
    """Whether the item has the same key; an unwritten part of a combined key is its default (arr.md 2.1)."""

    def value(of: dict[str, str], key: str) -> str:
        return of.get(key, _DEFAULTS.get(key, "")).casefold()

    there = {str(name): str(text) for name, text in element.attrib.items()}
    return all(value(there, key) == value(given, key) for key in node.keys)


def _location(root: etree._Element, path: str) -> etree._Element:
    for one in root.iterchildren("location"):
        if one.get("path", "").casefold() == path.casefold():
            return one
    return insert(root, etree.Element("location", path=path))


def _detach(element: etree._Element) -> None:
    parent, before = element.getparent(), element.getprevious()
    assert parent is not None, "the root is never taken away"
    if element.getnext() is None:
        if before is None:
            parent.text = None
        else:
            before.tail = element.tail
    element.tail = None
    parent.remove(element)
