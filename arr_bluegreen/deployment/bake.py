"""The bake: for a set time after the switch the new slot is judged: pass, fail, error or inconclusive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.description import Bake, Gate, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import stores
from arr_bluegreen.deployment.ownership import mark_served
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.prove_front import judge_front, risen, totals
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import UnfinishedError, UnreachableError
from arr_bluegreen.webfarm.change import ConfigChange


class Outcome(Enum):
    """What the bake found. ERROR: the judge itself is broken; INCONCLUSIVE: too little was seen. Both hold."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class BakeNew:
    """The new slot was good for the whole time."""

    slot: Slot
    how: Bake
    gate: Gate
    name: str = "bake"
    phase: str = "bake"

    def title(self) -> str:
        return f"Watch {self.slot.name} for {self.how.time.total_seconds():g} s"

    def explain(self) -> Sequence[str]:
        back = "the old slot, still warm, is made live again" if self.how.on_fail == "return" else "the run stops there"
        return (f"Asked through the front for {self.how.time.total_seconds():g} s; {self.how.failures} bad ones in a "
                f"row fail it, and {back}. What cannot be judged holds: it neither goes on nor back.",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("baked"))

    def perform(self, hands: Hands) -> None:
        outcome, why = self._judge(hands)
        if outcome is Outcome.PASS and self.how.command:
            outcome, why = self._command(hands)
        match outcome:
            case Outcome.PASS:
                hands.note("baked", outcome.value)
            case Outcome.FAIL:
                if self.how.on_fail == "return":
                    raise GateFailed(f"the bake failed: {why}")
                raise UnfinishedError(
                    f"the bake failed: {why}", hint="'deploy switch-back' returns; 'deploy resume' judges again."
                )
            case Outcome.ERROR | Outcome.INCONCLUSIVE:
                raise UnfinishedError(
                    f"the bake is {outcome.value}: {why}; both slots stay as they are",
                    hint="'deploy resume' judges again, 'deploy switch-back' returns.",
                )

    # -- private -------------------------------------------------------------------------------------------------

    def _judge(self, hands: Hands) -> tuple[Outcome, str]:
        clock, limit = hands.controls.clock, self.how.time.total_seconds()
        how = replace(self.gate, version_url=self.how.url or self.gate.version_url, status=self.how.status)
        began, bad, unknown, good, before = clock.monotonic(), 0, 0, 0, totals(hands.look(), self.slot)
        while (gone := clock.monotonic() - began) < limit:
            try:
                hands.reassert()
                why = judge_front(hands, replace(how, version_header="", version_json="", version_text=""), "")
            except UnreachableError as error:
                why, unknown = None, unknown + 1
                hands.progress(f"cannot be judged just now: {error}", gone / limit)
            bad = bad + 1 if why else 0
            good += why == ""
            if why and bad >= self.how.failures:
                return Outcome.FAIL, why
            hands.progress(
                f"{self.slot.name} is watched for {limit - gone:.0f} s more{f': {why}' if why else ''}", gone / limit
            )
            hands.pause(self.how.every)
        if unknown and unknown >= good:
            return Outcome.ERROR, "the machines could not be asked"
        if not good and limit > 0 and not risen(before, totals(hands.look(), self.slot)):
            return Outcome.INCONCLUSIVE, "no front is described and no request reached the new slot"
        return Outcome.PASS, ""

    def _command(self, hands: Hands) -> tuple[Outcome, str]:
        facts = json.dumps({"slot": self.slot.name, "run": hands.identity.run})
        found = hands.controls.commands.run(self.how.command, facts, {}, self.how.command_timeout)
        match found.exit_code:
            case 0:
                return Outcome.PASS, ""
            case None:
                return Outcome.ERROR, f"{self.how.command[0]} took too long and was killed"
            case 3:
                return Outcome.INCONCLUSIVE, f"{self.how.command[0]} could not tell (exit code 3)"
            case code:
                return Outcome.FAIL, f"{self.how.command[0]} exited {code}: {found.output.strip()[-200:]}"


@dataclass(frozen=True)
class Settle:
    """The wanted record says when its slot was last seen in service: ``reconcile`` compares with it."""

    slot: Slot
    name: str = "settle"
    phase: str = "durable"

    def title(self) -> str:
        return "Bring the records up to date"

    def explain(self) -> Sequence[str]:
        return ("wanted.json gets the time of the last assertion.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("settled"))

    def perform(self, hands: Hands) -> None:
        asserted = hands.machine_now()  # before the look: a restart after it must count as later
        hands.look()
        hands.reassert()
        for store, seen in zip(stores(hands.controls, hands.deployment), hands.records(), strict=True):
            after = self._asserted(None if seen is None else wanted.from_text(seen), asserted)
            if after is not None and not wanted.swap(store, seen, wanted.to_text(after)):
                wanted.change(store, lambda there: self._asserted(there, asserted))  # a pause came in between
        hands.keep_records(None)
        for member in self.slot.members:
            mark_served(hands.controls.machine(member.machine).records(hands.deployment.app.farm), self.slot.name)
        hands.note("settled", True)

    def _asserted(self, there: Wanted | None, at: datetime) -> Wanted | None:
        return replace(there, asserted=at) if there is not None and there.slot == self.slot.name else None
