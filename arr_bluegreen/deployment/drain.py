"""Drain by count: the old slot is finished when nothing is in flight for a quiet period, or its time is up.

ARR's counts are trusted only while ARR's worker process and its counters are the ones that were there when the slot
left; else the pool's own requests decide (Request Monitor), or the farm's request timeout (arr.md 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from arr_bluegreen.deployment.description import Drain, Slot
from arr_bluegreen.deployment.events import Drained
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import Now, farm_control
from arr_bluegreen.deployment.switch import arr_workers
from arr_bluegreen.errors import UnreachableError, WaitRanOutError
from arr_bluegreen.webfarm import NewState
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True, slots=True)
class InFlight:
    """What the old slot still has. Where ARR's counts cannot be trusted (``why``), ``requests`` are those of the pools,
    WebSockets among them, and ``web_sockets`` is None; both are None where nobody can count."""

    requests: int | None
    web_sockets: int | None
    why: str = ""


@dataclass(frozen=True)
class DrainOld:
    """The old slot has nothing in flight any more, or its deadline's policy was carried out."""

    slot: Slot
    how: Drain
    name: str = "drain"
    phase: str = "drain"

    def title(self) -> str:
        return f"Drain {self.slot.name}"

    def explain(self) -> Sequence[str]:
        words = {
            "wait": "it goes on waiting",
            "cut": "what is left is cut (ForcefulStop) and counted",
            "fail": "it fails",
        }
        first = (
            f"Sessions are kept for {self.how.sessions_within.total_seconds():.0f} s (Drain), then GracefulStop. "
            if self.how.sessions == "keep"
            else ""
        )
        return (
            f"{first}Nothing in flight for {self.how.quiet.total_seconds():g} s, within "
            f"{self.how.within.total_seconds():g} s; after that {words[self.how.then]}.",
        )

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("drained") == _left_at(hands))

    def perform(self, hands: Hands) -> None:
        if self.how.sessions == "keep":
            self._keep_sessions(hands)
        clock = hands.controls.clock
        began, quiet_since = clock.monotonic(), None
        cut: int | None = 0
        how = ""
        while True:
            hands.reassert()
            seen = in_flight(hands, self.slot)
            gone = clock.monotonic() - began
            if self._finished(hands, seen):
                quiet_since = gone if quiet_since is None else quiet_since
                if gone - quiet_since >= self.how.quiet.total_seconds():
                    how = "empty" if seen.requests is not None else "unknown counts: the farm's timeout passed"
                    break
            else:
                quiet_since = None
                if gone >= self._limit(seen).total_seconds() and self.how.then != "wait":
                    cut, how = self._cut(hands, seen), "cut" if seen.requests is not None else "cut, by unknown counts"
                    break
            hands.progress(self._waiting_for(seen, quiet_since), gone / max(self._limit(seen).total_seconds(), 0.001))
            hands.pause(self.how.every)
        hands.tell(Drained(self.slot.name, round(clock.monotonic() - began, 3), cut, how))
        hands.note("drained", _left_at(hands))

    # -- private -------------------------------------------------------------------------------------------------

    def _keep_sessions(self, hands: Hands) -> None:
        """With cookie affinity a drained server goes on getting its sessions' requests (arr.md 5.4): till then. Without
        it there is none to keep."""
        cookies = any(status.farm.affinity.use_cookie for status in hands.now().of(self.slot))
        limit = self.how.sessions_within.total_seconds() if cookies else 0.0
        while (left := limit - _since(hands)) > 0:
            hands.reassert()
            hands.progress(f"sessions of {self.slot.name} are kept for {left:.0f} s more", 1 - left / max(limit, 0.001))
            hands.pause(min(timedelta(seconds=left), timedelta(seconds=5)))
        hands.take_out(self.slot, NewState.GRACEFUL_STOP)

    def _finished(self, hands: Hands, seen: InFlight) -> bool:
        if seen.requests is None:
            timeouts = [status.farm.protocol.timeout.total_seconds() for status in hands.now().of(self.slot)]
            return _since(hands) >= max(timeouts)
        return seen.requests == 0 and not seen.web_sockets

    def _limit(self, seen: InFlight) -> timedelta:
        """By what is left. What may be either (counted by the pool, or by nobody) has the later deadline."""
        sockets = self.how.web_sockets_within or self.how.within
        if seen.web_sockets == 0:
            return self.how.within
        return sockets if seen.requests == 0 else max(self.how.within, sockets)

    def _cut(self, hands: Hands, seen: InFlight) -> int | None:
        """How many were cut; None where nobody could count them."""
        left = _words(seen)
        if self.how.then == "fail":
            raise WaitRanOutError(
                f"'{self.slot.name}' still has {left} after {self._limit(seen).total_seconds():g} s",
                hint="'deploy resume' waits again; 'switch-back' goes back.",
            )
        hands.warn(f"'{self.slot.name}' still has {left}: cut")
        for machine in hands.controls.arr:
            hands.forget()
            control = farm_control(machine, hands.deployment, self.slot)
            control.set_state(dict.fromkeys(self.slot.addresses, NewState.FORCEFUL_STOP))
        return None if seen.requests is None else seen.requests + (seen.web_sockets or 0)

    def _waiting_for(self, seen: InFlight, quiet_since: float | None) -> str:
        if quiet_since is not None:
            return f"{self.slot.name} is empty; waiting for it to stay so"
        return f"waiting for {self.slot.name} to finish {_words(seen)}"


