"""Commands on the controller (hooks): no shell, the facts on stdin, killed with what they started after their time.

They get our environment without the password: what a hook prints when it fails is told and kept in the journal.
"""

from __future__ import annotations

import locale
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from tempfile import TemporaryFile
from typing import IO

from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.errors import UsageError

TAIL = 4000
"""How many characters of the output are kept."""
GRACE = 5.0
"""Seconds that killing may take; what does not end then is left behind."""


class LocalCommands:
    """``CommandRunner`` on this machine."""

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        """Run to the command's own end or to the timeout. Raises ``UsageError`` when there is no such command.

        Files, no pipes: what a command has left running in the background holds a pipe open, and would be waited for.
        """
        with TemporaryFile() as told, TemporaryFile() as output:
            told.write(stdin.encode())
            told.seek(0)
            process = _start(command, environment, told, output)
            try:
                code: int | None = process.wait(timeout.total_seconds())
            except subprocess.TimeoutExpired:
                code = None
            finally:
                if process.poll() is None:  # also when Ctrl+C ends the wait
                    _kill(process)
            return CommandResult(code, _tail(output))


# -- private -------------------------------------------------------------------------------------------------

SECRETS = frozenset({"ARR_BLUEGREEN_PASSWORD"})


def _start(
    command: Sequence[str], environment: Mapping[str, str], told: IO[bytes], output: IO[bytes]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(command),
            stdin=told,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**_ours(), **environment},
            start_new_session=os.name != "nt",
        )
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        raise UsageError(f"cannot run {command[0]}: {getattr(error, 'strerror', None) or error}") from error


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.upper() not in SECRETS}


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - 4 * TAIL))  # a character is at most four bytes
    return output.read().decode(locale.getencoding(), "replace").replace("\r\n", "\n")[-TAIL:]


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The command and all it started: its session, or on Windows its tree as ``taskkill /T`` finds it."""
    if os.name == "nt":
        with suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(process.pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=GRACE,
                check=False,
            )
        process.kill()  # itself at least
    else:
        with suppress(ProcessLookupError):  # it ended between the timeout and here
            os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
