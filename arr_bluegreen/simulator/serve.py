"""A simulated host in real time: listeners, ARR's probes, the watch on the file, WinRM, and the admin's door."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.simulator.client import MachineClient
from arr_bluegreen.simulator.clock import LoopClock
from arr_bluegreen.simulator.front import Front
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.listeners import Listeners
from arr_bluegreen.simulator.settings import SimulatorSettings


class _Later:
    """An asker that is told later who asks: the host needs one before its client can be made."""

    def __init__(self) -> None:
        self.client: MachineClient | None = None

    def ask(self, request: ProbeRequest, done: Callable[[ProbeAnswer], None]) -> None:
        assert self.client is not None, "the client is made before the host boots"
        self.client.ask(request, done)


@dataclass(slots=True)
class ServedHost:
    """A host behind real sockets. ``front_port`` is the real port that plays the first public one."""

    host: SimulatedHost
    client: MachineClient
    listeners: Listeners
    _watch: asyncio.Task[None]

    @property
    def front_port(self) -> int:
        """The real loopback port of the lowest public port (80, as a rule)."""
        ports = sorted(b.port for one in self.host.arr.front_sites() for b in one.bindings if b.port)
        real = self.host.net.real("*", ports[0]) if ports else None
        return real or 0

    async def close(self) -> None:
        """Stop everything."""
        self._watch.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watch
        await self.listeners.close()
        await self.client.close()


async def serve_host(
    config: Path,
    root: Path,
    *,
    settings: SimulatorSettings | None = None,
    front_port: int = 0,
    tls: Callable[[], ssl.SSLContext] | None = None,
) -> ServedHost:
    """Boot a host from a file on disk, its drives below ``root``, and listen. On the running loop.

    Raises ``ConfigurationError`` for a file IIS could not load, ``OSError`` for a port that is taken.
    """
    later = _Later()
    clock = LoopClock(asyncio.get_running_loop())
    host = SimulatedHost(config, clock=clock, settings=settings, root=root, asker=later)
    later.client = client = MachineClient(host)
    host.boot()
    fixed = {80: front_port} if front_port else {}
    listeners = Listeners(host, Front(host, client), real_ports=fixed, tls=tls)
    await listeners.sync()
    changed = asyncio.Event()
    host.iis.changed.append(changed.set)
    watch = asyncio.create_task(_watch(host, listeners.sync, changed))
    return ServedHost(host, client, listeners, watch)


# -- private ---------------------------------------------------------------------------------------------


async def _watch(host: SimulatedHost, sync: Callable[[], Awaitable[None]], changed: asyncio.Event) -> None:
    """Foreign edits are seen within ``poll_seconds``; listeners follow whatever changed at once."""
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), host.settings.poll_seconds)
        host.config.poll()
        if changed.is_set():
            changed.clear()
            await sync()
