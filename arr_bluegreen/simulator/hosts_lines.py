"""The lines of a hosts file, and those marked as an owner's."""

from __future__ import annotations

from collections.abc import Sequence


def hosts_entries(text: str | None, owner: str | None) -> tuple[tuple[str, str], ...]:
    """The (IP, name) pairs of a hosts file; with an owner only those of lines that end with ``# owner``."""
    found: list[tuple[str, str]] = []
    for line in (text or "").splitlines():
        entry, _, mark = line.partition("#")
        ip, *names = entry.split() or [""]
        if owner is None or mark.strip() == owner:
            found += [(ip, name) for name in names]
    return tuple(found)


def with_hosts_entries(text: str, owner: str, entries: Sequence[tuple[str, str]]) -> str:
    """The hosts file with the owner's lines being exactly these; other lines as they were."""
    lines = [line for line in text.splitlines(keepends=True) if line.partition("#")[2].strip() != owner]
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\r\n"
    return "".join([*lines, *(f"{ip} {name} # {owner}\r\n" for ip, name in entries)])
