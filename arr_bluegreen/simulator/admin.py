"""The door for whoever runs the simulator: a small HTTP endpoint on loopback that shows the state and takes faults."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from arr_bluegreen.errors import ArrBlueGreenError, UsageError
from arr_bluegreen.simulator.hostfaults import HOST_FAULTS, do_fault, is_host_fault, told

if TYPE_CHECKING:
    from arr_bluegreen.simulator.faults import Faults
    from arr_bluegreen.simulator.serve import ServedHost

HEADER = "X-Arr-Simulator"
"""A request must carry it: a web page in a browser cannot."""


class Admin:
    """``GET /state`` and ``POST /fault`` with ``{"faults": ["recycle", ...]}``. ``faults`` are those of WinRM and the
    tools."""

    def __init__(
        self, served: ServedHost, faults: Faults | None = None, drop_winrm: Callable[[], None] | None = None
    ) -> None:
        self._served, self._faults, self._drop_winrm = served, faults, drop_winrm
        self._server = web.Server(self._handle, access_log=None)
        self._listener: asyncio.Server | None = None

    async def listen(self, port: int = 0) -> int:
        """Listen on loopback; returns the port."""
        self._listener = await asyncio.get_running_loop().create_server(self._server, "127.0.0.1", port)
        return int(self._listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        await self._server.shutdown(0.1)

    # -- private -----------------------------------------------------------------------------------------

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if HEADER not in request.headers:
            return web.json_response({"error": f"send the header {HEADER}"}, status=403)
        try:
            if request.method == "POST" and request.path == "/fault":
                wanted = await request.json()
                return web.json_response({"done": [self._do(str(one)) for one in wanted["faults"]]})
            if request.method == "GET" and request.path == "/state":
                return web.json_response(self._state())
        except ArrBlueGreenError as error:
            return web.json_response({"error": str(error), "hint": error.hint}, status=400)
        except (ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"cannot be read: {error!r}"}, status=400)
        return web.json_response({"error": "GET /state, POST /fault"}, status=404)

    def _do(self, text: str) -> str:
        if is_host_fault(text):
            return do_fault(self._served.host, text, self._drop)
        if self._faults is None:
            return do_fault(self._served.host, text)
        if text == "clear":
            self._faults.clear()
            self._served.host.exchange.delay_next_asks = 0.0
        else:
            self._plan(self._faults, text)
        return text

    def _plan(self, faults: Faults, text: str) -> None:
        try:
            faults.add(text)
        except UsageError as error:
            hint = f"{error.hint} And now: {', '.join(HOST_FAULTS)}, clear."
            raise UsageError(str(error), hint=hint) from error

    def _drop(self) -> int:
        if self._drop_winrm is not None:
            self._drop_winrm()
        return self._served.listeners.drop_connections()

    def _state(self) -> dict[str, Any]:
        state = told(self._served.host)
        return state if self._faults is None else {**state, "faults": self._faults.told()}
