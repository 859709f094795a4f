"""ARR's proxying of one real request: rules have said where to, ``SimulatedArr`` says which server (arr.md 5.4, 5.7,
5.9).

A request that the slot's end of a pooled connection drops before the first byte is sent once more, if its method may be
repeated; nothing else is retried. 502.3 and 502.4 are told as IIS tells them, the sub-status in the body.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from arr_bluegreen.simulator.client import MachineClient
from arr_bluegreen.simulator.memory_of_arr import Forwarded, RouteAsk
from arr_bluegreen.simulator.rules import Rewritten
from arr_bluegreen.simulator.workers import Execution
from arr_bluegreen.webfarm import FarmProtocol, Proxy, WebFarm

if TYPE_CHECKING:
    from arr_bluegreen.simulator.host import SimulatedHost

REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
SMALL = 256 * 1024
LOG_ID = "X-ARR-LOG-ID"
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_WEB_SOCKET = frozenset(
    {"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions", "sec-websocket-protocol"}
)


class Front:
    """The proxy of one machine."""

    def __init__(self, host: SimulatedHost, client: MachineClient) -> None:
        self._host, self._client = host, client
        self._taken: set[str] = set()

    def taken(self, request: web.BaseRequest) -> None:
        """A slot has taken this request: it is not repeated, whatever becomes of it."""
        self._taken.add(request.headers.get(LOG_ID, ""))

    async def forward(self, request: web.BaseRequest, execution: Execution, rewritten: Rewritten) -> web.StreamResponse:
        """The answer for a request that a rule sent to a farm, or to ``host:port`` where the proxy is enabled (arr.md
        1.3)."""
        forwards = request.headers.get("Max-Forwards", "")
        if forwards == "0":
            return error_page(400, 605, "The request cannot be routed because it has reached the Max-Forwards limit")
        reading = self._host.config.reading
        farm = reading.farm(rewritten.host)
        if farm is not None:
            return await self._to_farm(request, execution, rewritten, farm)
        if not reading.proxy.enabled:
            return error_page(404, 4, "No server farm of this name, and the proxy is not enabled")
        name, _, port = rewritten.host.partition(":")
        url = self._client.url(name, int(port or (443 if rewritten.scheme == "https" else 80)), rewritten.path)
        if url is None:
            return error_page(502, 3, "12029")
        proxy = reading.proxy
        seen = request.host if proxy.preserve_host_header else rewritten.host
        headers = self._headers(request, proxy, seen)
        return await self._exchange(request, url, headers, proxy.timeout.total_seconds())

    # -- private -----------------------------------------------------------------------------------------

    async def _to_farm(
        self, request: web.BaseRequest, execution: Execution, rewritten: Rewritten, farm: WebFarm
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
        ask = RouteAsk(request.host.partition(":")[0], cookie, rewritten.path, socket)
        forwarded = self._host.arr.route(execution.worker, farm, ask, on_cut)
        if forwarded is None:
            return error_page(502, 4, "No server is available")
        status = 502
        try:
            response = await self._to_server(request, rewritten, farm, forwarded)
            status = response.status
            return response
        except asyncio.CancelledError:
            if not cut:
                raise
            task.uncancel()
            return error_page(502, 3, "12030")
        finally:
            self._host.arr.finish(forwarded, status)

    async def _to_server(
        self, request: web.BaseRequest, rewritten: Rewritten, farm: WebFarm, forwarded: Forwarded
    ) -> web.StreamResponse:
        server, protocol = forwarded.server, farm.protocol
        port = server.https_port if rewritten.scheme == "https" else server.http_port
        url = self._client.url(server.address, port, rewritten.path)
        if url is None:
            return error_page(502, 3, "12029")
        own = server.host_name or protocol.alternate_host_name or server.address
        seen = request.host if protocol.preserve_host_header and not protocol.alternate_host_name else own
        headers = self._headers(request, protocol, seen)
        if forwarded.web_socket:
            return await self._web_socket(request, url, headers)
        extra = {"Set-Cookie": f"{farm.affinity.cookie_name}={forwarded.cookie}; Path=/"} if forwarded.cookie else {}
        return await self._exchange(request, url, headers, protocol.timeout.total_seconds(), extra)

    async def _exchange(
        self,
        request: web.BaseRequest,
        url: URL,
        headers: CIMultiDict[str],
        timeout: float,
        extra: Mapping[str, str] | None = None,
    ) -> web.StreamResponse:
        body: Any = None
        if request.body_exists:
            length = request.content_length
            body = await request.read() if length is not None and length <= SMALL else request.content
        limits = aiohttp.ClientTimeout(total=None, sock_connect=timeout, sock_read=timeout)
        again = request.method in REPEATABLE and (body is None or isinstance(body, bytes))
        for attempt in (1, 2):
            try:
                response = await self._client.session.request(
                    request.method, url, headers=headers, data=body, allow_redirects=False, timeout=limits
                )
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                untouched = headers[LOG_ID] not in self._taken
                if attempt == 1 and again and untouched and not isinstance(error, aiohttp.ClientConnectorError):
                    continue
                return error_page(502, 3, "12029" if isinstance(error, aiohttp.ClientConnectorError) else "12030")
            except TimeoutError:
                return error_page(502, 3, "12002")
            except aiohttp.ClientError:
                return error_page(502, 3, "12152")
            finally:
                self._taken.discard(headers[LOG_ID])
            return await self._back(request, response, extra or {})
        raise AssertionError("the second attempt answers or returns")

    async def _back(
        self, request: web.BaseRequest, response: aiohttp.ClientResponse, extra: Mapping[str, str]
    ) -> web.StreamResponse:
        headers: CIMultiDict[str] = CIMultiDict(
            (name, value) for name, value in response.headers.items() if name.casefold() not in _HOP
        )
        headers.extend(extra)
        headers["X-Powered-By"] = "ARR/3.0"
        length = response.content_length
        try:
            if length is not None and length <= SMALL:
                body = await response.read()
                headers.pop("Content-Length", None)
                return web.Response(status=response.status, reason=response.reason, headers=headers, body=body)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return error_page(502, 3, "12030")
        return await self._stream(request, response, headers)

    async def _stream(
        self, request: web.BaseRequest, response: aiohttp.ClientResponse, headers: CIMultiDict[str]
    ) -> web.StreamResponse:
        out = web.StreamResponse(status=response.status, reason=response.reason, headers=headers)
        await out.prepare(request)
        try:
            async for piece in response.content.iter_any():
                await out.write(piece)
            await out.write_eof()
        except (aiohttp.ClientError, TimeoutError, OSError):
            if request.transport is not None:
                request.transport.abort()
        finally:
            response.release()
        return out

    async def _web_socket(self, request: web.BaseRequest, url: URL, headers: CIMultiDict[str]) -> web.StreamResponse:
        for name in _WEB_SOCKET:
            headers.popall(name, None)
        offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        try:
            upstream = await self._client.session.ws_connect(
                url, headers=headers, protocols=offered, autoclose=False, autoping=False, max_msg_size=0
            )
        except (aiohttp.ClientError, TimeoutError, OSError):
            return error_page(502, 5, "WebSocket")
        chosen = [upstream.protocol] if upstream.protocol else []
        downstream = web.WebSocketResponse(autoping=False, protocols=chosen, max_msg_size=0)
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

    def _headers(self, request: web.BaseRequest, protocol: FarmProtocol | Proxy, host: str) -> CIMultiDict[str]:
        """What ARR adds and takes away (arr.md 5.9)."""
        headers: CIMultiDict[str] = CIMultiDict(
            (name, value) for name, value in request.headers.items() if name.casefold() not in _HOP
        )
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        ip, port = (peer[0], peer[1]) if peer else ("127.0.0.1", 0)
        client = f"{ip}:{port}" if protocol.include_port_in_x_forwarded_for else ip
        before = headers.get(protocol.x_forwarded_for_header_name)
        headers[protocol.x_forwarded_for_header_name] = f"{before}, {client}" if before else client
        headers["Host"] = host
        headers[protocol.ssl_header_name] = ""
        headers[LOG_ID] = str(uuid.uuid4())
        headers["X-Original-URL"] = request.raw_path
        headers["Max-Forwards"] = str(int(headers.get("Max-Forwards", str(protocol.max_forwards + 1))) - 1)
        headers.pop("Content-Length", None) if "Transfer-Encoding" in request.headers else None
        return headers


def error_page(status: int, sub_status: int, detail: str) -> web.Response:
    """An error as IIS tells it; the connection stays open."""
    text = f"HTTP Error {status}.{sub_status} - {_SAYS.get((status, sub_status), 'Error')}\r\n{detail}\r\n"
    return web.Response(status=status, text=text, headers={"X-Sub-Status": str(sub_status)})


# -- private ---------------------------------------------------------------------------------------------

_SAYS = {(502, 3): "Bad Gateway", (502, 4): "Bad Gateway", (502, 5): "WebSocket failure", (400, 605): "Bad Request"}


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
