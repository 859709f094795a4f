"""The file's bytes as one UTF-8 text, and back: byte order marks, UTF-16, declarations; what is refused unparsed."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace

from arr_bluegreen.errors import ConfigurationError

LARGEST = 512 * 1024 * 1024
"""Bytes. A configuration beyond this is refused unread."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text as UTF-8 ``body`` without byte order mark; ``bom`` and ``encoding`` (a codec) are the file's own."""

    body: bytes
    bom: bytes = b""
    encoding: str = "utf-8"
    file: str = ""

    def to_bytes(self) -> bytes:
        """The file's bytes."""
        body = self.body if self.encoding == "utf-8" else self.body.decode().encode(self.encoding)
        return self.bom + body if self.bom else body

    def with_body(self, body: bytes) -> Source:
        """Another text in the same dress."""
        return replace(self, body=body)

    def line_column(self, offset: int) -> tuple[int, int]:
        """Line and column (from 1, in characters) of an offset in ``body``; CRLF, LF and CR each end a line."""
        newlines = self.body.count(b"\n", 0, offset)
        lone = self.body.count(b"\r", 0, offset)
        if lone:
            lone -= self.body.count(b"\r\n", 0, offset + 1)
        start = max(self.body.rfind(b"\n", 0, offset), self.body.rfind(b"\r", 0, offset)) + 1
        return newlines + lone + 1, len(self.body[start:offset].decode("utf-8", "replace")) + 1


def read_source(data: bytes, file: str = "") -> Source:
    """The bytes taken apart. Raises ``ConfigurationError``: empty, too large, not UTF-8 nor UTF-16 with a mark,
    a declaration that says otherwise, or a DOCTYPE (IIS has none; entities are how such files attack)."""
    if not data or data.isspace():
        raise ConfigurationError("the file is empty", file=file, hint="Is this the right file? Restore a backup.")
    if len(data) > LARGEST:
        raise ConfigurationError(f"the file is larger than {LARGEST // 1024**2} MB", file=file)
    bom, encoding = _dress(data)
    if encoding == "utf-8":
        source = Source(data[len(bom) :] if bom else data, bom, encoding, file)
        _check_utf8(source)
    else:
        source = Source(_transcoded(data, bom, encoding, file), bom, encoding, file)
    _check_declaration(source)
    _refuse_doctype(source)
    return source


# -- private ---------------------------------------------------------------------------------------------

_CHUNK = 1 << 20
_DECLARED = {
    "utf-8": ("utf-8", "utf8"),
    "utf-16-le": ("utf-16", "utf-16le"),
    "utf-16-be": ("utf-16", "utf-16be"),
}
# A pattern as text: most files need none, and compiling it takes longer than all else here.
_DECLARATION = rb"<\?xml\s[^>]{0,300}?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']"
_PROLOGUE = ((b"<!--", b"-->"), (b"<?", b"?>"))
_DOCTYPE = b"<!DOCTYPE"
_AS_IIS_WRITES_IT = b'<?xml version="1.0" encoding="UTF-8"?>'


def _dress(data: bytes) -> tuple[bytes, str]:
    for bom, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if data.startswith(bom):
            return bom, encoding
    return b"", "utf-8"


def _check_utf8(source: Source) -> None:
    if source.body.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    view = memoryview(source.body)
    for start in range(0, len(view), _CHUNK):
        try:
            decoder.decode(view[start : start + _CHUNK], start + _CHUNK >= len(view))
        except UnicodeDecodeError as error:
            line, column = source.line_column(min(start + error.start, len(view)))
            raise ConfigurationError(
                "these bytes are not UTF-8",
                file=source.file,
                line=line,
                column=column,
                hint="Save the file as UTF-8 (IIS writes it so).",
            ) from error


def _transcoded(data: bytes, bom: bytes, encoding: str, file: str) -> bytes:
    try:
        text = data[len(bom) :].decode(encoding)
        if text.encode(encoding) != data[len(bom) :]:
            raise ValueError("encoding it again gives other bytes")
        return text.encode()
    except ValueError as error:
        raise ConfigurationError(
            f"the byte order mark says {encoding}, and the bytes are not: {error}", file=file, hint="Save it as UTF-8."
        ) from error


def _check_declaration(source: Source) -> None:
    if source.encoding == "utf-8" and source.body.startswith(_AS_IIS_WRITES_IT):
        return
    found = re.match(_DECLARATION, source.body)
    if not found:
        return
    if found[1].decode("ascii").lower() not in _DECLARED[source.encoding]:
        what = f"the byte order mark says {source.encoding}" if source.bom else "there is no byte order mark for it"
        line, column = source.line_column(found.start(1))
        raise ConfigurationError(
            f"the declaration says encoding '{found[1].decode('ascii')}', and {what}",
            file=source.file,
            line=line,
            column=column,
            hint="Save it as UTF-8, declared as UTF-8 (IIS writes it so).",
        )


def _after_prologue(body: bytes) -> int:
    """Where the first markup begins that is no comment and no instruction: a DOCTYPE can stand nowhere else."""
    at = 0
    while True:
        while body[at : at + 1].isspace():
            at += 1
        close = next((close for opening, close in _PROLOGUE if body.startswith(opening, at)), None)
        end = -1 if close is None else body.find(close, at + 2)
        if close is None or end < 0:
            return at
        at = end + len(close)


def _refuse_doctype(source: Source) -> None:
    at = _after_prologue(source.body)
    if source.body.startswith(_DOCTYPE, at):
        line, column = source.line_column(at)
        raise ConfigurationError(
            "a DOCTYPE is not allowed here",
            file=source.file,
            line=line,
            column=column,
            hint="IIS files have none: take it out, and look where the file came from.",
        )
