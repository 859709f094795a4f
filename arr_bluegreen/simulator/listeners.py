"""http.sys, W3SVC and the slots' applications over real sockets: one listener per address and port that a started site
is bound to. Each request enters its site's pool, passes the global rules, and is forwarded by ARR or answered here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import WSMsgType, web

from arr_bluegreen.simulator.error_pages import CUT, error_page
from arr_bluegreen.simulator.forwarding import split_host
from arr_bluegreen.simulator.front import Front
from arr_bluegreen.simulator.rules import Answered, Rewritten
from arr_bluegreen.simulator.slots import SlotRequest, answer
from arr_bluegreen.simulator.workers import Execution
from arr_bluegreen.webfarm import RunState

if TYPE_CHECKING:
    from arr_bluegreen.simulator.host import SimulatedHost

SLOT_IDLE_SECONDS = 120.0
"""A slot keeps an idle connection as long as IIS does (connectionTimeout, arr.md 3.1); ARR's pool lets go long
before."""
PUBLIC_IDLE_SECONDS = 75.0

Place = tuple[str, int, str]


class Listeners:
    """The machine's listeners, kept in line with sites and bindings by ``sync``; places to real ports go to
    ``host.net``.

    ``real_ports`` fixes the real port of a simulated one (the front's); every other is any free one.
    """

    def __init__(
        self,
        host: SimulatedHost,
        front: Front,
        *,
        real_ports: dict[int, int] | None = None,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        self._host, self._front, self._tls = host, front, tls
        self._real_ports = dict(real_ports or {})
        self._open: dict[Place, asyncio.Server] = {}
        self._web: dict[Place, web.Server] = {}
        self._public: frozenset[tuple[str, int]] = frozenset()
        self._lock = asyncio.Lock()

    async def sync(self) -> None:
        """Open what is missing, close what no started site is bound to. Raises ``OSError`` when a fixed port is
        taken."""
        async with self._lock:
            wanted = self._wanted()
            for place in [one for one in self._open if one not in wanted]:
                self._open.pop(place).close()
                self._host.net.drop(place[0], place[1])
            for place in wanted:
                if place not in self._open:
                    await self._listen(place)

    def drop_connections(self) -> int:
        """Every connection to every listener is reset: a fault. How many."""
        count = 0
        for server in self._web.values():
            for handler in server.connections:
                transport = handler.transport
                if transport is not None:
                    transport.abort()
                    count += 1
        return count

    async def close(self) -> None:
        """Stop listening and let go of all connections."""
        for listener in self._open.values():
            listener.close()
        for server in self._web.values():
            await server.shutdown(0.1)

    # -- private: listening --------------------------------------------------------------------------------

    def _wanted(self) -> set[Place]:
        started = {one.name for one in self._host.iis.sites() if one.state is RunState.STARTED}
        sites = [one for one in self._host.config.reading.sites if one.name in started]
        fronts = {one.name for one in self._host.arr.front_sites()}
        self._public = frozenset(
            (_ip(b.address), b.port) for one in sites if one.name in fronts for b in one.bindings if b.port
        )
        return {
            (_ip(b.address), b.port, b.protocol)
            for one in sites
            for b in one.bindings
            if b.port and b.protocol in ("http", "https") and (b.protocol == "http" or self._tls is not None)
        }

    async def _listen(self, place: Place) -> None:
        ip, port, protocol = place
        context = self._tls() if protocol == "https" and self._tls is not None else None
        idle = PUBLIC_IDLE_SECONDS if (ip, port) in self._public else SLOT_IDLE_SECONDS
        server = self._web.get(place)
        if server is None:
            server = self._web[place] = web.Server(
                self._handler(place), keepalive_timeout=idle, access_log=None, handler_cancellation=False
            )
        fixed = self._real_ports.get(port, 0)
        listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", fixed, ssl=context, backlog=512)
        self._open[place] = listener
        self._host.net.put(ip, port, int(listener.sockets[0].getsockname()[1]))

    def _handler(self, place: Place) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
        ip, port, protocol = place

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            peer = request.transport.get_extra_info("peername") if request.transport is not None else None
            if (ip, port) not in self._public and not (peer and self._comes_from_a_machine(ip, peer[1])):
                return _refused(request)
            return await self._serve(request, ip, port, secure=protocol == "https")

        return handle

    def _comes_from_a_machine(self, ip: str, real_port: int) -> bool:
        """Whether this machine made the connection, or, where no loopback address is bound, a neighbour of it."""
        loopback = ip.startswith("127.")
        near = [] if loopback else self._host.neighbours.values()
        return any(one.net.is_own(real_port) for one in (self._host, *near))

    # -- private: one request --------------------------------------------------------------------------------

    async def _serve(self, request: web.BaseRequest, ip: str, port: int, *, secure: bool) -> web.StreamResponse:
        host = self._host
        site = host.iis.site_at(ip, port, split_host(request.host)[0])
        if site is None:  # http.sys itself says so
            return web.Response(status=400, reason="Bad Request", text="Bad Request - Invalid Hostname")
        task = asyncio.current_task()
        assert task is not None, "a request is always handled in a task"
        killed = False

        def cut() -> None:
            nonlocal killed
            killed = True
            if request.transport is not None:
                request.transport.abort()
            task.cancel()

        execution = host.iis.begin(site, cut, url=request.raw_path, verb=request.method, client=request.remote or "")
        if execution is None:
            return error_page(503, 0, "The application pool is not available")
        try:
            await self._started(execution)
            return await self._inside(request, execution, port, secure=secure)
        except asyncio.CancelledError:
            if not killed:
                raise
            task.uncancel()
            return error_page(502, 3, code=CUT)
        finally:
            if not execution.worker.gone:
                host.iis.finish(execution)

    async def _started(self, execution: Execution) -> None:
        if execution.worker.held:
            started = asyncio.Event()
            self._host.iis.when_started(execution, started.set)
            await started.wait()

    async def _inside(
        self, request: web.BaseRequest, execution: Execution, port: int, *, secure: bool
    ) -> web.StreamResponse:
        site, target = execution.app.site, request.raw_path
        outcome = self._host.rewritten(site, request.host, port, target, request.method, request.headers, secure)
        if isinstance(outcome, Answered):
            return _answered(request, outcome)
        if isinstance(outcome, Rewritten):
            if outcome.host:
                return await self._front.forward(request, execution, outcome, secure=secure)
            target = outcome.path
        if not self._host.serves_itself(site):
            return error_page(404, 0, "The front site itself has nothing here")
        path, _, query = target.partition("?")
        return await self._application(request, execution, path, query)

    async def _application(
        self, request: web.BaseRequest, execution: Execution, path: str, query: str
    ) -> web.StreamResponse:
        """The slot's own application, once it has started (requests wait meanwhile, as IIS queues them)."""
        self._front.taken(request)
        body = await request.read() if request.body_exists else b""
        loop = asyncio.get_running_loop()
        if execution.app.ready_at > loop.time():
            ready = asyncio.Event()
            self._host.iis.when_ready(execution, ready.set)
            await ready.wait()
        if request.headers.get("Upgrade", "").casefold() == "websocket" and path == "/ws":
            return await _echo(request, execution)
        asked = SlotRequest(request.method, path, query, request.headers, body)
        said = answer(execution.app, asked, self._host.files, loop.time())
        if said.seconds:
            await asyncio.sleep(said.seconds)
        headers = {"X-App-Version": said.version} if said.version else {}
        return web.Response(status=said.status, body=said.body, content_type=said.content_type, headers=headers)


def _ip(address: str) -> str:
    return address or "*"


def _refused(request: web.BaseRequest) -> web.Response:
    """The connection is reset; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=403)


def _answered(request: web.BaseRequest, outcome: Answered) -> web.Response:
    """What a rewrite rule, or the module itself, answers."""
    if outcome.status == 0:
        return _refused(request)
    if outcome.status == 500 and outcome.sub_status:
        return error_page(500, outcome.sub_status, "The rewrite rules cannot be used")
    headers = {"Location": outcome.location} if outcome.location else {}
    return web.Response(status=outcome.status, reason=outcome.reason or None, text=outcome.description, headers=headers)


async def _echo(request: web.BaseRequest, execution: Execution) -> web.StreamResponse:
    """A WebSocket that says its version when asked ``version``, and everything else back."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(execution.app.spec.version if message.data == "version" else message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket
