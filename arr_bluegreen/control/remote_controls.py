"""Run time, sites and probe of a machine through our scripts: ``FarmControl``, ``SiteControl``, ``Probe``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

from arr_bluegreen.control import replies
from arr_bluegreen.control.hands import Hands, ask
from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.webfarm.site import PoolStatus, SiteStatus
from arr_bluegreen.webfarm.state import FarmStatus, HealthTest, NewState

PROBES_AT_ONCE = 8


class RemoteFarm:
    """``interface.FarmControl`` of one farm on one machine."""

    def __init__(self, hands: Hands, farm: str, front: Sequence[str] = ()) -> None:
        self._hands, self.farm, self._front = hands, farm, list(front)

    def status(self) -> FarmStatus:
        """The farm now: one script, two messages."""
        name = self._hands.name
        return ask(
            self._hands,
            "status",
            {"farm": self.farm, "front": self._front},
            lambda reply: replies.farm_status(name, reply),
        )

    def set_state(self, states: Mapping[str, NewState]) -> None:
        """SetState by name for each address, in order; all servers are found before the first is told."""
        pairs = [[address, state.value] for address, state in states.items()]
        self._hands.call("set_state", {"farm": self.farm, "states": pairs})

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        """SetHealthy or SetUnhealthy for each address, in order."""
        self._hands.call("set_healthy", {"farm": self.farm, "healthy": [list(one) for one in healthy.items()]})

    def test_health(
        self, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's own test, with exactly these arguments."""
        request = {
            "farm": self.farm,
            "address": address,
            "url": url,
            "timeout": timeout.total_seconds(),
            "status_code_match": status_code_match,
            "response_match": response_match,
        }
        within = timeout.total_seconds() + 30
        return ask(self._hands, "test_health", request, replies.health_test, within=within)

    def remove_mapping(self, address: str) -> None:
        """Host-name affinity mappings to this server are removed."""
        self._hands.call("remove_mapping", {"farm": self.farm, "address": address})


class RemoteSites:
    """``interface.SiteControl`` of one machine."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def sites(self) -> tuple[SiteStatus, ...]:
        """Every site with its state."""
        return ask(self._hands, "sites", {"pools": [], "requests": False}, replies.site_statuses)

    def pools(self, names: Sequence[str] = ()) -> tuple[PoolStatus, ...]:
        """The named pools (all, when none is named) with workers and requests in flight."""
        return ask(self._hands, "sites", {"pools": list(names), "requests": True}, replies.pool_statuses)

    def start_site(self, name: str) -> None:
        """Start; a started site stays started."""
        self._act("site", name, "start")

    def stop_site(self, name: str) -> None:
        """Stop; running requests go on."""
        self._act("site", name, "stop")

    def start_pool(self, name: str) -> None:
        """Start; a started pool stays started."""
        self._act("pool", name, "start")

    def stop_pool(self, name: str) -> None:
        """Stop gracefully."""
        self._act("pool", name, "stop")

    def recycle_pool(self, name: str) -> None:
        """Recycle; when its fate is unknown that is said (``maybe_done``), since twice would be two recycles."""
        self._act("pool", name, "recycle")

    # -- private -------------------------------------------------------------------------------------------

    def _act(self, kind: str, name: str, verb: str) -> None:
        action = {"kind": kind, "name": name, "verb": verb}
        self._hands.call("site_action", {"actions": [action]}, within=120)


class RemoteProbe:
    """``interface.Probe``: requests made on the machine, several at once."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def ask(self, requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        """One answer per request, in order."""
        if not requests:
            return ()
        width = min(PROBES_AT_ONCE, len(requests))
        longest = max(one.timeout.total_seconds() for one in requests)
        return ask(
            self._hands,
            "probe",
            {"requests": [replies.probe_request(one) for one in requests], "concurrency": width},
            lambda reply: replies.probe_answers(reply, len(requests)),
            within=30 + longest * ceil(len(requests) / width),
        )
