"""Byte-exact inverses: each splice as a ``Patch`` that puts the old text back where the new one still stands."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise

from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.splice import Splice
from arr_bluegreen.webfarm.change import Patch


def patches(reading: Reading, splices: list[Splice], body: bytes) -> tuple[Patch, ...]:
    """The patches that undo ``splices`` (in order) in ``body``, the text they made; the tree is the changed one."""
    shifts = [0, *accumulate(len(one.new) - (one.end - one.start) for one in splices)]
    starts = [one.start for one in splices]
    made = []
    for number, one in enumerate(splices):
        anchor = reading.spans.start(one.anchor)
        assert anchor is not None
        anchor_now = anchor + shifts[bisect_right(starts, anchor)]
        now = one.start + shifts[number]
        made.append(_patch(reading, one, body, anchor_now, now))
    return tuple(made)


def undo_splices(reading: Reading, wanted: tuple[Patch, ...]) -> list[Splice] | None:
    """The splices of the patches in a reading's text; None as soon as one place does not read as it was left."""
    found = []
    for patch in wanted:
        anchor = reading.find.by_path(patch.anchor)
        start = None if anchor is None else reading.spans.start(anchor)
        if anchor is None or start is None:
            return None
        at = _forward(reading.source.body, start, patch.offset)
        old, left = patch.old.encode(), patch.before.encode()
        if not reading.source.body.startswith(left + old + patch.after.encode(), at - len(left)):
            return None
        found.append(Splice(at, at + len(old), patch.new.encode(), anchor))
    found.sort(key=lambda one: (one.start, one.end))
    overlap = any(one.end > other.start for one, other in pairwise(found))
    return None if overlap else found


# -- private ---------------------------------------------------------------------------------------------

_CONTEXT = 40
"""Bytes on each side that must read as they were left: an insertion alone would fit anywhere."""


def _patch(reading: Reading, one: Splice, body: bytes, anchor: int, at: int) -> Patch:
    left = _character(body, max(anchor, at - _CONTEXT))
    end = at + len(one.new)
    right = _character(body, min(len(body), end + _CONTEXT))
    return Patch(
        anchor=reading.find.path_of(one.anchor),
        offset=_characters(body, anchor, at),
        old=one.new.decode(),
        new=reading.source.body[one.start : one.end].decode(),
        before=body[left:at].decode(),
        after=body[end:right].decode(),
    )


def _character(body: bytes, at: int) -> int:
    """``at``, moved forward to where a character begins."""
    while at < len(body) and body[at] & 0xC0 == 0x80:
        at += 1
    return at


def _characters(body: bytes, start: int, end: int) -> int:
    text = body[start:end]
    return len(text) if text.isascii() else len(text.decode())


def _forward(body: bytes, start: int, characters: int) -> int:
    """The offset that many characters on."""
    text = body[start : start + characters]
    if text.isascii():
        return start + len(text)
    wide = body[start : start + 4 * characters].decode("utf-8", "ignore")[:characters]
    return start + len(wide.encode())
