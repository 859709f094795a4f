"""The switch by a write: ``enabled`` of both slots in one commit, or the rewrite rule that names another farm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.description import Slot, Switch
from arr_bluegreen.deployment.enable import begin_switch, enable_changes
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.rule_target import retarget, target_farm
from arr_bluegreen.deployment.switch import POLL, leaving_marks, not_in, remove_mappings
from arr_bluegreen.errors import FloorError
from arr_bluegreen.webfarm import NewState, ServerState
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True)
class SwapEnabled:
    """The new slot enabled and the old disabled, in one commit."""

    new: Slot
    old: Slot
    how: Switch
    farm: str
    name: str = "swap-enabled"
    phase: str = "switch"

    def title(self) -> str:
        return f"Enable {self.new.name} and disable {self.old.name} in one commit"

    def explain(self) -> Sequence[str]:
        return ("Gap: a write at the switch. ASP.NET Core slots may restart (arr.md 5.8), and what ARR does with its "
                "run-time state on a commit is not documented (arr.md 8.1).",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return (*enable_changes(self.farm, self.new, True), *enable_changes(self.farm, self.old, False))

    def holds(self, hands: Hands) -> bool:
        now = hands.now()
        kept = hands.memory.get("hold", {}).get(self.new.name) == NewState.START.value
        left = bool(hands.memory.get("out_since"))  # without its marks nobody could drain what was swapped before
        return kept and left and now.receives(self.new) and not now.any_enabled(self.old)

    def perform(self, hands: Hands) -> None:
        if hands.memory.get("gated") is None:
            raise GateFailed(f"'{self.new.name}' has not passed its gate; it is not enabled")
        begin_switch(hands, self.new)
        hands.set_state(self.new, NewState.START)
        reason = self._unready(hands.look(), hands.deployment.floor)
        if reason:
            raise FloorError(reason, hint="'deploy status' shows what is in service.")
        hands.note("out_since", leaving_marks(hands, hands.now(), self.old))
        if hands.now().any_enabled(self.old) or not hands.now().enabled(self.new):
            hands.commit(lambda _: self.commits(), switches=True)
        hands.wait(lambda now: not_in(now, self.new), self.how.within, POLL)
        remove_mappings(hands, self.old)

    def _unready(self, now: Now, floor: int) -> str:
        """A disabled server is not in service before the commit: judged is what it will be right after it. What nobody
        knows does not count: the old slot is disabled in the same commit."""
        for status in now.of(self.new):
            told = {one: status.server(one) for one in self.new.addresses}
            ready = [one for one, at in told.items() if at.state is ServerState.ACTIVE and at.is_healthy]
            if len(ready) < floor:
                return f"after the commit {len(ready)} server(s) would be in service on {status.machine}, floor {floor}"
        return ""


@dataclass(frozen=True)
class Retarget:
    """The rewrite rule sends requests to the new slot's farm."""

    new: Slot
    old: Slot
    how: Switch
    name: str = "retarget"
    phase: str = "switch"

    def title(self) -> str:
        return f"Point the rule '{self.how.rule}' to {self.new.farm}"

    def explain(self) -> Sequence[str]:
        return ("Gap: a write at the switch; rules are read again, and ASP.NET Core slots may restart (arr.md 5.8).",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("out_since")) and all(self._done(one) for one in hands.now().configs())

    def perform(self, hands: Hands) -> None:
        waiting_for = not_in(hands.look(), self.new)
        if waiting_for:
            raise FloorError(f"the farm '{self.new.farm}' is not in service: {waiting_for}")
        begin_switch(hands, self.new)
        hands.note("out_since", leaving_marks(hands, hands.now(), self.old))
        configs = dict(zip((one.name for one in hands.controls.arr), hands.now().configs(), strict=True))
        if not all(self._done(one) for one in configs.values()):
            hands.commit(lambda machine: self._changes(configs[machine.name]), switches=True)

    def _changes(self, config: Configuration) -> tuple[ConfigChange, ...]:
        return () if self._done(config) else (retarget(config, self.how, self.new.farm),)

    def _done(self, config: Configuration) -> bool:
        return target_farm(config, self.how) == self.new.farm.casefold()
