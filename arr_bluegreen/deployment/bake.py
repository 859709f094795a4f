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
from arr_bluegreen.deployment.hooks import as_environment, hook_facts
from arr_bluegreen.deployment.now import stores
from arr_bluegreen.deployment.ownership import mark_served
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.prove_front import judge_front, risen, totals
from arr_bluegreen.deployment.verdict import GOOD, Verdict, Watch, watch
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import UnfinishedError, UsageError
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
        return (f"Asked through every front binding of every ARR machine for {self.how.time.total_seconds():g} s, and "
                f"totalRequests must grow; {self.how.failures} bad ones in a row fail it, and {back}. What cannot be "
                "judged for half of that time holds: it neither goes on nor back.",)  # fmt: skip

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
        if not self.how.time:
            return Outcome.PASS, ""
        before = totals(hands.look(), self.slot)
        how = Watch(self.how.time, self.how.every, self.how.failures, f"{self.slot.name} is watched")
        found = watch(hands, how, lambda: self._look(hands))
        grown = risen(before, totals(hands.look(), self.slot))
        if found.good is False:
            return Outcome.FAIL, found.why
        if found.good is None:
            return Outcome.INCONCLUSIVE, found.why
        if hands.deployment.app.front and grown is False:
            return Outcome.INCONCLUSIVE, f"the front answers, and ARR counts no request for {self.slot.name}"
        if not (hands.deployment.app.front or grown or self.how.command):
            return Outcome.INCONCLUSIVE, "no front is described and no request reached the new slot"
        return Outcome.PASS, ""

    def _look(self, hands: Hands) -> Verdict:
        """Where no front is described there is nothing to ask: growth, or the command, judges at the end."""
        hands.reassert()
        url = self.how.url or self.gate.version_url
        asked = replace(self.gate, version_url=url, status=self.how.status)
        return judge_front(hands, asked) if hands.deployment.app.front else GOOD

    def _command(self, hands: Hands) -> tuple[Outcome, str]:
        facts = {**hook_facts(hands, "bake"), "slot": self.slot.name}
        environment, within = as_environment(facts), self.how.command_timeout
        try:
            found = hands.controls.commands.run(self.how.command, json.dumps(facts), environment, within)
        except UsageError as error:
            return Outcome.ERROR, str(error)
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
