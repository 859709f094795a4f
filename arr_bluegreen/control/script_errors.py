"""An error told by one of our scripts as one of ours, with what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from arr_bluegreen.control.hresults import ACCESS_DENIED, CHANGED_ON_DISK, LOGON_FAILURE, SHARING_VIOLATION, meaning
from arr_bluegreen.errors import (
    ArrBlueGreenError,
    BadZip,
    LockedError,
    NoSuchObject,
    RefusedError,
    RemoteError,
    UnreachableError,
    UsageError,
)


def error_of(told: Mapping[str, Any], host: str, script: str) -> ArrBlueGreenError:
    """``told`` is what stands under ``error`` in an answer: message, hresult, type, line."""
    message = " ".join(str(told.get("message", "")).split())
    kind, code = str(told.get("type", "")), code_of(told)
    if kind == "NoSuchObject":
        return _no_such(message, host)
    if kind in _REFUSED:
        return RefusedError(f"{host}: {message}", hint=_REFUSED[kind])
    if kind == "BadZip":
        return BadZip(f"{host}: {message}", hint="Nothing was written. Make the zip anew.")
    if kind in _USAGE:
        return UsageError(f"{host}: {message}", hint="Nothing was written.")
    if kind == "TimedOut":
        return UnreachableError(f"{host}: {message}", hint=_LOOK, maybe_done=True)
    if kind == "Busy":
        return LockedError(f"{host}: {message}", hint="Try again when it is done.")
    denied = code == ACCESS_DENIED or kind.endswith("UnauthorizedAccessException")
    if (denied or code == LOGON_FAILURE) and _SHARE.search(message):
        return RefusedError(f"{host}: {script}: a share was refused: {message}", hint=_DOUBLE_HOP)
    if denied:
        return RefusedError(f"{host}: access denied: {message}", hint=_ELEVATE)
    known = meaning(code)
    # The line, counted in the script as it was sent: the first thing to know of an error that nobody foresaw.
    cause = f"{known.cause} ({message})" if known else f"{message} (line {told.get('line', '?')})"
    return RemoteError(f"{host}: {script}: {cause}", code=code, hint=known.remedy if known else _LOOK)


def code_of(told: Mapping[str, Any]) -> int | None:
    """The HRESULT, with IIS's wordy "changed on disk" as one number; None when none was told."""
    kind, text = str(told.get("type", "")), str(told.get("hresult") or "")
    if kind == "ChangedOnDisk" or kind.endswith("FileLoadException"):
        # IIS raises FileLoadException from CommitChanges for this and for sharing alike (arr.md 5.11).
        return SHARING_VIOLATION if text.upper().endswith("80070020") else CHANGED_ON_DISK
    try:
        return int(text, 16) & 0xFFFFFFFF if text else None
    except ValueError:
        return None


# -- private -------------------------------------------------------------------------------------------

_ELEVATE = "The user must be an administrator there; local ones need LocalAccountTokenFilterPolicy=1 over WinRM."
_SHARE = re.compile(r"(?<!\\)\\\\(?![?.]\\)[^\\]+\\|\\\\\?\\UNC\\", re.IGNORECASE)
"""A UNC path; ``\\\\?\\C:\\...`` is none."""
_DOUBLE_HOP = (
    "A sign-in by NTLM, or by Kerberos without delegation, does not reach on to a second machine (the double hop): "
    "use --transport credssp, let Kerberos delegate to the file server, or run there with --on local."
)
_LOOK = "Look at the machine; run again with -vv to see each message."
_REFUSED = {
    "IisMissing": "Install the IIS role there: Install-WindowsFeature Web-Server, Web-Scripting-Tools.",
    "ArrMissing": "Install Application Request Routing 3 and URL Rewrite 2 there.",
    "Exists": "Choose another folder, or remove that one.",
    "TooLarge": "Only small text files are read this way.",
}
_USAGE = frozenset({"BadPath", "BadName", "NotUtf8"})


def _no_such(message: str, host: str) -> ArrBlueGreenError:
    found = re.fullmatch(r"no ([\w ]+?) '(.*?)'(?:; there: (.*))?", message)
    if not found:
        return UsageError(f"{host}: {message}")
    there = tuple(one for one in (found[3] or "").split(", ") if one)
    return NoSuchObject(found[1], found[2], there, where=host)
