"""Our scripts on a machine: one kept powershell.exe that answers request after request, or one per call (winrm.md 5).

A poll costs one Send and one Receive, and no process start. Where the kept process does not say that it is ready in
time, or after it failed twice in a row, a process per call is used. What may be done twice is said here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from arr_bluegreen.control.framing import POWERSHELL, Answers, Ready, bootstrap_arguments, request_line
from arr_bluegreen.control.interface import Clock
from arr_bluegreen.control.script_errors import error_of
from arr_bluegreen.control.winrm import ShellGone, Talk
from arr_bluegreen.control.winrm_shell import PIECE, Received
from arr_bluegreen.errors import RefusedError, RemoteError, UnreachableError

READY_WITHIN = 30.0
"""Seconds a powershell.exe gets to start; a busy server takes 5."""


class Program(Protocol):
    """A running program: ``winrm.Command``, or one here."""

    def send(self, data: bytes, *, end: bool = False, again: bool = False) -> None: ...
    def receive(self, within: float) -> Received: ...
    def stop(self) -> None: ...


class Launcher(Protocol):
    """Starts programs: ``winrm.Shell``, or this machine. ``forget`` lets go of a shell that is gone."""

    def start(self, program: str, arguments: Sequence[str], *, again: bool = False) -> Program: ...
    def forget(self) -> None: ...


class PowerShell:
    """Runs our scripts one after the other. Not for two threads at once."""

    def __init__(self, launcher: Launcher, host: str, clock: Clock, talk: Talk, *, kept: bool = True) -> None:
        self._launcher, self._host, self._clock, self._talk = launcher, host, clock, talk
        self.kept = kept
        self._process: _Process | None = None
        self._number = 0
        self._failures = 0

    def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        """The script's reply. Raises what the script told (``script_errors``), ``UnreachableError``
        (``maybe_done`` when the fate of what must not be done twice is unknown), or ``RefusedError``."""
        again = may_repeat(script, request)
        for last in (False, False, True):  # the third: a process per call, which two failures in a row lead to
            try:
                return self._call(script, request, within, again)
            except ShellGone as gone:
                self._lost(str(gone))
                if last:
                    raise gone.error from gone
            except _Died as died:
                self._lost(str(died))
                if last or not again:
                    raise UnreachableError(str(died), hint=_LOOK, maybe_done=not again) from died
        raise AssertionError("unreachable")

    def close(self) -> None:
        """End the kept process."""
        if self._process is not None:
            self._process.program.stop()
            self._process = None

    # -- private -------------------------------------------------------------------------------------------

    def _call(self, script: str, request: Mapping[str, Any], within: float, again: bool) -> dict[str, Any]:
        self._number += 1
        number = str(self._number)
        deadline = self._clock.monotonic() + within
        process = self._process if self.kept else None
        if process is None:
            process = self._start()
            self._process = process if self.kept else None
        try:
            told = process.ask(number, script, request, deadline, again, end=not self.kept)
        except RemoteError:
            self.close()
            raise
        except UnreachableError as lost:
            # After an unknown outcome the process stays, if it can: what comes next waits its turn behind it.
            if not lost.maybe_done or again:
                self.close()
            raise
        finally:
            if not self.kept:
                process.program.stop()
        self._failures = 0
        if told.get("ok") is not True:
            fault = told.get("error")
            raise error_of(fault if isinstance(fault, dict) else {}, self._host, script)
        reply = told.get("reply")
        if not isinstance(reply, dict):
            raise RemoteError(f"{self._host}: {script} answered no object", hint="Please report it.")
        return reply

    def _start(self, tries: int = 2) -> _Process:
        """A process; in the kept way one that has said that it is ready (else the other way is taken for good)."""
        program = self._launcher.start(POWERSHELL, bootstrap_arguments(), again=True)
        process = _Process(program, self._host, self._clock)
        if not self.kept:
            return process
        try:
            ready = process.handshake(self._clock.monotonic() + READY_WITHIN)
        except BaseException as cause:
            program.stop()
            if isinstance(cause, UnreachableError) and cause.maybe_done and tries > 1:
                return self._start(tries - 1)  # the ready mark may have been lost with the connection
            raise
        if ready is None:
            program.stop()
            self._fall_back("it did not say that it is ready")
            return self._start()
        self._talk(f"{self._host}: PowerShell {ready.version} is kept", 1)
        return process

    def _lost(self, why: str) -> None:
        self._talk(f"{self._host}: PowerShell: {why}", 1)
        process, self._process = self._process, None
        if process is not None:
            process.program.stop()
        self._launcher.forget()
        self._failures += 1
        if self._failures >= 2:
            self._fall_back("it failed twice")

    def _fall_back(self, why: str) -> None:
        if self.kept:
            self.kept = False
            self._talk(f"{self._host}: no kept PowerShell ({why}); a process per call from now on", 1)


def may_repeat(script: str, request: Mapping[str, Any]) -> bool:
    """Whether the request may be made again when the fate of the first is unknown. Where not: look, and decide."""
    if script == "site_action":
        return all(one["verb"] != "recycle" for one in request["actions"])
    if script == "files":
        return all(one["op"] in _REPEATABLE_OPS for one in request["ops"])
    if script == "folder":
        return request["op"] in ("digest", "append")
    if script == "probe":
        return all(one["method"] in ("GET", "HEAD", "OPTIONS") for one in request["requests"])
    return script in _REPEATABLE


# -- private -------------------------------------------------------------------------------------------

_LOOK = "Whether it was done is not known: look, then decide."
_REPEATABLE = frozenset(
    {"machine", "status", "set_state", "set_healthy", "test_health", "remove_mapping"}
    | {"read_config", "sites", "hosts_file", "web_config"}
)
_REPEATABLE_OPS = frozenset({"read", "names", "folder_exists", "write", "delete_folder"})


class _Died(Exception):
    """The process ended before it answered."""


class _Process:
    """One powershell.exe that runs the bootstrap."""

    def __init__(self, program: Program, host: str, clock: Clock) -> None:
        self.program, self._host, self._clock = program, host, clock
        self._answers = Answers()
        self._errors = bytearray()
        self._seen: set[str] = set()

    def handshake(self, deadline: float) -> Ready | None:
        """What it told when ready; None when it did not in time. Raises ``RefusedError`` where it may not work."""
        while self._answers.ready is None:
            left = deadline - self._clock.monotonic()
            try:
                if left <= 0:
                    return None
                self._take(left)
            except (_Died, RemoteError):
                return None
            finally:
                self._check()
        return self._answers.ready

    def ask(
        self, number: str, script: str, request: Mapping[str, Any], deadline: float, again: bool, *, end: bool
    ) -> dict[str, Any]:
        """The answer to one request. Raises ``_Died``, ``ShellGone`` (not done), ``UnreachableError``."""
        line = request_line(number, script, request, with_text=script not in self._seen)
        self._answers.expect(number)
        self._send(line, script, again, end)
        self._seen.add(script)
        asked_anew = False
        while True:
            if self._answers.answer is not None:
                return self._answers.answer
            self._check()
            left = deadline - self._clock.monotonic()
            if left <= 0:
                raise UnreachableError(f"{self._host}: {script} was not answered in time", hint=_LOOK, maybe_done=True)
            try:
                self._take(left)
            except ShellGone as gone:
                raise _Died(f"{self._host}: {gone} while {script} ran") from gone
            except UnreachableError as lost:
                # What the broken Receive carried is lost with it: ask anew, if that is allowed, and once.
                self._answers.interrupt()
                if not again or not lost.maybe_done:
                    raise
                if asked_anew or end:
                    raise _Died(f"{self._host}: the answer of {script} was lost") from lost
                asked_anew = True
                self._send(line, script, again, end)

    # -- private -------------------------------------------------------------------------------------------

    def _send(self, line: bytes, script: str, again: bool, end: bool) -> None:
        # A line in several pieces must not get one of them twice.
        whole = len(line) <= PIECE
        try:
            self.program.send(line, end=end, again=again and whole)
        except ShellGone as gone:
            if gone.not_done:
                raise
            raise _Died(f"{self._host}: {gone} while {script} was sent") from gone
        except UnreachableError as lost:
            if again and lost.maybe_done:
                raise _Died(f"{self._host}: {script} may not have been received whole") from lost
            raise

    def _take(self, within: float) -> None:
        got = self.program.receive(within)
        self._errors += got.stderr
        self._answers.feed(got.stdout)
        if got.code is not None and self._answers.answer is None:
            raise _Died(f"{self._host}: powershell.exe ended with code {got.code}{self._last_words()}")

    def _check(self) -> None:
        mode = self._answers.refused or (self._answers.ready.language_mode if self._answers.ready else "")
        if mode and mode != "FullLanguage":
            raise RefusedError(
                f"{self._host}: PowerShell runs in {mode} mode there",
                hint="AppLocker or WDAC restricts it: let this user's scripts run in FullLanguage.",
            )
        if self._answers.ready and not self._answers.ready.is_64_bit:
            raise RefusedError(
                f"{self._host}: PowerShell is a 32-bit process there, and would see another configuration",
                hint="Use a 64-bit WinRM shell: the default session configuration.",
            )

    def _last_words(self) -> str:
        from arr_bluegreen.control.clixml import error_text

        words = " ".join(error_text(bytes(self._errors)).split())[:300]
        return f": {words}" if words else ""
