"""Whether IIS could load an applicationHost.config: sections declared and in their place, names and values as the
schema has them, no key twice (arr.md 1.0, 3.3, 4.4; IIS validates when it parses, S-IIS)."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from arr_bluegreen.errors import ArrBlueGreenError
from arr_bluegreen.simulator.config_errors import BadValue, Duplicate, Incomplete, NotDeclared, NotHere, UnknownName
from arr_bluegreen.simulator.config_tree import declarations, only_at_the_top
from arr_bluegreen.simulator.schema import Node
from arr_bluegreen.simulator.schema_sections import SECTIONS


def problem(root: etree._Element) -> ArrBlueGreenError | None:
    """The first thing IIS would refuse in this tree, None when it would load it; then booleans and enumerations are in
    the schema's own case, however the file writes them."""
    declared = declarations(root)
    try:
        for location, section, element in _sections(root, declared):
            declaration = declared.get(section)
            if declaration is None:
                raise NotDeclared(section)
            if location and only_at_the_top(declaration):
                raise NotHere(section, location)
            node = SECTIONS.get(section)
            if node is not None:
                _check(node, element)
    except ArrBlueGreenError as error:
        return error
    return None


# -- private ------------------------------------------------------------------------------------------

_BUILT_IN = ("configSections", "configProtectedData")
"""Known to the configuration system itself."""
_OF_THE_SYSTEM = frozenset(
    {"lockAttributes", "lockAllAttributesExcept", "lockElements", "lockAllElementsExcept", "lockItem", "configSource"}
)
"""Attributes that any element of a section may have."""


def _sections(root: etree._Element, declared: dict[str, etree._Element]) -> Iterator[tuple[str, str, etree._Element]]:
    """Every section in the file: its location ("" at the top), its path, and itself."""
    groups = {path[:at] for path in declared for at, sign in enumerate(path) if sign == "/"}

    def below(parent: etree._Element, above: str) -> Iterator[tuple[str, etree._Element]]:
        for one in parent.iterchildren(etree.Element):
            path = f"{above}{one.tag}"
            if path in groups and path not in declared:
                yield from below(one, f"{path}/")
            elif path not in _BUILT_IN and path != "location":
                yield path, one

    for path, element in below(root, ""):
        yield "", path, element
    for location in root.iterchildren("location"):
        where = location.get("path", "")
        for path, element in below(location, ""):
            yield "" if where == "." else where, path, element


def _check(node: Node, element: etree._Element) -> None:
    for key, text in list(element.attrib.items()):
        name = str(key)
        attribute = node.attributes.get(name)
        if attribute is not None:
            complaint = attribute.complaint(str(text))
            if complaint:
                raise BadValue(name, complaint)
            if attribute.kind in ("bool", "enum"):
                element.set(name, attribute.written(str(text)))
        elif not (node.open or name in _OF_THE_SYSTEM):
            raise UnknownName("attribute", name, tuple(node.attributes), where=node.tag)
    for name, attribute in node.attributes.items():
        if attribute.required and name not in element.attrib:
            raise Incomplete(node.tag, name)
    _check_children(node, element)


def _check_children(node: Node, element: etree._Element) -> None:
    seen: set[tuple[str, ...]] = set()
    for one in element.iterchildren(etree.Element):
        tag = str(one.tag)
        if node.item is not None and tag == node.item.tag:
            _check(node.item, one)
            _refuse_second(node.item, one, seen)
        elif tag in node.children:
            _check(node.children[tag], one)
        elif node.clears and tag in ("clear", "remove"):
            seen.clear()  # what follows may well repeat what was before
        elif not node.open:
            raise UnknownName("element", tag, tuple(node.children), where=node.tag)


def _refuse_second(node: Node, element: etree._Element, seen: set[tuple[str, ...]]) -> None:
    """No key twice; ``seen`` holds the keys so far, so that ten thousand sites take no minutes."""
    given = {str(name): str(text) for name, text in element.attrib.items()}
    values = {
        name: value if node.attributes[name].kind == "exact" else value.casefold()
        for name in node.keys
        if (value := node.effective(name, given))
    }
    keys = [tuple(values.get(name, "") for name in node.keys)] if node.combined else list(values.items())
    for key in keys:
        if key in seen:
            shown = [(name, node.effective(name, given)) for name in node.keys]
            raise Duplicate(node.tag, shown, combined=node.combined)
        seen.add(key)
