"""A unified diff of two configurations for people (``--dry-run``, ``config diff``)."""

from __future__ import annotations

from difflib import unified_diff

from arr_bluegreen.apphost.source import read_source


def diff(before: bytes, after: bytes, *, file: str = "applicationHost.config", context: int = 3) -> tuple[str, ...]:
    """The lines of a unified diff, without line ends; () when the bytes are the same.

    Line ends count: a changed one is shown as ``\\r`` at the line's end. UTF-16 is shown as its text. Raises
    ``ConfigurationError`` for bytes that are no configuration.
    """
    if before == after:
        return ()
    old, new = _lines(before, file), _lines(after, file)
    mixed = len({line.endswith("\r") for line in (*old[:-1], *new[:-1])}) > 1
    shown = unified_diff(old, new, file, file, lineterm="", n=context)
    return tuple(line.replace("\r", "\\r") if mixed else line.removesuffix("\r") for line in shown)


# -- private ---------------------------------------------------------------------------------------------


def _lines(data: bytes, file: str) -> list[str]:
    source = read_source(data, file)
    mark = "\ufeff" if source.bom else ""
    return (mark + source.body.decode()).split("\n")
