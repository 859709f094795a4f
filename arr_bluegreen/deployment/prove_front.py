"""Proof after the switch: through every front binding of every ARR machine the new version answers, and the new
servers' totalRequests rise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from arr_bluegreen.control.interface import Machine, ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description import Gate, Slot
from arr_bluegreen.deployment.gates import judge
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.memory import BACK
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.verdict import GOOD, Verdict, bad, unknown
from arr_bluegreen.errors import NoSuchObject, UnreachableError
from arr_bluegreen.webfarm import Binding
from arr_bluegreen.webfarm.change import ConfigChange

PLAIN = (("Cache-Control", "no-cache"), ("Pragma", "no-cache"))


@dataclass(frozen=True)
class WakeFront:
    """Each front pool has a worker process: run-time states live in it, and whether SetState starts one, or fails
    without, nobody documents (arr.md 8.1). Any answer will do; one that would not pass after the switch is told now."""

    how: Gate
    name: str = "wake"
    phase: str = "deploy"

    def title(self) -> str:
        return "Wake the front pools"

    def explain(self) -> Sequence[str]:
        return ("One request through every front binding, on each ARR machine, before any run-time state is set.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("woken"))

    def perform(self, hands: Hands) -> None:
        for machine in hands.controls.arr:
            requests = front_requests(hands, machine, self.how)
            answers = machine.probe.ask(requests) if requests else ()
            why = _fault(requests, answers, replace(self.how, slower_than=None), "")
            if why:
                hands.warn(f"on {machine.name}, before the switch, {why}: look at [app] hosts and [gate] version_url")
        hands.note("woken", True)


@dataclass(frozen=True)
class ProveFront:
    """Every front binding answers with the version, from every ARR machine."""

    slot: Slot
    how: Gate
    version: str
    tries: int = 10
    name: str = "prove"
    phase: str = "switch"

    def title(self) -> str:
        return f"Prove through the front that {self.slot.name} answers"

    def explain(self) -> Sequence[str]:
        return ("A request through every front binding, on each ARR machine, with the public Host, past any cache; "
                f"and totalRequests of {self.slot.name} must rise.",)  # fmt: skip

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("proven"))

    def perform(self, hands: Hands) -> None:
        try:
            self._see(hands)
        except GateFailed as error:
            if hands.memory.way != BACK:
                raise
            # The old slot is in service again, and nowhere better is left to go: a way back must come to its end.
            hands.warn(f"{error}; the way back goes on")
        hands.note("proven", True)

    def _see(self, hands: Hands) -> None:
        grown: bool | None = None
        for _ in range(3):  # counters that are reset in between (ARR's restart, a health change) prove nothing: again
            before = totals(hands.now(), self.slot)  # what came since the last look came after the switch too
            asked = self._ask(hands)
            if not asked:
                hands.warn("no front site is described ([app] front): the switch is not proven from outside")
            grown = risen(before, totals(hands.look(), self.slot))
            if not asked or grown:
                return
        if grown is None:
            hands.warn(f"the front answers well; whether '{self.slot.name}' got these requests nobody could count")
            return
        raise GateFailed(f"the front answers, and ARR counts no request for '{self.slot.name}'")

    def _ask(self, hands: Hands) -> int:
        """Every front binding asked until it answers well; how many there are."""
        asked = 0
        for machine in hands.controls.arr:
            requests = front_requests(hands, machine, self.how)
            asked += len(requests)
            self._prove(hands, machine, requests)
        return asked

    def _prove(self, hands: Hands, machine: Machine, requests: tuple[ProbeRequest, ...]) -> None:
        how = replace(self.how, slower_than=None)
        why = ""
        for turn in range(self.tries):
            answers = machine.probe.ask(requests) if requests else ()
            why = _fault(requests, answers, how, self.version)
            if not why:
                return
            hands.progress(f"on {machine.name} {why}", turn / self.tries)
            hands.pause(timedelta(seconds=0.3))
        raise GateFailed(f"on {machine.name} '{self.slot.name}' does not answer through the front: {why}")


def front_requests(hands: Hands, machine: Machine, how: Gate) -> tuple[ProbeRequest, ...]:
    """One request for each http(s) binding of each front site that takes a public host, made on that ARR machine."""
    names = {one.casefold() for one in hands.deployment.app.front}
    if not names:
        return ()
    config = machine.config.read()
    sites = [one for one in config.sites if one.name.casefold() in names]
    if len(sites) < len(names):
        missing = names - {one.name.casefold() for one in sites}
        raise NoSuchObject(
            "front site", sorted(missing)[0], tuple(one.name for one in config.sites), where=machine.name
        )
    found = [(one, _host(one, hands.deployment.app.hosts)) for site in sites for one in site.bindings]
    return tuple(
        ProbeRequest(_url(binding, how, hands.identity.run), host=host, headers=PLAIN, timeout=how.timeout)
        for binding, host in found
        if binding.protocol in ("http", "https") and binding.port and host
    )


def totals(now: Now, slot: Slot) -> tuple[int | None, ...]:
    """totalRequests of every server of the slot on every ARR machine."""
    return tuple(status.server(one).total_requests for status in now.of(slot) for one in slot.addresses)


def risen(before: tuple[int | None, ...], after: tuple[int | None, ...]) -> bool | None:
    """Whether any count rose. None: a count is not known, or was reset meanwhile (arr.md 5.6)."""
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a is not None and b is not None]
    if any(b > a for a, b in pairs):
        return True
    return None if len(pairs) < len(before) or any(b < a for a, b in pairs) else False


def judge_front(hands: Hands, how: Gate) -> Verdict:
    """Whether every front binding answers well on every ARR machine, whatever version it names. What is bad anywhere is
    bad; unknown when a machine could not be asked, or when there is no front to ask."""
    found = [_judged(hands, machine, how) for machine in hands.controls.arr]
    worst = [one for one in found if one.good is False] or [one for one in found if one.good is None]
    return worst[0] if worst else GOOD


# -- private -------------------------------------------------------------------------------------------------


def _url(binding: Binding, how: Gate, run: str) -> str:
    address = "127.0.0.1" if binding.address in ("*", "") else binding.address
    mark = "&" if "?" in how.version_url else "?"
    return f"{binding.protocol}://{address}:{binding.port}/{how.version_url.lstrip('/')}{mark}arr-bluegreen={run}"


def _judged(hands: Hands, machine: Machine, how: Gate) -> Verdict:
    try:
        requests = front_requests(hands, machine, how)
        answers = machine.probe.ask(requests) if requests else ()
    except UnreachableError as error:
        return unknown(str(error))
    if why := _fault(requests, answers, how, ""):
        return bad(f"on {machine.name} {why}")
    return GOOD if requests else unknown(f"no front binding of {machine.name} can be asked")


def _fault(requests: Sequence[ProbeRequest], answers: Sequence[ProbeAnswer], how: Gate, version: str) -> str:
    """What one of the answers lacks, "" when none lacks anything. Where HTTPS is asked too, HTTP may lead there."""
    secure = any(one.url.startswith("https:") for one in requests)
    for one, answer in zip(requests, answers, strict=True):
        leads = 300 <= answer.status < 400 and answer.header("Location").casefold().startswith("https://")
        if secure and leads and not one.url.startswith("https:"):
            continue
        if why := judge(answer, how, version):
            return f"{one.url} as '{one.host}': {why}"
    return ""


def _host(binding: Binding, public: Sequence[str]) -> str:
    """The Host header for a binding: its own where that is public (or none is named), for one of ``*.example.com`` a
    public host below it; "" where it takes none of them: such a binding is another application's."""
    if not binding.host.startswith("*"):
        known = {one.casefold() for one in public}
        own = binding.host if not known or binding.host.casefold() in known else ""
        return own if binding.host else (public[0] if public else "localhost")
    return next((one for one in public if one.casefold().endswith(binding.host[1:].casefold())), "")
