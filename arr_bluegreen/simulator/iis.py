"""Sites as W3SVC runs them, over the pools of WAS, and what a configuration change does to both (arr.md 3.1, 5.8).

None of start, stop and recycle writes configuration; a reboot forgets them all (arr.md 5.6). A stopped site closes its
listeners and lets running requests end.
"""

from __future__ import annotations

from collections.abc import Iterable

from arr_bluegreen.errors import NoSuchObject, RemoteError
from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.files import Drives
from arr_bluegreen.simulator.http_sys import at, site_for
from arr_bluegreen.simulator.pools import SimulatedPools
from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.simulator.recycling import recycled_for
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import RunState, Site, SiteStatus

INVALID_SITE = 0x800710D8
"""The HRESULT of starting a site that WAS takes for invalid (arr.md 4.4)."""


class SimulatedIis(SimulatedPools):
    """IIS of one machine."""

    def __init__(self, config: HostConfig, clock: Timers, settings: SimulatorSettings, drives: Drives) -> None:
        super().__init__(config, clock, settings, drives)
        self._sites: dict[str, RunState] = {}

    # -- what is there -----------------------------------------------------------------------------------

    def sites(self) -> tuple[SiteStatus, ...]:
        """Every configured site with its state."""
        states = self._sites
        return tuple(
            SiteStatus(one.name, one.id, states.get(one.name.casefold(), RunState.UNKNOWN))
            for one in self._config.reading.sites
        )

    def site_at(self, ip: str, port: int, host: str) -> Site | None:
        """The started site http.sys would give a request to."""
        return site_for(self._config.reading, self._is_started, ip, port, host)

    def listens(self, ip: str, port: int) -> bool | None:
        """Whether a started site listens there with TLS; None when none listens."""
        found = next(at(self._config.reading, self._is_started, ip, port), None)
        return None if found is None else found.secure

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
        """Raises ``NoSuchObject``, and ``RemoteError`` (``INVALID_SITE``) for one without a root application or with a
        binding that another started site has."""
        site = self._configured_site(name)
        if not self._may_start(site):
            raise RemoteError("The object identifier does not represent a valid object.", code=INVALID_SITE)
        self._sites[site.name.casefold()] = RunState.STARTED
        self._tell()

    def stop_site(self, name: str) -> None:
        """Raises ``NoSuchObject``. Requests that run go on (arr.md 3.1)."""
        self._sites[self._configured_site(name).name.casefold()] = RunState.STOPPED
        self._tell()

    def reboot(self) -> None:
        """iisreset or a restart of the machine: all worker processes go, then what is auto-started starts (arr.md
        3.1)."""
        for key in list(self._pools):
            self._drop_pool(key)
        self._sites = {}
        for site in self._config.reading.sites:
            self._new_site(site)
        for pool in self._config.reading.pools:
            self._new_pool(pool)
        self._tell()

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
            if site.name.casefold() not in self._sites:
                self._new_site(site)
        for key in [key for key in self._pools if key not in kept_pools]:
            self._drop_pool(key)
        for pool in after.pools:
            if pool.name.casefold() not in self._pools:
                self._new_pool(pool)

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

    # -- private: sites ------------------------------------------------------------------------------------------

    def _new_site(self, site: Site) -> None:
        started = site.server_auto_start and self._may_start(site)
        self._sites[site.name.casefold()] = RunState.STARTED if started else RunState.STOPPED

    def _may_start(self, site: Site) -> bool:
        """WAS takes a site for invalid without a root application, or with a binding of another started one (arr.md
        3.1, 4.4)."""
        if not any(one.path == "/" for one in site.applications):
            return False
        others = (one for one in self._config.reading.sites if one.name != site.name)
        taken = {
            (binding.protocol, binding.information.casefold())
            for one in others
            if self._is_started(one.name.casefold())
            for binding in one.bindings
        }
        return not any((one.protocol, one.information.casefold()) in taken for one in site.bindings)

    def _configured_site(self, name: str) -> Site:
        reading = self._config.reading
        found = reading.site(name)
        if found is None:
            raise NoSuchObject("site", name, tuple(one.name for one in reading.sites))
        return found

    def _is_started(self, site: str) -> bool:
        return self._sites.get(site) is RunState.STARTED
