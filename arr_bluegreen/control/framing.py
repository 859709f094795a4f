"""What goes over stdin and stdout of the kept PowerShell: pure text, no I/O (winrm.md 5).

A request is one line of base64 JSON; an answer stands between two marker lines. Nothing that a machine prints besides
(a banner, a profile, a warning) can be taken for an answer, and no code page can harm it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from arr_bluegreen.errors import RemoteError

WINDOWS = r"C:\Windows"
"""Where Windows is taken to be on a machine that cannot be asked: without cmd.exe nobody expands ``%windir%``."""
POWERSHELL = rf"{WINDOWS}\System32\WindowsPowerShell\v1.0\powershell.exe"
PARAM = "param($Request)\n"
READY, REFUSED, BEGIN, END = b"ARRBG-READY ", b"ARRBG-REFUSED ", b"ARRBG-BEGIN ", b"ARRBG-END "


@cache
def file_text(name: str) -> str:
    """The text of ``control/scripts/NAME.ps1`` as it lies there, with LF line ends."""
    file = resources.files("arr_bluegreen.control").joinpath("scripts", f"{name}.ps1")
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


@cache
def script_text(name: str) -> str:
    """The script as it is sent: what ``# needs: common`` names stands after its ``param``, which must come first."""
    text = file_text(name)
    head, param, body = text.partition(PARAM)
    needed = re.findall(r"(?m)^# needs: (\w+)$", head)
    return head + param + "".join(_functions(one) for one in needed) + body


@cache
def bootstrap_text() -> str:
    """bootstrap.ps1 as it is sent: without full-line comments, blank lines and indents, LF between lines."""
    lines = (line.strip() for line in file_text("bootstrap").split("\n"))
    return "\n".join(line for line in lines if line and not line.startswith("#"))


@cache
def bootstrap_arguments() -> tuple[str, ...]:
    """What follows powershell.exe: the bootstrap as -EncodedCommand (base64 of UTF-16LE), nothing of the user's."""
    encoded = base64.b64encode(bootstrap_text().encode("utf-16-le")).decode("ascii")
    return ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-EncodedCommand", encoded)


def request_line(number: str, script: str, request: Mapping[str, Any], *, with_text: bool) -> bytes:
    """One request as the line to send, LF included; ``with_text`` when this process has not seen the script yet."""
    call: dict[str, Any] = {"id": number, "script": script, "request": request}
    if with_text:
        call["text"] = base64.b64encode(script_text(script).encode("utf-8")).decode("ascii")
    text = json.dumps(call, ensure_ascii=True, separators=(",", ":"))
    return base64.b64encode(text.encode("ascii")) + b"\n"


@dataclass(frozen=True, slots=True)
class Ready:
    """What the handshake told."""

    version: str
    is_64_bit: bool
    language_mode: str
    computer: str


@dataclass(slots=True)
class Answers:
    """Collects stdout and yields what is whole: feed it bytes as they come, split anywhere."""

    ready: Ready | None = None
    refused: str = ""
    noise: list[bytes] = field(default_factory=list)
    _rest: bytes = b""
    _open: str | None = None
    _body: list[bytes] = field(default_factory=list)
    _wanted: str = ""
    _answer: dict[str, Any] | None = None

    def feed(self, data: bytes) -> None:
        """Take more stdout; raises ``RemoteError`` when what stands between the markers is not an answer."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._line(line.rstrip(b"\r").removeprefix(b"\xef\xbb\xbf"))

    def expect(self, number: str) -> None:
        """From now on the answer to this request is wanted; others (of one asked twice, say) are dropped."""
        self._wanted, self._answer = number, None

    @property
    def answer(self) -> dict[str, Any] | None:
        """The answer to the request expected, once it is whole; None before."""
        return self._answer

    def interrupt(self) -> None:
        """Some output was lost: what was begun is dropped; the next marker line begins anew."""
        self._rest, self._open, self._body = b"", None, []

    # -- private -------------------------------------------------------------------------------------------

    def _line(self, line: bytes) -> None:
        if self._open is not None and not line.startswith(BEGIN):
            if line == END + self._open.encode("ascii"):
                whole, number = b"".join(self._body), self._open
                self._open, self._body = None, []
                if number == self._wanted:
                    self._answer = unwired(whole)
            else:
                self._body.append(line)
        elif line.startswith(BEGIN):
            self._body = []
            self._open = line.removeprefix(BEGIN).decode("ascii", "replace")
        elif line.startswith(READY):
            told = unwired(line.removeprefix(READY))
            self.ready = Ready(
                str(told.get("version", "")),
                bool(told.get("is_64_bit")),
                str(told.get("language_mode", "")),
                str(told.get("computer", "")),
            )
        elif line.startswith(REFUSED):
            self.refused = line.removeprefix(REFUSED).decode("ascii", "replace")
        elif line.strip():
            self.noise.append(line[:200])


def unwired(data: bytes) -> dict[str, Any]:
    """base64 of UTF-8 JSON -> object; raises ``RemoteError`` when it is not that."""
    try:
        value = json.loads(base64.b64decode(data, validate=True))
    except ValueError as cause:
        raise RemoteError("the machine's PowerShell answered something that is not an answer of ours") from cause
    if not isinstance(value, dict):
        raise RemoteError("the machine's PowerShell answered something that is not an answer of ours")
    return value


# -- private -------------------------------------------------------------------------------------------


def _functions(name: str) -> str:
    """A file of functions without the comment at its head."""
    return re.sub(r"\A(?:#[^\n]*\n)+", "", file_text(name))
