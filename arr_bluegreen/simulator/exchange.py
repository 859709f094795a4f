"""HTTP without sockets: requests to a slot, and through the front, played on the host's clock.

What ``front`` does with aiohttp in real time is done here by calls alone, so that thousands of deployments under load
take seconds. Without waiting (an application that is ready and answers at once) a request is over when the call
returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.simulator.clock import Timer, Timers
from arr_bluegreen.simulator.forwarding import forwards_left, host_header, port_of, split_host
from arr_bluegreen.simulator.memory_of_arr import Forwarded, RouteAsk
from arr_bluegreen.simulator.rules import Answered, Rewritten
from arr_bluegreen.simulator.slots import SlotAnswer, SlotRequest, answer
from arr_bluegreen.simulator.workers import Execution
from arr_bluegreen.webfarm import Site, WebFarm

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
    """A request on its way to a machine; ``host`` is its Host header.

    ``cookie`` is an affinity cookie's value; ``seconds`` is how long the answer takes (a WebSocket: how long it
    lives); ``forwards`` how often ARR may still pass it on, None before it did (arr.md 2.4).
    """

    host: str
    path: str = "/"
    port: int = 80
    method: str = "GET"
    query: str = ""
    cookie: str = ""
    web_socket: bool = False
    seconds: float | None = None
    secure: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    forwards: int | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path


Done = Callable[[Outcome], None]


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
        wanted = PublicRequest(
            request.host or parts.netloc,
            parts.path or "/",
            port,
            request.method,
            parts.query,
            secure=parts.scheme == "https",
            headers=request.headers,
            body=request.body.encode(),
        )
        began = self._host.clock.monotonic()

        def answered(outcome: Outcome) -> None:
            seconds = self._host.clock.monotonic() - began
            headers = (("X-App-Version", outcome.version),) if outcome.version else ()
            done(ProbeAnswer(outcome.status, headers, outcome.text, seconds, outcome.error))

        def begin() -> None:
            _call(self._host, parts.hostname or "", wanted, answered, request.timeout.total_seconds())

        if self.delay_next_asks:
            self._host.clock.call_later(self.delay_next_asks, begin)
        else:
            begin()

    def send(self, request: PublicRequest, done: Done) -> None:
        """A client's request to the front; ``done`` gets its end, maybe at once."""
        _Passage(self._host, self._host.address, request, done).begin()


# -- private ---------------------------------------------------------------------------------------------


def _call(host: SimulatedHost, address: str, request: PublicRequest, done: Done, timeout: float) -> None:
    """A request made by ``host`` itself; ``done`` is called once, at the answer or the timeout (WinHTTP's numbers,
    arr.md 5.7)."""
    located = host.locate(address)
    if located is None:
        done(Outcome(0, error="12007: the name could not be resolved"))
        return
    once = _Once(host.clock, done)
    _Passage(*located, request, once).begin()
    once.within(timeout)


_NO_CONNECTION = {
    None: "12029: cannot connect",
    True: "12030: the connection was cut",
    False: "12175: no TLS is spoken there",
}
"""Why nobody answers, by whether TLS is spoken there."""


