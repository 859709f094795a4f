"""ARR in each worker process of the front pools: a memory and a prober per farm, lost with the process (arr.md 5.6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from arr_bluegreen.errors import RemoteError
from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.health import Asker, Prober
from arr_bluegreen.simulator.iis import SimulatedIis
from arr_bluegreen.simulator.memory_of_arr import FarmMemory, ServerMemory
from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.workers import Worker
from arr_bluegreen.webfarm import ServerState, Site, WebFarm


class Process:
    """ARR in one worker process: a memory and a prober per farm."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.farms: dict[str, FarmMemory] = {}
        self.probers: dict[str, Prober] = {}
        self.probed_at: dict[str, int] = {}


class ArrProcesses:
    """The processes of one machine by pid. ``changed`` is called when who is in service may have changed."""

    def __init__(
        self,
        config: HostConfig,
        iis: SimulatedIis,
        clock: Timers,
        settings: SimulatorSettings,
        asker: Asker,
        changed: Callable[[], None],
    ) -> None:
        self._config, self._iis, self._clock, self._settings, self._asker = config, iis, clock, settings, asker
        self._changed = changed
        self.by_pid: dict[int, Process] = {}
        iis.worker_started.append(self._worker_started)
        iis.worker_gone.append(self._worker_gone)

    # -- which processes ----------------------------------------------------------------------------------

    def front_pools(self) -> tuple[str, ...]:
        """The pools whose worker processes run ARR for public traffic: those of the front sites."""
        return tuple(dict.fromkeys(one.pool for one in self.front_sites()))

    def front_sites(self) -> tuple[Site, ...]:
        """The sites of setting ``front_sites``, else every site that no farm server's address and port lead to."""
        return _front_sites(self._config.reading, self._settings.front_sites)

    def is_front(self, worker: Worker) -> bool:
        """Whether it is one of a front pool's."""
        return worker.pool.casefold() in {one.casefold() for one in self.front_pools()}

    def answering(self) -> Process | None:
        """The process that answers: the oldest that is not retiring, of the first front pool."""
        for pool in self.front_pools():
            current = [one for one in self._iis.workers(pool) if not one.retiring]
            if not current and self._settings.status_starts_worker:
                started = self._iis.ensure_worker(pool)
                current = [started] if started is not None else []
            if current:
                return self.by_pid.get(current[0].pid) or self.begin(current[0])
        return None

    def reached(self) -> list[Process]:
        """Whom SetState and its like reach. Raises ``RemoteError`` when no worker process runs ARR."""
        answering = self.answering()
        if answering is None:
            raise RemoteError("no worker process runs ARR", hint="Send a request through the front first.")
        if not self._settings.set_state_reaches_all_workers:
            return [answering]
        return [one for one in self.by_pid.values() if not one.worker.retiring]

    def begin(self, worker: Worker) -> Process:
        """ARR begins in a worker process: everything Active and healthy, its probes start (arr.md 5.6)."""
        process = self.by_pid[worker.pid] = Process(worker)
        for farm in self._config.reading.farms:
            self.memory(process, farm.name)
            self._probe(process, farm)
        return process

    # -- what they remember --------------------------------------------------------------------------------

    def memory(self, process: Process, farm: str) -> FarmMemory:
        """What the process remembers of the farm; empty when it never heard of it."""
        found = process.farms.get(farm.casefold())
        if found is None:
            born = self._tick() if self._settings.new_process_tells_a_reset else 0
            found = process.farms[farm.casefold()] = FarmMemory(farm, born)
        return found

    def remember(self, process: Process, old: WebFarm | None, farm: WebFarm, *, whole: bool) -> None:
        """A farm after a commit: what it does to what one process remembers (arr.md 5.6, settings)."""
        memory = self.memory(process, farm.name)
        kept = {one.address.casefold() for one in farm.servers}
        memory.servers = {key: value for key, value in memory.servers.items() if key in kept}
        for server in farm.servers:
            remembered = memory.server(server.address)
            was = old.server(server.address) if old is not None else None
            enabled_now = server.enabled and was is not None and not was.enabled
            if enabled_now:
                remembered.healthy, remembered.failures = True, 0
            if (enabled_now and not self._settings.state_survives_enabling) or (
                whole and self._settings.commit_resets_states
            ):
                remembered.state, remembered.healthy, remembered.failures = ServerState.ACTIVE, True, 0
        self._probe(process, farm)

    def set_health(self, farm: FarmMemory, address: str, healthy: bool) -> None:
        """A health change resets the counters (arr.md 5.6)."""
        memory = farm.server(address)
        memory.failures = 0
        if memory.healthy != healthy:
            memory.healthy = healthy
            memory.live_failures.clear()
            for one in farm.servers.values() if self._settings.health_change_resets == "farm" else [memory]:
                self.reset(one)
            self._changed()

    def reset(self, memory: ServerMemory) -> None:
        """Counters begin anew, "by design" at a health change (arr.md 5.6)."""
        memory.total = memory.failed = 0
        memory.last_reset = self._tick()
        if self._settings.health_change_clears_current:
            memory.current = memory.web_sockets = 0

    def live_failure(self, farm: FarmMemory, memory: ServerMemory, period: float, most: int) -> None:
        """A bad live response: more than ``most`` within the period make the server unhealthy (arr.md 5.2)."""
        now = self._clock.monotonic()
        memory.live_failures.append(now)
        while memory.live_failures and memory.live_failures[0] < now - period:
            memory.live_failures.popleft()
        if len(memory.live_failures) > most:
            memory.live_failures.clear()
            self.set_health(farm, memory.address, False)

    # -- private -------------------------------------------------------------------------------------------

    def _worker_started(self, worker: Worker) -> None:
        if self.is_front(worker):
            self.begin(worker)

    def _worker_gone(self, worker: Worker) -> None:
        process = self.by_pid.pop(worker.pid, None)
        if process is not None:
            for prober in process.probers.values():
                prober.stop()

    def _probe(self, process: Process, farm: WebFarm) -> None:
        key = farm.name.casefold()
        prober = process.probers.get(key)
        if prober is None:

            def report(address: str, good: bool) -> None:
                self._tested(process, farm.name, address, good)

            prober = process.probers[key] = Prober(
                self._clock,
                self._asker,
                lambda: self._config.reading.farm(farm.name),
                report,
                lambda: self._probes(process, key),
                self._settings.probes_per_interval,
            )
        prober.start(farm.health_check, self._settings.first_probe_after_intervals)

    def _probes(self, process: Process, key: str) -> bool:
        """On demand (arr.md 5.1, inferred): only a process that routed since the last round tests."""
        routed, before = process.farms[key].routed, process.probed_at.get(key, 0)
        process.probed_at[key] = routed
        return routed != before or not self._config.reading.on_demand_health_check

    def _tested(self, process: Process, farm: str, address: str, good: bool) -> None:
        configured = self._config.reading.farm(farm)
        server = configured.server(address) if configured is not None else None
        if configured is None or server is None or not server.enabled:
            return
        remembered = self.memory(process, farm)
        memory = remembered.server(address)
        memory.failures = 0 if good else memory.failures + 1
        retries = configured.health_check.retries
        enough = max(1, retries) if self._settings.retries_are_failures else retries + 1
        if good or memory.failures >= enough:
            self.set_health(remembered, address, good)

    def _tick(self) -> int:
        return int(self._clock.monotonic() * 1000) + 1


@lru_cache(maxsize=64)
def _front_sites(reading: Reading, setting: str) -> tuple[Site, ...]:
    named = [one.strip().casefold() for one in setting.split(",") if one.strip()]
    if named:
        return tuple(one for one in reading.sites if one.name.casefold() in named)
    servers = [server for farm in reading.farms for server in farm.servers]
    ends = {(one.address, port) for one in servers for port in (one.http_port, one.https_port)}
    shared = {port for _, port in ends if port not in (80, 443)}

    def is_slot(site: Site) -> bool:
        return any((b.address, b.port) in ends or (b.address in ("*", "") and b.port in shared) for b in site.bindings)

    return tuple(one for one in reading.sites if not is_slot(one))
