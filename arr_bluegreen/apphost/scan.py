"""Where elements and attributes lie in the text: byte spans, found lexically and never by lxml's ``sourceline``.

The n-th start tag of a name in the text is lxml's n-th element of that name, once comments, CDATA and instructions
are stepped over; so no tree walk is needed, and no other element's text is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from arr_bluegreen.apphost.tree import Element


@dataclass(frozen=True, slots=True)
class AttributeSpan:
    """One attribute in the text: from its name to its closing quote, and its value between the quotes."""

    name: str
    start: int
    end: int
    value_start: int
    value_end: int
    before: int
    """Where the blanks before the attribute begin."""


@dataclass(frozen=True, slots=True)
class StartTag:
    """One start tag: ``start`` at ``<``, ``end`` after ``>``; ``close`` where ``>`` or ``/>`` begins."""

    start: int
    end: int
    close: int
    name_end: int
    empty: bool
    attributes: tuple[AttributeSpan, ...]

    def attribute(self, name: str) -> AttributeSpan | None:
        """The attribute of this name, None when the tag has none."""
        return next((one for one in self.attributes if one.name == name), None)


class Spans:
    """Where the elements of a parsed tree lie in its text. To be asked (or told by ``pin``) before the tree changes."""

    def __init__(self, body: bytes, root: Element) -> None:
        self.body = body
        self._root = root
        self._offsets: dict[str, dict[Element, int]] = {}

    def pin(self, element: Element) -> None:
        """Learn the places of every tag in this subtree, before elements of these names come or go."""
        for one in element.iter("*"):
            self._of(_written_name(one))

    def start(self, element: Element) -> int | None:
        """The offset of the element's ``<``; None for an element that is not in this text."""
        return self._of(_written_name(element)).get(element)

    def start_tag(self, element: Element) -> StartTag:
        """The element's start tag, taken apart."""
        at = self.start(element)
        assert at is not None
        return read_start_tag(self.body, at)

    def end(self, element: Element) -> int:
        """The offset after the element's end (its ``/>`` or its end tag)."""
        at = self.start(element)
        assert at is not None
        return element_end(self.body, at)

    # -- private -----------------------------------------------------------------------------------------

    def _of(self, tag: str) -> dict[Element, int]:
        known = self._offsets.get(tag)
        if known is None:
            offsets = start_tags(self.body, tag)
            known = self._offsets[tag] = dict(zip(self._written_so(tag), offsets, strict=True))
        return known

    def _written_so(self, tag: str) -> Iterator[Element]:
        """The elements whose start tags read ``<tag`` in the text: with a default namespace or without, alike."""
        if b"xmlns" not in self.body:
            return self._root.iter(tag)
        prefix, _, local = tag.rpartition(":")
        return (one for one in self._root.iter(f"{{*}}{local}") if (one.prefix or "") == prefix)


def start_tags(body: bytes, tag: str) -> list[int]:
    """The offset of every start tag of this name, in order."""
    name = tag.encode()
    pattern = re.compile(rb"<(?:%s(?=[\s/>])|!--.*?-->|!\[CDATA\[.*?\]\]>|\?.*?\?>)" % re.escape(name), re.S)
    return [one.start() for one in pattern.finditer(body) if body[one.start() + 1] not in b"!?"]


def read_start_tag(body: bytes, at: int) -> StartTag:
    """The start tag at an offset, taken apart."""
    name = _NAME.match(body, at + 1)
    assert name
    attributes: list[AttributeSpan] = []
    here = name.end()
    while found := _ATTRIBUTE.match(body, here):
        value = found.span(3) if found[3] is not None else found.span(4)
        attributes.append(
            AttributeSpan(found[2].decode(), found.start(2), found.end(), value[0], value[1], found.start(1))
        )
        here = found.end()
    close = _BLANKS.match(body, here).end()  # type: ignore[union-attr]  # matches the empty text too
    empty = body[close : close + 1] == b"/"
    return StartTag(at, close + (2 if empty else 1), close, name.end(), empty, tuple(attributes))


def element_end(body: bytes, at: int) -> int:
    """The offset after the end of the element whose start tag is at ``at``."""
    depth = 0
    for found in _MARKUP.finditer(body, at):
        match found.lastgroup:
            case "open":
                depth += 1
            case "end":
                depth -= 1
            case _:
                pass
        if found.lastgroup in ("end", "empty") and depth == 0:
            return found.end()
    raise AssertionError("the text was parsed: every element ends")


# -- private ---------------------------------------------------------------------------------------------


def _written_name(element: Element) -> str:
    """The name as the text has it: with its prefix, and not with its namespace as lxml says it."""
    tag = str(element.tag)
    if not tag.startswith("{"):
        return tag
    local = tag.rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


_BLANKS = re.compile(rb"\s*")
_NAME = re.compile(rb"[^\s/>]+")
_ATTRIBUTE = re.compile(rb"""(\s+)([^\s=/>]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_MARKUP = re.compile(
    rb"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|(?P<end></[^>]*>)"""
    rb"""|(?P<empty><[^\s/>!?]+(?:"[^"]*"|'[^']*'|[^"'>])*?/>)|(?P<open><[^\s/>!?]+(?:"[^"]*"|'[^']*'|[^"'>])*>)""",
    re.S,
)
