"""The canary: the new slot gets a small share of new requests, then more, stage by stage, each held and judged.

The shares are the servers' weights, written once per stage. A weight is at least 1, so that weights alone take nothing
out of service (arr.md 1.2): after the last stage the switch goes on as by state, and the weights are as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from arr_bluegreen.deployment.asking import ask_slot
from arr_bluegreen.deployment.description import Deployment, Gate, Slot, Stage
from arr_bluegreen.deployment.gates import judge
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.memory import FORWARD
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.prove_front import judge_front
from arr_bluegreen.deployment.verdict import GOOD, Verdict, Watch, bad, unknown, watch
from arr_bluegreen.errors import RefusedError, UnfinishedError
from arr_bluegreen.webfarm import FarmStatus, certainly_receives, receives_new
from arr_bluegreen.webfarm.change import ConfigChange, SetServer, settings

BAD_IN_A_ROW = 3
"""So many bad looks in a row fail a stage."""
EXPECTED = 5.0
"""A slot that should have got so many requests by its share, and got none, fails its stage."""


@dataclass(frozen=True)
class SetWeights:
    """The weights of one stage. The first is set while the new slot is out of service, so that it begins with them."""

    new: Slot
    old: Slot
    stage: Stage
    farm: str
    phase: str = "switch"

    @property
    def name(self) -> str:
        return f"weights-{self.stage.percent}"

    def title(self) -> str:
        return f"Give {self.new.name} {self.stage.percent} of 100 new requests"

    def explain(self) -> Sequence[str]:
        one, other = shares(self.stage.percent, self.new, self.old)
        return (f"weight {one} for each server of {self.new.name}, {other} for {self.old.name}, in one commit. "
                "Gap: a write while both serve; ASP.NET Core slots may restart (arr.md 5.8).",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return weight_changes(self.farm, weights_of(self.stage, self.new, self.old))

    def holds(self, hands: Hands) -> bool:
        if hands.memory.get("stage", 0) >= self.stage.percent:
            return True
        wanted = weights_of(self.stage, self.new, self.old)
        kept = hands.memory.get("weights_before") is not None
        return kept and all(one == wanted for one in weights_now(hands, self.new, self.old).values())

    def perform(self, hands: Hands) -> None:
        if hands.memory.get("gated") is None:
            raise GateFailed(f"'{self.new.name}' has not passed its gate; it gets no share")
        if hands.memory.get("weights_before") is None:
            hands.note("weights_before", weights_now(hands, self.new, self.old))
        hands.commit(lambda _: self.commits())


@dataclass(frozen=True)
class HoldStage:
    """The new slot was good with its share for the stage's time."""

    new: Slot
    old: Slot
    stage: Stage
    how: Gate
    version: str
    phase: str = "switch"

    @property
    def name(self) -> str:
        return f"hold-{self.stage.percent}"

    def title(self) -> str:
        return f"Watch {self.new.name} at {self.stage.percent} of 100 for {self.stage.hold.total_seconds():g} s"

    def explain(self) -> Sequence[str]:
        return (f"{self.new.name} and the front are asked; {BAD_IN_A_ROW} bad looks in a row, or a share that brings "
                f"it no request, end the canary, and {self.old.name} alone is live again. What cannot be judged "
                "holds.",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("stage", 0) >= self.stage.percent)

    def perform(self, hands: Hands) -> None:
        before = self._counts(hands.look())
        at = f"at {self.stage.percent} of 100"
        found = watch(hands, Watch(self.stage.hold, self.how.every, BAD_IN_A_ROW, at), lambda: self._look(hands))
        if found.good is False:
            raise GateFailed(f"{at}: {found.why}")
        if found.good is None:
            raise UnfinishedError(
                f"{at} {self.new.name} cannot be judged: {found.why}; the shares stay as they are",
                hint="'deploy resume' judges again, 'deploy switch-back' returns.",
            )
        self._judge_growth(hands, before, self._counts(hands.look()))
        hands.note("stage", self.stage.percent)

    # -- private -------------------------------------------------------------------------------------------------

    def _look(self, hands: Hands) -> Verdict:
        hands.reassert()
        found = _in_service(hands.now(), self.new)
        if found.good is not True:
            return found
        for member, path, answer in ask_slot(hands, self.new, (self.how.version_url,), self.how.timeout):
            why = judge(answer, self.how, self.version)
            if why:
                return bad(f"{member.address}{path}: {why}")
        return judge_front(hands, self.how) if hands.deployment.app.front else GOOD

    def _counts(self, now: Now) -> tuple[int | None, int | None]:
        """totalRequests of the new slot and of both, over every ARR machine; None where any is not known."""
        found: list[int | None] = []
        for slot in (self.new, self.old):
            told = [status.server(one).total_requests for status in now.of(slot) for one in slot.addresses]
            known = [one for one in told if one is not None]
            found.append(sum(known) if len(known) == len(told) else None)
        new, old = found
        return new, None if new is None or old is None else new + old

    def _judge_growth(
        self, hands: Hands, before: tuple[int | None, int | None], after: tuple[int | None, int | None]
    ) -> None:
        """Counters that started anew meanwhile, or too few requests, say nothing: told, and the run goes on."""
        (new, both), (new_after, both_after) = before, after
        if new is None or both is None or new_after is None or both_after is None or both_after < both:
            return hands.warn(f"at {self.stage.percent} of 100 nobody could count the requests")
        expected = (both_after - both) * self.stage.percent / 100
        if new_after <= new and expected >= EXPECTED:
            raise GateFailed(f"at {self.stage.percent} of 100, {both_after - both} requests, none for {self.new.name}")
        if expected < 1:
            hands.warn(f"at {self.stage.percent} of 100 too few requests came to judge by them")
        return None


