"""powershell.exe, played for one program only: our own bootstrap with our own scripts, by their exact text.

A text that is not the package's own is refused honestly: this is no PowerShell. What a script does, it does from its
request (``powershell_scripts``, ``powershell_files``).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from arr_bluegreen.simulator.faults import Faults, What
from arr_bluegreen.simulator.powershell_errors import ScriptError, as_script_error
from arr_bluegreen.simulator.powershell_files import FILE_SCRIPTS
from arr_bluegreen.simulator.powershell_scripts import SCRIPTS
from arr_bluegreen.simulator.shells import KILLED, Process, Program

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine


def powershell_program(machine: Machine, faults: Faults, arguments: list[str], start_seconds: float) -> Program:
    """What ``powershell.exe arguments`` does: our bootstrap, or a refusal on stderr in PowerShell's form (CLIXML)."""
    text = _encoded_command(arguments)

    async def program(process: Process) -> int:
        await asyncio.sleep(start_seconds)
        if text is None or _stripped(text) != bootstrap_text():
            process.say(_clixml(_NOT_OURS), "stderr")
            return 1
        if machine.settings.language_mode != "FullLanguage":
            process.write(f"ARRBG-REFUSED {machine.settings.language_mode}\r\n".encode())
            return 3
        return await _Kept(machine, faults, process).serve()

    return program


@cache
def bootstrap_text() -> str:
    """The package's bootstrap.ps1 as it is sent: no full-line comments, no blank lines, no indents."""
    return _stripped(_file("bootstrap"))


@cache
def script_text(name: str) -> str:
    """The package's own text of a script as it must arrive: the functions it needs right after its ``param``."""
    lines = _file(name).split("\n")
    at = next((number for number, line in enumerate(lines) if line.startswith("param(")), -1) + 1
    words = [line.split() for line in lines[:at]]
    needed = [_file(one[2]).split("\n") for one in words if one[:2] == ["#", "needs:"]]
    bodies = ["\n".join(one[next(n for n, line in enumerate(one) if line[:1] != "#") : -1]) for one in needed]
    return "\n".join([*lines[:at], *bodies, *lines[at:]])


# -- private ------------------------------------------------------------------------------------------


class _Kept:
    """The running bootstrap: one request per line of stdin, one marked answer each."""

    def __init__(self, machine: Machine, faults: Faults, process: Process) -> None:
        self._machine, self._faults, self._process = machine, faults, process
        self._known: set[str] = set()

    async def serve(self) -> int:
        settings = self._machine.settings
        about = {
            "version": "5.1.20348.2700",
            "is_64_bit": settings.is_64_bit,
            "language_mode": settings.language_mode,
            "computer": settings.computer,
        }
        self._process.write(b"ARRBG-READY " + _wire(about) + b"\n")
        while (line := await self._process.read_line()) is not None:
            if line and not await self._request(line):
                return KILLED
        return 0

    async def _request(self, line: bytes) -> bool:
        """Play one request; False when the process dies over it."""
        number = "0"
        script = ""
        try:
            call = _unwire(line)
            number, script = str(call["id"]), str(call["script"])
            if self._faults.take(What.DEATH, script, "before"):
                return False
            answer: dict[str, Any] = {"ok": True, "reply": await self._play(call)}
        except Exception as error:  # as the bootstrap's own catch-all: every error becomes an answer
            answer = {"ok": False, "error": as_script_error(error).told()}
        if self._faults.take(What.DEATH, script, "after"):
            return False
        body = _wire(answer)
        pieces = [body[at : at + 8000] for at in range(0, len(body), 8000)]
        mark = number.encode("utf-8")
        self._process.write(b"\n".join([b"ARRBG-BEGIN " + mark, *pieces, b"ARRBG-END " + mark]) + b"\n")
        return True

    async def _play(self, call: dict[str, Any]) -> dict[str, Any]:
        name = str(call["script"])
        if "text" in call:
            text = base64.b64decode(call["text"]).decode("utf-8").replace("\r\n", "\n")
            plays = name in SCRIPTS or name in FILE_SCRIPTS
            if not plays or text != script_text(name):
                raise ScriptError(f"script '{name}' is not known to this simulated host", "UnknownScript")
            self._known.add(name)
        if name not in self._known:
            raise ScriptError(
                "The expression after '&' in a pipeline element produced an object that was not valid.",
                "System.Management.Automation.RuntimeException",
            )
        request = dict(call.get("request") or {})
        if self._faults.take(What.SHARING, name):
            raise ScriptError(_IN_USE, "System.IO.IOException", 0x80070020)
        if name in FILE_SCRIPTS:
            return FILE_SCRIPTS[name](self._machine, request)
        return await SCRIPTS[name](self._machine, request, self._faults)


_NOT_OURS = "This simulated host plays the scripts of arr-bluegreen only; this text is none of them."
_IN_USE = "The process cannot access the file because it is being used by another process."


def _file(name: str) -> str:
    """A file of the package's scripts, with LF line ends."""
    file = resources.files("arr_bluegreen.control").joinpath("scripts", f"{name}.ps1")
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def _encoded_command(arguments: list[str]) -> str | None:
    """The text given with -EncodedCommand (or a prefix of it, as PowerShell takes), None when there is none."""
    for at, one in enumerate(arguments[:-1]):
        word = one.lstrip("-/").casefold()
        if word and word != "ex" and one[0] in "-/" and (word == "ec" or "encodedcommand".startswith(word)):
            try:
                return base64.b64decode(arguments[at + 1], validate=True).decode("utf-16-le")
            except (binascii.Error, UnicodeDecodeError):
                return None
    return None


def _stripped(text: str) -> str:
    lines = (line.strip() for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _wire(value: dict[str, Any]) -> bytes:
    return base64.b64encode(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def _unwire(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(base64.b64decode(line, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ScriptError("The input is not a valid Base-64 string", "System.FormatException", 0x80131537) from error
    if not isinstance(value, dict):
        raise ScriptError("The request is not an object", "System.ArgumentException", 0x80070057)
    return value


def _clixml(message: str) -> str:
    """An error as powershell.exe writes it to a redirected stderr (winrm.md 1, CLIXML stderr)."""
    head = '#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    return f'{head}<S S="Error">{escape(message)}_x000D__x000A_</S></Objs>'
