"""Spans of a text that are to become others, and the text with them made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arr_bluegreen.apphost.find import key_names
from arr_bluegreen.apphost.scan import StartTag
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import escape


@dataclass(frozen=True, slots=True)
class Splice:
    """``start`` to ``end`` of the text becomes ``new``; all of it within ``anchor``, an element that stays."""

    start: int
    end: int
    new: bytes
    anchor: Element


def spliced(body: bytes, splices: list[Splice], start: int, end: int) -> bytes:
    """``body[start:end]`` with the splices (ordered, within it, none overlapping) made."""
    parts, here = [], start
    for one in splices:
        parts += [body[here : one.start], one.new]
        here = one.end
    return b"".join([*parts, body[here:end]])


def outermost(splices: Iterable[Splice]) -> list[Splice]:
    """The splices in order, without those that lie inside another (of an element that goes as a whole)."""
    kept: list[Splice] = []
    for one in sorted(splices, key=lambda each: (each.start, each.start != each.end, -each.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def attribute_splices(body: bytes, tag: StartTag, element: Element, before: dict[str, str]) -> list[Splice]:
    """What makes a start tag, whose attributes read ``before``, read as the element's attributes do now.

    Values keep their quotes; new attributes follow the last one, on a line of their own where that one has its own.
    """
    found = []
    anchor = _anchor(element, before)
    for span in tag.attributes:
        now, old = element.get(span.name), before.get(span.name)
        if now is None and old is not None:
            found.append(Splice(span.before, span.end, b"", anchor))
        elif now is not None and now != old:
            quote = body[span.value_end : span.value_end + 1].decode()
            found.append(Splice(span.value_start, span.value_end, escape(now, quote).encode(), anchor))
    added = {str(key): str(value) for key, value in element.attrib.items() if key not in before}
    if added:
        at, text = _added(body, tag, added)
        found.append(Splice(at, at, text.encode(), anchor))
    return found


# -- private ---------------------------------------------------------------------------------------------


def _anchor(element: Element, before: dict[str, str]) -> Element:
    """The element, or its parent where attributes that name it change: a name must name it afterwards too."""
    parent = element.getparent()
    renamed = any(element.get(one) != before.get(one) for one in key_names(element))
    return parent if renamed and parent is not None else element


def _added(body: bytes, tag: StartTag, added: dict[str, str]) -> tuple[int, str]:
    last = tag.attributes[-1] if tag.attributes else None
    blanks = body[last.before : last.start].decode() if last else " "
    quote = body[last.end - 1 : last.end].decode() if last else '"'
    gap = blanks if "\n" in blanks or "\r" in blanks else " "
    text = "".join(f"{gap}{key}={quote}{escape(value, quote)}{quote}" for key, value in added.items())
    return last.end if last else tag.name_end, text
