"""A simulated WinRM service in a thread of its own, for clients that block (pywinrm)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from winrm.protocol import Protocol

from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.shell_service import FindProgram
from arr_bluegreen.simulator.wsman import WsmanServer, WsmanSettings

T = TypeVar("T")
USER, PASSWORD = "deployer", "sim-Pass1"


class Served:
    """The server, its ports, and a way to run something on its loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, server: WsmanServer, port: int, tls_port: int) -> None:
        self.loop, self.server, self.port, self.tls_port = loop, server, port, tls_port
        self.faults: Faults = server.faults

    def call(self, function: Callable[[], T]) -> T:
        """``function()`` on the server's loop."""

        async def run() -> T:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)

    def listen_tls(self) -> int:
        """One more port, with TLS."""
        return asyncio.run_coroutine_threadsafe(self.server.listen(tls=True), self.loop).result(10)

    def protocol(self, transport: str = "basic", **more: object) -> Protocol:
        """A pywinrm Protocol to it, signed in as its user unless told otherwise."""
        scheme, port = ("https", self.tls_port) if more.pop("tls", False) else ("http", self.port)
        given: dict[str, Any] = {"username": USER, "password": PASSWORD, "proxy": None, "ca_trust_path": None, **more}
        return Protocol(f"{scheme}://127.0.0.1:{port}/wsman", transport=cast(Any, transport), **given)


@contextmanager
def served(
    find_program: Callable[[asyncio.AbstractEventLoop], FindProgram], settings: WsmanSettings, *, tls: bool = False
) -> Iterator[Served]:
    """Serve ``settings`` with the programs made on the server's loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Served:
        server = WsmanServer(settings, find_program(loop))
        port = await server.listen()
        return Served(loop, server, port, await server.listen(tls=True) if tls else 0)

    one = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield one
    finally:
        asyncio.run_coroutine_threadsafe(one.server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
