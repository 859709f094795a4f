"""Steps that make the idle slot ready without touching the live one: kept out of service, filled, started."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from arr_bluegreen.deployment.description import Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import check_floor
from arr_bluegreen.webfarm import NewState
from arr_bluegreen.webfarm.change import ConfigChange

START = timedelta(minutes=4)
"""How long a pool and a site may take to start, at most: two minutes each."""


@dataclass(frozen=True)
class Fence:
    """The slot gets no new request until it is proven. Once the switch has begun, there is nothing to fence."""

    slot: Slot
    name: str = "fence"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Keep {self.slot.name} out of service until it is proven"

    def explain(self) -> Sequence[str]:
        return (f"Where {self.slot.name} is in service: GracefulStop (run time; nothing is written).",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        """Also true where fencing would break the floor: then ``slot`` is what serves."""
        now = hands.now()
        if hands.memory.get("switch_begun") or not now.may_receive(self.slot):
            return True
        return bool(check_floor(now, self.slot, hands.deployment.floor))

    def perform(self, hands: Hands) -> None:
        hands.take_out(self.slot, NewState.GRACEFUL_STOP)


@dataclass(frozen=True)
class StartSlot:
    """Pools, then sites, of every member are started. Nothing is written (arr.md 3.1)."""

    slot: Slot
    name: str = "start"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Start the sites and pools of {self.slot.name}"

    def explain(self) -> Sequence[str]:
        names = ", ".join(sorted({f"{one.pool or '-'} / {one.site or '-'}" for one in self.slot.members}))
        return (f"Pool and site of each member are started where they are not: {names}.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return hands.now().started(self.slot)

    def perform(self, hands: Hands) -> None:
        for member in self.slot.members:
            sites = hands.controls.machine(member.machine).sites
            hands.forget()
            hands.beat(START)
            if member.pool:
                sites.start_pool(member.pool)
            if member.site:
                sites.start_site(member.site)
