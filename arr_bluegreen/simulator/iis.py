"""Sites, application pools, worker processes and the requests in them, as WAS and W3SVC run them.

None of start, stop and recycle writes configuration; a reboot forgets them all (arr.md 3.1, 3.2, 5.6). A stopped site
closes its listeners and lets running requests end; a stopped pool answers 503 and is killed after its shutdown time
limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.simulator.clock import Timer, Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.files import Drives
from arr_bluegreen.simulator.http_sys import at, site_for
from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.recycling import recycled_for
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.slots import App, read_core_module, read_spec
from arr_bluegreen.simulator.workers import Execution, Pool, Worker
from arr_bluegreen.webfarm import ApplicationPool, PoolStatus, RunState, Site, SiteStatus


class SimulatedIis:
    """IIS of one machine. ``changed`` is called after everything that may alter who serves what."""

    def __init__(self, config: HostConfig, clock: Timers, settings: SimulatorSettings, drives: Drives) -> None:
        self._config, self._clock, self._settings, self._drives = config, clock, settings, drives
        self._sites: dict[str, RunState] = {}
        self._pools: dict[str, Pool] = {}
        self._next_pid = 4000
        self.worker_started: list[Callable[[Worker], None]] = []
        self.worker_gone: list[Callable[[Worker], None]] = []
        self.changed: list[Callable[[], None]] = []

    # -- what is there -----------------------------------------------------------------------------------

    def sites(self) -> tuple[SiteStatus, ...]:
        """Every configured site with its state."""
        states = self._sites
        return tuple(
            SiteStatus(one.name, one.id, states.get(one.name.casefold(), RunState.UNKNOWN))
            for one in self._config.reading.sites
        )

    def pools(self, names: Iterable[str] = ()) -> tuple[PoolStatus, ...]:
        """The named pools, or all; raises ``NoSuchObject``. Requests are None without Request Monitor (arr.md 6)."""
        wanted = [self._configured_pool(name) for name in names] or list(self._config.reading.pools)
        return tuple(self._status(one.name) for one in wanted)

    def workers(self, pool: str) -> tuple[Worker, ...]:
        """The pool's worker processes, the retiring ones too, oldest first."""
        known = self._pools.get(pool.casefold())
        return () if known is None else tuple(known.workers)

    def site_at(self, ip: str, port: int, host: str) -> Site | None:
        """The started site http.sys would give a request to."""
        return site_for(self._config.reading, self._is_started, ip, port, host)

    def listens(self, ip: str, port: int) -> bool:
        """Whether any started site has a listener there."""
        return any(True for _ in at(self._config.reading, self._is_started, ip, port))

    def can_answer(self, ip: str, port: int) -> bool:
        """Whether a started site there has a started pool and an application that is not known to fail."""
        for site in (one.site for one in at(self._config.reading, self._is_started, ip, port)):
            pool = self._pools.get(site.pool.casefold())
            if pool is None or pool.state is not RunState.STARTED:
                continue
            apps = [one.apps.get(site.name.casefold()) for one in pool.current()]
            return not any(one is not None and (one.stopped or one.spec.broken) for one in apps)
        return False

    # -- verbs ---------------------------------------------------------------------------------------------

    def start_site(self, name: str) -> None:
        """Raises ``NoSuchObject``."""
        self._sites[self._configured_site(name).name.casefold()] = RunState.STARTED
        self._tell()

    def stop_site(self, name: str) -> None:
        """Raises ``NoSuchObject``. Requests that run go on (arr.md 3.1)."""
        self._sites[self._configured_site(name).name.casefold()] = RunState.STOPPED
        self._tell()

    def start_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. AlwaysRunning pools start their worker processes at once."""
        configured = self._configured_pool(name)
        pool = self._pools.setdefault(configured.name.casefold(), Pool())
        pool.state = RunState.STARTED
        if configured.start_mode == "AlwaysRunning":
            self._fill(configured, pool)
        self._tell()

    def stop_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. 503 from now on; what runs may end within the shutdown time limit (arr.md 3.2)."""
        configured = self._configured_pool(name)
        pool = self._pools.setdefault(configured.name.casefold(), Pool())
        for worker in pool.current():
            self._retire(worker)
        pool.state = RunState.STOPPING if pool.workers else RunState.STOPPED
        self._tell()

    def recycle_pool(self, name: str) -> None:
        """Raises ``NoSuchObject``. New worker processes; the old ones finish what they have (overlap, arr.md 3.2)."""
        configured = self._configured_pool(name)
        pool = self._pools.setdefault(configured.name.casefold(), Pool())
        if pool.state is not RunState.STARTED:
            return
        for worker in pool.current():
            self._retire(worker)
        self._fill(configured, pool)
        self._tell()

    def kill_pool(self, name: str) -> None:
        """The pool's worker processes crash: their requests are cut, WAS starts new ones. Raises ``NoSuchObject``."""
        configured = self._configured_pool(name)
        pool = self._pools.setdefault(configured.name.casefold(), Pool())
        for worker in list(pool.workers):
            self._end(worker)
        if pool.state is RunState.STARTED and configured.start_mode == "AlwaysRunning":
            self._fill(configured, pool)
        self._tell()

    def reboot(self) -> None:
        """iisreset or a restart of the machine: all worker processes go, then what is auto-started starts (arr.md
        3.1)."""
        for pool in self._pools.values():
            for worker in list(pool.workers):
                self._end(worker)
        self._sites = {
            one.name.casefold(): RunState.STARTED if one.server_auto_start else RunState.STOPPED
            for one in self._config.reading.sites
        }
        self._pools = {}
        for one in self._config.reading.pools:
            self._pools[one.name.casefold()] = Pool()
            if one.auto_start:
                self.start_pool(one.name)
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
        app = worker.apps.get(site.name.casefold())
        if app is None:
            app = self._load(worker, site)
        now = self._clock.monotonic()
        if self._settings.aspnetcore_restart_answers_503 and app.core is not None and app.ready_at > now:
            return None
        execution = Execution(worker, app, cut, url, verb, client, now)
        worker.executions.add(execution)
        return execution

    def finish(self, execution: Execution) -> None:
        """The request is over; a retiring worker process without requests ends."""
        worker = execution.worker
        worker.executions.discard(execution)
        if worker.retiring and not worker.executions:
            self._end(worker)

    def when_ready(self, execution: Execution, call: Callable[[], None]) -> Timer | None:
        """Call when the application can answer: at once (None), or when it has started."""
        wait = execution.app.ready_at - self._clock.monotonic()
        if wait <= 0:
            call()
            return None
        return self._clock.call_later(wait, call)

    # -- configuration ---------------------------------------------------------------------------------------

    def on_config(self, before: Reading, after: Reading, members: Iterable[str]) -> None:
        """The configuration changed; ``members`` are the names of the sites that are farm servers (arr.md 5.8)."""
        restarts = self._pools_to_recycle(before, after)
        self._sites_and_pools(before, after)
        for name in restarts:
            self.recycle_pool(name)
        farms_changed = before.farms != after.farms
        if farms_changed or self._settings.any_change_restarts_asp_net_core:
            everyone = self._settings.any_change_restarts_asp_net_core
            self._restart_core_slots({one.casefold() for one in members}, everyone=everyone)
        self._tell()

    # -- private: configuration --------------------------------------------------------------------------------

    def _sites_and_pools(self, before: Reading, after: Reading) -> None:
        kept_sites = {one.name.casefold() for one in after.sites}
        kept_pools = {one.name.casefold() for one in after.pools}
        self._sites = {name: state for name, state in self._sites.items() if name in kept_sites}
        for site in after.sites:
            auto = RunState.STARTED if site.server_auto_start and site.applications else RunState.STOPPED
            self._sites.setdefault(site.name.casefold(), auto)
        for name in [name for name in self._pools if name not in kept_pools]:
            for worker in list(self._pools[name].workers):
                self._end(worker)
            del self._pools[name]
        for pool in after.pools:
            if pool.name.casefold() not in self._pools:
                self._pools[pool.name.casefold()] = Pool()
                if pool.auto_start:
                    self.start_pool(pool.name)

    def _pools_to_recycle(self, before: Reading, after: Reading) -> list[str]:
        names = [
            new.name
            for new in after.pools
            if before.pool(new.name) is not None
            and recycled_for(before, new.name) != recycled_for(after, new.name)
            and not new.recycling.disallow_rotation_on_config_change
        ]
        if self._settings.site_change_recycles_pool:
            for site in after.sites:
                was = before.site(site.name)
                if was is not None and (was.bindings, was.physical_path) != (site.bindings, site.physical_path):
                    names.append(site.pool)
        return [name for name in dict.fromkeys(names) if after.pool(name) is not None]

    def _restart_core_slots(self, members: set[str], *, everyone: bool) -> None:
        """ASP.NET Core slots restart on a farm edit unless their opt-out works (arr.md 5.8)."""
        restart: list[str] = []
        for pool in self._pools.values():
            for worker in pool.current():
                for name, app in worker.apps.items():
                    if app.core is None or not (everyone or name in members):
                        continue
                    if not app.core.disallow_rotation or self._settings.disallow_rotation == "ignored":
                        restart.append(worker.pool)
                    elif self._settings.disallow_rotation == "breaks":
                        app.stopped = True
        for name in dict.fromkeys(restart):
            self.recycle_pool(name)

    # -- private: worker processes -----------------------------------------------------------------------------

    def _fill(self, configured: ApplicationPool, pool: Pool) -> None:
        for _ in range(max(1, configured.process_model.max_processes) - len(pool.current())):
            self._next_pid += 4
            worker = Worker(configured.name, self._next_pid, self._clock.now())
            pool.workers.append(worker)
            for site in self._config.reading.sites:
                if site.pool.casefold() == configured.name.casefold():
                    self._load(worker, site)
            self._recycle_in_time(configured, worker)
            for listener in self.worker_started:
                listener(worker)

    def _recycle_in_time(self, configured: ApplicationPool, worker: Worker) -> None:
        """``periodicRestart/@time``, 29 hours unless set: the recycle that loses ARR's state (arr.md 3.2, 5.6)."""

        def recycle() -> None:
            if not worker.retiring and self._config.reading.pool(worker.pool) is not None:
                self.recycle_pool(worker.pool)

        seconds = configured.recycling.periodic_restart_time.total_seconds()
        if seconds:
            self._clock.call_later(seconds, recycle)

    def _load(self, worker: Worker, site: Site) -> App:
        spec = read_spec(self._drives, site.physical_path)
        core = read_core_module(self._drives, site.physical_path)
        now = self._clock.monotonic()
        app = App(site, spec, core, now + spec.start_seconds, now)
        worker.apps[site.name.casefold()] = app
        return app

    def _retire(self, worker: Worker) -> None:
        worker.retiring = True
        if not worker.executions:
            self._end(worker)
            return
        configured = self._config.reading.pool(worker.pool)
        limit = configured.process_model.shutdown_time_limit.total_seconds() if configured else 90.0
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
        self._tell()

    # -- private: the rest ---------------------------------------------------------------------------------------

    def _status(self, name: str) -> PoolStatus:
        pool = self._pools.get(name.casefold(), Pool())
        requests = sum(len(one.executions) for one in pool.workers) if self._settings.request_monitor else None
        return PoolStatus(name, pool.state, tuple(one.process for one in pool.workers), requests)

    def _configured_pool(self, name: str) -> ApplicationPool:
        reading = self._config.reading
        found = reading.pool(name)
        if found is None:
            raise NoSuchObject("application pool", name, tuple(one.name for one in reading.pools))
        return found

    def _configured_site(self, name: str) -> Site:
        reading = self._config.reading
        found = reading.site(name)
        if found is None:
            raise NoSuchObject("site", name, tuple(one.name for one in reading.sites))
        return found

    def _is_started(self, site: str) -> bool:
        return self._sites.get(site) is RunState.STARTED

    def _tell(self) -> None:
        for listener in self.changed:
            listener()
