"""SimulatedHost: one Windows machine with IIS and ARR, its parts wired together. No sockets here.

The same host lives in virtual time (``memory``, tests) or in real time behind real sockets (``serve``).
"""

from __future__ import annotations

import asyncio
import ipaddress
import ntpath
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from arr_bluegreen.control.interface import MachineFacts, ProbeAnswer, ProbeRequest
from arr_bluegreen.simulator.arr import SimulatedArr
from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import DiskStore, HostConfig, MemoryStore
from arr_bluegreen.simulator.exchange import Exchange
from arr_bluegreen.simulator.files import DiskDrives, Drives, MemoryDrives
from arr_bluegreen.simulator.health import Asker
from arr_bluegreen.simulator.iis import SimulatedIis
from arr_bluegreen.simulator.net import PortMap
from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.rules import Asked, Outcome, evaluate, headers_for, mentioned
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.shared_store import SharedStore
from arr_bluegreen.simulator.slots import APP_FILE
from arr_bluegreen.webfarm import HealthTest, Site

T = TypeVar("T")
ADDRESS = "203.0.113.10"


class SimulatedHost:
    """One machine. ``config`` is a path (on disk, watched) or bytes (in memory); call ``boot`` once it is wired.

    ``drives`` default to memory; ``asker`` (how the machine itself makes HTTP requests) to the in-memory exchange.
    ``neighbours`` are other hosts by address or name, for farm servers that live elsewhere.
    """

    def __init__(
        self,
        config: Path | str | bytes,
        *,
        clock: Timers,
        settings: SimulatorSettings | None = None,
        drives: Drives | None = None,
        root: Path | None = None,
        asker: Asker | None = None,
    ) -> None:
        self.settings = settings or SimulatorSettings()
        self.clock = clock
        self.config = HostConfig(
            MemoryStore(config)
            if isinstance(config, bytes)
            else SharedStore(DiskStore(Path(config)), clock, self.settings)
        )
        self.files: Drives = drives or (DiskDrives(root) if root is not None else MemoryDrives())
        self.iis = SimulatedIis(self.config, clock, self.settings, self.files)
        self.neighbours: dict[str, SimulatedHost] = {}
        self.exchange = Exchange(self)
        self.asker: Asker = asker or self.exchange
        # ARR's own tests never pass a socket: a busy box must not make a slot look unhealthy
        self.arr = SimulatedArr(self.config, self.iis, clock, self.settings, self.exchange)
        self.net = PortMap()
        self.journal: list[str] = []
        self._seen: dict[str, tuple[float, bytes | None]] = {}
        self.config.listeners.append(self._configured)

    @property
    def address(self) -> str:
        """The machine's public IP address."""
        return ADDRESS

    def boot(self) -> SimulatedHost:
        """Start the machine: what is auto-started starts. Called again it is a reboot (arr.md 5.6)."""
        self.iis.reboot()
        return self

    def resolve(self, address: str) -> str | None:
        """The IP address of a name as this machine sees it (hosts file, itself); None when nothing answers to it."""
        ip = _as_ip(address)
        if ip is not None:
            return ip
        if address.casefold() in (self.settings.computer.casefold(), "localhost"):
            return "127.0.0.1"
        return self.files.hosts().get(address.casefold())

    def locate(self, address: str) -> tuple[SimulatedHost, str] | None:
        """The host and IP address that a farm server's address leads to; None when there is no such machine."""
        ip = self.resolve(address)
        other = self.neighbours.get(address.casefold()) or (self.neighbours.get(ip) if ip else None)
        if other is not None:
            return other, ip or other.address
        if ip is not None and (ip == self.address or _is_loopback(ip)):
            return self, ip
        return None

    def serving(self, farm: str) -> tuple[str, ...]:
        """The addresses in service (arr.md 5.4) whose site and pool run and whose application is no broken one."""
        configured = self.config.reading.farm(farm)
        assert configured is not None, "in_service raises for a farm that is not there"
        found = []
        for address in self.arr.in_service(farm):
            server = configured.server(address)
            located = self.locate(address)
            if server is not None and located is not None and located[0].iis.can_answer(located[1], server.http_port):
                found.append(address)
        return tuple(found)

    async def ask(self, request: ProbeRequest) -> ProbeAnswer:
        """One HTTP request made by the machine itself, for those who can await it."""
        return await _awaited(lambda done: self.asker.ask(request, done))

    async def test_health(
        self, farm: str, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's TestHealth, for those who can await it. Raises ``NoSuchObject``."""
        return await _awaited(
            lambda done: self.arr.test_health(farm, address, url, timeout, status_code_match, response_match, done)
        )

    def rewritten(
        self, site: Site, name: str, port: int, target: str, method: str, headers: Mapping[str, str], secure: bool
    ) -> Outcome:
        """What the rewrite rules make of a request (Host header ``name``) that has entered a site (arr.md 2.2)."""
        reading = self.config.reading
        web_config = self._file_of(site, "web.config") or b""
        if b"<rewrite" not in web_config:
            web_config = b""
        path, _, query = target.partition("?")
        wanted = headers_for(mentioned(reading.data) | mentioned(web_config), headers)
        return evaluate(reading, Asked(name, port, path, query, method, secure, wanted, site.name, web_config))

    def serves_itself(self, site: Site) -> bool:
        """Whether a site has an application of its own: every slot, and a front site with one in its folder."""
        if not any(one.name == site.name for one in self.arr.front_sites()):
            return True
        return self._file_of(site, APP_FILE) is not None

    def slot_sites(self, *readings: Reading) -> tuple[str, ...]:
        """The names of the sites that a farm server's address and port lead to, in any of the readings."""
        found: list[str] = []
        for reading in readings:
            places = {(self.resolve(one.address), one.http_port) for farm in reading.farms for one in farm.servers}
            for site in reading.sites:
                ends = [(b.address, b.port) for b in site.bindings]
                if any(port == p and ip in ("*", "", i) for ip, port in ends for i, p in places):
                    found.append(site.name)
        return tuple(dict.fromkeys(found))

    def facts(self) -> MachineFacts:
        """What the machine says of itself."""
        settings = self.settings
        ports = {one.port for site in self.config.reading.sites for one in site.bindings if one.port}
        ranges = [part.partition("-") for part in settings.reserved_ports.split(",") if part]
        return MachineFacts(
            settings.computer,
            self.clock.now(),
            settings.is_64_bit,
            settings.elevated,
            settings.arr_installed,
            settings.rewrite_installed,
            settings.request_monitor,
            settings.redirected_to or None,
            settings.aspnetcore_module or None,
            tuple(sorted(ports | {135, 445, 5985} | self.net.listening())),
            tuple((int(low), int(high or low)) for low, _, high in ranges),
        )

    # -- private -----------------------------------------------------------------------------------------

    def _file_of(self, site: Site, name: str) -> bytes | None:
        """A file of a site's folder that every request asks for: on disk it is looked at every ``poll_seconds``."""
        path = _joined(site.physical_path, name)
        if isinstance(self.files, MemoryDrives):
            return self.files.read_bytes(path)
        now = self.clock.monotonic()
        seen = self._seen.get(path)
        if seen is None or now - seen[0] > self.settings.poll_seconds:
            seen = self._seen[path] = (now, self.files.read_bytes(path))
        return seen[1]

    def _configured(self, before: Reading, after: Reading) -> None:
        self.journal.append(f"configuration {after.digest[:12]}")
        self.arr.on_config(before, after)
        self.iis.on_config(before, after, self.slot_sites(before, after))


# Every request asks these, and there are few answers.
_joined = lru_cache(maxsize=1024)(ntpath.join)


@lru_cache(maxsize=1024)
def _as_ip(address: str) -> str | None:
    try:
        return str(ipaddress.ip_address(address.strip("[]")))
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _is_loopback(ip: str) -> bool:
    return ipaddress.ip_address(ip).is_loopback


async def _awaited(begin: Callable[[Callable[[T], None]], None]) -> T:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(value: T) -> None:
        if not future.done():
            future.set_result(value)

    begin(done)
    return await future
