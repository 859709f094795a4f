"""A whole simulated machine as one process runs it: the host behind its sockets, WinRM, and the admin's door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.simulator.admin import Admin
from arr_bluegreen.simulator.serve import ServedHost, serve_host
from arr_bluegreen.simulator.settings import SimulatorSettings, take

if TYPE_CHECKING:
    from arr_bluegreen.simulator.certificate import Certificate
    from arr_bluegreen.simulator.wsman import WsmanServer


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to run it. A port of 0 is any free one, None is none. ``users`` are names to passwords, kept out of repr."""

    config: Path
    root: Path
    front_port: int = 0
    winrm_port: int | None = 0
    winrm_tls_port: int | None = None
    admin_port: int = 0
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    basic: bool = False
    ca_file: Path | None = None
    faults: Sequence[str] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    rtt_ms: float = 0.0


class RunningMachine:
    """Everything of one machine; ``ports`` are real ones: ``front``, ``winrm``, ``winrm_tls``, ``admin``."""

    def __init__(
        self, served: ServedHost, winrm: WsmanServer | None, admin: Admin, ports: dict[str, int | None]
    ) -> None:
        self.served, self.winrm, self.admin, self.ports = served, winrm, admin, ports

    async def close(self) -> None:
        """Stop everything."""
        await self.admin.close()
        if self.winrm is not None:
            await self.winrm.close()
        await self.served.close()


async def run_machine(wanted: Wanted) -> RunningMachine:
    """Start it on the running loop. Raises ``ConfigurationError``, ``UsageError`` (settings, faults), ``OSError``
    (ports)."""
    from arr_bluegreen.simulator.faults import Faults
    from arr_bluegreen.simulator.programs import Programs
    from arr_bluegreen.simulator.wsman import WsmanServer, WsmanSettings

    settings = SimulatorSettings()
    take(settings, wanted.settings)
    faults = Faults(rtt_ms=wanted.rtt_ms)
    for text in wanted.faults:
        faults.add(text)

    @cache
    def certificate() -> Certificate:
        from arr_bluegreen.simulator.certificate import make_certificate

        return make_certificate(settings.computer, "localhost", "127.0.0.1")

    served = await serve_host(
        wanted.config,
        wanted.root,
        settings=settings,
        front_port=wanted.front_port,
        tls=lambda: certificate().context(),
    )
    ports: dict[str, int | None] = {"front": served.front_port, "winrm": None, "winrm_tls": None}
    winrm: WsmanServer | None = None
    if wanted.winrm_port is not None or wanted.winrm_tls_port is not None:
        how = WsmanSettings(
            users=wanted.users, machine=settings.computer, basic=wanted.basic, allow_unencrypted=wanted.basic
        )
        winrm = WsmanServer(how, Programs(served.host, faults), faults)
        if wanted.winrm_port is not None:
            ports["winrm"] = await winrm.listen(port=wanted.winrm_port)
        if wanted.winrm_tls_port is not None:
            ports["winrm_tls"] = await winrm.listen(port=wanted.winrm_tls_port, tls=True)
            if wanted.ca_file is not None and winrm.certificate is not None:
                await asyncio.to_thread(winrm.certificate.save, wanted.ca_file)
    admin = Admin(served, faults, winrm.drop_connections if winrm is not None else None)
    ports["admin"] = await admin.listen(wanted.admin_port)
    return RunningMachine(served, winrm, admin, ports)
