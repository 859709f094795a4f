"""Application pools as WAS runs them: worker processes that start, retire, crash, and the requests in them (arr.md
3.2).

Nothing here writes configuration, and a reboot forgets all of it (arr.md 5.6). A stopped pool answers 503 and its
processes are killed after the shutdown time limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.simulator.clock import Timer, Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.files import Drives
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.slots import App, read_core_module, read_spec
from arr_bluegreen.simulator.workers import Execution, Pool, Worker
from arr_bluegreen.webfarm import ApplicationPool, PoolStatus, RunState, Site


class SimulatedPools:
    """The pools of one machine. ``changed`` is called after everything that may alter who serves what."""

    def __init__(self, config: HostConfig, clock: Timers, settings: SimulatorSettings, drives: Drives) -> None:
        self._config, self._clock, self._settings, self._drives = config, clock, settings, drives
        self._pools: dict[str, Pool] = {}
        self._next_pid = 4000
        self.worker_started: list[Callable[[Worker], None]] = []
        self.worker_gone: list[Callable[[Worker], None]] = []
        self.changed: list[Callable[[], None]] = []

    # -- what is there -----------------------------------------------------------------------------------

    def pools(self, names: Iterable[str] = ()) -> tuple[PoolStatus, ...]:
        """The named pools, or all; raises ``NoSuchObject``. Requests are None without Request Monitor (arr.md 6)."""
        wanted = [self._configured_pool(name) for name in names] or list(self._config.reading.pools)
        return tuple(self._status(one.name) for one in wanted)

    def workers(self, pool: str) -> tuple[Worker, ...]:
        """The pool's worker processes, the retiring ones too, oldest first."""
        known = self._pools.get(pool.casefold())
        return () if known is None else tuple(known.processes())

    # -- verbs ---------------------------------------------------------------------------------------------

    def start_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. AlwaysRunning pools start their worker processes at once."""
        configured, pool = self._pool(name)
        pool.state = RunState.STARTED
        pool.crashes.clear()
        if configured.start_mode == "AlwaysRunning":
            self._fill(configured, pool)
        self._tell()

    def stop_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. 503 from now on; what runs may end within the shutdown time limit (arr.md 3.2)."""
        _, pool = self._pool(name)
        for worker in pool.current():
            self._retire(worker)
        pool.state = RunState.STOPPING if pool.workers else RunState.STOPPED
        self._tell()

    def recycle_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. New worker processes; the old ones finish what they have, beside them or, with
        ``disallowOverlappingRotation``, before them (arr.md 3.2)."""
        configured, pool = self._pool(name)
        if pool.state is not RunState.STARTED:
            return
        for worker in pool.current():
            self._retire(worker)
        self._fill(configured, pool)
        self._tell()

    def kill_pool(self, name: str) -> None:
        """The pool's worker processes crash: their requests are cut, WAS starts new ones, until rapid-fail protection
        stops the pool (arr.md 3.2). Raises ``NoSuchObject``."""
        configured, pool = self._pool(name)
        for worker in list(pool.workers):
            self._end(worker)
            pool.crashes.append(self._clock.monotonic())
        failure = configured.failure
        since = self._clock.monotonic() - _seconds(failure.rapid_fail_protection_interval)
        while pool.crashes and pool.crashes[0] < since:
            pool.crashes.popleft()
        if failure.rapid_fail_protection and len(pool.crashes) >= failure.rapid_fail_protection_max_crashes:
            pool.state = RunState.STOPPED
        elif pool.state is RunState.STARTED and configured.start_mode == "AlwaysRunning":
            self._fill(configured, pool)
        self._tell()

    def ensure_worker(self, pool: str) -> Worker | None:
        """A running worker process of the pool, started on demand; None when the pool is not started."""
        known = self._pools.get(pool.casefold())
        configured = self._config.reading.pool(pool)
        if known is None or configured is None or known.state is not RunState.STARTED:
            return None
        if not any(not one.retiring for one in known.workers):
            self._fill(configured, known)
        current = known.current()
        known.turn += 1
        return current[known.turn % len(current)]

    # -- requests ------------------------------------------------------------------------------------------

    def begin(
        self, site: Site, cut: Callable[[], None], *, url: str = "", verb: str = "GET", client: str = ""
    ) -> Execution | None:
        """A request enters the site's pool; None means 503 (pool not started, arr.md 5.7)."""
        worker = self.ensure_worker(site.pool)
        if worker is None:
            return None
        app = worker.apps.get(site.name.casefold()) or self._load(worker, site)
        now = self._clock.monotonic()
        if self._settings.aspnetcore_restart_answers_503 and app.core is not None and app.ready_at > now:
            return None
        execution = Execution(worker, app, cut, url, verb, client, now)
        worker.executions.add(execution)
        worker.last_active = now
        worker.taken += 1
        self._recycle_by_count(worker)
        return execution

    def finish(self, execution: Execution) -> None:
        """The request is over; a retiring worker process without requests ends."""
        worker = execution.worker
        worker.executions.discard(execution)
        worker.last_active = self._clock.monotonic()
        if worker.retiring and not worker.executions:
            self._end(worker)

    def when_started(self, execution: Execution, call: Callable[[], None]) -> None:
        """Call when the worker process is there: at once, unless the one before it must end first."""
        if execution.worker.held:
            execution.worker.waiting.append(call)
        else:
            call()

    def when_ready(self, execution: Execution, call: Callable[[], None]) -> Timer | None:
        """Call when the application can answer: at once (None), or when it has started."""
        wait = execution.app.ready_at - self._clock.monotonic()
        if wait <= 0:
            call()
            return None
        return self._clock.call_later(wait, call)

    # -- for the machine's other parts -------------------------------------------------------------------------

    def _drop_pool(self, key: str) -> None:
        """A pool that is configured no longer."""
        for worker in list(self._pools[key].workers):
            self._end(worker)
        del self._pools[key]

    def _new_pool(self, configured: ApplicationPool) -> None:
        self._pools[configured.name.casefold()] = Pool()
        if configured.auto_start:
            self.start_pool(configured.name)

    def _tell(self) -> None:
        for listener in self.changed:
            listener()

    # -- private: worker processes -----------------------------------------------------------------------------

    def _fill(self, configured: ApplicationPool, pool: Pool) -> None:
        held = configured.recycling.disallow_overlapping_rotation and any(one.retiring for one in pool.workers)
        for _ in range(max(1, configured.process_model.max_processes) - len(pool.current())):
            self._next_pid += 4
            worker = Worker(configured.name, self._next_pid, self._clock.now(), held=held)
            pool.workers.append(worker)
            if not held:
                self._start(worker)

    def _start(self, worker: Worker) -> None:
        """It is a process now: its applications load, ARR begins in it, whoever waited comes in."""
        worker.held, worker.started, worker.last_active = False, self._clock.now(), self._clock.monotonic()
        for site in self._config.reading.sites:
            if site.pool.casefold() == worker.pool.casefold():
                self._load(worker, site)
        configured = self._config.reading.pool(worker.pool)
        if configured is not None:
            self._recycle_in_time(configured, worker)
            self._end_when_idle(configured, worker)
        for listener in self.worker_started:
            listener(worker)
        waiting, worker.waiting = worker.waiting, []
        for call in waiting:
            call()

    def _load(self, worker: Worker, site: Site) -> App:
        key = site.name.casefold()
        now = self._clock.monotonic()
        spec = read_spec(self._drives, site.physical_path)
        core = read_core_module(self._drives, site.physical_path)
        app = worker.apps.get(key)
        if app is None:
            app = worker.apps[key] = App(site, spec, core, now + spec.start_seconds, now)
        app.spec, app.core, app.ready_at, app.started_at = spec, core, now + spec.start_seconds, now
        return app

    def _retire(self, worker: Worker) -> None:
        worker.retiring = True
        if not worker.executions:
            self._end(worker)
            return
        configured = self._config.reading.pool(worker.pool)
        limit = _seconds(configured.process_model.shutdown_time_limit) if configured else 90.0
        self._clock.call_later(limit, lambda: self._end(worker))

    def _end(self, worker: Worker) -> None:
        if worker.gone:
            return
        worker.gone = worker.retiring = True
        pool = self._pools.get(worker.pool.casefold())
        if pool is not None and worker in pool.workers:
            pool.workers.remove(worker)
            if pool.state is RunState.STOPPING and not pool.workers:
                pool.state = RunState.STOPPED
        for listener in self.worker_gone:
            listener(worker)
        executions, worker.executions = worker.executions, set()
        for execution in executions:
            execution.cut()
        if pool is not None and not pool.processes():
            for one in [one for one in pool.workers if not one.retiring]:
                self._start(one)
        self._tell()

    # -- private: what ends a worker process by itself -----------------------------------------------------------

    def _recycle_in_time(self, configured: ApplicationPool, worker: Worker) -> None:
        """After ``periodicRestart/@time``, 29 hours unless set, and at the times of its schedule: what loses ARR's
        state (arr.md 3.2, 5.6)."""

        def recycle() -> None:
            if not worker.retiring and self._config.reading.pool(worker.pool) is not None:
                self.recycle_pool(worker.pool)

        every = _seconds(configured.recycling.periodic_restart_time)
        times = [_until(self._clock.now(), one) for one in configured.recycling.schedule]
        for seconds in (*([every] if every else []), *times):
            self._clock.call_later(seconds, recycle)

    def _recycle_by_count(self, worker: Worker) -> None:
        """After ``periodicRestart/@requests`` requests, where that is not 0 (arr.md 3.2)."""
        configured = self._config.reading.pool(worker.pool)
        most = configured.recycling.periodic_restart_requests if configured is not None else 0
        if most and worker.taken == most and not worker.retiring:
            self.recycle_pool(worker.pool)

    def _end_when_idle(self, configured: ApplicationPool, worker: Worker) -> None:
        """After ``idleTimeout`` without a request, 20 minutes unless set (arr.md 3.2); suspended is not ended."""
        limit = _seconds(configured.process_model.idle_timeout)
        stays = configured.start_mode == "AlwaysRunning" and not self._settings.idle_ends_always_running
        if not limit or stays or configured.process_model.idle_timeout_action == "Suspend":
            return

        def look() -> None:
            if worker.gone or worker.retiring:
                return
            idle = 0.0 if worker.executions else self._clock.monotonic() - worker.last_active
            if idle >= limit:
                self._retire(worker)
            else:
                self._clock.call_later(limit - idle, look)

        self._clock.call_later(limit, look)

    # -- private: the rest ---------------------------------------------------------------------------------------

    def _status(self, name: str) -> PoolStatus:
        pool = self._pools.get(name.casefold(), Pool())
        requests = sum(len(one.executions) for one in pool.workers) if self._settings.request_monitor else None
        return PoolStatus(name, pool.state, tuple(one.process for one in pool.processes()), requests)

    def _pool(self, name: str) -> tuple[ApplicationPool, Pool]:
        configured = self._configured_pool(name)
        return configured, self._pools.setdefault(configured.name.casefold(), Pool())

    def _configured_pool(self, name: str) -> ApplicationPool:
        reading = self._config.reading
        found = reading.pool(name)
        if found is None:
            raise NoSuchObject("application pool", name, tuple(one.name for one in reading.pools))
        return found


# -- private ---------------------------------------------------------------------------------------------


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


def _until(now: datetime, time_of_day: timedelta) -> float:
    """Seconds until it is this time of day again."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    wait = (midnight + time_of_day - now).total_seconds()
    return wait if wait > 0 else wait + 86400.0
