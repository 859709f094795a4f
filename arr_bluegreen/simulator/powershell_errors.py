"""How the played scripts fail: type, message and HRESULT, as the bootstrap tells them (winrm.md 5, HRESULTs)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arr_bluegreen.errors import ArrBlueGreenError, BadZip, NoSuchObject, RemoteError
from arr_bluegreen.simulator.config import ChangedOnDisk

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

CONFIG_PATH = r"C:\Windows\System32\inetsrv\config\applicationHost.config"
THROWN = 0x80131501
"""The HRESULT of what a script throws itself (COR_E_SYSTEM)."""
COM = "System.Runtime.InteropServices.COMException"
FILE_LOAD = "System.IO.FileLoadException"
DENIED = "System.UnauthorizedAccessException"
PROPERTY = "System.Management.Automation.PropertyNotFoundException"


class ScriptError(Exception):
    """An error as the bootstrap's ``Describe`` would tell it."""

    def __init__(self, message: str, type: str, hresult: int = THROWN, line: int = 1) -> None:
        super().__init__(message)
        self.message, self.type, self.hresult, self.line = message, type, hresult, line

    def told(self) -> dict[str, Any]:
        """As JSON."""
        code = f"0x{self.hresult & 0xFFFFFFFF:08X}"
        return {"message": self.message, "hresult": code, "type": self.type, "line": self.line}


def as_script_error(error: Exception) -> ScriptError:
    """Any error of the simulated machine as Windows would put it."""
    match error:
        case ScriptError():
            return error
        case NoSuchObject():
            there = f"; there: {', '.join(error.there)}" if error.there else ""
            return ScriptError(f"no {error.kind} '{error.name}'{there}", "NoSuchObject")
        case BadZip():
            return ScriptError(str(error), "BadZip")
        case ChangedOnDisk():
            return ScriptError(f"Filename: \\\\?\\{CONFIG_PATH}\r\nError: {error}\r\n", FILE_LOAD, 0x80131621)
        case RemoteError() if error.code is not None:
            return ScriptError(str(error), COM, error.code)
        case ArrBlueGreenError():
            return ScriptError(str(error), COM, 0x8007000D)
        case KeyError() | TypeError() | ValueError() | AttributeError():
            return ScriptError(f"The request is not as the script expects: {error!r}", PROPERTY)
        case _:
            return ScriptError(f"the simulated machine failed: {error!r}", type(error).__name__)


def open_manager(machine: Machine) -> None:
    """ServerManager reading the configuration: also not when somebody broke the file."""
    may_open(machine)
    machine.config.poll()
    if machine.config.broken:
        text = f"Filename: \\\\?\\{CONFIG_PATH}\r\nError: {machine.config.broken}\r\n"
        raise ScriptError(text, COM, 0x8007000D)


def may_open(machine: Machine) -> None:
    """ServerManager: missing without IIS, denied without elevation (arr.md 4.4; winrm.md 1, filtered token)."""
    if not machine.settings.iis_version:
        dll = r"C:\Windows\System32\inetsrv\Microsoft.Web.Administration.dll"
        raise ScriptError(f"IIS is not installed here: there is no {dll}", "IisMissing")
    if not machine.settings.elevated:
        text = "Cannot read configuration file due to insufficient permissions"
        raise ScriptError(f"Filename: redirection.config\r\nError: {text}\r\n", DENIED, 0x80070005)


def needs_arr(machine: Machine) -> None:
    """The section webFarms: not declared without ARR (arr.md 1.0)."""
    if not machine.settings.arr_installed:
        raise ScriptError("Application Request Routing is not installed here", "ArrMissing")
