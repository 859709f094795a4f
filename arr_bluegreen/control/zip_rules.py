"""Which zips may be expanded: the rules, on the list of entries alone, before a byte is written.

A package comes from outside. One that would write outside its folder, hide a link, clash on a file system that ignores
case, use a name Windows gives to devices, or grow beyond bounds is refused whole; ``folder.ps1`` holds the same rules.
"""

from __future__ import annotations

import re
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from arr_bluegreen.errors import BadZip


@dataclass(frozen=True, slots=True)
class ZipLimits:
    """What a zip may hold: entries, bytes when expanded, and how many times its own size it may grow to."""

    entries: int = 100_000
    bytes: int = 8 << 30
    ratio: int = 200
    ratio_from: int = 16 << 20
    """Below this size no ratio is judged: small texts shrink a lot, honestly."""
    path: int = 180
    """Characters of the longest name inside; the release folder's path comes on top, and 259 is Windows' limit."""


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """One entry as the zip's directory tells it. ``mode`` is the Unix mode (0: none), ``method`` the compression."""

    name: str
    size: int
    packed: int
    mode: int = 0
    encrypted: bool = False
    method: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder by its name."""
        return self.name.replace("\\", "/").endswith("/")


def check_zip(
    name: str, entries: Iterable[ZipEntry], limits: ZipLimits | None = None, archive_size: int | None = None
) -> tuple[tuple[str, ...], ...]:
    """The path of each entry as its parts, in order, when the zip breaks no rule; ``BadZip`` with the rule otherwise.

    Backslashes separate as slashes do: Windows takes both. ``archive_size`` (bytes) shows entries that share content.
    """
    limits = limits or ZipLimits()
    entries = tuple(entries)
    _check_size(name, entries, limits)
    if archive_size is not None and sum(one.packed for one in entries) > archive_size:
        raise BadZip(f"{name} has entries that overlap, as a zip bomb does", hint="Nothing was written.")
    paths = []
    for one in entries:
        rule = _broken_rule(one, limits)
        if rule:
            raise BadZip(f"{name}: entry {_shown(one.name)} {rule}", hint="Nothing was written. Make the zip anew.")
        paths.append(tuple(part for part in _parts(one.name) if part != "."))
    _check_clashes(name, tuple(zip(entries, paths, strict=True)))
    return tuple(paths)


def check_frame(name: str, ending: bytes, entries_at: int, first_at: int, size: int) -> None:
    """Raises ``BadZip`` for a zip that is more than its entries: what lies before or after them another reader may see.

    ``ending`` is its last record (22 bytes and the comment; APPNOTE.TXT 4.3.16), ``entries_at`` and ``first_at`` say
    where its directory and its first entry begin, ``size`` is the archive's, all in bytes.
    """
    hint = "Nothing was written. Make the zip anew, as one file of its own."
    if len(ending) < 22 or not ending.startswith(_END) or len(ending) != 22 + int.from_bytes(ending[20:22], "little"):
        raise BadZip(f"{name} has something behind its end", hint=hint)
    disk, directory_disk, here, whole, length, start = struct.unpack("<4H2I", ending[4:20])
    if disk or directory_disk or here != whole:
        raise BadZip(f"{name} is one part of a zip of several", hint=hint)
    zip64 = 0xFFFF in (here, whole) or 0xFFFFFFFF in (length, start)
    if first_at or (not zip64 and start != entries_at):
        raise BadZip(f"{name} has something before its first entry", hint=hint)
    if not zip64 and entries_at + length != size - len(ending):
        raise BadZip(f"{name} has something between its directory and its end", hint=hint)


# -- private -------------------------------------------------------------------------------------------

_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)\s*(\..*)?")
_ILLEGAL = frozenset('<>"|?*')
_STORED, _DEFLATED = 0, 8
_END = b"PK\x05\x06"


def _check_size(name: str, entries: tuple[ZipEntry, ...], limits: ZipLimits) -> None:
    hint = "Nothing was written."
    if not any(not one.is_folder for one in entries):
        raise BadZip(f"{name} holds no file", hint=hint)
    if len(entries) > limits.entries:
        raise BadZip(f"{name} has {len(entries)} entries, and {limits.entries} are the most", hint=hint)
    size, packed = sum(one.size for one in entries), sum(one.packed for one in entries)
    if size > limits.bytes:
        raise BadZip(f"{name} expands to {size} bytes, and {limits.bytes} are the most", hint=hint)
    if size > limits.ratio_from and size > limits.ratio * max(packed, 1):
        raise BadZip(f"{name} expands to {size // max(packed, 1)} times its size, as a zip bomb does", hint=hint)


def _broken_rule(entry: ZipEntry, limits: ZipLimits) -> str:
    return _broken_name(entry.name, limits) or _broken_kind(entry)


def _broken_name(name: str, limits: ZipLimits) -> str:
    if name.startswith(("/", "\\")):
        return "is absolute"
    if any(ord(one) < 32 or ord(one) == 127 or 0xD800 <= ord(one) <= 0xDFFF for one in name):
        return "has control characters in its name"
    parts = [part for part in _parts(name) if part != "."]
    if not parts:
        return "has no name"
    if re.match(r"[A-Za-z]:", name):
        return "names a drive"
    if len("/".join(parts)) > limits.path:
        return f"has a path of more than {limits.path} characters"
    return next((rule for rule in map(_broken_part, parts) if rule), "")


def _broken_part(part: str) -> str:
    if part == "..":
        return "climbs out of its folder"
    if ":" in part:
        return "names an alternate data stream"
    if _ILLEGAL & set(part):
        return "has a character no Windows name may have"
    if part != part.rstrip(" ."):
        return "ends a name with a dot or a space, which Windows drops"
    if _DEVICES.fullmatch(part):
        return f"uses '{part}', a name Windows gives to a device"
    if len(part.encode("utf-16-le")) > 2 * 255:
        return "has a name of more than 255 characters"
    return ""


def _broken_kind(entry: ZipEntry) -> str:
    if entry.encrypted:
        return "is encrypted"
    if entry.method not in (_STORED, _DEFLATED):
        return f"is compressed by method {entry.method}; Stored and Deflate are known"
    kind = stat.S_IFMT(entry.mode)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is neither a file nor a folder"
    if entry.is_folder and entry.size:
        return "is a folder with content"
    return ""


def _check_clashes(name: str, entries: tuple[tuple[ZipEntry, tuple[str, ...]], ...]) -> None:
    files: dict[str, str] = {}
    folders: dict[str, str] = {}  # each folder under the spelling it was first seen with
    for entry, parts in entries:
        above = parts if entry.is_folder else parts[:-1]
        for depth in range(1, len(above) + 1):
            path = "/".join(above[:depth])
            if folders.setdefault(_folded(path), path) != path:
                raise BadZip(f"{name}: {_shown(entry.name)} and {_shown(folders[_folded(path)])} differ only in case")
        if not entry.is_folder:
            path = "/".join(parts)
            if _folded(path) in files:
                there = files[_folded(path)]
                how = "is there twice" if there == path else f"and {_shown(there)} differ only in case"
                raise BadZip(f"{name}: entry {_shown(path)} {how}", hint="Nothing was written. Make the zip anew.")
            files[_folded(path)] = path
    both = sorted(files.keys() & folders.keys())
    if both:
        raise BadZip(f"{name}: {_shown(files[both[0]])} is a file and a folder at once", hint="Nothing was written.")


def _folded(path: str) -> str:
    # NTFS has an upper case for each UTF-16 unit alone: no letter becomes two (strasse is not straße), and none beyond
    # the BMP changes. Where Unicode's table is newer than the volume's, two names too many clash: refused, never lost.
    return "".join(one.upper() if len(one.upper()) == 1 and one <= "\uffff" else one for one in path)


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part]


def _shown(name: str) -> str:
    text = name if len(name) <= 80 else name[:77] + "..."
    return "'" + "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text) + "'"
