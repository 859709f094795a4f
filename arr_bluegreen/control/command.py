"""Commands on the controller (hooks): no shell, the facts on stdin, killed with what they started after their time.

They get our environment without the password: what a hook prints when it fails is told and kept in the journal.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.errors import UsageError

TAIL = 4000
"""How many characters of the output are kept."""


class LocalCommands:
    """``CommandRunner`` on this machine."""

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        """Run to the end or to the timeout. Raises ``UsageError`` when there is no such command."""
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env={**_ours(), **environment},
                start_new_session=os.name != "nt",
            )
        except OSError as error:
            raise UsageError(f"cannot run {command[0]}: {error.strerror or error}") from error
        try:
            output, _ = process.communicate(stdin, timeout=timeout.total_seconds())
        except subprocess.TimeoutExpired:
            _kill(process)
            output, _ = process.communicate()
            return CommandResult(None, output[-TAIL:])
        return CommandResult(process.returncode, output[-TAIL:])


# -- private -------------------------------------------------------------------------------------------------

SECRETS = frozenset({"ARR_BLUEGREEN_PASSWORD"})


def _ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.upper() not in SECRETS}


def _kill(process: subprocess.Popen[str]) -> None:
    """The command and, where sessions exist, all it started."""
    if os.name == "nt":
        process.kill()
        return
    with suppress(ProcessLookupError):  # it ended between the timeout and here
        os.killpg(process.pid, signal.SIGKILL)
