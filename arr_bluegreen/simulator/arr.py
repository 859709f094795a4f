"""SimulatedArr: ARR's rules on a clock. Each worker process of a front pool has a memory of its own (arr.md 5.6).

| rule | arr.md |
|---|---|
| a server new to a process, or just enabled, is Active and healthy | 5.6 |
| URL test: interval, retries, timeout, status and response match; each process tests for itself | 5.1 |
| live-traffic test marks unhealthy, never healthy | 5.2 |
| below ``minServers`` healthy ones the tests are not believed | 5.3 |
| Drain keeps affine clients, GracefulStop moves them, ForcefulStop cuts; nobody left is 502.4 | 5.4 |
| cookie affinity; host-name affinity, as many servers as the host's item says | 5.5 |
| state, health, counters and mappings go with the process; a health change resets counters | 5.6 |
| a request that got no answer is 502.3 and counts as failed, 502.4 counts nowhere | 5.7 |
| a farm that is off is no farm | 5.7 |

What no document says is a setting (``settings``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from arr_bluegreen.control.interface import ProbeAnswer
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.simulator.arr_processes import ArrProcesses
from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.health import Asker, judge, probe_request, status_matches
from arr_bluegreen.simulator.iis import SimulatedIis
from arr_bluegreen.simulator.memory_of_arr import FarmMemory, Forwarded, RouteAsk, token
from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.workers import Worker
from arr_bluegreen.webfarm import (
    READS_BACK,
    FarmStatus,
    HealthTest,
    NewState,
    Server,
    ServerStatus,
    Site,
    TestResult,
    WebFarm,
)


class SimulatedArr:
    """ARR of one machine. ``changed`` listeners are called after anything that may alter who is in service."""

    def __init__(
        self, config: HostConfig, iis: SimulatedIis, clock: Timers, settings: SimulatorSettings, asker: Asker
    ) -> None:
        self._config, self._iis, self._clock, self._settings, self._asker = config, iis, clock, settings, asker
        self.changed: list[Callable[[], None]] = []
        self._processes = ArrProcesses(config, iis, clock, settings, asker, self._tell)

    # -- run time, as Microsoft.Web.Administration reaches it ----------------------------------------------

    def status(self, farm: str, front: Iterable[str] = ()) -> FarmStatus:
        """The farm as the answering worker process sees it; ``front`` names the sites whose workers are listed.

        Raises ``NoSuchObject``; the run-time part is None where no worker process runs ARR (setting
        ``status_starts_worker``).
        """
        configured = self._farm(farm)
        process = self._processes.answering()
        sites = [self._site_pool(name) for name in front]
        workers = [one.process for pool in dict.fromkeys(sites) for one in self._iis.workers(pool)]
        running = [ServerStatus(one.address) for one in configured.servers]
        if process is not None:
            memory = self._processes.memory(process, configured.name)
            running = [memory.server(one.address).status() for one in configured.servers]
        return FarmStatus(self._settings.computer, configured, tuple(running), tuple(workers) if sites else None)

    def set_state(self, farm: str, states: Mapping[str, NewState]) -> None:
        """SetState of each address in order. Raises ``NoSuchObject``, and ``RemoteError`` when no worker process
        answers."""
        configured = self._farm(farm)
        servers = [(self._server(configured, address), state) for address, state in states.items()]
        for server, state in servers:
            if not server.enabled and not self._settings.set_state_works_on_disabled:
                continue
            for process in self._processes.reached():
                memory = self._processes.memory(process, configured.name).server(server.address)
                memory.state = READS_BACK[state]
                if state is NewState.FORCEFUL_STOP:
                    for forwarded in list(memory.in_flight):
                        forwarded.cut()
        self._tell()

    def set_healthy(self, farm: str, healthy: Mapping[str, bool]) -> None:
        """SetHealthy or SetUnhealthy; the next URL test may think otherwise (arr.md 5.1). Raises as ``set_state``."""
        configured = self._farm(farm)
        for address, wanted in healthy.items():
            server = self._server(configured, address)
            for process in self._processes.reached():
                memory = self._processes.memory(process, configured.name)
                self._processes.set_health(memory, server.address, wanted)
        self._tell()

    def test_health(
        self,
        farm: str,
        address: str,
        url: str,
        timeout: timedelta,
        status_code_match: str,
        response_match: str,
        done: Callable[[HealthTest], None],
    ) -> None:
        """One test of one server, by ARR in a worker process, with these arguments and no other (issue 5); ``done``
        gets the result. Raises as ``set_state``."""
        server = self._server(self._farm(farm), address)
        self._processes.reached()
        if not server.enabled and not self._settings.test_health_works_on_disabled:
            done(HealthTest(TestResult.CONNECTION_FAILURE, 0, 12029))
            return

        def answered(answer: ProbeAnswer) -> None:
            done(judge(answer, status_code_match, response_match))

        self._asker.ask(probe_request(server, url, timeout.total_seconds()), answered)

    def remove_mapping(self, farm: str, address: str) -> int:
        """Host-name affinity mappings to a server go, in every process; how many. Raises ``NoSuchObject``."""
        configured = self._farm(farm)
        name = self._server(configured, address).address
        memories = [self._processes.memory(one, configured.name) for one in self._processes.reached()]
        return sum(one.forget(name) for one in memories)

    def reset_counters(self, farm: str) -> None:
        """ResetCounters of a farm. Raises ``NoSuchObject``."""
        configured = self._farm(farm)
        for process in self._processes.reached():
            for memory in self._processes.memory(process, configured.name).servers.values():
                self._processes.reset(memory)

    def in_service(self, farm: str) -> tuple[str, ...]:
        """Whom a new client may be given to, as the worker process of the front pools with the fewest sees it: the
        floor.

        With no worker process yet, what the first one will start with: every enabled server. Raises ``NoSuchObject``.
        """
        configured = self._farm(farm)
        views = [
            self._processes.memory(process, configured.name).in_service(configured)
            for process in self._processes.by_pid.values()
            if not process.worker.retiring and self._processes.is_front(process.worker)
        ]
        fewest = min(views or [FarmMemory(configured.name).in_service(configured)], key=len)
        return tuple(one.address for one in fewest)

    def front_pools(self) -> tuple[str, ...]:
        """The pools whose worker processes run ARR for public traffic: those of the front sites."""
        return self._processes.front_pools()

    def front_sites(self) -> tuple[Site, ...]:
        """The sites of setting ``front_sites``, else every site that no farm server's address and port lead to."""
        return self._processes.front_sites()

    def farm_called(self, host: str) -> WebFarm | None:
        """The farm that a rule's target host means; None where ARR takes it for a plain host name (arr.md 2.5)."""
        farm = self._config.reading.farm(host)
        if farm is not None and not farm.enabled and self._settings.disabled_farm == "no-farm":
            return None
        return farm

    # -- requests ----------------------------------------------------------------------------------------------

    def route(self, worker: Worker, farm: WebFarm, ask: RouteAsk, cut: Callable[[], None]) -> Forwarded | None:
        """A request that ARR in this worker process gives to a server; None is 502.4. End it with ``finish``."""
        process = self._processes.by_pid.get(worker.pid)
        if process is None:
            process = self._processes.begin(worker)
        memory = self._processes.memory(process, farm.name)
        server = memory.choose(farm, ask, self._clock.monotonic())
        if server is None:
            return None
        remembered = memory.server(server.address)
        forwarded = Forwarded(memory, remembered, server, farm, cut, ask.web_socket)
        if farm.affinity.use_cookie and ask.cookie != token(farm.name, server.address):
            forwarded.cookie = token(farm.name, server.address)
        remembered.in_flight.add(forwarded)
        if ask.web_socket:
            remembered.web_sockets += 1
        else:
            remembered.current += 1
            remembered.total += 1
        return forwarded

    def finish(self, forwarded: Forwarded, status: int, *, by_arr: bool) -> None:
        """The request ended with this status towards the client; a 502 that ARR made counts as failed (arr.md 5.7)."""
        if forwarded.over:
            return
        forwarded.over = True
        memory = forwarded.memory
        memory.in_flight.discard(forwarded)
        if forwarded.web_socket:
            memory.web_sockets = max(0, memory.web_sockets - 1)
            return
        memory.current = max(0, memory.current - 1)
        if by_arr:
            memory.failed += 1
            if not self._settings.unreachable_is_live_failure:
                return
        check = forwarded.farm.health_check
        period = check.live_traffic_failure_period.total_seconds()
        if period > 0 and status_matches(check.live_traffic_failure_codes, status):
            self._processes.live_failure(forwarded.remembered, memory, period, check.max_live_traffic_failures)

    # -- configuration -------------------------------------------------------------------------------------------

    def on_config(self, before: Reading, after: Reading) -> None:
        """A commit or a foreign edit: what it does to what the processes remember (arr.md 5.6, settings)."""
        for process in self._processes.by_pid.values():
            gone = [key for key in process.farms if after.farm(process.farms[key].name) is None]
            for key in gone:
                process.farms.pop(key)
                process.probers.pop(key).stop()
            for farm in after.farms:
                self._processes.remember(process, before.farm(farm.name), farm, whole=before.farms != after.farms)
        self._tell()

    # -- private: words ----------------------------------------------------------------------------

    def _farm(self, name: str) -> WebFarm:
        reading = self._config.reading
        found = reading.farm(name)
        if found is None:
            raise NoSuchObject("farm", name, tuple(one.name for one in reading.farms))
        return found

    def _server(self, farm: WebFarm, address: str) -> Server:
        found = farm.server(address)
        if found is None:
            raise NoSuchObject(
                "server", address, tuple(one.address for one in farm.servers), where=f"farm '{farm.name}'"
            )
        return found

    def _site_pool(self, site: str) -> str:
        found = self._config.reading.site(site)
        if found is None:
            raise NoSuchObject("site", site, tuple(one.name for one in self._config.reading.sites))
        return found.pool

    def _tell(self) -> None:
        for listener in self.changed:
            listener()
