"""A whole simulated machine behind its WinRM service, in a thread of its own, for controls that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.simulator.clock import LoopClock
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.programs import Programs
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.wsman import WsmanServer, WsmanSettings

USER, PASSWORD = "deployer", "S3cret-of-the-test!"
CONFIG = Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config"
FARM = "shop"


@dataclass(slots=True)
class Machine:
    """The host, its service, and how to reach it."""

    loop: asyncio.AbstractEventLoop
    host: SimulatedHost
    server: WsmanServer
    programs: Programs
    port: int
    tls_port: int

    @property
    def faults(self) -> Faults:
        """Faults of the service and of what runs on the machine."""
        return self.server.faults

    @property
    def shells(self) -> int:
        """Shells that are open now."""
        return len(self.server.shells)

    def settings(self, **more: Any) -> ConnectSettings:
        """Basic over HTTP unless told otherwise."""
        given: dict[str, Any] = {
            "user": USER,
            "password": PASSWORD,
            "transport": "basic",
            "allow_basic_over_http": True,
            "timeout": timedelta(seconds=10),
        }
        return ConnectSettings(**{**given, **more})

    def connect(self, **more: Any) -> WinrmMachine:
        """The machine's controls."""
        settings = self.settings(**more)
        return WinrmMachine(f"127.0.0.1:{self.tls_port if settings.tls else self.port}", settings)


@contextmanager
def simulated(
    settings: SimulatorSettings | None = None, service: WsmanSettings | None = None, *, tls: bool = False
) -> Iterator[Machine]:
    """Boot a machine with our own fixture and serve it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Machine:
        host = SimulatedHost(CONFIG.read_bytes(), clock=LoopClock(loop), settings=settings).boot()
        faults = Faults()
        programs = Programs(host, faults, powershell_start=0.0)
        own = service or WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True)
        server = WsmanServer(own, programs, faults)
        port = await server.listen()
        return Machine(loop, host, server, programs, port, await server.listen(tls=True) if tls else 0)

    one = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield one
    finally:
        asyncio.run_coroutine_threadsafe(one.server.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
