"""The unified diff of two configurations, quick on large ones: what is the same before and after is stepped over.

It is a patch: carriage returns and the byte order mark stay in its lines, so that ``patch`` makes the one file of the
other. A UTF-16 file is shown as UTF-8.
"""

from __future__ import annotations

import codecs
from difflib import unified_diff

_CONTEXT = 3


def unified(before: bytes, after: bytes, name: str, after_name: str = "") -> str:
    """The diff, each line ended by a line feed; "" when nothing differs."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    start = _same(old, new)
    tail = min(_same(old[::-1], new[::-1]), len(old) - start, len(new) - start)
    start, tail = max(start - _CONTEXT, 0), max(tail - _CONTEXT, 0)
    found = unified_diff(
        old[start : len(old) - tail], new[start : len(new) - tail], name, after_name or f"{name} (changed)"
    )
    lines = [_ended(_moved(line, start) if line.startswith("@@") else line) for line in found]
    return "".join(lines) or f"--- {name}\nonly the encoding differs\n"


# -- private -------------------------------------------------------------------------------------------


def _lines(data: bytes) -> list[str]:
    """The lines, each with its line feed; the last one perhaps without."""
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16") if wide else data.decode("utf-8", "surrogateescape")
    *lines, last = text.split("\n")
    return [f"{one}\n" for one in lines] + ([last] if last else [])


def _ended(line: str) -> str:
    return line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _same(one: list[str], other: list[str]) -> int:
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _moved(header: str, by: int) -> str:
    """``@@ -1,4 +1,4 @@`` with the lines that were stepped over counted in."""
    parts = []
    for part in header.strip("@ \n").split(" "):
        first, comma, count = part[1:].partition(",")
        parts.append(f"{part[0]}{int(first) + by}{comma}{count}")
    return f"@@ {' '.join(parts)} @@\n"
