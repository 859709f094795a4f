"""``interface.Machine`` for ``--on local``: the same scripts through a kept PowerShell of this Windows machine."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.framing import WINDOWS
from arr_bluegreen.control.interface import Clock, FileControl, RecordStore
from arr_bluegreen.control.local_files import LocalFiles, machine_records
from arr_bluegreen.control.powershell import PowerShell
from arr_bluegreen.control.windows import is_32_bit_on_64, is_elevated
from arr_bluegreen.control.winrm_machine import ScriptedMachine
from arr_bluegreen.control.winrm_shell import Received
from arr_bluegreen.errors import RefusedError

if TYPE_CHECKING:
    from arr_bluegreen.control.connect import ConnectSettings


class LocalMachine(ScriptedMachine):
    """This machine. Raises ``RefusedError`` where that is no elevated, 64-bit process on Windows."""

    def __init__(self, settings: ConnectSettings | None = None, clock: Clock | None = None) -> None:
        refusal = why_not(sys.platform, is_elevated(), is_32_bit_on_64())
        if refusal is not None:
            raise refusal
        super().__init__(LocalHands(settings, clock or SystemClock()))
        self.files: FileControl = LocalFiles()

    def records(self, farm: str) -> RecordStore:
        """Our records of a farm, in ``%ProgramData%`` as a remote run finds them."""
        return machine_records(farm)


def why_not(platform: str, elevated: bool | None, is_32_bit: bool) -> RefusedError | None:
    """Why ``local`` cannot be this process; None when it can."""
    if platform != "win32":
        return RefusedError("'local' is a Windows machine with IIS, and this is none", hint=_ELSEWHERE)
    if is_32_bit:
        return RefusedError("this Python is 32-bit and would see another configuration", hint="Use a 64-bit Python.")
    if not elevated:
        return RefusedError("this console is not elevated", hint="Open it with 'Run as administrator'.")
    return None


class LocalHands:
    """Scripts on this machine; one caller at a time."""

    def __init__(self, settings: ConnectSettings | None, clock: Clock) -> None:
        self.name, self.clock = socket.gethostname(), clock
        talk = (settings.talk if settings else None) or (lambda text, level: None)
        kept = settings.kept_powershell if settings else True
        self._powershell = PowerShell(LocalLauncher(), self.name, clock, talk, kept=kept)
        self._lock = threading.Lock()

    def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        """One of our scripts."""
        with self._lock:
            return self._powershell.call(script, request, within=within)

    def close(self) -> None:
        """End the kept PowerShell."""
        self._powershell.close()


class LocalLauncher:
    """Starts programs here as ``powershell.Launcher``."""

    def start(self, program: str, arguments: Sequence[str], *, again: bool = False) -> LocalProgram:
        """A program with pipes for its three streams; one of Windows is taken from where this Windows lies."""
        if program.startswith(WINDOWS):
            program = os.environ.get("WINDIR", WINDOWS) + program.removeprefix(WINDOWS)
        try:
            return LocalProgram([program, *arguments])
        except OSError as error:
            raise RefusedError(f"{program} cannot be started: {error.strerror}") from error

    def forget(self) -> None:
        """There is no shell here."""


class LocalProgram:
    """A running program; threads read its streams, so that a deadline can be kept."""

    def __init__(self, command: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, creationflags=flags)
        self._came: queue.Queue[tuple[int, bytes]] = queue.Queue()
        self._open = 2
        for number, stream in ((1, self._process.stdout), (2, self._process.stderr)):
            threading.Thread(target=self._read, args=(number, stream), daemon=True).start()

    def send(self, data: bytes, *, end: bool = False, again: bool = False) -> None:
        """To its stdin; that it ended shows on receiving."""
        stdin = self._process.stdin
        if stdin is None or stdin.closed:
            return
        try:
            stdin.write(data)
            stdin.flush()
            if end:
                stdin.close()
        except OSError:
            return

    def receive(self, within: float) -> Received:
        """What it wrote since; waits at most ``within`` seconds."""
        try:
            number, data = self._came.get(timeout=within)
        except queue.Empty:
            return Received()
        if not data:
            self._open -= 1
        code = self._process.wait() & 0xFFFFFFFF if self._open == 0 else None
        return Received(data if number == 1 else b"", data if number == 2 else b"", code)

    def stop(self) -> None:
        """End it."""
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(OSError):  # what it had not read yet goes with it
                stdin.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # -- private -------------------------------------------------------------------------------------------

    def _read(self, number: int, stream: IO[bytes] | None) -> None:
        while stream is not None:
            data = os.read(stream.fileno(), 65536)
            self._came.put((number, data))
            if not data:
                stream.close()
                return


# -- private -------------------------------------------------------------------------------------------

_ELSEWHERE = "Name the machine: --on winrm:HOST, or work on a file: --on file:PATH."
