"""Which zips the simulated machine expands: the rules of ``folder.ps1``, read from it, with code of its own."""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Sequence

from arr_bluegreen.errors import BadZip

MOST_ENTRIES, MOST_BYTES, MOST_RATIO, RATIO_FROM, LONGEST = 100_000, 8 << 30, 200, 16 << 20, 180


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of a zip by relative name with backslashes; raises ``BadZip`` for one that breaks a rule."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _judge_frame(data, min((one.header_offset for one in entries), default=0))
            _judge(entries, len(data))
            return {"\\".join(_parts(one.orig_filename)): archive.read(one) for one in entries if not _is_folder(one)}
    except BadZip:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise BadZip(f"the zip is damaged: {error}") from error


# -- private ---------------------------------------------------------------------------------------------

_DEVICE = re.compile(r"(?i)^(CON|PRN|AUX|NUL|CLOCK\$|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])\s*(\..*)?$")
_NEVER = re.compile('[:<>"|?*\x00-\x1f\x7f\ud800-\udfff]')


def _judge_frame(data: bytes, first: int) -> None:
    end = data.rfind(b"PK\x05\x06")
    disk, disk_of_directory, here, entries, length, start, comment = struct.unpack("<4H2IH", data[end + 4 : end + 22])
    if disk or disk_of_directory or here != entries:
        raise BadZip("the zip is one part of several")
    if first or start + length != end or end + 22 + comment != len(data):
        raise BadZip("the zip has something before its entries, or behind them")


def _upper(path: str) -> str:
    """As .NET's ToUpperInvariant has it: letter by letter."""
    return "".join(one.upper() if len(one.upper()) == 1 else one for one in path)


def _judge(entries: Sequence[zipfile.ZipInfo], length: int) -> None:
    if len(entries) > MOST_ENTRIES:
        raise BadZip(f"the zip holds more than {MOST_ENTRIES} entries")
    files: set[str] = set()
    folders: dict[str, str] = {}
    for one in entries:
        _judge_one(one)
        parts = _parts(one.orig_filename)
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if depth == len(parts) and not _is_folder(one):
                if _upper(path) in files:
                    raise BadZip(f"the zip holds two entries of the same name on Windows: '{path}'")
                files.add(_upper(path))
            elif folders.setdefault(_upper(path), path) != path:
                raise BadZip(f"'{path}' and '{folders[_upper(path)]}' differ only in case")
    if files & folders.keys():
        raise BadZip(f"the zip holds '{min(files & folders.keys())}' as a file and as a folder")
    if not files:
        raise BadZip("the zip holds no file")
    _judge_size(sum(one.file_size for one in entries), sum(one.compress_size for one in entries), length)


def _judge_size(total: int, packed: int, length: int) -> None:
    if packed > length:
        raise BadZip("the zip has entries that overlap, as a zip bomb does")
    if total > MOST_BYTES or (total > RATIO_FROM and total > MOST_RATIO * max(packed, 1)):
        raise BadZip("the zip expands as a zip bomb does")


def _judge_one(one: zipfile.ZipInfo) -> None:
    name, parts = one.orig_filename, _parts(one.orig_filename)
    bad = name[:1] in ("/", "\\") or _NEVER.search(name) or not parts or len("/".join(parts)) > LONGEST
    if bad or any(part == ".." or part[-1] in ". " or len(part) > 255 or _DEVICE.match(part) for part in parts):
        raise BadZip(f"the zip holds {name!r}, which does not stay in its folder or is no name on Windows")
    if one.flag_bits & 1:
        raise BadZip(f"the zip holds an encrypted entry: '{name}'")
    if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadZip(f"'{name}' is compressed by method {one.compress_type}; Stored and Deflate are known")
    if stat.S_IFMT(one.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadZip(f"'{name}' is a link, or neither a file nor a folder")
    if _is_folder(one) and one.file_size:
        raise BadZip(f"'{name}' is a folder with content")


def _parts(name: str) -> list[str]:
    return [one for one in re.split(r"[/\\]", name) if one not in ("", ".")]


def _is_folder(one: zipfile.ZipInfo) -> bool:
    return one.orig_filename[-1:] in ("/", "\\")
