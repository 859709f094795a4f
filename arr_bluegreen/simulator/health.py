"""ARR's health rules: what counts as a good answer, the URL test per worker process, and TestHealth (arr.md 5.1,
5.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol
from urllib.parse import urlsplit

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.simulator.clock import Timer, Timers
from arr_bluegreen.webfarm import HealthCheck, HealthTest, Server, TestResult, WebFarm


class Asker(Protocol):
    """HTTP requests made by the simulated machine itself."""

    def ask(self, request: ProbeRequest, done: Callable[[ProbeAnswer], None]) -> None:
        """Ask; ``done`` gets the answer, at once or later. No answer in time is an answer with ``error``."""


def status_matches(spec: str, status: int) -> bool:
    """Whether a status is in ARR's notation: ``200-399``, ``200,204``, ``500-`` (500 and up) (arr.md 5.1, 5.2)."""
    for part in spec.split(","):
        low, dash, high = part.strip().partition("-")
        if low.isdigit() and int(low) <= status <= int(high if high else 999 if dash else low):
            return True
    return False


def probe_request(server: Server, url: str, timeout: float) -> ProbeRequest:
    """Where the test of one server goes: its address and port, the Host header from the url (arr.md 5.1)."""
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = server.health_check_alternate_port or (server.https_port if secure else server.http_port)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = server.health_check_alternate_host_name or parts.netloc
    return ProbeRequest(
        f"{parts.scheme or 'http'}://{server.address}:{port}{path}", host, timeout=timedelta(seconds=timeout)
    )


def judge(answer: ProbeAnswer, status_code_match: str, response_match: str) -> HealthTest:
    """The answer as TestHealth reports it (arr.md 1.2). The number before the colon of ``error`` is WinHTTP's."""
    if not answer.status:
        code = answer.error.partition(":")[0]
        return HealthTest(TestResult.CONNECTION_FAILURE, 0, int(code) if code.isdigit() else 12029)
    if not status_matches(status_code_match or "200-399", answer.status):
        return HealthTest(TestResult.STATUS_CODE_FAILURE, answer.status)
    if response_match and response_match not in answer.text:
        return HealthTest(TestResult.RESPONSE_ENTITY_FAILURE, answer.status)
    return HealthTest(TestResult.SUCCESS, answer.status)


class Prober:
    """The URL test of one farm in one worker process: every interval, every enabled server (arr.md 5.1)."""

    def __init__(
        self,
        clock: Timers,
        asker: Asker,
        farm: Callable[[], WebFarm | None],
        report: Callable[[str, bool], None],
        wanted: Callable[[], bool] = lambda: True,
        times: int = 1,
    ) -> None:
        self._clock, self._asker, self._farm, self._report = clock, asker, farm, report
        self._wanted, self._times = wanted, times
        self._timer: Timer | None = None
        self._stopped = False
        self._check: HealthCheck | None = None

    def start(self, check: HealthCheck, first_after: float) -> None:
        """Begin, or begin anew when the farm's health check changed; ``first_after`` counts intervals.

        An interval of 0, which the schema allows, is taken as off [inferred].
        """
        if check == self._check:
            return
        self._check = check
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if check.url and check.interval.total_seconds() > 0:
            self._timer = self._clock.call_later(check.interval.total_seconds() * first_after, self._round)

    def stop(self) -> None:
        """No more tests; answers on their way are dropped."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _round(self) -> None:
        farm, check = self._farm(), self._check
        if self._stopped or farm is None or check is None:
            return
        self._timer = self._clock.call_later(check.interval.total_seconds(), self._round)
        if not self._wanted():
            return
        for server in farm.servers:
            if server.enabled:
                for _ in range(self._times):
                    self._ask(server, check)

    def _ask(self, server: Server, check: HealthCheck) -> None:
        def done(answer: ProbeAnswer) -> None:
            if not self._stopped and check is self._check:
                result = judge(answer, check.status_code_match, check.response_match).result
                self._report(server.address, result is TestResult.SUCCESS)

        self._asker.ask(probe_request(server, check.url, check.timeout.total_seconds()), done)
