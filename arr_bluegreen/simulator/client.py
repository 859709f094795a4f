"""The simulated machine as an HTTP client in real time: what ARR, its probes and our probe script connect with."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest

if TYPE_CHECKING:
    from arr_bluegreen.simulator.host import SimulatedHost

POOL_IDLE_SECONDS = 30.0
"""How long a connection to a slot is kept for reuse: well below the slot's own limit, so that a slot never closes one
under a request (the trap of issue 2)."""
MOST_TEXT = 64 * 1024


class MachineClient:
    """One pool of connections, all of them the machine's own. Implements ``health.Asker`` on the running loop."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=POOL_IDLE_SECONDS,
            socket_factory=lambda info: host.net.own_socket(info[0], info[1], info[2]),
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=False,
        )
        self.session._retry_connection = False  # aiohttp repeats by itself what a killed slot had taken; ARR does not
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, address: str, port: int, rest: str, scheme: str = "http") -> URL | None:
        """The real URL that plays this address and port of the machine; None when nothing listens there."""
        located = self._host.locate(address)
        real = located[0].net.real(located[1], port) if located is not None else None
        return None if real is None else URL(f"{scheme}://127.0.0.1:{real}{rest}", encoded=True)

    def ask(self, request: ProbeRequest, done: Callable[[ProbeAnswer], None]) -> None:
        """One request, answered later."""

        async def run() -> None:
            done(await self.answer(request))

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def answer(self, request: ProbeRequest) -> ProbeAnswer:
        """One request, no redirect followed; what goes wrong is ``error``, a WinHTTP number first (arr.md 5.7)."""
        began = time.monotonic()
        if self._host.exchange.delay_next_asks:
            await asyncio.sleep(self._host.exchange.delay_next_asks)
        try:
            return await self._answer(request, began)
        except TimeoutError:
            error = "12002: timeout"
        except aiohttp.ClientConnectorCertificateError as problem:
            error = f"12175: {problem.certificate_error}"
        except aiohttp.ClientConnectorError:
            error = "12029: cannot connect"
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            error = f"12030: {str(problem) or type(problem).__name__}"
        return ProbeAnswer(0, seconds=time.monotonic() - began, error=error)

    async def close(self) -> None:
        """Let go of all connections."""
        for task in list(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.session.close()

    # -- private -----------------------------------------------------------------------------------------

    async def _answer(self, request: ProbeRequest, began: float) -> ProbeAnswer:
        parts = urlsplit(request.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        rest = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        if self._host.locate(parts.hostname or "") is None:
            return ProbeAnswer(0, seconds=time.monotonic() - began, error="12007: the name could not be resolved")
        url = self.url(parts.hostname or "", port, rest, parts.scheme)
        if url is None:
            return ProbeAnswer(0, seconds=time.monotonic() - began, error="12029: cannot connect")
        secure = parts.scheme == "https"
        name = (request.host or parts.hostname or "").partition(":")[0]
        async with self.session.request(
            request.method,
            url,
            headers=[("Host", request.host or parts.netloc), *request.headers],
            data=request.body.encode() or None,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=request.timeout.total_seconds()),
            ssl=unverified() if secure and not request.verify_tls else True,
            server_hostname=name if secure else None,
        ) as response:
            body = await response.content.read(MOST_TEXT)
            headers = tuple((name, value) for name, value in response.headers.items())
            text = body.decode("utf-8", "replace")
            return ProbeAnswer(response.status, headers, text, time.monotonic() - began)


@cache
def unverified() -> ssl.SSLContext:
    """A TLS context that takes any certificate: ARR ignores names by default (D-SECFLAGS in arr.md 5.9), and the
    machine's own is signed by nobody. Made once: it takes tens of milliseconds, which all requests would wait for."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
