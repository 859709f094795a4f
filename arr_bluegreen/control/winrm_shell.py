"""A shell on a machine and the programs in it: deadlines, the final Signal, renewal before quotas bite (winrm.md 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from arr_bluegreen.control import wsman
from arr_bluegreen.control.interface import Clock
from arr_bluegreen.control.winrm import Connection, ShellGone
from arr_bluegreen.control.winrm_errors import Trouble, trouble_of
from arr_bluegreen.errors import ArrBlueGreenError, UnreachableError

COMMANDS_PER_SHELL = 200
"""A shell is renewed after so many commands: operations leak, and at 1500 the service refuses all (winrm.md 1)."""
PIECE = 90_000
"""Raw bytes of one Send: safe for every server's MaxEnvelopeSizekb (winrm.md 1)."""
UTF8 = 65001
IDLE_TIMEOUT = "PT900S"
"""What a shell whose Create was answered into a broken connection lives for."""


@dataclass(frozen=True, slots=True)
class Received:
    """One Receive: what came, and the exit code once the command has ended."""

    stdout: bytes = b""
    stderr: bytes = b""
    code: int | None = None


class Shell:
    """A UTF-8 shell, opened by its first command. ``used`` counts commands."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.used = 0
        self._id: str | None = None

    def start(self, program: str, arguments: Sequence[str], *, again: bool = False) -> Command:
        """Start a program (a full path; no cmd.exe in between) and leave it running."""
        if self.used >= COMMANDS_PER_SHELL:
            self.connection.say(f"a new shell after {self.used} commands")
            self.close()
        shell = self._id = self._id or self._open()
        self.used += 1
        command = self.connection.message(
            "Command",
            lambda p: p.run_command(shell, program, arguments, console_mode_stdin=False, skip_cmd_shell=True),
            again=again,
        )
        return Command(self.connection, shell, str(command))

    def forget(self) -> None:
        """Try to delete the shell; whatever happens, the next command opens a new one."""
        shell = self._id
        if shell is not None:
            # Ctrl+C in here: the shell stays known, and whoever closes next deletes it.
            _quietly(self.connection, "Delete", lambda p: p.close_shell(shell, close_session=False))
        self._id, self.used = None, 0

    def close(self) -> None:
        """Delete the shell: all that runs in it ends."""
        self.forget()

    # -- private -------------------------------------------------------------------------------------------

    def _open(self) -> str:
        opened = self.connection.message(
            "Create",
            lambda p: p.open_shell(codepage=UTF8, noprofile=True, idle_timeout=IDLE_TIMEOUT),
            again=True,
        )
        return str(opened)


class Command:
    """A running program in a shell."""

    def __init__(self, connection: Connection, shell: str, id: str) -> None:
        self._connection, self._shell, self._id = connection, shell, id
        self._stopped = False
        self._empty = 0

    def send(self, data: bytes, *, end: bool = False, again: bool = False) -> None:
        """To its stdin, in pieces every server takes."""
        pieces = [data[at : at + PIECE] for at in range(0, len(data), PIECE)] or [b""]
        for number, piece in enumerate(pieces, 1):
            self._piece(piece, end and number == len(pieces), again)

    def receive(self, within: float) -> Received:
        """What it wrote since, after at most ``within`` seconds (then nothing). Raises as ``Connection.message``."""
        clock = self._connection.clock
        start = clock.monotonic()
        try:
            reply = self._connection.message(
                "Receive",
                lambda p: p.send_message(wsman.receive(self._shell, self._id, seconds=p.operation_timeout_sec)),
                again=False,
                wait=min(20.0, max(1.0, within)),
            )
        except Exception as cause:
            if trouble_of(cause) is Trouble.TIMED_OUT:
                return Received()
            raise
        out, err, code = wsman.received(reply)
        if not out and not err and code is None:
            self._mind_empty(clock, clock.monotonic() - start)
        else:
            self._empty = 0
        return Received(out, err, code)

    def stop(self) -> None:
        """The final Signal, which every command must get (winrm.md 2); a running program ends by it."""
        if not self._stopped:
            self._stopped = True
            _quietly(self._connection, "Signal", lambda p: p.cleanup_command(self._shell, self._id))

    # -- private -------------------------------------------------------------------------------------------

    def _piece(self, piece: bytes, end: bool, again: bool) -> None:
        self._connection.message(
            "Send",
            lambda p: p.send_message(
                wsman.send(self._shell, self._id, piece, end=end, seconds=p.operation_timeout_sec)
            ),
            again=again,
        )

    def _mind_empty(self, clock: Clock, spent: float) -> None:
        """Answers that say nothing at once, again and again: pywinrm alone would ask for ever without a pause."""
        self._empty = self._empty + 1 if spent < 0.2 else 0
        if self._empty > 40:
            raise UnreachableError(
                f"{self._connection.to.host} answers without output and without an end",
                hint="Try again.",
                maybe_done=True,
            )
        if self._empty > 2:
            clock.sleep(0.05 * self._empty)


# -- private -------------------------------------------------------------------------------------------


def _quietly(connection: Connection, kind: str, act: Callable[[Any], Any]) -> None:
    try:
        connection.message(kind, act, again=True)
    except (ArrBlueGreenError, ShellGone, AssertionError) as cause:
        connection.say(f"{kind} failed: {cause}", 2)
