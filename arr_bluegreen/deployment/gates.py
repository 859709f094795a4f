"""The two gates: the slot's own answers prove the new version; then ARR's own eyes see it, on every ARR machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.control.interface import ProbeAnswer
from arr_bluegreen.deployment.asking import ask_slot
from arr_bluegreen.deployment.description import Deployment, Gate, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.matching import asks_version, why_not, why_not_version, why_slow
from arr_bluegreen.deployment.now import Now, farm_control
from arr_bluegreen.deployment.proof import GateFailed, remembered, workers_now
from arr_bluegreen.errors import RefusedError, WaitRanOutError
from arr_bluegreen.webfarm import FarmStatus, TestResult
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True)
class ProveVersion:
    """Gate 1: so many good answers in a row, each naming the version (a quick gate: one, of any version).

    ``again``: after a commit, which may have restarted the worker processes or ended what runs in them (arr.md 5.8).
    """

    slot: Slot
    how: Gate
    version: str
    quick: bool = False
    again: bool = False
    name: str = "gate"
    phase: str = "gate"

    def title(self) -> str:
        again = " once more" if self.again else ""
        if self.version and asks_version(self.how):
            return f"Prove{again} that {self.slot.name} serves version {self.version}"
        return f"See{again} that {self.slot.name} answers"

    def explain(self) -> Sequence[str]:
        if self.again:
            return ("After a commit: one good answer, or as many as before from a new worker process.",)
        passes = 1 if self.quick else self.how.passes
        text = f"{passes} good answer(s) in a row from each member at {self.how.version_url}, status {self.how.status}"
        if self.version and asks_version(self.how):
            return (f"{text}, naming version {self.version}.",)
        return (f"{text}. Nothing names the version: an old one that answers would pass too.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return remembered(hands, self.slot, "gated") and not hands.memory.get("unproven")

    def perform(self, hands: Hands) -> None:
        clock = hands.controls.clock
        began, good, passes = clock.monotonic(), 0, self._passes(hands)
        status = hands.now().of(self.slot)[0]  # only ports and host names are read from it
        while True:
            bad = self._bad(hands, status)
            good = 0 if bad else good + 1
            if good >= passes:
                if hands.memory.get("unproven"):
                    hands.note("unproven", False)
                return hands.note("gated", workers_now(hands, self.slot))
            gone, limit = clock.monotonic() - began, self.how.within.total_seconds()
            if gone >= limit:
                raise GateFailed(f"'{self.slot.name}' does not pass the gate after {gone:.0f} s: {bad}")
            hands.progress(f"{good} of {passes} good answers in a row{f'; {bad}' if bad else ''}", gone / limit)
            hands.pause(self.how.every)

    def _passes(self, hands: Hands) -> int:
        known = self.again and remembered(hands, self.slot, "gated")
        return 1 if self.quick or known else self.how.passes

    def _bad(self, hands: Hands, status: FarmStatus) -> str:
        asked = ask_slot(hands, self.slot, (self.how.version_url,), self.how.timeout, status=status)
        for member, path, answer in asked:
            reason = judge(answer, self.how, self.version)
            if reason:
                return f"{member.address}{path}: {reason}"
        return ""


@dataclass(frozen=True)
class ArrGate:
    """Gate 2: ARR's TestHealth from every ARR machine; then isHealthy, which is never forged where a health URL is set.

    ``tests_health_url`` is false for the health-file switch: the idle slot's file says down until the switch.
    """

    slot: Slot
    how: Gate
    tests_health_url: bool = True
    name: str = "arr-gate"
    phase: str = "enable"  # it follows the enabling: ARR tests, and calls healthy, what is enabled

    def title(self) -> str:
        return f"Let ARR test {self.slot.name}"

    def explain(self) -> Sequence[str]:
        return (
            "TestHealth from every ARR machine with the farm's own url, timeout and matches; where a health URL is "
            "configured, ARR must call the servers healthy by itself; where none is, [gate] health_url (or the "
            "version's URL) is tested, and SetHealthy follows a Success.",
        )

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return remembered(hands, self.slot, "arr_gated") and not self._ill(hands.now())

    def perform(self, hands: Hands) -> None:
        began, limit = hands.controls.clock.monotonic(), self.how.within.total_seconds()
        while bad := self._test(hands):
            gone = hands.controls.clock.monotonic() - began
            if gone >= limit:
                raise GateFailed(f"ARR's own test of '{self.slot.name}' fails after {gone:.0f} s: {bad}")
            hands.progress(f"ARR's test: {bad}", gone / limit)
            hands.pause(self.how.every)
        hands.forget()  # the test took its time: what ARR calls healthy is read now
        self._wait_healthy(hands)
        hands.note("arr_gated", workers_now(hands, self.slot))

    def _test(self, hands: Hands) -> str:
        for machine, status in zip(hands.controls.arr, hands.now().of(self.slot), strict=True):
            check, control = status.farm.health_check, farm_control(machine, hands.deployment, self.slot)
            url, codes, text = arr_asks(hands.deployment, status, self.tests_health_url)
            for address in self.slot.addresses:
                test = control.test_health(address, url, check.timeout, codes, text)
                if test.result is not TestResult.SUCCESS:
                    return f"{address} on {status.machine}: {test.result.value} (status {test.http_status})"
                if not check.url and status.server(address).is_healthy is False:
                    hands.forget()
                    control.set_healthy({address: True})
        return ""

    def _wait_healthy(self, hands: Hands) -> None:
        good = 0

        def until(now: Now) -> str:
            nonlocal good
            ill = self._ill(now)
            good = 0 if ill else good + 1
            return ill or (
                "" if good >= self.how.health_passes else f"healthy {good} of {self.how.health_passes} times"
            )

        try:
            hands.wait(until, self.how.within, self.how.every)
        except WaitRanOutError as error:
            raise GateFailed(f"ARR does not call '{self.slot.name}' healthy: {error}") from error

    def _ill(self, now: Now) -> str:
        for status in now.of(self.slot):
            if not self.tests_health_url or not status.farm.health_check.url:
                continue
            for server in now.servers(self.slot, status):
                if server.enabled and status.server(server.address).is_healthy is not True:
                    return f"waiting for ARR on {status.machine} to call {server.address} healthy"
        return ""


def arr_asks(deployment: Deployment, status: FarmStatus, by_health_url: bool = True) -> tuple[str, str, str]:
    """What ARR's TestHealth is given: URL, status list, text. The farm's own where it has a health URL: TestHealth does
    not inherit them. Else ``[gate] health_url``, or the version's URL, and ``[gate] status``. Raises ``RefusedError``
    where there is none of them."""
    check, how = status.farm.health_check, deployment.gate
    if check.url and by_health_url:
        return check.url, check.status_code_match, check.response_match
    if not how.health_url and not how.version_url:
        raise RefusedError(
            f"the farm '{status.farm.name}' on {status.machine} has no health URL, and [gate] names none to test",
            hint="Set [gate] health_url, or version_url, or the farm's health_check.url.",
        )
    host = deployment.app.hosts[0] if deployment.app.hosts else status.farm.name
    return how.health_url or f"http://{host}/{how.version_url.lstrip('/')}", how.status, ""


def health_gap(deployment: Deployment, now: Now) -> tuple[str, ...]:
    """What is tested where a farm has no health URL: so much less than ARR's own eyes see. Raises ``RefusedError``."""
    told: list[str] = []
    for status in now.farms():
        url, codes, _ = arr_asks(deployment, status, deployment.switch.by != "health-file")
        if not status.farm.health_check.url:
            told.append(
                f"the farm '{status.farm.name}' on {status.machine} has no health URL: ARR is made to test {url} "
                f"(status {codes}) once, and a server it holds for unhealthy is set healthy after that"
            )
    return tuple(told)


def judge(answer: ProbeAnswer, how: Gate, version: str) -> str:
    """Why an answer does not pass gate 1; "" when it does."""
    return (
        why_not(answer, how.status) or why_not_version(answer, how, version) or why_slow(answer, how.slower_than)
    )
