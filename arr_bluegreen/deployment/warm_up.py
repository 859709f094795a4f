"""Warm-up: the slot's pages are asked on its own machine until they answer well. A 5xx never counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.deployment.asking import ask_slot
from arr_bluegreen.deployment.description import Slot, WarmUp
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.matching import why_not, why_slow
from arr_bluegreen.deployment.proof import GateFailed, remembered, workers_now
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True)
class WarmSlot:
    """Every path of every member answers well ``times`` times in a row. Again when its worker is another."""

    slot: Slot
    how: WarmUp
    again: bool = False
    name: str = "warm-up"
    phase: str = "gate"

    def title(self) -> str:
        return f"Warm up {self.slot.name}{' once more' if self.again else ''}"

    def explain(self) -> Sequence[str]:
        if self.again:
            return ("Where the commit restarted worker processes; the same list.",)
        how, at_a_time = self.how, f", {self.how.concurrency} at a time" if self.how.concurrency else ""
        quick = f" in {how.slower_than.total_seconds():g} s" if how.slower_than is not None else ""
        return (
            f"{how.method} {', '.join(how.paths)} on the slot's own machine{at_a_time}, status {how.status}{quick}, "
            f"{how.times} time(s) in a row, within {how.within.total_seconds():.0f} s.",
        )

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return remembered(hands, self.slot, "warmed")

    def perform(self, hands: Hands) -> None:
        clock = hands.controls.clock
        began, good = clock.monotonic(), 0
        while True:
            bad = self._bad(hands)
            good = 0 if bad else good + 1
            if good >= self.how.times:
                return hands.note("warmed", workers_now(hands, self.slot))
            gone, limit = clock.monotonic() - began, self.how.within.total_seconds()
            if gone >= limit:
                raise GateFailed(f"'{self.slot.name}' is not warm after {gone:.0f} s: {bad or 'too few good answers'}")
            hands.progress(f"waiting for {self.slot.name}: {bad or f'{good} of {self.how.times} good'}", gone / limit)
            if bad:
                hands.pause(self.how.every)

    def _bad(self, hands: Hands) -> str:
        how = self.how
        many = how.concurrency
        answers = ask_slot(
            hands, self.slot, how.paths, how.timeout, host=how.host, method=how.method, concurrency=many
        )
        for member, path, answer in answers:
            reason = why_not(answer, how.status, how.text) or why_slow(answer, how.slower_than)
            if reason:
                return f"{member.address}{path}: {reason}"
        return ""
