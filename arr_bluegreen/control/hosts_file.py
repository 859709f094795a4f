"""The hosts file as text: entries read, and lines of our own added and removed. Pure; every other byte stays.

A line of ours carries its owner at the end: ``127.0.0.1 shop-blue # arr-bluegreen shop``. Lines are matched whole,
so that nobody else's comment is ever taken for a mark of ours. The text is the file's bytes as Latin-1: an admin's
comment may be in any encoding, and each byte comes back as it was. What we write ourselves is ASCII.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from arr_bluegreen.errors import UsageError

BACKUPS = 5
"""So many backups of our own (``hosts.arr-bluegreen-TIME.bak``) stay beside the file; older ones go."""

_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ .=~-]{0,127}")
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")  # str.splitlines would end a line at the byte 0x85 too, a dash or dots in ANSI
_BLANKS = " \t\r\n"
_BOM = "\u00ef\u00bb\u00bf"  # that of UTF-8, as Latin-1


def entries(text: str, owner: str | None = None) -> tuple[tuple[str, str], ...]:
    """(IP address, name) of every line in order, a line of several names as several; with ``owner`` only its lines."""
    found: list[tuple[str, str]] = []
    for line in _LINE.findall(text.removeprefix(_BOM)):
        before, _, comment = line.partition("#")
        words = _words(before)
        if len(words) > 1 and (owner is None or comment.strip(_BLANKS) == owner):
            found += [(words[0], name) for name in words[1:]]
    return tuple(found)


def with_entries(text: str, owner: str, wanted: Sequence[tuple[str, str]]) -> str:
    """The text with the owner's lines being exactly ``wanted`` (none: they go), at the end, in the file's line ends.

    Raises ``UsageError`` for an owner, address or name that would not read back as itself.
    """
    check_entries(owner, wanted)
    if entries(text, owner) == tuple(wanted):
        return text
    end = "\n" if "\n" in text and "\r\n" not in text else "\r\n"
    kept = "".join(line for line in _LINE.findall(text) if not _is_ours(line, owner))
    if wanted and kept and not kept.endswith(("\n", "\r")):
        kept += end
    return kept + "".join(f"{ip} {name} # {owner}{end}" for ip, name in wanted)


def check_entries(owner: str, wanted: Sequence[tuple[str, str]]) -> None:
    """Raises ``UsageError`` for an owner, address or name that is not plain ASCII of its kind."""
    if not _OWNER.fullmatch(owner):
        raise UsageError(
            f"{owner!a} cannot mark a line of the hosts file", hint="Use ASCII letters, digits, spaces, . and -."
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


def _words(text: str) -> list[str]:
    return [one for one in re.split(f"[{_BLANKS}]+", text) if one]


def _is_ours(line: str, owner: str) -> bool:
    before, _, comment = line.partition("#")
    return len(_words(before)) == 2 and comment.strip(_BLANKS) == owner
