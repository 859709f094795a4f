"""Steps that keep the wanted record: what shall be live, on every ARR machine, before anything is switched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.asking import quick_probes
from arr_bluegreen.deployment.description import Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import stores
from arr_bluegreen.errors import UnfinishedError
from arr_bluegreen.webfarm.change import ConfigChange

TRIES = 5
"""How often a record that changed under our hands is read again."""


@dataclass(frozen=True)
class Want:
    """The wanted record names this slot on every ARR machine. ``begins`` marks the point from which the run goes on to
    the switch, whatever happens; without it the record only says what is already so."""

    slot: Slot
    other: Slot
    begins: bool
    version: str = ""
    name: str = "want"
    phase: str = "switch"

    def title(self) -> str:
        return f"Record on the ARR machines that {self.slot.name} shall be live"

    def explain(self) -> Sequence[str]:
        return (f"wanted.json on every ARR machine names {self.slot.name}, with a higher epoch.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        if not self.begins and hands.memory.get("switch_begun"):
            return True
        if self.begins and not hands.memory.get("switch_begun"):
            return False
        hands.keep_records(hands.now().records())
        return all(one is not None and one.slot == self.slot.name for one in hands.now().wanted())

    def perform(self, hands: Hands) -> None:
        """Compared and swapped: under the lock only a pause (or the time of an assertion) can come in between, and then
        all is read again."""
        if self.begins:
            hands.note("switch_begun", True)
        for _ in range(TRIES):
            seen = hands.records()
            hands.keep_records(None)  # until all are written: after a lost reply nothing is known
            text = wanted.to_text(self._record(hands, seen))
            swapped = [
                wanted.swap(store, before, text)
                for store, before in zip(stores(hands.controls, hands.deployment), seen, strict=True)
            ]
            if all(swapped):
                return hands.keep_records((text,) * len(swapped))
        raise UnfinishedError("wanted.json changes faster than it can be written", hint="'deploy resume' tries again.")

    def _record(self, hands: Hands, seen: Sequence[str | None]) -> wanted.Wanted:
        """Of the highest epoch; a pause that an admin has asked for stays (``farm reconcile --pause``)."""
        there = [wanted.from_text(one) for one in seen if one is not None]
        return wanted.Wanted(
            slot=self.slot.name,
            epoch=max((one.epoch for one in there), default=0) + 1,
            run=hands.identity.run,
            who=hands.identity.who,
            asserted=hands.machine_now(),
            by=hands.deployment.switch.by,
            into=self.slot.addresses,
            out=self.other.addresses,
            probes=quick_probes(hands.now(), self.slot),
            version=self.version,
            front=hands.deployment.app.front,
            paused=any(one.paused for one in there),
            floor=hands.deployment.floor,
        )
