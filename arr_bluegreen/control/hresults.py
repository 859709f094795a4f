"""HRESULTs and Win32 codes as cause and remedy, for appcmd and PowerShell alike (arr.md 4.4, winrm.md 5)."""

from __future__ import annotations

from dataclasses import dataclass

SHARING_VIOLATION = 0x80070020
CHANGED_ON_DISK = 0x80070011
"""Our own number for "the file has changed on disk": IIS raises it as a bare FileLoadException (arr.md 5.11)."""
ALREADY_EXISTS = 0x800700B7
RPC_FAILED = 0x800706BE
NOT_FOUND = 0x80070490
ACCESS_DENIED = 0x80070005
LOGON_FAILURE = 0x8007052E
PASSING = frozenset({SHARING_VIOLATION, 0x80070021, CHANGED_ON_DISK, RPC_FAILED, NOT_FOUND})
"""What a new try, after a new reading, may cure. appcmd tells "changed on disk" with 1168, as anything else it finds
wrong in the file (arr.md 4.4): the new reading shows what is really missing."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code means here, and what to do."""

    cause: str
    remedy: str


def meaning(code: int | None) -> Meaning | None:
    """The meaning of an HRESULT or a Win32 code (they share the low 16 bits); None when it is not one we know."""
    return None if code is None else _MEANINGS.get(code if code > 0xFFFF else 0x80070000 | code)


# -- private -------------------------------------------------------------------------------------------

_MEANINGS = {
    0x80070002: Meaning("a file is not there", "Check the path."),
    0x80070003: Meaning("a folder is not there", "Check the path."),
    ACCESS_DENIED: Meaning(
        "access denied", "Run elevated; a local administrator needs LocalAccountTokenFilterPolicy=1 over WinRM."
    ),
    0x8007000D: Meaning("a value is malformed", "Compare it with what IIS Manager writes."),
    CHANGED_ON_DISK: Meaning("applicationHost.config changed on disk meanwhile", "Try again; another tool is writing."),
    SHARING_VIOLATION: Meaning("applicationHost.config is held by another program", "Try again; close IIS Manager."),
    0x80070021: Meaning("the section is locked, or the file is held by another program", "Unlock it, or try again."),
    0x80070032: Meaning("no such object, or several", "Name it exactly as IIS does."),
    0x8007007A: Meaning("too much to print", "Ask for XML."),
    ALREADY_EXISTS: Meaning("it is there already", "Choose another name."),
    NOT_FOUND: Meaning("no such object", "Name it exactly as IIS does."),
    RPC_FAILED: Meaning("the service WAS did not answer", "Try again; look at the service WAS."),
    0x800710D8: Meaning("IIS takes the site for invalid", "Look for a double binding or a missing root application."),
    0x80004001: Meaning("not implemented", "Install the IIS feature Request Monitor (Web-Request-Monitor)."),
    0x80040154: Meaning("IIS is not installed, or this is 32-bit", "Install IIS; use the 64-bit PowerShell."),
}
