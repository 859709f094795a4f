"""HTTP without sockets: requests to a slot, and through the front, played on the host's clock.

What ``front`` does with aiohttp in real time is done here by calls alone, so that thousands of deployments under load
take seconds. Without waiting (an application that is ready and answers at once) a request is over when the call
returns.
"""

from __future__ import annotations

import ntpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.simulator.clock import Timer
from arr_bluegreen.simulator.memory_of_arr import Forwarded, RouteAsk
from arr_bluegreen.simulator.rules import Asked, Rewritten, evaluate
from arr_bluegreen.simulator.slots import APP_FILE, SlotAnswer, SlotRequest, answer
from arr_bluegreen.simulator.workers import Execution
from arr_bluegreen.webfarm import Site

if TYPE_CHECKING:
    from arr_bluegreen.simulator.host import SimulatedHost


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended: HTTP status (0: no answer), ARR's sub-status, the version that answered, or why none did."""

    status: int
    sub_status: int = 0
    version: str = ""
    text: str = ""
    error: str = ""
    cookie: str = ""

    @property
    def lost(self) -> bool:
        """Whether a client would call it failed."""
        return self.status == 0 or self.status >= 400


@dataclass(frozen=True, slots=True)
class PublicRequest:
    """A client's request to the front; ``cookie`` is an affinity cookie's value; a WebSocket lasts ``seconds``."""

    host: str
    path: str = "/"
    port: int = 80
    method: str = "GET"
    query: str = ""
    cookie: str = ""
    web_socket: bool = False
    seconds: float | None = None


