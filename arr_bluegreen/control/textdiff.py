"""The unified diff of two configurations, quick on large ones: what is the same before and after is stepped over."""

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
        old[start : len(old) - tail], new[start : len(new) - tail], name, after_name or f"{name} (changed)", lineterm=""
    )
    lines = [_moved(line, start) if line.startswith("@@") else line for line in found]
    return "\n".join(lines or [f"--- {name}", "only line ends or the byte order mark differ"]) + "\n"


# -- private -------------------------------------------------------------------------------------------


def _lines(data: bytes) -> list[str]:
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    text = data.decode("utf-16" if wide else "utf-8-sig", "replace")
    return text.replace("\r\n", "\n").split("\n")


def _same(one: list[str], other: list[str]) -> int:
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def _moved(header: str, by: int) -> str:
    """``@@ -1,4 +1,4 @@`` with the lines that were stepped over counted in."""
    parts = []
    for part in header.strip("@ ").split(" "):
        first, comma, count = part[1:].partition(",")
        parts.append(f"{part[0]}{int(first) + by}{comma}{count}")
    return f"@@ {' '.join(parts)} @@"
