"""The load: paced clients that never stop, as a process of its own; prints what it saw as JSON lines.

``python -m arr_bluegreen.simulator.load --url http://127.0.0.1:PORT --host shop.example --rate 300``

Keep-alive clients and clients with a new connection per request, GET and POST, one slow request after another, and one
WebSocket that stays open. It ends when its time is up or its stdin closes. A request failed if it had no answer, a
status of 400 or more, or a body that is not what was asked for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

CLIENT_IDLE_SECONDS = 10.0
"""How long a client keeps an idle connection: well below the front's limit, so that the front never closes one first.
"""
SLOWEST_SECONDS = 30.0
MOST_OPEN = 100
"""Ordinary requests open at once: more would only wait in line on a box that is too busy."""


@dataclass(slots=True)
class Report:
    """What was seen. Times are seconds since the start; latencies are of ordinary requests only, in milliseconds."""

    began: float = field(default_factory=time.monotonic)
    requests: int = 0
    failed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    by_version: Counter[str] = field(default_factory=Counter)
    by_kind: Counter[str] = field(default_factory=Counter)
    first_seen: dict[str, float] = field(default_factory=dict)
    last_seen: dict[str, float] = field(default_factory=dict)
    failures: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=50))
    latencies: list[float] = field(default_factory=list)
    last_good: float = 0.0
    longest_gap: float = 0.0
    ended: float | None = None
    """When the pace ended; what was open then ends later and makes no gap."""
    behind: float = 0.0
    """The most the pace fell behind, seconds: a load that cannot keep up says so."""

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def good(self, kind: str, version: str, took: float | None) -> None:
        """One answer as wanted."""
        at = self.now()
        self.requests += 1
        self.by_kind[kind] += 1
        self.by_version[version] += 1
        self.first_seen.setdefault(version, at)
        self.last_seen[version] = at
        if took is not None and self.ended is None:
            self.longest_gap = max(self.longest_gap, at - self.last_good)
            self.last_good = at
        if took is not None:
            self.latencies.append(took * 1000)

    def bad(self, kind: str, reason: str) -> None:
        """One request that failed."""
        self.requests += 1
        self.failed += 1
        self.by_kind[kind] += 1
        self.reasons[f"{kind}: {reason}"] += 1
        self.failures.append((round(self.now(), 3), kind, reason))

    def short(self) -> dict[str, Any]:
        """The periodic line."""
        return {
            "seconds": round(self.now(), 3),
            "requests": self.requests,
            "failed": self.failed,
            "by_version": dict(self.by_version),
        }

    def whole(self) -> dict[str, Any]:
        """The final line. ``first_seen`` and ``last_seen`` are also given as wall-clock time (Unix seconds)."""
        wall = time.time() - self.now()
        ordered = sorted(self.latencies)
        return {
            "final": True,
            **self.short(),
            "by_kind": dict(self.by_kind),
            "reasons": dict(self.reasons),
            "failures": list(self.failures),
            "rate": round(self.requests / max(self.ended or self.now(), 0.001), 1),
            "p50_ms": _percentile(ordered, 0.50),
            "p99_ms": _percentile(ordered, 0.99),
            "max_ms": _percentile(ordered, 1.0),
            "longest_gap_ms": round(self.longest_gap * 1000, 1),
            "behind_ms": round(self.behind * 1000, 1),
            "first_seen": {name: round(wall + at, 3) for name, at in self.first_seen.items()},
            "last_seen": {name: round(wall + at, 3) for name, at in self.last_seen.items()},
        }


class Load:
    """The clients. ``rate`` is requests per second in all."""

    def __init__(
        self,
        url: str,
        host: str,
        rate: float,
        *,
        slow_seconds: float = 5.0,
        web_sockets: int = 1,
        web_socket_seconds: float | None = None,
    ) -> None:
        self._url, self._host, self._rate = url.rstrip("/"), host, rate
        self._slow_seconds, self._web_sockets = slow_seconds, web_sockets
        self._web_socket_seconds = web_socket_seconds
        self.report = Report()
        self._stop = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float | None, every: float, say: Any) -> Report:
        """Until the time is up or ``stop``; what is open then may end. ``say`` gets a short line every so often."""
        limits = aiohttp.ClientTimeout(total=SLOWEST_SECONDS)
        kept = aiohttp.TCPConnector(limit=0, keepalive_timeout=CLIENT_IDLE_SECONDS)
        new = aiohttp.TCPConnector(limit=0, force_close=True)
        async with (
            aiohttp.ClientSession(connector=kept, timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as keep_alive,
            aiohttp.ClientSession(connector=new, timeout=limits, cookie_jar=aiohttp.DummyCookieJar()) as anew,
        ):
            for session in (keep_alive, anew):
                session._retry_connection = False  # aiohttp would repeat a GET by itself, and hide what was lost
            beside = [asyncio.create_task(self._slow(keep_alive))] if self._slow_seconds else []
            beside += [asyncio.create_task(self._web_socket(keep_alive)) for _ in range(self._web_sockets)]
            beside.append(asyncio.create_task(self._talk(every, say)))
            if seconds is not None:
                asyncio.get_running_loop().call_later(seconds, self._stop.set)
            await self._pace(keep_alive, anew)
            self.report.ended = self.report.now()
            await asyncio.gather(*beside)
            if self._open:
                await asyncio.wait(self._open)
        return self.report

    def stop(self) -> None:
        """No new requests."""
        self._stop.set()

    # -- private -----------------------------------------------------------------------------------------

    async def _pace(self, keep_alive: aiohttp.ClientSession, anew: aiohttp.ClientSession) -> None:
        """One request every 1/rate seconds; late ones are caught up, up to a second's worth."""
        began, sent = time.monotonic(), 0
        while not self._stop.is_set():
            due = int((time.monotonic() - began) * self._rate) + 1
            self.report.behind = max(self.report.behind, (due - sent - 1) / self._rate)
            if due - sent > self._rate:  # over a second late: the box cannot keep up; what is missed is not caught up
                began, due = time.monotonic() - sent / self._rate, sent + 1
            room = min(due, sent + MOST_OPEN - len(self._open))
            for number in range(sent, room):
                self._send(number, keep_alive, anew)
            sent = max(sent, room)
            if sent < due:
                await asyncio.wait(self._open, return_when=asyncio.FIRST_COMPLETED)
            elif sent == due:
                await asyncio.sleep(max(0.0, began + due / self._rate - time.monotonic()))

    def _send(self, number: int, keep_alive: aiohttp.ClientSession, anew: aiohttp.ClientSession) -> None:
        """Of twelve: one on a new connection by GET, one by POST; of the kept ones, every fourth a POST."""
        fresh = number % 6 == 0
        post = number % 12 == 0 if fresh else number % 4 == 1
        kind = ("new" if fresh else "kept") + (" POST" if post else " GET")
        task = asyncio.create_task(self._one(anew if fresh else keep_alive, kind, number, post=post))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _one(self, session: aiohttp.ClientSession, kind: str, number: int, *, post: bool) -> None:
        path = f"/items/{number % 50}"
        body = b"x" * (number % 200) if post else None
        began = time.monotonic()
        await self._ask(session, kind, "POST" if post else "GET", path, body, began)

    async def _ask(
        self, session: aiohttp.ClientSession, kind: str, method: str, path: str, body: bytes | None, began: float | None
    ) -> bool:
        """Whether it was answered as wanted."""
        try:
            async with session.request(method, self._url + path, data=body, headers={"Host": self._host}) as response:
                text = await response.read()
                problem = _problem(response.status, text, path.partition("?")[0], method, body)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.report.bad(kind, f"{type(error).__name__}: {error}"[:120])
            return False
        if problem:
            self.report.bad(kind, problem)
            return False
        took = time.monotonic() - began if began is not None else None
        self.report.good(kind, response.headers.get("X-App-Version", "?"), took)
        return True

    async def _slow(self, session: aiohttp.ClientSession) -> None:
        """One slow request after another, so that one is open at every moment; after a failed one a moment's rest."""
        while not self._stop.is_set():
            if not await self._ask(session, "slow", "GET", f"/slow?seconds={self._slow_seconds:g}", None, None):
                await asyncio.sleep(0.5)

    async def _web_socket(self, session: aiohttp.ClientSession) -> None:
        """A socket that says something five times a second; a socket that is cut is a failure, and is opened again."""
        while not self._stop.is_set():
            try:
                async with session.ws_connect(self._url + "/ws", headers={"Host": self._host}) as socket:
                    await self._chat(socket)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.report.bad("web socket", f"{type(error).__name__}: {error}"[:120])
                await asyncio.sleep(0.5)

    async def _chat(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Until the socket has lived its time, or the load ends; the client closes it, as clients do."""
        ends = None if self._web_socket_seconds is None else time.monotonic() + self._web_socket_seconds
        version = await _said(socket, "version")
        while not self._stop.is_set() and (ends is None or time.monotonic() < ends):
            hello = f"hello {random.random()}"
            if await _said(socket, hello) != hello:
                raise aiohttp.ClientConnectionError("the echo is another")
            self.report.good("web socket", version, None)
            await asyncio.sleep(0.2)

    async def _talk(self, every: float, say: Any) -> None:
        while not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), every)
            except TimeoutError:
                say(self.report.short())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the load as told on the command line; exit code 0 also when requests failed (the report says it)."""
    parser = argparse.ArgumentParser(prog="python -m arr_bluegreen.simulator.load", description=__doc__)
    parser.add_argument("--url", required=True, help="where the front listens, such as http://127.0.0.1:8080")
    parser.add_argument("--host", required=True, help="the public host, sent as the Host header")
    parser.add_argument("--rate", type=float, default=300.0, help="requests per second in all")
    parser.add_argument("--duration", type=float, help="seconds; without it until stdin closes")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between the short lines")
    parser.add_argument("--slow-seconds", type=float, default=5.0, help="how long the slow requests take; 0: none")
    parser.add_argument("--web-sockets", type=int, default=1)
    parser.add_argument("--web-socket-seconds", type=float, help="how long each lives; without it until the end")
    parser.add_argument("--report", choices=["json"], default="json")
    options = parser.parse_args(argv)
    return asyncio.run(_main(options))


# -- private ---------------------------------------------------------------------------------------------


async def _main(options: argparse.Namespace) -> int:
    load = Load(
        options.url,
        options.host,
        options.rate,
        slow_seconds=options.slow_seconds,
        web_sockets=options.web_sockets,
        web_socket_seconds=options.web_socket_seconds,
    )
    loop = asyncio.get_running_loop()
    if options.duration is None:
        loop.run_in_executor(None, _until_stdin_closes, loop, load)
    report = await load.run(options.duration, options.every, _say)
    _say(report.whole())
    return 0


def _until_stdin_closes(loop: asyncio.AbstractEventLoop, load: Load) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    loop.call_soon_threadsafe(load.stop)


async def _said(socket: aiohttp.ClientWebSocketResponse, text: str) -> str:
    """What comes back for a text; a socket that ended raises."""
    await socket.send_str(text)
    heard = await socket.receive(timeout=SLOWEST_SECONDS)
    if heard.type is not aiohttp.WSMsgType.TEXT:
        raise aiohttp.ClientConnectionError(f"the socket ended: {heard.type.name}")
    return str(heard.data)


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _problem(status: int, text: bytes, path: str, method: str, body: bytes | None) -> str:
    if status >= 400:
        return f"{status} {text[:60].decode('latin-1').strip()}"
    try:
        said = json.loads(text)
    except ValueError:
        return f"{status} with a body that is no JSON"
    expected = {"path": path, "method": method, "received": len(body or b"")}
    wrong = [name for name, value in expected.items() if said.get(name) != value]
    return f"a body for another request: {wrong[0]}" if wrong else ""


def _percentile(ordered: Sequence[float], part: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2)


if __name__ == "__main__":
    sys.exit(main())
