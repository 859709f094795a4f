"""The WinRM service of the simulated machine: /wsman over HTTP and HTTPS, for real clients (winrm.md 2).

This file is HTTP and sign-in; what the messages mean is ``shell_service``'s. Anything that wants to be a WinRM client
may talk to it: pywinrm and raw messages are tested. Defaults are Windows' own: Negotiate only, encrypted messages only.
"""

from __future__ import annotations

import asyncio
import base64
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from arr_bluegreen.simulator.certificate import Certificate, make_certificate
from arr_bluegreen.simulator.faults import Faults, What
from arr_bluegreen.simulator.ntlm import Accounts, SignIn
from arr_bluegreen.simulator.shell_service import FindProgram, ShellService
from arr_bluegreen.simulator.shells import Quotas, Shells
from arr_bluegreen.simulator.wsman_encryption import CONTENT_TYPE, NotOpened, is_encrypted, pack, unpack
from arr_bluegreen.simulator.wsman_messages import (
    Message,
    NotSoap,
    SoapFault,
    fault_reply,
    identify_reply,
    is_identify,
    read_message,
)


@dataclass(frozen=True, slots=True)
class WsmanSettings:
    """How the service is set up (``winrm get winrm/config``). ``users`` are name -> password; kept out of repr."""

    users: Mapping[str, str] = field(repr=False)
    machine: str = "WEB01"
    basic: bool = False
    negotiate: bool = True
    allow_unencrypted: bool = False
    cbt_strict: bool = False
    stream_chunk: int = 0
    quotas: Quotas = field(default_factory=Quotas)