class Exchange:
    """The machine's HTTP, both as a client (``ask``: probes) and as the front (``send``)."""

    def __init__(self, host: SimulatedHost) -> None:
        self._host = host
        self.delay_next_asks: float = 0.0
        """Seconds every ``ask`` is answered late: a fault."""

    def ask(self, request: ProbeRequest, done: Callable[[ProbeAnswer], None]) -> None:
        """One request made by the machine itself; see ``health.Asker``."""
        parts = urlsplit(request.url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        headers = dict(request.headers)
        slot_request = SlotRequest(request.method, parts.path or "/", parts.query, headers, request.body.encode())
        began = self._host.clock.monotonic()

        def answered(outcome: Outcome) -> None:
            seconds = self._host.clock.monotonic() - began
            headers = (("X-App-Version", outcome.version),) if outcome.version else ()
            done(ProbeAnswer(outcome.status, headers, outcome.text, seconds, outcome.error))

        def begin() -> None:
            place = request.host or parts.netloc
            if self._is_public(parts.hostname or "", port, place):
                public = PublicRequest(place, slot_request.path, port, request.method, parts.query)
                self.send(public, answered)
                return
            asked = Asked(place.partition(":")[0], port, slot_request.path, parts.query, request.method)
            located = self._host.locate(parts.hostname or "")
            if (
                located
                and located[0] is self._host
                and isinstance(evaluate(self._host.config.reading, asked), Rewritten)
            ):
                self.send(PublicRequest(asked.host, asked.path, port, request.method, parts.query), answered)
                return
            ask_site(
                self._host, (parts.hostname or "", port), place, slot_request, request.timeout.total_seconds(), answered
            )

        if self.delay_next_asks:
            self._host.clock.call_later(self.delay_next_asks, begin)
        else:
            begin()

    def _is_public(self, address: str, port: int, name: str) -> bool:
        """Whether this is a front site of this very machine: then rules and ARR have their say."""
        located = self._host.locate(address)
        if located is None or located[0] is not self._host:
            return False
        site = self._host.iis.site_at(located[1], port, name.partition(":")[0])
        return site is not None and any(one.name == site.name for one in self._host.arr.front_sites())

    def send(self, request: PublicRequest, done: Callable[[Outcome], None]) -> None:
        """A client's request to the front; ``done`` gets its end, maybe at once."""
        _Passage(self._host, request, done).begin()


def ask_site(
    host: SimulatedHost,
    place: tuple[str, int],
    host_header: str,
    request: SlotRequest,
    timeout: float,
    done: Callable[[Outcome], None],
    seconds: float | None = None,
) -> None:
    """A request made by ``host`` to an address and port; ``done`` is called once, at the answer or the timeout
    (12002)."""
    located = host.locate(place[0])
    if located is None:
        done(Outcome(0, error="12007: the name could not be resolved"))
        return
    other, ip = located
    site = other.iis.site_at(ip, place[1], host_header.partition(":")[0])
    if site is None:
        listens = other.iis.listens(ip, place[1])
        done(Outcome(400, text="Invalid Hostname") if listens else Outcome(0, error="12029: cannot connect"))
        return
    visit = _Visit(other, done, seconds)
    execution = other.iis.begin(site, visit.cut, url=request.path, verb=request.method)
    if execution is None:
        done(Outcome(503, text="Service Unavailable"))
        return
    visit.run(execution, request, timeout)


# -- private ---------------------------------------------------------------------------------------------


class _Visit:
    """A request inside a slot: waits until the application is ready, then as long as it takes to answer."""

    __slots__ = ("_done", "_execution", "_host", "_over", "_seconds", "_timer")

    def __init__(self, host: SimulatedHost, done: Callable[[Outcome], None], seconds: float | None) -> None:
        self._host, self._done, self._seconds = host, done, seconds
        self._over = False
        self._timer: Timer | None = None
        self._execution: Execution | None = None

    def run(self, execution: Execution, request: SlotRequest, timeout: float) -> None:
        self._execution = execution
        self._host.iis.when_ready(execution, lambda: self._answer(execution, request))
        if not self._over:
            self._timer = self._host.clock.call_later(timeout, self._late)

    def cut(self) -> None:
        """The worker process was killed."""
        self._end(Outcome(0, error="12030: the connection was cut"))

    def _answer(self, execution: Execution, request: SlotRequest) -> None:
        if execution.worker.gone:
            return
        said = answer(execution.app, request, self._host.files, self._host.clock.monotonic())
        seconds = said.seconds if self._seconds is None else self._seconds
        if seconds > 0:
            self._host.clock.call_later(seconds, lambda: self._leave(said))
        else:
            self._leave(said)

    def _leave(self, said: SlotAnswer) -> None:
        if self._execution is not None and not self._execution.worker.gone:
            self._host.iis.finish(self._execution)
        self._end(Outcome(said.status, version=said.version, text=said.body.decode("utf-8", "replace")))

    def _late(self) -> None:
        self._end(Outcome(0, error="12002: timeout"))

    def _end(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._done(outcome)


class _Passage:
    """A request on its way through the front: http.sys, the rules, ARR, the slot, and back."""

    __slots__ = ("_done", "_execution", "_forwarded", "_host", "_over", "_request")

    def __init__(self, host: SimulatedHost, request: PublicRequest, done: Callable[[Outcome], None]) -> None:
        self._host, self._request, self._done = host, request, done
        self._over = False
        self._execution: Execution | None = None
        self._forwarded: Forwarded | None = None

    def begin(self) -> None:
        host, request = self._host, self._request
        site = host.iis.site_at(host.address, request.port, request.host.partition(":")[0])
        if site is None:
            self._end(Outcome(0, error="connection refused"))
            return
        self._execution = host.iis.begin(site, self._cut, url=request.path, verb=request.method)
        if self._execution is None:
            self._end(Outcome(503))
            return
        asked = Asked(request.host, request.port, request.path, request.query, request.method)
        rewritten = evaluate(host.config.reading, asked)
        if isinstance(rewritten, Rewritten):
            self._forward(self._execution, rewritten)
        elif rewritten is None and host.files.read_bytes(ntpath.join(site.physical_path, APP_FILE)) is not None:
            self._serve(site)
        elif rewritten is None:
            self._end(Outcome(404, text="the front site itself"))
        else:
            self._end(Outcome(rewritten.status))

    def _serve(self, site: Site) -> None:
        """No rule took it, and the site has an application of its own."""
        host, request = self._host, self._request
        slot_request = SlotRequest(request.method, request.path, request.query)
        assert self._execution is not None, "it was just begun"
        execution, self._execution = self._execution, None
        _Visit(host, self._end, request.seconds).run(execution, slot_request, 86400.0)

    def _forward(self, execution: Execution, rewritten: Rewritten) -> None:
        host, request = self._host, self._request
        path, _, query = rewritten.path.partition("?")
        slot_request = SlotRequest(request.method, path, query)
        farm = host.config.reading.farm(rewritten.host)
        if farm is None:
            self._proxy(rewritten, slot_request)
            return
        ask = RouteAsk(request.host, request.cookie, rewritten.path, request.web_socket)
        self._forwarded = host.arr.route(execution.worker, farm, ask, self._cut)
        if self._forwarded is None:
            self._end(Outcome(502, 4))
            return
        server = self._forwarded.server
        port = server.https_port if rewritten.scheme == "https" else server.http_port
        seen = request.host if farm.protocol.preserve_host_header else (server.host_name or server.address)
        timeout = 86400.0 if request.web_socket else farm.protocol.timeout.total_seconds()
        ask_site(host, (server.address, port), seen, slot_request, timeout, self._back, request.seconds)

    def _proxy(self, rewritten: Rewritten, slot_request: SlotRequest) -> None:
        """A rewrite to ``host:port`` needs the proxy enabled (arr.md 1.3)."""
        proxy = self._host.config.reading.proxy
        if not proxy.enabled:
            self._end(Outcome(404, text="proxy disabled"))
            return
        name, _, port = rewritten.host.partition(":")
        place = (name, int(port or (443 if rewritten.scheme == "https" else 80)))
        seen = self._request.host if proxy.preserve_host_header else rewritten.host
        timeout = proxy.timeout.total_seconds()
        ask_site(self._host, place, seen, slot_request, timeout, self._back, self._request.seconds)

    def _back(self, outcome: Outcome) -> None:
        self._end(Outcome(502, 3, error=outcome.error) if outcome.status == 0 else outcome)

    def _cut(self) -> None:
        """A ForcefulStop, or the front's own worker process was killed."""
        self._end(Outcome(502, 3, error="cut"))

    def _end(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._forwarded is not None:
            self._host.arr.finish(self._forwarded, outcome.status)
            if self._forwarded.cookie:
                outcome = Outcome(outcome.status, outcome.sub_status, outcome.version, cookie=self._forwarded.cookie)
        if self._execution is not None and not self._execution.worker.gone:
            self._host.iis.finish(self._execution)
        self._done(outcome)
