"""The switch: the new slot in service on every ARR machine, seen; then the old out of service on every one, seen.

By run-time state (nothing is written), or by the slots' health files, which ARR's own probe reads (arr.md 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from arr_bluegreen.deployment.description import Drain, Slot, Switch
from arr_bluegreen.deployment.enable import begin_switch
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.health_file import fetch_health, write_health
from arr_bluegreen.deployment.now import Now, check_floor, farm_control
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.errors import FloorError, WaitRanOutError
from arr_bluegreen.webfarm import FarmStatus, NewState, TestResult, certainly_receives
from arr_bluegreen.webfarm.change import ConfigChange

POLL = timedelta(seconds=0.1)


@dataclass(frozen=True)
class BringIn:
    """The slot certainly gets new requests on every ARR machine."""

    slot: Slot
    how: Switch
    name: str = "bring-in"
    phase: str = "switch"

    def title(self) -> str:
        return f"Bring {self.slot.name} in service"

    def explain(self) -> Sequence[str]:
        if self.how.by == "health-file":
            return (f"The health file of {self.slot.name} says '{self.how.up}'; wait until ARR's own probe has seen it "
                    "on every ARR machine. Nothing is written to the configuration.",)  # fmt: skip
        return (f"SetState Start on {', '.join(self.slot.addresses)}, on every ARR machine; read back.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        """Seen, and the run means it: the state is one it keeps up (else a later loss would go unseen)."""
        kept = hands.memory.get("hold", {}).get(self.slot.name) == NewState.START.value
        raised = self.how.by != "health-file" or bool(hands.memory.get("raised"))
        return kept and raised and hands.now().receives(self.slot)

    def perform(self, hands: Hands) -> None:
        if hands.memory.get("gated") is None:
            raise GateFailed(f"'{self.slot.name}' has not passed its gate; it is not brought in service")
        if self.how.by != "rule":  # by rule it is in service in a farm that nobody is sent to yet
            begin_switch(hands, self.slot)
        if self.how.by == "health-file":
            write_health(hands, self.slot, self.how.up)
            hands.note("raised", True)
            self._test_up(hands)
        hands.set_state(self.slot, NewState.START)
        try:
            hands.wait(lambda now: not_in(now, self.slot), self.how.within, POLL)
        except WaitRanOutError as error:
            raise GateFailed(f"'{self.slot.name}' did not come in service: {error}") from error

    def _test_up(self, hands: Hands) -> None:
        """ARR itself must see the file now: "healthy" may be what it assumes until it probes (arr.md 5.6)."""
        for machine, status in zip(hands.controls.arr, hands.now().of(self.slot), strict=True):
            check, control = status.farm.health_check, farm_control(machine, hands.deployment, self.slot)
            for address in self.slot.addresses:
                test = control.test_health(
                    address, check.url, check.timeout, check.status_code_match, check.response_match
                )
                if test.result is not TestResult.SUCCESS:
                    raise GateFailed(
                        f"ARR on {status.machine} does not see the health file of {address}: {test.result.value}"
                    )


@dataclass(frozen=True)
class TakeOut:
    """The slot gets no new client's request on any ARR machine; what it has, it may finish."""

    slot: Slot
    how: Switch
    drain: Drain
    name: str = "take-out"
    phase: str = "switch"

    def title(self) -> str:
        return f"Take {self.slot.name} out of service"

    def explain(self) -> Sequence[str]:
        if self.how.by == "health-file":
            return (f"The health file of {self.slot.name} says '{self.how.down}'; every ARR machine must see "
                    "it (retries and interval of the farm's health check).",)  # fmt: skip
        state = self._state().value
        return (f"SetState {state} on {', '.join(self.slot.addresses)}, on every ARR machine, above the floor.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        """Seen, and the run's own act: by health file ARR may not have probed yet a file that says up."""
        lowered = self.how.by != "health-file" or bool(hands.memory.get("lowered"))
        return lowered and bool(hands.memory.get("out_since")) and not hands.now().may_receive(self.slot)

    def perform(self, hands: Hands) -> None:
        now = hands.look()
        reason = check_floor(now, self.slot, hands.deployment.floor)
        if reason:
            raise FloorError(reason, hint="'deploy status' shows what is in service.")
        hands.note("out_since", leaving_marks(hands, now, self.slot))
        if self.how.by == "health-file":
            write_health(hands, self.slot, self.how.down)
            hands.note("lowered", True)
        else:
            hands.set_state(self.slot, self._state())  # above the floor: just looked
        hands.wait(lambda look: still_in(look, self.slot), self.how.within, POLL)
        remove_mappings(hands, self.slot)

    def _state(self) -> NewState:
        return NewState.DRAIN if self.drain.sessions == "keep" else NewState.GRACEFUL_STOP


@dataclass(frozen=True)
class FlipFile:
    """Preflight of the health files: what is written can be fetched where ARR will look; an application's catch-all
    handler could swallow it. Never the text that means up."""

    slot: Slot
    how: Switch
    name: str = "flip-file"
    phase: str = "gate"

    def title(self) -> str:
        return f"See that the health file of {self.slot.name} is served"

    def explain(self) -> Sequence[str]:
        return ("A text that means down is written and fetched from the slot itself.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("flipped") or hands.memory.get("switch_begun"))

    def perform(self, hands: Hands) -> None:
        text = f"{self.how.down} {hands.identity.run}"
        write_health(hands, self.slot, text)
        for address, found in fetch_health(hands, self.slot):
            if text not in found:
                raise GateFailed(f"the health file of {address} was written, and its URL answers something else")
        hands.note("flipped", True)


def leaving_marks(hands: Hands, now: Now, slot: Slot) -> dict[str, object]:
    """What the drain compares with: when it began, each server's last reset of counters, ARR's worker processes."""
    looks = now.of(slot)
    return {
        "at": hands.controls.clock.now().isoformat(),
        "ticks": {
            f"{look.machine}|{one}": look.server(one).last_reset_tick_count for look in looks for one in slot.addresses
        },
        "arr": {look.machine: arr_workers(look) for look in looks},
    }


def arr_workers(status: FarmStatus) -> list[list[str | int]] | None:
    """ARR's worker processes on one machine as they can be kept, None where not known."""
    if status.arr_workers is None:
        return None
    return sorted([one.pool, one.pid, one.started.isoformat()] for one in status.arr_workers)


def remove_mappings(hands: Hands, slot: Slot) -> None:
    """Host-name affinity would go on sending to the old servers: its mappings are removed (arr.md 5.5)."""
    for machine, status in zip(hands.controls.arr, hands.now().of(slot), strict=True):
        if status.farm.affinity.use_host_name:
            for address in slot.addresses:
                farm_control(machine, hands.deployment, slot).remove_mapping(address)


def not_in(now: Now, slot: Slot) -> str:
    """What keeps the slot from certainly getting new requests; "" when nothing does."""
    for status in now.of(slot):
        for server in now.servers(slot, status):
            if not certainly_receives(server, status):
                return f"waiting for {server.address} to be in service on {status.machine}"
    return ""


def still_in(now: Now, slot: Slot) -> str:
    """Where the slot may still get new requests; "" when nowhere."""
    return f"waiting for every ARR machine to take {slot.name} out of service" if now.may_receive(slot) else ""
