"""ARR's proxying of one real request: rules have said where to, ``SimulatedArr`` says which server (arr.md 5.4, 5.7,
5.9).

A request that the slot's end of a pooled connection drops before the first byte is sent once more, if its method may be
repeated; nothing else is retried. 502.3 and 502.4 are told as IIS tells them, the sub-status in the body.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from arr_bluegreen.simulator.client import MachineClient, unverified
from arr_bluegreen.simulator.error_pages import CANNOT_CONNECT, CUT, INVALID_RESPONSE, TIMEOUT, error_page
from arr_bluegreen.simulator.forwarding import forwards_left, host_header, port_of, split_host
from arr_bluegreen.simulator.memory_of_arr import RouteAsk
from arr_bluegreen.simulator.proxied_headers import HOP_BY_HOP, onward_headers, public_location, set_headers
from arr_bluegreen.simulator.rules import Rewritten
from arr_bluegreen.simulator.workers import Execution
from arr_bluegreen.webfarm import FarmProtocol, Proxy, WebFarm

if TYPE_CHECKING:
    from arr_bluegreen.simulator.host import SimulatedHost

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
SMALL = 256 * 1024
"""Bodies up to this size are passed on whole: ARR's response buffer threshold (arr.md 5.9)."""
_WEB_SOCKET = frozenset(
    {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"}
)


@dataclass(slots=True)
class Hop:
    """One request as ARR sends it on, and what became of it.

    ``url`` is None where nothing listens; ``log_id`` is in its headers; ``names`` are those the other end goes by.
    """

    url: URL | None
    headers: CIMultiDict[str]
    protocol: FarmProtocol | Proxy
    log_id: str
    names: tuple[str, ...]
    set_cookie: str = ""
    begun: bool = False
    """The client has the beginning of the response."""
    failed: bool = False
    """The server gave no answer, or broke it off."""

    def lost(self, code: int) -> web.Response:
        """502.3: the request could not be completed (arr.md 5.7)."""
        self.failed = True
        return error_page(502, 3, code=code)


class Front:
    """The proxy of one machine."""

    def __init__(self, host: SimulatedHost, client: MachineClient) -> None:
        self._host, self._client = host, client
        self._taken: dict[str, bool] = {}
        """Requests on their way, by log id: whether a slot has taken them."""

    def taken(self, request: web.BaseRequest) -> None:
        """A slot has taken this request: it is not repeated, whatever becomes of it."""
        for value in request.headers.values():
            if value in self._taken:
                self._taken[value] = True

    async def forward(
        self, request: web.BaseRequest, execution: Execution, rewritten: Rewritten, *, secure: bool
    ) -> web.StreamResponse:
        """The answer for a request that a rule sent to a farm, or to ``host:port`` where the proxy is enabled (arr.md
        1.3); ``secure``: the client came by TLS."""
        proxy = self._host.config.reading.proxy
        farm = self._host.arr.farm_called(rewritten.host)
        if farm is None and not proxy.enabled:
            return error_page(404, 4, "No server farm of this name, and the proxy is not enabled")
        protocol = proxy if farm is None else farm.protocol
        given = request.headers.get("Max-Forwards", "")
        left = forwards_left(int(given) if given.isdigit() else None, protocol.max_forwards)
        if left is None:
            return error_page(400, 605, "The request cannot be routed because it has reached the Max-Forwards limit")
        headers = onward_headers(request, protocol, left, self._host.settings.computer if secure else "")
        set_headers(headers, rewritten.headers)
        if farm is not None:
            return await self._to_farm(request, execution, rewritten, farm, headers)
        name, port = split_host(rewritten.host)
        port = port or (443 if rewritten.scheme == "https" else 80)
        headers["Host"] = request.host if proxy.preserve_host_header else rewritten.host
        return await self._exchange(request, self._hop((name, port), rewritten, headers, proxy))

    # -- private -----------------------------------------------------------------------------------------

    async def _to_farm(
        self,
        request: web.BaseRequest,
        execution: Execution,
        rewritten: Rewritten,
        farm: WebFarm,
        headers: CIMultiDict[str],
    ) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None, "a request is always handled in a task"
        cut = False

        def on_cut() -> None:
            nonlocal cut
            cut = True
            task.cancel()

        socket = request.headers.get("Upgrade", "").casefold() == "websocket"
        cookie = request.cookies.get(farm.affinity.cookie_name, "") if farm.affinity.use_cookie else ""
        ask = RouteAsk(split_host(request.host)[0], cookie, rewritten.path, socket)
        forwarded = self._host.arr.route(execution.worker, farm, ask, on_cut)
        if forwarded is None:
            return error_page(502, 4, "No server is available", code=0)
        server = forwarded.server
        headers["Host"] = host_header(farm, server, request.host, self._host.settings)
        place = server.address, port_of(server, secure=rewritten.scheme == "https")
        hop = self._hop(place, rewritten, headers, farm.protocol)
        hop.set_cookie = f"{farm.affinity.cookie_name}={forwarded.cookie}; Path=/" if forwarded.cookie else ""
        status = 502
        try:
            response = await (self._web_socket if socket else self._exchange)(request, hop)
            status = response.status
            return response
        except asyncio.CancelledError:
            hop.failed = True
            if not cut:
                raise
            task.uncancel()
            if hop.begun and request.transport is not None:
                request.transport.abort()
            return error_page(502, 3, code=CUT)
        finally:
            self._host.arr.finish(forwarded, status, by_arr=hop.failed)

    def _hop(
        self,
        place: tuple[str, int],
        rewritten: Rewritten,
        headers: CIMultiDict[str],
        protocol: FarmProtocol | Proxy,
    ) -> Hop:
        url = self._client.url(*place, rewritten.path, rewritten.scheme)
        names = (f"{place[0]}:{place[1]}", place[0], headers["Host"])
        return Hop(url, headers, protocol, headers[protocol.log_guid_name], names)

    async def _exchange(self, request: web.BaseRequest, hop: Hop) -> web.StreamResponse:
        if hop.url is None:
            return hop.lost(CANNOT_CONNECT)
        body: Any = None
        if request.body_exists:
            length = request.content_length
            body = await request.read() if length is not None and length <= SMALL else request.content
        seconds = hop.protocol.timeout.total_seconds()
        limits = aiohttp.ClientTimeout(total=None, sock_connect=seconds, sock_read=seconds)
        again = request.method in REPEATABLE and (body is None or isinstance(body, bytes))
        for attempt in (1, 2):
            self._taken[hop.log_id] = False
            try:
                response = await self._client.session.request(
                    request.method,
                    hop.url,
                    headers=hop.headers,
                    data=body,
                    allow_redirects=False,
                    timeout=limits,
                    ssl=unverified(),
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                never_there = isinstance(error, aiohttp.ClientConnectorError)
                if attempt == 1 and again and not self._taken[hop.log_id] and not never_there:
                    continue
                return hop.lost(CANNOT_CONNECT if never_there else CUT)
            except TimeoutError:
                return hop.lost(TIMEOUT)
            except aiohttp.ClientError:
                return hop.lost(INVALID_RESPONSE)
            finally:
                self._taken.pop(hop.log_id, None)
            return await self._back(request, response, hop)
        raise AssertionError("the second attempt answers or returns")

    async def _back(self, request: web.BaseRequest, response: aiohttp.ClientResponse, hop: Hop) -> web.StreamResponse:
        headers: CIMultiDict[str] = CIMultiDict(
            (name, value) for name, value in response.headers.items() if name.casefold() not in HOP_BY_HOP
        )
        if hop.set_cookie:
            headers.add("Set-Cookie", hop.set_cookie)
        if hop.protocol.arr_response_header:
            headers["X-Powered-By"] = "ARR/3.0"
        if hop.protocol.reverse_rewrite_host_in_response_headers and "Location" in headers:
            headers["Location"] = public_location(headers["Location"], hop.names, f"{request.scheme}://{request.host}")
        length = response.content_length
        try:
            if length is not None and length <= SMALL:
                body = await response.read()
                headers.pop("Content-Length", None)
                return web.Response(status=response.status, reason=response.reason, headers=headers, body=body)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return hop.lost(CUT)
        return await self._stream(request, response, headers, hop)

    async def _stream(
        self, request: web.BaseRequest, response: aiohttp.ClientResponse, headers: CIMultiDict[str], hop: Hop
    ) -> web.StreamResponse:
        out = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
        hop.begun = True
        await out.prepare(request)
        try:
            async for piece in response.content.iter_any():
                await out.write(piece)
            await out.write_eof()
        except (aiohttp.ClientError, TimeoutError, OSError):
            hop.failed = True
            if request.transport is not None:
                request.transport.abort()
        finally:
            response.release()
        return out

    async def _web_socket(self, request: web.BaseRequest, hop: Hop) -> web.StreamResponse:
        if hop.url is None:
            return hop.lost(CANNOT_CONNECT)
        headers = hop.headers.copy()
        for name in _WEB_SOCKET:
            headers.popall(name, None)
        offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        try:
            upstream = await self._client.session.ws_connect(
                hop.url,
                headers=headers,
                protocols=offered,
                autoclose=False,
                autoping=False,
                max_msg_size=0,
                ssl=unverified(),
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return error_page(502, 5, "The WebSocket could not be opened")
        chosen = [upstream.protocol] if upstream.protocol else []
        downstream = web.WebSocketResponse(autoping=False, protocols=chosen, max_msg_size=0)
        hop.begun = True
        await downstream.prepare(request)
        pumps = {asyncio.ensure_future(_pump(upstream, downstream)), asyncio.ensure_future(_pump(downstream, upstream))}
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await upstream.close()
            await downstream.close()
        return downstream


# -- private ---------------------------------------------------------------------------------------------


async def _pump(
    source: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
    target: aiohttp.ClientWebSocketResponse | web.WebSocketResponse,
) -> None:
    while True:
        message = await source.receive()
        match message.type:
            case aiohttp.WSMsgType.TEXT:
                await target.send_str(message.data)
            case aiohttp.WSMsgType.BINARY:
                await target.send_bytes(message.data)
            case aiohttp.WSMsgType.PING:
                await target.ping(message.data)
            case aiohttp.WSMsgType.PONG:
                await target.pong(message.data)
            case _:
                return
