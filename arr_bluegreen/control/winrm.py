"""One WinRM connection on pywinrm's ``Protocol``: a broken one replaced, nothing done twice (winrm.md 1).

pywinrm and requests are imported when the first message goes out. One connection is for one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.endpoint import Endpoint
from arr_bluegreen.control.interface import Clock
from arr_bluegreen.control.light_session import lighten
from arr_bluegreen.control.sign_in import check_sign_in
from arr_bluegreen.control.winrm_errors import Trouble, explain, trouble_of
from arr_bluegreen.errors import ArrBlueGreenError

if TYPE_CHECKING:
    from arr_bluegreen.control.connect import ConnectSettings

T = TypeVar("T")
Talk = Callable[[str, int], None]


class ShellGone(Exception):
    """The shell or the command is no more, a quota is full, or a fault came that we do not know.

    ``not_done``: the message was refused unread, so it may be sent again in a new shell. Else what it asked for may
    have been done: only what may be done twice is sent again.
    """

    def __init__(self, error: ArrBlueGreenError, *, not_done: bool) -> None:
        super().__init__(str(error))
        self.error, self.not_done = error, not_done


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
        self._answered = False
        self._sizes = [0, 0]

    def __repr__(self) -> str:
        return f"Connection({self.to.url!r})"

    def say(self, text: str, level: int = 1) -> None:
        """Talk for -v."""
        self.talk(f"{self.to.host}: {text}", level)

    def message(self, kind: str, act: Callable[[Any], T], *, again: bool, wait: float = 20.0) -> T:
        """Send one message: ``act(protocol)``. ``again``: may be sent twice if its fate is unknown; ``wait``: seconds.

        Raises ``ShellGone``, ``UnreachableError`` (``maybe_done`` when the fate of what must not be sent twice is
        unknown), ``SignInError``; for Receive alone pywinrm's operation timeout, which means no output yet.
        """
        if self._broken:
            self._fresh()
        for last in (False, True):
            try:
                return self._once(kind, act, wait)
            except Exception as cause:
                trouble = trouble_of(cause, answered=self._answered)
                if trouble is Trouble.TIMED_OUT and kind == "Receive":
                    raise
                if trouble in (Trouble.SHELL, Trouble.FAULT):
                    unknown = trouble is Trouble.FAULT
                    raise ShellGone(explain(cause, self.to, maybe_done=unknown), not_done=not unknown) from cause
                if trouble not in (Trouble.REFUSED, Trouble.TIMED_OUT):
                    self._fresh()
                unknown = trouble in (Trouble.DROPPED, Trouble.TIMED_OUT)
                if last or not (trouble is Trouble.STALE or (unknown and again)):
                    told = explain(cause, self.to, maybe_done=unknown and not again, answered=self._answered)
                    raise told from cause
                self.say(f"{kind}: {trouble.value} ({type(cause).__name__}); once more")
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
            self._broken, self._answered = False, True
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
        self._measure(protocol.transport)
        return protocol

    def _measure(self, transport: Any) -> None:
        """Sizes told; and our settings only: no proxy and no .netrc of the environment, from the first message on (the
        empty one that signs in is sent while the session is built). Not looking there spares a third of a message."""
        send, encrypt = transport.send_message, transport.setup_encryption

        def measured(message: str | bytes) -> Any:
            self._sizes = [len(message), 0]
            lighten(transport.build_session())
            reply = send(message)
            self._sizes[1] = len(reply)
            return reply

        def encrypted(session: Any) -> None:
            session.trust_env = False
            encrypt(session)

        transport.send_message, transport.setup_encryption = measured, encrypted

    def _fresh(self) -> None:
        """A new TCP connection and a new security context; the shell id stays valid (winrm.md 1)."""
        self._broken = False
        if self._protocol is not None:
            self._protocol.transport.close_session()
            self._protocol.transport.encryption = None
