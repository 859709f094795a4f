"""Who may sign in, and how a connection signs in: Basic, NTLM and NTLM inside SPNEGO (winrm.md 2, Auth flows).

The security context belongs to one TCP connection, as on Windows: a message sealed on an older connection cannot be
opened on a new one, which is pywinrm's worst known defect and must show here too.
"""

from __future__ import annotations

import base64
import binascii
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from arr_bluegreen.errors import UsageError
from arr_bluegreen.simulator.wsman_encryption import NotOpened, Sealed


class Accounts:
    """The users of the simulated machine. Passwords are kept out of every repr."""

    def __init__(self, passwords: Mapping[str, str], machine: str = "WEB01") -> None:
        for user, password in passwords.items():
            if not user or not password or any(sign in user + password for sign in ":\r\n"):
                raise UsageError("a simulated user needs a name and a password without ':' and line breaks")
        self._passwords = {user.casefold(): password for user, password in passwords.items()}
        pairs = passwords.items()
        self._lines = [f"{domain}:{user}:{password}" for user, password in pairs for domain in ("", machine)]

    def knows(self, user: str, password: str) -> bool:
        """Whether Basic may let this pair in (user without case, optionally ``DOMAIN\\user``)."""
        return self._passwords.get(_bare(user)) == password

    @contextmanager
    def in_a_file(self) -> Iterator[None]:
        """pyspnego's acceptor knows its users only by a file named in NTLM_USER_FILE: there for one step, then gone."""
        handle, name = tempfile.mkstemp(prefix="arr-bluegreen-users-")  # mkstemp: mode 0600
        with _LOCK:
            before = os.environ.get("NTLM_USER_FILE")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    file.write("\n".join(self._lines))
                os.environ["NTLM_USER_FILE"] = name
                yield
            finally:
                Path(name).unlink()
                os.environ.pop("NTLM_USER_FILE", None)
                if before is not None:
                    os.environ["NTLM_USER_FILE"] = before


@dataclass(slots=True)
class SignIn:
    """The state of one connection: nobody yet, in the middle of a handshake, or a user with keys."""

    accounts: Accounts = field(repr=False)
    bindings: GssChannelBindings | None = None
    user: str | None = None
    _context: spnego._context.ContextProxy | None = field(default=None, repr=False)

    def basic(self, credentials: str) -> bool:
        """Basic: true when the base64 ``user:password`` is a known pair. Holds for this request only."""
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        self.user = _bare(user) if self.accounts.knows(user, password) else None
        return self.user is not None

    def step(self, token: str) -> bytes | None:
        """One leg of Negotiate/NTLM: the token to send back (may be empty), None when the sign-in failed."""
        try:
            raw = base64.b64decode(token, validate=True)
            if self._context is None or self._context.complete or _is_first(raw):
                self._begin(raw)
            answer = self._advance(raw)
        except (SpnegoError, binascii.Error, ValueError):
            self.user, self._context = None, None
            return None
        if self._context is not None and self._context.complete:
            self.user = _bare(self._context.client_principal or "")
        return answer

    def seal(self, plain: bytes) -> Sealed:
        """``plain`` sealed with this connection's keys."""
        if self._context is None:
            raise NotOpened("this connection has no keys")
        sealed = self._context.wrap_winrm(plain)
        return sealed.header, sealed.data, sealed.padding_length

    def unseal(self, signature: bytes, data: bytes) -> bytes:
        """Opened with this connection's keys; ``NotOpened`` when they do not fit."""
        if self._context is None or not self._context.complete:
            raise NotOpened("this connection has no keys")
        try:
            return self._context.unwrap_winrm(signature, data)
        except (SpnegoError, ValueError) as error:
            raise NotOpened("sealed with other keys") from error

    # -- private --------------------------------------------------------------------------------------

    def _begin(self, raw: bytes) -> None:
        self.user = None
        protocol = "ntlm" if raw.startswith(b"NTLMSSP\0") else "negotiate"
        with self.accounts.in_a_file():
            self._context = spnego.server(protocol=protocol, channel_bindings=self.bindings)

    def _advance(self, raw: bytes) -> bytes:
        assert self._context is not None
        with self.accounts.in_a_file():
            return self._context.step(raw) or b""


# -- private ------------------------------------------------------------------------------------------

_LOCK = threading.Lock()


def _is_first(raw: bytes) -> bool:
    """An NTLM negotiate message, or a SPNEGO NegTokenInit (application tag 0x60): a new handshake begins."""
    return raw[:12] == b"NTLMSSP\0\x01\0\0\0" or raw[:1] == b"\x60"


def _bare(user: str) -> str:
    """``DOMAIN\\User`` and ``User@domain`` as ``user``: the simulated machine has local users only."""
    return user.rsplit("\\", 1)[-1].split("@", 1)[0].casefold()