def in_flight(hands: Hands, slot: Slot) -> InFlight:
    """What the slot has in flight: by ARR's counts where they can be trusted, else by the pool's requests."""
    now = hands.now()
    why = _mistrust(now, slot, hands.memory.get("out_since", {}))
    counts = [status.server(one) for status in now.of(slot) for one in slot.addresses]
    requests = [one.current_requests for one in counts if one.current_requests is not None]
    sockets = [one.current_web_socket_requests for one in counts if one.current_web_socket_requests is not None]
    if not why and len(requests) == len(sockets) == len(counts):
        return InFlight(sum(requests), sum(sockets))
    why = why or ("ARR tells no count" if len(requests) < len(counts) else "ARR tells no count of WebSockets")
    try:
        return InFlight(now.pool_requests(slot) if all(one.pool for one in slot.members) else None, None, why)
    except UnreachableError:
        return InFlight(None, None, f"{why}, and the slot's machine cannot be reached")


# -- private -------------------------------------------------------------------------------------------------


def _mistrust(now: Now, slot: Slot, marks: dict[str, Any]) -> str:
    """Why ARR's counts say nothing: its worker process is another, there are several, or the counters were reset."""
    for status in now.of(slot):
        workers = arr_workers(status)
        if workers is not None and len(workers) > 1:
            return f"{len(workers)} worker processes run ARR on {status.machine}"
        known = marks.get("arr", {}).get(status.machine)
        if known is not None and workers != known:
            what = "is not known any more" if workers is None else "restarted"
            return f"ARR's worker process on {status.machine} {what}"
        for address in slot.addresses:
            before = marks.get("ticks", {}).get(f"{status.machine}|{address}")
            if before is not None and before != status.server(address).last_reset_tick_count:
                return f"the counters of {address} on {status.machine} were reset"
    return ""


def _left_at(hands: Hands) -> str | bool:
    """Which leaving of the slot the drain belongs to: its moment, True where none was noted."""
    return hands.memory.get("out_since", {}).get("at") or True


def _since(hands: Hands) -> float:
    marks = hands.memory.get("out_since")
    if not marks:
        return 0.0
    return (hands.controls.clock.now() - datetime.fromisoformat(marks["at"])).total_seconds()


def _words(seen: InFlight) -> str:
    if seen.requests is None:
        return f"requests nobody can count ({seen.why})"
    if seen.web_sockets is None:
        return f"{seen.requests} request(s) in its pools, WebSockets among them ({seen.why})"
    sockets = f" and {seen.web_sockets} WebSocket(s)" if seen.web_sockets else ""
    return f"{seen.requests} request(s){sockets}"
