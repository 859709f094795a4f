"""Remote shells and the programs that run in them: streams, exit codes, quotas (winrm.md 1 and 2).

A program is a coroutine that reads stdin and writes bytes through its ``Process``; it ends with its exit code.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from arr_bluegreen.simulator.wsman_messages import QUOTA_OPERATIONS, QUOTA_SHELLS, SHELL_NOT_FOUND, SoapFault

Program = Callable[["Process"], Awaitable[int]]
KILLED = 1
"""The exit code of a program that was ended from outside (what ``taskkill`` leaves; a choice of ours)."""
FAILED = 255
"""The exit code of a program that this simulator could not play to its end: a bug of ours."""


class Process:
    """One running program. ``output`` holds what was written and not fetched yet, in order, by stream name."""

    def __init__(self, program: Program, *, codepage: str = "utf-8") -> None:
        self.codepage = codepage
        self.output: deque[tuple[str, bytes]] = deque()
        self.exit_code: int | None = None
        self._input: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._rest = b""
        self._ended_input = False
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._run(program))

    # what the program uses

    def write(self, data: bytes, stream: str = "stdout") -> None:
        """Bytes to stdout or stderr."""
        self.output.append((stream, data))
        self._changed.set()

    def say(self, text: str, stream: str = "stdout") -> None:
        """Text in the shell's code page; what that does not have becomes ``?``, as Windows does (winrm.md 5)."""
        self.write(text.encode(self.codepage, "replace"), stream)

    async def read_line(self) -> bytes | None:
        """The next line of stdin without its line end; None at the end of input."""
        while b"\n" not in self._rest:
            more = None if self._ended_input and self._input.empty() else await self._input.get()
            if more is None:
                self._ended_input = True
                line, self._rest = self._rest, b""
                return line or None
            self._rest += more
        line, self._rest = self._rest.split(b"\n", 1)
        return line.rstrip(b"\r")

    # what the shell uses

    def feed(self, data: bytes, *, end: bool) -> None:
        """Input from a Send; ``end`` closes stdin."""
        if data:
            self._input.put_nowait(data)
        if end:
            self._input.put_nowait(None)

    def kill(self, exit_code: int = KILLED) -> None:
        """End it now; what it wrote stays to be fetched."""
        if self.exit_code is None:
            self._task.cancel()
            self._end(exit_code)

    async def changed(self, timeout: float) -> bool:
        """Wait until there is output or the end, at most ``timeout`` seconds; whether there is."""
        if not self.output and self.exit_code is None:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout)
            except TimeoutError:
                return False
        return True

    # -- private --------------------------------------------------------------------------------------

    async def _run(self, program: Program) -> None:
        await asyncio.sleep(0)
        try:
            code = await program(self)
        except Exception as error:  # a fault of ours must not leave a client waiting for ever
            self.say(f"the simulated program failed: {error!r}\r\n", "stderr")
            code = FAILED
        if self.exit_code is None:
            self._end(code)

    def _end(self, exit_code: int) -> None:
        self.exit_code = exit_code
        self._changed.set()


@dataclass(slots=True)
class Shell:
    """One shell of one user. ``operations`` counts commands ever run: they leak, even when cleaned up (winrm.md 1)."""

    id: str
    owner: str
    idle_timeout: float
    codepage: str = "cp437"
    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str = ""
    commands: dict[str, Process] = field(default_factory=dict)
    operations: int = 0
    last_used: float = 0.0

    def start(self, program: Program) -> str:
        """Run a program; returns its command id."""
        self.operations += 1
        command = str(uuid4()).upper()
        self.commands[command] = Process(program, codepage=self.codepage)
        return command

    def close(self) -> None:
        """End all that runs in it."""
        for process in self.commands.values():
            process.kill()
        self.commands.clear()


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of a WinRM service, defaults as reported for current servers (winrm.md 1). Times in seconds."""

    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    max_operations_per_shell: int = 1500
    max_envelope_bytes: int = 500 * 1024
    idle_timeout: float = 7200.0


class Shells:
    """All shells of the machine. Idle ones go when their time is over."""

    def __init__(self, quotas: Quotas, now: Callable[[], float]) -> None:
        self.quotas, self._now = quotas, now
        self._shells: dict[str, Shell] = {}

    def open(self, owner: str, *, idle_timeout: float | None = None, codepage: str = "cp437") -> Shell:
        """A new shell; the quota fault when the user has too many."""
        self._sweep()
        limit = self.quotas.max_shells_per_user
        if sum(one.owner == owner for one in self._shells.values()) >= limit:
            raise SoapFault(
                QUOTA_SHELLS,
                "w:QuotaLimit",
                "The WS-Management service cannot process the request. The maximum number of concurrent shells for this"
                f" user has been exceeded. This user is allowed a maximum number of {limit} concurrent shells.",
            )
        seconds = self.quotas.idle_timeout if idle_timeout is None else idle_timeout
        shell = Shell(str(uuid4()).upper(), owner, seconds, codepage, last_used=self._now())
        self._shells[shell.id] = shell
        return shell

    def find(self, id: str, owner: str) -> Shell:
        """The owner's shell; the "not found" fault for any other."""
        self._sweep()
        shell = self._shells.get(id)
        if shell is None or shell.owner != owner:
            raise SoapFault(
                SHELL_NOT_FOUND,
                "w:InvalidSelectors",
                "The WS-Management service cannot process the request because the request contained invalid selectors"
                " for the resource.",
            )
        shell.last_used = self._now()
        return shell

    def may_run(self, shell: Shell) -> None:
        """The quota fault when the shell may not run one more command."""
        running = sum(one.exit_code is None for one in shell.commands.values())
        over_all = shell.operations >= self.quotas.max_operations_per_shell
        if over_all or running >= self.quotas.max_processes_per_shell:
            raise SoapFault(
                QUOTA_OPERATIONS,
                "w:QuotaLimit" if over_all else "w:InternalError",
                "The WS-Management service cannot process the request. The maximum number of concurrent operations for"
                " this user has been exceeded. Close existing operations for this user, or raise the quota.",
            )

    def close(self, shell: Shell) -> None:
        """Close one."""
        self._shells.pop(shell.id, None)
        shell.close()

    def close_all(self) -> None:
        """Close all: the service stops."""
        for shell in list(self._shells.values()):
            self.close(shell)

    def __len__(self) -> int:
        self._sweep()
        return len(self._shells)

    def __iter__(self) -> Iterator[Shell]:
        return iter(self._shells.values())

    # -- private --------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        now = self._now()
        for shell in [one for one in self._shells.values() if now - one.last_used > one.idle_timeout]:
            self.close(shell)
