"""Edits gathered against one text: the tree is changed at once, the text by splices at the end.

Every operation changes lxml's tree and notes what it means for the text; ``splices`` gives the spans to replace. The
tree so changed is what the new text must parse to, and ``editor`` compares the two. What cannot be noted beside what is
pending already raises ``Settle``: the text is then made and parsed first, and the operation tried again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lxml import etree

from arr_bluegreen.apphost.edit import NewElement
from arr_bluegreen.apphost.habit import Habit, dress, render
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.splice import Splice, attribute_splices, outermost, spliced
from arr_bluegreen.apphost.tree import Element


class Settle(Exception):
    """What is pending must become text first."""


class Ledger:
    """The pending changes of one reading. Elements are given and returned as they are in the changed tree."""

    def __init__(self, reading: Reading) -> None:
        self.must_settle = False
        self.touched = False
        self._find, self._spans, self._body = reading.find, reading.spans, reading.source.body
        self._habit = Habit(reading)
        self._attributes: dict[Element, dict[str, str]] = {}
        self._cuts: list[Splice] = []
        self._runs: dict[int, _Run] = {}
        self._homes: dict[Element, _Run] = {}

    def set_attribute(self, element: Element, name: str, text: str | None) -> None:
        """Set (or, with None, take away) one attribute."""
        if element.get(name) == text:
            return
        self.touched = True
        if element not in self._attributes and self._spans.start(element) is not None:
            self._attributes[element] = {str(key): str(value) for key, value in element.attrib.items()}
        if text is None:
            del element.attrib[name]
        elif name in element.attrib or name not in self._attributes.get(element, {}):
            element.set(name, text)
        else:
            self._set_back(element, name, text)

    def insert(self, parent: Element, previous: Element | None, new: NewElement) -> Element:
        """A new element after ``previous`` (None: as the first child)."""
        slot = self._slot(parent, previous)
        node = _built(parent, new)
        dress(node, slot.gap, self._habit.unit)
        self._fill(slot, node, b"")
        return node

    def insert_text(self, parent: Element, previous: Element, node: Element, text: bytes) -> None:
        """A finished element with its text as it stands; nothing in it can be edited before the text is settled."""
        self._fill(self._slot(parent, previous), node, text)
        self.must_settle = True

    def remove(self, element: Element) -> None:
        """The element goes, with the blanks before it."""
        self._detach(element)

    def move(self, element: Element, previous: Element | None) -> None:
        """The element goes behind ``previous`` (None: to the front) in the same parent."""
        parent = element.getparent()
        assert parent is not None
        slot = self._slot(parent, previous)
        self._detach(element)
        self._fill(slot, element, b"")

    def splices(self) -> list[Splice]:
        """What is to be replaced, in order, none overlapping another."""
        return outermost(self._all(self._runs.values()))

    # -- private: where things go ------------------------------------------------------------------------

    def _slot(self, parent: Element, previous: Element | None) -> _Slot:
        gap, closing = self._habit.gap(parent, previous)
        after = _with_comments(parent, previous)
        if after is not None and after in self._homes:
            run = self._homes[after]
            return _Slot(parent, after, run, [one.node for one in run.items].index(after) + 1, gap, closing)
        if self._spans.start(parent) is None:
            return _Slot(parent, after, None, 0, gap, closing)
        run = self._run_inside(parent, closing) if after is None else self._run_at(self._end_of(after), parent)
        return _Slot(parent, after, run, 0, gap, closing)

    def _run_at(self, at: int, parent: Element) -> _Run:
        return self._runs.setdefault(at, _Run(at, at, parent))

    def _run_inside(self, parent: Element, closing: str) -> _Run:
        tag = self._spans.start_tag(parent)
        if tag.empty:
            at = tag.attributes[-1].end if tag.attributes else tag.name_end
            return self._runs.setdefault(at, _Run(at, tag.end, parent, closing=closing))
        if self._body.startswith(b"</", tag.end):
            return self._runs.setdefault(tag.end, _Run(tag.end, tag.end, parent, closing=closing))
        return self._run_at(tag.end, parent)

    def _end_of(self, node: Element) -> int:
        if node in self._homes:
            raise Settle
        if not isinstance(node, etree._Comment):
            return self._spans.end(node)
        previous, parent = node.getprevious(), node.getparent()
        assert parent is not None
        base = self._end_of(previous) if previous is not None else self._spans.start_tag(parent).end
        found = _COMMENT.match(self._body, base)
        if not found:
            raise Settle
        return found.end()

    def _fill(self, slot: _Slot, node: Element, text: bytes) -> None:
        self.touched = True
        self._spans.pin(node)
        parent, after = slot.parent, slot.after
        if after is None:
            rest = parent.text or ("" if len(parent) else slot.closing)
            parent.insert(0, node)
            parent.text, node.tail = slot.gap or None, rest or None
        else:
            rest = after.tail or ""
            parent.insert(parent.index(after) + 1, node)
            after.tail, node.tail = slot.gap or None, rest or None
        if slot.run is not None:
            slot.run.items.insert(slot.index, _Item(slot.gap, node, text))
            self._homes[node] = slot.run
        self._find.came(node)

    # -- private: what goes ------------------------------------------------------------------------------

    def _detach(self, element: Element) -> None:
        parent, previous = element.getparent(), element.getprevious()
        assert parent is not None
        lead, tail = _lead(element), element.tail or ""
        run = self._homes.get(element)
        if run is not None:
            item = next(one for one in run.items if one.node is element)
            lead = lead[: len(lead) - len(item.gap)]
        elif self._spans.start(parent) is not None:
            lead, tail = self._cut(element, lead, tail)
        else:
            lead = lead.rstrip(_BLANK)
            tail = tail if len(parent) > 1 else ""  # a new parent that is empty again is written as one that is
        self._find.goes(element)
        self.touched = True
        parent.remove(element)
        rest = lead + tail
        if run is not None:
            run.items = [one for one in run.items if one.node is not element]
            del self._homes[element]
            rest = "" if run.closing is not None and not run.items else rest
        if previous is not None:
            previous.tail = rest or None
        else:
            parent.text = rest or None

    def _cut(self, element: Element, lead: str, tail: str) -> tuple[str, str]:
        """Note the cut; answers what is left of the text before and after the element."""
        self._spans.pin(element)
        parent, start = element.getparent(), self._spans.start(element)
        assert parent is not None
        if start is None:
            raise Settle
        end = self._spans.end(element)
        blanks = lead[len(lead.rstrip(_BLANK)) :]
        window = self._body[max(0, start - _FAR) : start]
        before = start - len(window) + len(window.rstrip(_BLANKS))
        if "\n" in blanks and _shares_line(element) and self._body.startswith(tail.encode(), end):
            self._cuts.append(Splice(start, end + len(tail.encode()), b"", parent))
            self.must_settle = True
            return lead, ""
        if _plain(self._body[before:start]) == blanks:
            self._cuts.append(Splice(before, end, b"", parent))
            return lead[: len(lead) - len(blanks)], tail
        if self.touched:
            raise Settle
        self._cuts.append(Splice(start, end, b"", parent))
        self.must_settle = True
        return lead, tail

    # -- private: the text -------------------------------------------------------------------------------

    def _all(self, runs: Iterable[_Run]) -> list[Splice]:
        attributes = [
            one
            for element, before in self._attributes.items()
            for one in attribute_splices(self._body, self._spans.start_tag(element), element, before)
        ]
        filled = [Splice(one.start, one.end, self._run_text(one), one.parent) for one in runs if one.items]
        return [*attributes, *self._cuts, *filled]

    def _run_text(self, run: _Run) -> bytes:
        manner = self._habit.manner(run.start)
        parts = [
            one.gap.replace("\n", manner.eol).encode() + (one.text or self._node_text(one.node)) for one in run.items
        ]
        if run.closing is None:
            return b"".join(parts)
        if run.start == run.end:
            return b"".join([*parts, run.closing.replace("\n", manner.eol).encode()])
        close = f"{run.closing.replace(chr(10), manner.eol)}</{run.parent.tag}>"
        return b"".join([b">", *parts, close.encode()])

    def _node_text(self, node: Element) -> bytes:
        start = self._spans.start(node)
        if start is None:
            return render(node, self._habit.manner(self._homes[node].start)).encode()
        end = self._spans.end(node)
        inside = [one for one in self._runs.values() if start < one.start and one.end < end]
        inner = [one for one in self._all(inside) if start < one.start and one.end < end]
        return spliced(self._body, outermost(inner), start, end)

    def _set_back(self, element: Element, name: str, text: str) -> None:
        """An attribute taken away comes back where it was, so that tree and text have one order."""
        values = {str(key): str(value) for key, value in element.attrib.items()} | {name: text}
        element.attrib.clear()
        known = [one for one in self._attributes[element] if one in values]
        for each in [*known, *(one for one in values if one not in known)]:
            element.set(each, values[each])


# -- private ---------------------------------------------------------------------------------------------

_BLANK = " \t\r\n"
_BLANKS = _BLANK.encode()
_FAR = 4096
_COMMENT = re.compile(rb"(?:[^<]|<!\[CDATA\[.*?\]\]>)*<!--.*?-->", re.S)
"""A comment and the text before it: blanks may be written as references or in CDATA."""


@dataclass(slots=True)
class _Item:
    """One element put in, with the blanks before it; ``text`` when it is not to be rendered."""

    gap: str
    node: Element
    text: bytes


@dataclass(slots=True)
class _Run:
    """Elements put in at one place of the text. ``closing``: the blanks before the end tag, if the parent was empty."""

    start: int
    end: int
    parent: Element
    items: list[_Item] = field(default_factory=list)
    closing: str | None = None


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where an element goes: in the tree after ``after``, in the text at ``index`` of ``run`` (None: a new parent)."""

    parent: Element
    after: Element | None
    run: _Run | None
    index: int
    gap: str
    closing: str


def _with_comments(parent: Element, previous: Element | None) -> Element | None:
    """``previous``, or the last of the comments that follow it on its own line: they speak of it."""
    here = previous
    blanks = (parent.text if here is None else here.tail) or ""
    following = here.getnext() if here is not None else next(iter(parent), None)
    while isinstance(following, etree._Comment) and "\n" not in blanks and not blanks.strip(_BLANK):
        here, blanks = following, following.tail or ""
        following = here.getnext()
    return here


def _shares_line(element: Element) -> bool:
    """Whether something else follows on the element's own line."""
    tail = element.tail or ""
    return bool(tail) and "\n" not in tail and not tail.strip(_BLANK) and element.getnext() is not None


def _lead(element: Element) -> str:
    previous, parent = element.getprevious(), element.getparent()
    assert parent is not None
    return (parent.text if previous is None else previous.tail) or ""


def _built(parent: Element, new: NewElement) -> Element:
    node = parent.makeelement(new.tag, dict(new.attributes))
    for child in new.children:
        node.append(_built(parent, child))
    return node


def _plain(text: bytes) -> str:
    return text.decode().replace("\r\n", "\n").replace("\r", "\n")