class WsmanServer:
    """One WinRM service; it may listen on several ports (HTTP and HTTPS). Runs on the current asyncio loop."""

    def __init__(self, settings: WsmanSettings, find_program: FindProgram, faults: Faults | None = None) -> None:
        self.settings = settings
        self.faults = faults or Faults()
        self.shells = Shells(settings.quotas, asyncio.get_running_loop().time)
        self.service = ShellService(self.shells, find_program, stream_chunk=settings.stream_chunk)
        self.certificate: Certificate | None = None
        self._accounts = Accounts(settings.users, settings.machine)
        self._signed_in: weakref.WeakKeyDictionary[asyncio.Transport, SignIn] = weakref.WeakKeyDictionary()
        self._runner: web.AppRunner | None = None

    async def listen(self, address: str = "127.0.0.1", port: int = 0, *, tls: bool = False) -> int:
        """Listen on one more port (0: any free one); returns the port. ``tls`` makes the machine's certificate."""
        if self._runner is None:
            app = web.Application(client_max_size=self.settings.quotas.max_envelope_bytes)
            app.router.add_route("*", "/{path:.*}", self._request)
            app.on_response_prepare.append(_as_windows)
            self._runner = web.AppRunner(app, access_log=None, keepalive_timeout=180, handler_cancellation=True)
            await self._runner.setup()
        context = self._certificate().context() if tls else None
        site = web.TCPSite(self._runner, address, port, ssl_context=context)
        await site.start()
        return int(self._runner.addresses[-1][1])

    async def close(self) -> None:
        """Stop listening, close all shells."""
        self.shells.close_all()
        if self._runner is not None:
            await self._runner.cleanup()

    def drop_connections(self) -> None:
        """Cut every connection now, as a restarted WinRM service or an impatient proxy does. Shells live on."""
        for transport in list(self._signed_in):
            transport.abort()

    def restart(self) -> None:
        """The WinRM service restarts: every connection and every shell is gone."""
        self.shells.close_all()
        self.drop_connections()

    # -- private: one HTTP request -----------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        self.faults.counts["http"] += 1
        await asyncio.sleep(self.faults.rtt_ms / 1000)
        self._cut(request, "http", "before")
        planned = self.faults.take(What.STATUS, "http")
        if planned is not None:
            return _status(planned.code)
        if request.path.rstrip("/").casefold() != "/wsman":
            return _status(404)
        if request.method != "POST":
            return _status(405)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return _status(413)
        self.faults.bytes_in += len(body)
        response = await self._signed(request, body)
        self.faults.bytes_out += len(response.body) if isinstance(response.body, bytes) else 0
        self._cut(request, "http", "after")
        return response

    async def _signed(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("WSMANIDENTIFY", "").casefold() == "unauthenticated" and is_identify(body):
            return _soap(200, identify_reply())
        sign_in = self._sign_in(request)
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        extra: dict[str, str] = {}
        if scheme.casefold() in ("negotiate", "ntlm") and self.settings.negotiate:
            answer = sign_in.step(token)
            if answer is None:
                return self._challenge()
            back = f"{scheme} {base64.b64encode(answer).decode()}" if answer else ""
            if sign_in.user is None:
                return web.Response(status=401, headers={"WWW-Authenticate": back})
            extra = {"WWW-Authenticate": back} if back else {}
        elif scheme.casefold() == "basic" and (not self.settings.basic or not sign_in.basic(token)):
            return self._challenge()
        if sign_in.user is None:
            return self._challenge()
        if not body:
            return web.Response(status=200, headers=extra)
        response = await self._opened(request, body, sign_in, sign_in.user)
        if scheme.casefold() == "basic":
            sign_in.user = None
        response.headers.update(extra)
        return response

    async def _opened(self, request: web.Request, body: bytes, sign_in: SignIn, user: str) -> web.Response:
        """The body opened, if sealed; an unsealed one is refused with an empty 500 unless TLS or settings allow it."""
        sealed = is_encrypted(request.headers.get("Content-Type", ""))
        if not sealed and not request.secure and not self.settings.allow_unencrypted:
            return web.Response(status=500, headers={"Connection": "close"})
        try:
            plain = unpack(body, sign_in.unseal) if sealed else body
            status, answer = await self._message(request, plain, user)
        except (NotOpened, NotSoap):
            return _status(400)
        if not sealed:
            return _soap(status, answer)
        return web.Response(status=status, body=pack(answer, sign_in.seal), headers={"Content-Type": CONTENT_TYPE})

    async def _message(self, request: web.Request, plain: bytes, user: str) -> tuple[int, bytes]:
        message: Message | None = None
        try:
            message = read_message(plain)
            self.faults.counts[message.kind] += 1
            answer = await self._handle(request, message, user)
        except SoapFault as fault:
            return 500, fault_reply(fault, message.message_id if message else "", self.settings.machine)
        return 200, answer

    async def _handle(self, request: web.Request, message: Message, user: str) -> bytes:
        """The message, with what is planned to go wrong around it."""
        faults, kind = self.faults, message.kind
        late = faults.take(What.DELAY, kind)
        if late is not None:
            await asyncio.sleep(late.ms / 1000)
        self._cut(request, kind, "before")
        planned = faults.take(What.STATUS, kind)
        if planned is not None:
            raise _Interrupted(_status(planned.code))
        planned = faults.take(What.FAULT, kind)
        if planned is not None:
            raise SoapFault(planned.code, "w:InternalError", "A fault planned on the simulated host.", "Receiver")
        answer = await self.service.answer(message, user)
        self._cut(request, kind, "after")
        return answer

    # -- private ------------------------------------------------------------------------------------------

    def _cut(self, request: web.Request, kind: str, when: str) -> None:
        if self.faults.take(What.DROP, kind, when) is not None and request.transport is not None:
            request.transport.abort()
            raise asyncio.CancelledError

    def _sign_in(self, request: web.Request) -> SignIn:
        transport = request.transport
        if transport is None:  # the client is gone already
            return SignIn(self._accounts)
        if transport not in self._signed_in:
            strict = self.settings.cbt_strict and request.secure and self.certificate is not None
            bindings = self.certificate.bindings if strict and self.certificate else None
            self._signed_in[transport] = SignIn(self._accounts, bindings)
        return self._signed_in[transport]

    def _challenge(self) -> web.Response:
        response = web.Response(status=401)
        if self.settings.negotiate:
            response.headers.add("WWW-Authenticate", "Negotiate")
        if self.settings.basic:
            response.headers.add("WWW-Authenticate", 'Basic realm="WSMAN"')
        return response

    def _certificate(self) -> Certificate:
        if self.certificate is None:
            right = (self.settings.machine, "localhost", "127.0.0.1", "::1")
            self.certificate = make_certificate(*(("wrong.example",) if self.faults.wrong_certificate else right))
        return self.certificate


class _Interrupted(web.HTTPException):
    """A planned HTTP status from deep inside: aiohttp sends what it is."""

    status_code = 500

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.set_status(response.status)


async def _as_windows(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "Microsoft-HTTPAPI/2.0"


def _status(code: int) -> web.Response:
    return web.Response(status=code or 500)


def _soap(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, headers={"Content-Type": "application/soap+xml;charset=UTF-8"})
