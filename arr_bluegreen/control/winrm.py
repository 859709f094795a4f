"""One WinRM connection and its shell, on pywinrm's ``Protocol``: deadlines, renewal, nothing twice (winrm.md 1).

pywinrm and requests are imported when the first message goes out. One connection is for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from arr_bluegreen.control import wsman
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.endpoint import Endpoint
from arr_bluegreen.control.interface import Clock
from arr_bluegreen.control.winrm_errors import Trouble, explain, trouble_of
from arr_bluegreen.errors import ArrBlueGreenError, UnreachableError, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.control.connect import ConnectSettings

T = TypeVar("T")
Talk = Callable[[str, int], None]
COMMANDS_PER_SHELL = 200
"""A shell is renewed after so many commands: operations leak, and at 1500 the service refuses all (winrm.md 1)."""
PIECE = 90_000
"""Raw bytes of one Send: safe for every server's MaxEnvelopeSizekb (winrm.md 1)."""
UTF8 = 65001
IDLE_TIMEOUT = "PT900S"
"""What a shell whose Create was answered into a broken connection lives for."""


class ShellGone(Exception):
    """The shell or the command is no more, or a quota is full; the message was refused, so it was not done."""

    def __init__(self, error: ArrBlueGreenError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class Output:
    """How a command ended: its streams and exit code (0 to 2**32 - 1)."""

    stdout: bytes
    stderr: bytes
    code: int


@dataclass(frozen=True, slots=True)
class Received:
    """One Receive: what came, and the exit code once the command has ended."""

    stdout: bytes = b""
    stderr: bytes = b""
    code: int | None = None


class Connection:
    """Messages to one machine. ``messages`` counts them by kind."""

    def __init__(self, to: Endpoint, settings: ConnectSettings, clock: Clock | None = None) -> None:
        check_sign_in(to, settings)
        self.to, self.clock = to, clock or SystemClock()
        self.messages: dict[str, int] = {}
        self._settings = settings
        self.talk: Talk = settings.talk or (lambda text, level: None)
        self._protocol: Any = None
        self._broken = False
        self._sizes = [0, 0]

    def __repr__(self) -> str:
        return f"Connection({self.to.url!r})"

    def say(self, text: str, level: int = 1) -> None:
        """Talk for -v."""
        self.talk(f"{self.to.host}: {text}", level)

    def message(self, kind: str, act: Callable[[Any], T], *, again: bool, wait: float = 20.0) -> T:
        """Send one message: ``act(protocol)``. ``again``: may be sent twice if its fate is unknown; ``wait``: seconds.

        Raises ``ShellGone``, ``UnreachableError`` (``maybe_done`` when the fate of what must not be sent twice is
        unknown), ``SignInError``, and lets pywinrm's operation timeout through (for Receive).
        """
        if self._broken:
            self._fresh()
        for last in (False, True):
            try:
                return self._once(kind, act, wait)
            except Exception as cause:
                if type(cause).__name__ == "WinRMOperationTimeoutError":
                    raise
                trouble = trouble_of(cause)
                if trouble is Trouble.SHELL:
                    raise ShellGone(explain(cause, self.to)) from cause
                if trouble is not Trouble.REFUSED:
                    self._fresh()
                if last or not (trouble is Trouble.STALE or (trouble is Trouble.DROPPED and again)):
                    raise explain(cause, self.to, maybe_done=trouble is Trouble.DROPPED and not again) from cause
                self.say(f"{kind}: the connection broke ({type(cause).__name__}), once more on a fresh one")
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Let the TCP connection go."""
        if self._protocol is not None:
            self._protocol.transport.close_session()

    # -- private -------------------------------------------------------------------------------------------

    def _once(self, kind: str, act: Callable[[Any], T], wait: float) -> T:
        protocol = self._protocol = self._protocol or self._open()
        protocol.operation_timeout_sec = max(1, round(wait))
        read = max(self._settings.timeout.total_seconds(), wait + 10)
        # requests takes (connect, read); pywinrm hands through whatever it finds here.
        protocol.transport.read_timeout_sec = (self._settings.connect_timeout.total_seconds(), read)
        self.messages[kind] = self.messages.get(kind, 0) + 1
        start = self.clock.monotonic()
        self._broken = True
        try:
            done = act(protocol)
            self._broken = False
            return done
        except Exception as cause:
            self._broken = trouble_of(cause) in (Trouble.DROPPED, Trouble.STALE, Trouble.NOT_SENT)
            raise
        finally:
            spent = (self.clock.monotonic() - start) * 1000
            self.say(f"{kind} {self._sizes[0]} bytes -> {self._sizes[1]} bytes in {spent:.0f} ms", 2)

    def _open(self) -> Any:
        from winrm.protocol import Protocol

        settings = self._settings
        make: Any = Protocol  # its type hints know fewer values than it takes
        protocol = make(
            self.to.url,
            transport=settings.transport,
            username=settings.user or None,
            password=settings.password or None,
            ca_trust_path=settings.ca or None,
            cert_pem=settings.certificate or None,
            cert_key_pem=settings.certificate_key or None,
            server_cert_validation="validate",
            read_timeout_sec=30,
            operation_timeout_sec=20,
            message_encryption="auto",
            proxy=settings.proxy or None,
        )
        self._measure(protocol)
        return protocol

    def _measure(self, protocol: Any) -> None:
        send = protocol.transport.send_message

        def measured(message: str | bytes) -> Any:
            self._sizes = [len(message), 0]
            if protocol.transport.session is not None:
                # Our settings only: no proxy, no .netrc of the environment (and looking costs a third of a message).
                protocol.transport.session.trust_env = False
            reply = send(message)
            self._sizes[1] = len(reply)
            return reply

        protocol.transport.send_message = measured

    def _fresh(self) -> None:
        """A new TCP connection and a new security context; the shell id stays valid (winrm.md 1)."""
        self._broken = False
        if self._protocol is not None:
            self._protocol.transport.close_session()
            self._protocol.transport.encryption = None


class Shell:
    """A UTF-8 shell, opened by its first command. ``used`` counts commands."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.used = 0
        self._id: str | None = None

    def run(
        self, program: str, arguments: Sequence[str], *, within: float, stdin: bytes | None = None, again: bool = False
    ) -> Output:
        """Run a program (a full path; no cmd.exe in between) to its end, at most ``within`` seconds.

        ``again``: the whole of it may be done twice. Raises as ``Connection.message`` does.
        """
        command = self.start(program, arguments, again=again)
        try:
            if stdin is not None:
                command.send(stdin, end=True, again=again)
            return command.finish(within)
        finally:
            command.stop()

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
        shell, self._id, self.used = self._id, None, 0
        if shell is not None:
            _quietly(self.connection, "Delete", lambda p: p.close_shell(shell, close_session=False))

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
            if type(cause).__name__ == "WinRMOperationTimeoutError":
                return Received()
            raise
        out, err, code = wsman.received(reply)
        if not out and not err and code is None:
            self._mind_empty(clock, clock.monotonic() - start)
        else:
            self._empty = 0
        return Received(out, err, code)

    def finish(self, within: float) -> Output:
        """Receive until it has ended; raises ``UnreachableError`` (maybe done) after ``within`` seconds."""
        clock = self._connection.clock
        deadline = clock.monotonic() + within
        out, err = bytearray(), bytearray()
        while True:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise UnreachableError(
                    f"{self._connection.to.host}: a command did not end within {within:g} s",
                    hint="It was told to stop; look at what it did.",
                    maybe_done=True,
                )
            got = self.receive(left)
            out += got.stdout
            err += got.stderr
            if got.code is not None:
                return Output(bytes(out), bytes(err), got.code)

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


def check_sign_in(to: Endpoint, settings: ConnectSettings) -> None:
    """Raise ``UsageError`` for what can be seen to be wrong before anything is sent."""
    transport = settings.transport
    if transport == "basic" and not to.tls and not settings.allow_basic_over_http:
        raise UsageError(
            f"{to.host}: Basic over HTTP would send the password readable",
            hint="Use --tls, or --transport ntlm; --allow-basic-over-http is for a simulator on loopback.",
        )
    if transport == "certificate":
        if not (to.tls and settings.certificate and settings.certificate_key):
            raise UsageError(f"{to.host}: transport certificate needs --tls, a certificate and its key (PEM)")
        return
    if transport != "kerberos" and not settings.user:
        raise UsageError(f"{to.host}: who signs in?", hint="Set ARR_BLUEGREEN_USER, or give --user.")
    if transport != "kerberos" and not settings.password:
        raise UsageError(f"{to.host}: no password", hint="Set ARR_BLUEGREEN_PASSWORD, or give --password-file.")


# -- private -------------------------------------------------------------------------------------------


def _quietly(connection: Connection, kind: str, act: Callable[[Any], Any]) -> None:
    try:
        connection.message(kind, act, again=True)
    except (ArrBlueGreenError, ShellGone, AssertionError) as cause:
        connection.say(f"{kind} failed: {cause}", 2)
    except Exception as cause:  # pywinrm's operation timeout: the message was taken
        connection.say(f"{kind}: {type(cause).__name__}", 2)