class _Once:
    """Whoever waits for an answer: told once, by the answer or by the clock. The request itself goes on."""

    __slots__ = ("_clock", "_done", "_over", "_timer")

    def __init__(self, clock: Timers, done: Done) -> None:
        self._clock, self._done, self._over = clock, done, False
        self._timer: Timer | None = None

    def __call__(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._done(outcome)

    def within(self, seconds: float) -> None:
        if not self._over:
            self._timer = self._clock.call_later(seconds, lambda: self(Outcome(0, error="12002: timeout")))


class _Passage:
    """A request inside one machine: http.sys, a site, the rules; then ARR and another passage, or the site's own
    application."""

    __slots__ = ("_done", "_execution", "_failed", "_forwarded", "_host", "_ip", "_over", "_request")

    def __init__(self, host: SimulatedHost, ip: str, request: PublicRequest, done: Done) -> None:
        self._host, self._ip, self._request, self._done = host, ip, request, done
        self._over = self._failed = False
        self._execution: Execution | None = None
        self._forwarded: Forwarded | None = None

    def begin(self) -> None:
        host, request = self._host, self._request
        name = split_host(request.host)[0]
        secure = host.iis.listens(self._ip, request.port)
        if secure is not request.secure:
            self._end(Outcome(0, error=_NO_CONNECTION[secure]))
            return
        site = host.iis.site_at(self._ip, request.port, name)
        if site is None:
            self._end(Outcome(400, text="Invalid Hostname"))
            return
        self._execution = host.iis.begin(site, self._killed, url=request.path, verb=request.method)
        if self._execution is None:
            self._end(Outcome(503, text="Service Unavailable"))
            return
        host.iis.when_started(self._execution, lambda: self._enter(site))

    def _enter(self, site: Site) -> None:
        """In the worker process: the rules have their say."""
        host, request, execution = self._host, self._request, self._execution
        if self._over or execution is None:
            return
        outcome = host.rewritten(
            site, request.host, request.port, request.target, request.method, dict(request.headers), request.secure
        )
        match outcome:
            case Answered():
                self._end(Outcome(outcome.status, outcome.sub_status, text=outcome.description))
            case Rewritten(host=""):
                self._serve(execution, outcome.path)
            case Rewritten():
                self._pass_on(execution, outcome)
            case _:
                self._serve(execution, request.target)

    # -- private: the site's own application -----------------------------------------------------------

    def _serve(self, execution: Execution, target: str) -> None:
        """Once the application is ready, as long as it takes to answer."""
        if not self._host.serves_itself(execution.app.site):
            self._end(Outcome(404, text="the front site itself"))
            return
        path, _, query = target.partition("?")
        request = self._request
        asked = SlotRequest(request.method, path, query, dict(request.headers), request.body)
        self._host.iis.when_ready(execution, lambda: self._answer(execution, asked))

    def _answer(self, execution: Execution, asked: SlotRequest) -> None:
        if execution.worker.gone:
            return
        said = answer(execution.app, asked, self._host.files, self._host.clock.monotonic())
        seconds = said.seconds if self._request.seconds is None else self._request.seconds
        if seconds > 0:
            self._host.clock.call_later(seconds, lambda: self._leave(said))
        else:
            self._leave(said)

    def _leave(self, said: SlotAnswer) -> None:
        self._end(Outcome(said.status, version=said.version, text=said.body.decode("utf-8", "replace")))

    # -- private: ARR --------------------------------------------------------------------------------------

    def _pass_on(self, execution: Execution, rewritten: Rewritten) -> None:
        """To a farm's server, or to ``host:port``, which needs the proxy enabled (arr.md 1.3)."""
        host, request = self._host, self._request
        farm = host.arr.farm_called(rewritten.host)
        proxy = host.config.reading.proxy
        if farm is None and not proxy.enabled:
            self._end(Outcome(404, text="no farm of this name, and the proxy is not enabled"))
            return
        forwards = forwards_left(request.forwards, (proxy if farm is None else farm.protocol).max_forwards)
        if forwards is None:
            self._end(Outcome(400, 605))
        elif farm is not None:
            self._to_farm(execution, farm, rewritten, forwards)
        else:
            name, port = split_host(rewritten.host)
            port = port or (443 if rewritten.scheme == "https" else 80)
            seen = request.host if proxy.preserve_host_header else rewritten.host
            onward = _onward(request, rewritten, seen, port, forwards)
            _call(host, name, onward, self._back, proxy.timeout.total_seconds())

    def _to_farm(self, execution: Execution, farm: WebFarm, rewritten: Rewritten, forwards: int) -> None:
        host, request = self._host, self._request
        ask = RouteAsk(split_host(request.host)[0], request.cookie, rewritten.path, request.web_socket)
        forwarded = self._forwarded = host.arr.route(execution.worker, farm, ask, self._cut)
        if forwarded is None:
            self._end(Outcome(502, 4))
            return
        server = forwarded.server
        seen = host_header(farm, server, request.host, host.settings)
        port = port_of(server, secure=rewritten.scheme == "https")
        timeout = 86400.0 if request.web_socket else farm.protocol.timeout.total_seconds()
        _call(host, server.address, _onward(request, rewritten, seen, port, forwards), self._back, timeout)

    def _back(self, outcome: Outcome) -> None:
        """No answer from the server is 502.3 (arr.md 5.7)."""
        if outcome.status == 0:
            self._fail(outcome.error)
        else:
            self._end(outcome)

    # -- private: the end ----------------------------------------------------------------------------------

    def _cut(self) -> None:
        """A ForcefulStop (arr.md 5.4)."""
        self._fail("12030: cut by a ForcefulStop")

    def _fail(self, error: str) -> None:
        self._failed = True
        self._end(Outcome(502, 3, error=error))

    def _killed(self) -> None:
        """The worker process is gone, and the connection with it."""
        self._failed = True
        self._end(Outcome(0, error="12030: the connection was cut"))

    def _end(self, outcome: Outcome) -> None:
        if self._over:
            return
        self._over = True
        if self._forwarded is not None:
            self._host.arr.finish(self._forwarded, outcome.status or 502, by_arr=self._failed)
            if self._forwarded.cookie:
                outcome = replace(outcome, cookie=self._forwarded.cookie)
        if self._execution is not None and not self._execution.worker.gone:
            self._host.iis.finish(self._execution)
        self._done(outcome)


def _onward(request: PublicRequest, rewritten: Rewritten, seen: str, port: int, forwards: int) -> PublicRequest:
    """The request as ARR sends it on."""
    path, _, query = rewritten.path.partition("?")
    return PublicRequest(
        seen,
        path,
        port,
        request.method,
        query,
        web_socket=request.web_socket,
        seconds=request.seconds,
        secure=rewritten.scheme == "https",
        headers=(*request.headers, *rewritten.headers),
        body=request.body,
        forwards=forwards,
    )
