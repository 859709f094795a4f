"""The hosts file as text: entries read, and lines of our own added and removed. Pure; every other byte stays.

A line of ours carries its owner at the end: ``127.0.0.1 shop-blue # arr-bluegreen shop``. Lines are matched whole,
so that nobody else's comment is ever taken for a mark of ours.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from arr_bluegreen.errors import UsageError

_OWNER = re.compile(r"[A-Za-z0-9][\w .\-]{0,127}")
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")


def entries(text: str, owner: str | None = None) -> tuple[tuple[str, str], ...]:
    """(IP address, name) of every line in order, a line of several names as several; with ``owner`` only its lines."""
    found: list[tuple[str, str]] = []
    for line in text.lstrip("\ufeff").splitlines():
        before, _, comment = line.partition("#")
        words = before.split()
        if len(words) > 1 and (owner is None or comment.strip() == owner):
            found += [(words[0], name) for name in words[1:]]
    return tuple(found)


def with_entries(text: str, owner: str, wanted: Sequence[tuple[str, str]]) -> str:
    """The text with the owner's lines being exactly ``wanted`` (none: they go), at the end, in the file's line ends.

    Raises ``UsageError`` for an owner, address or name that would not read back as itself.
    """
    check(owner, wanted)
    if entries(text, owner) == tuple(wanted):
        return text
    end = "\n" if "\n" in text and "\r\n" not in text else "\r\n"
    kept = "".join(line for line in text.splitlines(keepends=True) if not _is_ours(line, owner))
    if wanted and kept and not kept.endswith(("\n", "\r")):
        kept += end
    return kept + "".join(f"{ip} {name} # {owner}{end}" for ip, name in wanted)


def check(owner: str, wanted: Sequence[tuple[str, str]]) -> None:
    """Raises ``UsageError`` for an owner, address or name that would not read back as itself."""
    if not _OWNER.fullmatch(owner) or owner.encode("latin-1", "replace").decode("latin-1") != owner:
        raise UsageError(
            f"'{owner!a}' cannot mark a line of the hosts file", hint="Use letters, digits, spaces, . and -."
        )
    for ip, name in wanted:
        try:
            ipaddress.ip_address(ip)
        except ValueError as error:
            raise UsageError(f"{ip!a} is no IP address for the hosts file") from error
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise UsageError(
                f"{name!a} is no host name for the hosts file", hint="Use letters, digits, hyphens and dots."
            )


# -- private -------------------------------------------------------------------------------------------


def _is_ours(line: str, owner: str) -> bool:
    before, _, comment = line.partition("#")
    return len(before.split()) == 2 and comment.strip() == owner