@dataclass(frozen=True)
class RestoreWeights:
    """The weights are as they were before the canary."""

    new: Slot
    old: Slot
    farm: str
    name: str = "restore-weights"
    phase: str = "durable"

    def title(self) -> str:
        return "Put the weights back"

    def explain(self) -> Sequence[str]:
        return ("The weights that were there before the first stage, in one commit.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        before = hands.memory.get("weights_before", way=FORWARD)
        return before is None or weights_now(hands, self.new, self.old) == before

    def perform(self, hands: Hands) -> None:
        before = hands.memory.get("weights_before", way=FORWARD)
        hands.commit(lambda machine: weight_changes(self.farm, before[machine.name]))


def refuse_unweighted(status: FarmStatus) -> None:
    """Raises ``RefusedError`` when the farm does not choose by weight: a request hash does not (arr.md 5.4)."""
    if status.farm.load_balancing.algorithm == "RequestHash":
        raise RefusedError(
            f"the farm '{status.farm.name}' on {status.machine} chooses by RequestHash, which knows no weights",
            hint='Set load_balancing.algorithm to WeightedRoundRobin, or use [switch] by = "state".',
        )


def stage_gap(deployment: Deployment) -> str:
    """The honest gap of the canary, in words."""
    at = ", ".join(str(one.percent) for one in deployment.switch.stages)
    return (
        f"switch by weights: one write per stage ({at} of 100) and one that puts the weights back; both versions serve "
        "until the last stage is over, and sessions that stick are not counted in the shares"
    )


def shares(percent: int, new: Slot, old: Slot) -> tuple[int, int]:
    """The weight of each new and each old server, so that the new slot as a whole gets its share; both at least 1."""
    if len(new.members) == len(old.members):
        return percent, 100 - percent
    return percent * len(old.members), (100 - percent) * len(new.members)


def weights_of(stage: Stage, new: Slot, old: Slot) -> dict[str, int]:
    """Address to weight."""
    one, other = shares(stage.percent, new, old)
    return {**dict.fromkeys(new.addresses, one), **dict.fromkeys(old.addresses, other)}


def weights_now(hands: Hands, new: Slot, old: Slot) -> dict[str, dict[str, int]]:
    """The name of each ARR machine to address to weight, as configured there."""
    now = hands.now()
    return {
        machine.name: {one.address: one.weight for slot in (new, old) for one in now.servers(slot, status)}
        for machine, status in zip(hands.controls.arr, now.of(new), strict=True)
    }


def weight_changes(farm: str, weights: Mapping[str, int]) -> tuple[SetServer, ...]:
    """The changes that set them."""
    return tuple(SetServer(farm, address, settings(weight=weight)) for address, weight in weights.items())


# -- private -------------------------------------------------------------------------------------------------


def _in_service(now: Now, slot: Slot) -> Verdict:
    doubt = GOOD
    for status in now.of(slot):
        for server in now.servers(slot, status):
            if not receives_new(server, status):
                return bad(f"{server.address} is not in service on {status.machine}")
            if not certainly_receives(server, status):
                doubt = unknown(f"whether {server.address} is in service on {status.machine} is not known")
    return doubt
