"""The habits of the file around an edit: indent, line ends, quotes, ``/>`` or `` />``; and new elements written so."""

from __future__ import annotations

from dataclasses import dataclass

from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import escape


@dataclass(frozen=True, slots=True)
class Manner:
    """How markup is written at one place: line end, quote, and what closes an empty element."""

    eol: str = "\r\n"
    quote: str = '"'
    close: str = " />"


class Habit:
    """What one text does, asked place by place."""

    def __init__(self, reading: Reading) -> None:
        self._body = reading.source.body
        self._root = reading.root
        self._unit: str | None = None

    @property
    def unit(self) -> str:
        """One step of indent: that of the first indented element; four spaces when none is (IIS's own, arr.md 5.14)."""
        if self._unit is None:
            self._unit = next((one for one in map(_indent, self._sample()) if one), "    ")
        return self._unit

    def gap(self, parent: Element, previous: Element | None) -> tuple[str, str]:
        """The blanks before a new child (after ``previous``), and before the end tag of a parent that was empty."""
        sibling = previous if previous is not None else next(parent.iterchildren("*"), None)
        if sibling is not None:
            lead = _lead(sibling)
            return ("\n" + _indent(sibling)) if "\n" in lead else (lead if not lead.strip() else ""), ""
        if parent is not self._root and "\n" not in _lead(parent):
            return "", ""
        if parent is self._root and b"\n" not in self._body and b"\r" not in self._body:
            return "", ""
        outer = "" if parent is self._root else _indent(parent)
        return f"\n{outer}{self.unit}", f"\n{outer}"

    def manner(self, at: int) -> Manner:
        """How markup is written just before (or, at the start of the file, after) an offset."""
        before, after = self._body[max(0, at - _NEAR) : at], self._body[at : at + _NEAR]
        return Manner(
            _eol(self._body, at), _quote(before) or _quote(after) or '"', _close(before) or _close(after) or " />"
        )

    # -- private -----------------------------------------------------------------------------------------

    def _sample(self) -> list[Element]:
        children = list(self._root.iterchildren("*"))[:20]
        return [*children, *(below for one in children for below in list(one.iterchildren("*"))[:5])]


def dress(node: Element, gap: str, unit: str) -> None:
    """Blanks inside a new element, so that its children stand one step in from it (or all on its line)."""
    children = list(node)
    if not children or "\n" not in gap:
        return
    node.text = gap + unit
    for child in children:
        child.tail = gap if child is children[-1] else gap + unit
        dress(child, gap + unit, unit)


def render(node: Element, manner: Manner) -> str:
    """A new element's text, without its tail."""
    quote = manner.quote
    values = ((str(key), str(value)) for key, value in node.attrib.items())
    attributes = "".join(f" {key}={quote}{escape(value, quote)}{quote}" for key, value in values)
    tag = str(node.tag)
    head = f"<{tag}{attributes}"
    if not len(node):
        return head + manner.close
    inner = (node.text or "").replace("\n", manner.eol)
    for child in node:
        inner += render(child, manner) + (child.tail or "").replace("\n", manner.eol)
    return f"{head}>{inner}</{tag}>"


# -- private ---------------------------------------------------------------------------------------------

_NEAR = 4096


def _lead(element: Element) -> str:
    previous, parent = element.getprevious(), element.getparent()
    if previous is not None:
        return previous.tail or ""
    return (parent.text or "") if parent is not None else ""


def _indent(element: Element) -> str:
    lead = _lead(element)
    last = lead.rpartition("\n")[2] if "\n" in lead else ""
    return last if not last.strip() else ""


def _eol(body: bytes, at: int) -> str:
    found = body.rfind(b"\n", 0, at)
    found = body.find(b"\n", at) if found < 0 else found
    if found < 0:
        return "\r" if b"\r" in body else "\r\n"
    return "\r\n" if body[found - 1 : found] == b"\r" else "\n"


def _quote(text: bytes) -> str:
    double, single = text.rfind(b'="'), text.rfind(b"='")
    if double == single:
        return ""
    return '"' if double > single else "'"


def _close(text: bytes) -> str:
    found = text.rfind(b"/>")
    if found < 0:
        return ""
    return " />" if text[found - 1 : found] in (b" ", b"\n", b"\t") else "/>"
