"""Enabling a proven slot behind a fence: GracefulStop first, one commit, read back everywhere.

A server that becomes enabled is Active and counts as healthy until probed (arr.md 5.6), hence the fence; whether it
holds over the commit nobody documents (arr.md 8.1). Where it does not, the switch has begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arr_bluegreen.deployment.description import Slot
from arr_bluegreen.deployment.events import Switched
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.health_file import write_health
from arr_bluegreen.deployment.now import check_floor
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.errors import FloorError
from arr_bluegreen.webfarm import NewState
from arr_bluegreen.webfarm.change import ConfigChange, SetServer, settings


@dataclass(frozen=True)
class Enable:
    """Every server of the slot is enabled, and gets no new request yet."""

    slot: Slot
    farm: str
    name: str = "enable"
    phase: str = "enable"

    def title(self) -> str:
        return f"Enable {self.slot.name} behind a fence"

    def explain(self) -> Sequence[str]:
        return ("GracefulStop first, then enabled=true in one commit, read back. If the fence does not hold over the "
                "commit, the slot, proven by then, is in service from that moment.",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return enable_changes(self.farm, self.slot, True)

    def holds(self, hands: Hands) -> bool:
        return hands.now().enabled(self.slot)

    def perform(self, hands: Hands) -> None:
        if hands.memory.get("gated") is None:
            raise GateFailed(f"'{self.slot.name}' has not passed its gate; it is not enabled")
        off = sorted({one.address for look in hands.now().of(self.slot) for one in hands.now().servers(self.slot, look)
                      if not one.enabled})  # fmt: skip
        hands.note("enabled_by_us", sorted({*hands.memory.get("enabled_by_us", []), *off}))
        hands.set_state(self.slot, NewState.GRACEFUL_STOP)
        before = hands.controls.clock.now()
        hands.commit(lambda _: self.commits(), keep_up=False)
        if not hands.now().may_receive(self.slot) or hands.deployment.switch.by in ("health-file", "rule"):
            # by health file it must not go on (ARR would soon read "down" there); by rule nobody is sent there yet
            hands.reassert()
            return
        hands.warn(f"'{self.slot.name}', proven, is in service from here on: its fence did not outlive the commit")
        begin_switch(hands, self.slot, before)
        hands.set_state(self.slot, NewState.START)


@dataclass(frozen=True)
class MakeDurable:
    """The old slot is ``enabled=false``, so that a restart of ARR does not bring it back (arr.md 5.6)."""

    slot: Slot
    farm: str
    name: str = "durable"
    phase: str = "durable"

    def title(self) -> str:
        return f"Make it durable: disable {self.slot.name}"

    def explain(self) -> Sequence[str]:
        return (f"enabled=false for {', '.join(self.slot.addresses)}, in one commit.",)

    def commits(self) -> Sequence[ConfigChange]:
        return enable_changes(self.farm, self.slot, False)

    def holds(self, hands: Hands) -> bool:
        return not hands.now().any_enabled(self.slot)

    def perform(self, hands: Hands) -> None:
        reason = check_floor(hands.look(), self.slot, hands.deployment.floor)
        if reason:
            raise FloorError(reason, hint="Bring the other slot in service first ('deploy status').")
        hands.commit(lambda _: self.commits())


@dataclass(frozen=True)
class ClearIdle:
    """What a run did to the idle slot before the switch is undone: out of service, disabled again if we enabled it;
    ``down`` is what its health file must say where ARR reads one, "" for none."""

    slot: Slot
    farm: str
    addresses: tuple[str, ...] = ()
    down: str = ""
    name: str = "clear"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Clear {self.slot.name}"

    def explain(self) -> Sequence[str]:
        again = f"; {', '.join(self.addresses)} disabled again" if self.addresses else ""
        return (f"{self.slot.name} out of service (run time){again}.",)

    def commits(self) -> Sequence[ConfigChange]:
        return tuple(SetServer(self.farm, one, settings(enabled=False)) for one in self.addresses)

    def holds(self, hands: Hands) -> bool:
        now = hands.now()
        on = {one.address for look in now.of(self.slot) for one in now.servers(self.slot, look) if one.enabled}
        lowered = not self.down or bool(hands.memory.get("lowered"))
        return lowered and not now.may_receive(self.slot) and not on.intersection(self.addresses)

    def perform(self, hands: Hands) -> None:
        if hands.now().may_receive(self.slot):
            hands.take_out(self.slot, NewState.GRACEFUL_STOP)
        if self.down:
            write_health(hands, self.slot, self.down)
            hands.note("lowered", True)
        if self.addresses:
            hands.commit(lambda _: self.commits())


def enable_changes(farm: str, slot: Slot, enabled: bool) -> tuple[SetServer, ...]:
    """``enabled`` of every server of the slot."""
    return tuple(SetServer(slot.farm or farm, one, settings(enabled=enabled)) for one in slot.addresses)


def begin_switch(hands: Hands, slot: Slot, at: datetime | None = None) -> None:
    """Journal that the switch begins, and tell its moment (``at``, else now); once."""
    if not hands.memory.get("switch_begun"):
        hands.note("switch_begun", True)
    if not hands.memory.get("switched"):
        hands.tell(Switched(slot.name, (at or hands.controls.clock.now()).isoformat()))
        hands.memory.take("switched", True)
