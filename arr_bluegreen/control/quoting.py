"""Text from outside on its way into a command line: quoted so that it comes back as itself, or refused (arr.md 4.5).

Nothing goes through cmd.exe (``appcmd.ps1`` starts appcmd itself), so two parsers remain: CommandLineToArgvW, and those
indexers ``[name='value']`` of appcmd, whose escape for a quote nobody documents.
"""

from __future__ import annotations

import re


class Unquotable(ValueError):
    """The text cannot be said on a command line; a script that takes it as data can."""


def quote_argument(text: str) -> str:
    """One argument for CommandLineToArgvW: bare where nothing needs quotes. Raises ``Unquotable``.

    A double quote is refused rather than escaped: the C run time and CommandLineToArgvW differ on ``""``.
    """
    if '"' in text or _CONTROL.search(text):
        raise Unquotable(text)
    if text and not re.search(r"\s", text):
        return text
    # Backslashes before the closing quote would take it for an escaped one.
    tail = len(text) - len(text.rstrip("\\"))
    return f'"{text}{chr(92) * tail}"'


def indexer_value(text: str, *, colon: bool = True) -> str:
    """A value between the single quotes of an indexer. Raises ``Unquotable`` for what could end the quotes or the
    indexer; with ``colon`` False also for a colon, which ends the path where a value follows."""
    if not text or any(sign in text for sign in "'\"[]") or _CONTROL.search(text) or (not colon and ":" in text):
        raise Unquotable(text)
    return text


# -- private -------------------------------------------------------------------------------------------

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
