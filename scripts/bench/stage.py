"""A stage for sequences: the simulated host and its clients as processes of their own, WinRM in between, real sockets.

``blue`` serves version 1, ``green`` holds version 2. The configuration is that of the way to switch.
"""

from __future__ import annotations

import json
import os
import queue
import secrets
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from arr_bluegreen.apphost.web_config import edit_xml
from arr_bluegreen.control.command import LocalCommands
from arr_bluegreen.control.connect import ConnectSettings, connect
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Listener, RunEnded, Stamped
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.plan import Plan, what_is_seen
from arr_bluegreen.deployment.run import Asked, Run
from arr_bluegreen.webfarm import NewState

FARM, PUBLIC, USER = "shop", "shop.example", "bench"
BLUE, GREEN = "127.0.0.2", "127.0.0.3"
ADDRESS = {"blue": BLUE, "green": GREEN}
VERSION = {"blue": "1", "green": "2"}
FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "apphost" / "blue-green.config"
PROBE_SECONDS = 1.0
"""The interval of ARR's health test in the fixture."""

_DESCRIPTION = r"""
schema = 1
[app]
name = "shop"
hosts = ["shop.example"]
front = ["Front"]
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "127.0.0.2"
http_port = 8001
site = "shop-blue"
pool = "shop-blue"
path = 'C:\inetpub\shop-blue'
health_file = 'C:\inetpub\shop-blue-health\up.txt'
[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "127.0.0.3"
http_port = 8002
site = "shop-green"
pool = "shop-green"
path = 'C:\inetpub\shop-green'
health_file = 'C:\inetpub\shop-green-health\up.txt'
[warm_up]
every = "100ms"
within = "10s"
[gate]
version_header = "X-App-Version"
passes = 3
every = "100ms"
within = "10s"
[switch]
by = "BY"
within = "20s"
[drain]
within = "20s"
quiet = "QUIET"
every = "250ms"
"""


@dataclass(frozen=True, slots=True)
class Clients:
    """The load: requests per second in all, the seconds of its slow requests, WebSockets and how long each lives."""

    rate: float = 80.0
    slow_seconds: float = 2.0
    web_sockets: int = 3
    web_socket_seconds: float = 12.0


class CountingClock:
    """The real clock, which also knows how long it slept."""

    def __init__(self) -> None:
        self.slept = 0.0

    def now(self) -> datetime:
        """UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        if seconds > 0:
            self.slept += seconds
            time.sleep(seconds)


@dataclass
class Stage:
    """A host that runs. ``by`` is the way its configuration was made for."""

    by: str
    folder: Path
    ready: Mapping[str, Any]
    password: str = field(repr=False)
    clock: CountingClock = field(default_factory=CountingClock)
    heard: list[Stamped] = field(default_factory=list)
    _runs: int = 0

    def machine(self) -> Machine:
        """The host as WinRM shows it; close it afterwards."""
        settings = ConnectSettings(user=USER, password=self.password, transport="ntlm")
        return connect(f"winrm:127.0.0.1:{self.ready['winrm_port']}", settings)[0]

    def description(self, *, quiet: str = "500ms", more: str = "") -> str:
        """A deployment.toml for this host; ``more`` are lines that follow ``[drain]``."""
        text = _DESCRIPTION.replace("BY", self.by).replace("QUIET", quiet)
        if self.by == "rule":
            text = text.replace('by = "rule"', 'by = "rule"\nrule = "shop to farm"')
            text = text.replace('name = "blue"', 'name = "blue"\nfarm = "shop"')
            text = text.replace('name = "green"', 'name = "green"\nfarm = "shop-green"')
        if self.by == "weights":
            stages = ", ".join(f'{{ percent = {one}, hold = "1s" }}' for one in (5, 25, 50))
            text = text.replace('by = "weights"', f'by = "weights"\nstages = [{stages}]')
        return text + more

    def switch(self, to: str, *, text: str = "", hear: Listener | None = None) -> tuple[Plan, RunEnded]:
        """A run that makes ``to`` live, exactly as ``deploy run`` makes it; its events go to ``heard``, ``hear``."""
        deployment = parse_description(text or self.description())
        controls = Controls((self.machine(),), self.clock, LocalCommands(), {}, edit_xml)
        self._runs += 1
        name = f"run-{self._runs:03}"
        try:
            other = "blue" if to == "green" else "green"
            plan = plan_run(deployment, controls, version=VERSION[to], live="" if self._runs > 1 else other)
            assert plan.roles.new.name == to, f"{plan.roles.new.name} is idle, not {to}"
            journal = Journals(self.folder / "state").of(name)
            asked = Asked(listeners=(self.heard.append, *([hear] if hear else [])))
            run = Run(deployment, controls, journal, Identity(name, "bench", "here"), plan.roles, plan.durable, asked)
            return plan, run.start(plan, lambda now: plan.refuse_stale(what_is_seen(now)))
        finally:
            controls.close()

    def state(self) -> dict[str, Any]:
        """What the host itself says of its farms, pools, and messages."""
        request = urllib.request.Request(f"{self.ready['admin_url']}/state", headers={"X-Arr-Simulator": "1"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10) as response:
            found: dict[str, Any] = json.loads(response.read())
            return found

    def in_service(self) -> tuple[str, ...]:
        """The addresses that get new requests of the farm (by rule: of any farm)."""
        return tuple(one for farm in self.state()["farms"] for one in farm["in_service"])

    def messages(self) -> int:
        """HTTP messages of WinRM so far."""
        return int(self.state()["faults"]["counts"].get("http", 0))

    @contextmanager
    def load(self, clients: Clients | None = None) -> Iterator[LoadProcess]:
        """Clients that ask until this ends; its ``final`` is whole then."""
        one = LoadProcess(f"http://127.0.0.1:{self.ready['front_port']}", clients or Clients())
        try:
            yield one
            one.finish()
        finally:
            one.stop()


class LoadProcess:
    """``simulator.load`` in a process of its own; ``final`` is its last line."""

    def __init__(self, url: str, clients: Clients) -> None:
        command = [sys.executable, "-m", "arr_bluegreen.simulator.load", "--url", url, "--host", PUBLIC]
        command += ["--rate", f"{clients.rate:g}", "--slow-seconds", f"{clients.slow_seconds:g}", "--every", "0.2"]
        command += ["--web-sockets", str(clients.web_sockets)]
        command += ["--web-socket-seconds", f"{clients.web_socket_seconds:g}"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.final: dict[str, Any] = {}
        self.now: dict[str, Any] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, enough: Callable[[dict[str, Any]], bool], within: float = 30.0) -> None:
        """Hear the load until a line of it is enough. Raises ``TimeoutError``."""
        ends = time.monotonic() + within
        while not enough(self.now):
            try:
                self.now = self._lines.get(timeout=max(0.01, ends - time.monotonic()))
            except queue.Empty:
                raise TimeoutError(f"the load said {self.now} after {within:g} s") from None

    def requests(self, number: int) -> None:
        """Wait until it has made so many requests more."""
        self.until(lambda _: self._lines.empty())
        goal = int(self.now.get("requests", 0)) + number
        self.until(lambda line: int(line.get("requests", 0)) >= goal)

    def finish(self) -> None:
        """No new requests; what is open ends."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self.until(lambda line: bool(line.get("final")))
        self.final = self.now

    def stop(self) -> None:
        """Gone when this returns."""
        if self._process.poll() is None:
            try:
                self._process.wait(0.5 if self.final else 0)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    # -- private ---------------------------------------------------------------------------------------------

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(json.loads(line))


@contextmanager
def stage(
    folder: Path, by: str, *, rtt_ms: float = 0.0, pair: bool = False, start_seconds: float = 0.2, scale: float = 1.0
) -> Iterator[Stage]:
    """A host that runs. ``pair``: both slots enabled and green out of service by state alone, so that a switch by
    state writes nothing. ``scale`` shortens what IIS waits for when a pool stops (90 s)."""
    folder.mkdir(parents=True, exist_ok=True)
    _lay_out(folder, start_seconds)
    (folder / "applicationHost.config").write_bytes(configuration(by, pair=pair, scale=scale))
    password = secrets.token_urlsafe(12)
    command = [sys.executable, "-m", "arr_bluegreen", "simulator", "run", "--user", USER, "--rtt-ms", f"{rtt_ms:g}"]
    command += ["--config", str(folder / "applicationHost.config"), "--root", str(folder / "drives")]
    environment = {**os.environ, "ARR_BLUEGREEN_PASSWORD": password}
    with (folder / "host.txt").open("wb") as talk:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=talk, env=environment)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulated host did not start: {(folder / 'host.txt').read_text()[-500:]}")
        one = Stage(by, folder, json.loads(line), password)
        time.sleep(start_seconds)  # blue is starting: clients come later
        if pair or by == "weights":
            machine = one.machine()
            machine.farm(FARM, ["Front"]).set_state({GREEN: NewState.GRACEFUL_STOP})
            machine.close()
        if by == "health-file":  # until ARR's first probe both slots count as healthy (arr.md 5.6)
            _until(lambda: one.in_service() == (BLUE,))
        yield one
    finally:
        process.terminate()
        process.wait(10)


def configuration(by: str, *, pair: bool = False, scale: float = 1.0) -> bytes:
    """The fixture as a way to switch needs it."""
    text = FIXTURE.read_bytes()
    if pair or by in ("health-file", "weights"):
        text = _changed(text, b'address="127.0.0.3" enabled="false"', b'address="127.0.0.3" enabled="true"')
    if by == "health-file":
        text = _changed(text, b'url="http://shop.example/health"', b'url="http://shop.example/arr-health/up.txt"')
        text = _changed(text, b'responseMatch="healthy"', b'responseMatch="up"')
    if by == "rule":
        server, end = _server(text, b"127.0.0.3"), b"        </webFarm>\r\n"
        other = b'        <webFarm name="shop-green" enabled="true">\r\n' + server.replace(b"false", b"true") + end
        text = _changed(_changed(text, server, b""), end, end + other)
    if scale != 1.0:
        limit = f'<processModel shutdownTimeLimit="00:00:{round(90 * scale):02}" idleTimeout'.encode()
        text = text.replace(b"<processModel idleTimeout", limit)
    return text


# -- private ---------------------------------------------------------------------------------------------------


def _changed(text: bytes, before: bytes, after: bytes) -> bytes:
    if before not in text:
        raise RuntimeError(f"the fixture does not hold {before!r} any more")
    return text.replace(before, after, 1)


def _server(text: bytes, address: bytes) -> bytes:
    """The whole element of a farm server, its indentation and line ends included."""
    begin, end = text.index(b'            <server address="' + address), b"            </server>\r\n"
    return text[begin : text.index(end, begin) + len(end)]


def _lay_out(folder: Path, start_seconds: float) -> None:
    for name, version in VERSION.items():
        home = folder / "drives" / "C" / "inetpub" / f"shop-{name}"
        home.mkdir(parents=True)
        (home / "simulated-app.json").write_text(json.dumps({"version": version, "start_seconds": start_seconds}))
        health = home.with_name(f"shop-{name}-health")
        health.mkdir()
        (health / "up.txt").write_text("up\n" if name == "blue" else "down\n")


def _until(enough: Callable[[], bool], within: float = 10.0) -> None:
    ends = time.monotonic() + within
    while not enough():
        if time.monotonic() > ends:
            raise TimeoutError("the simulated host is not as it should be")
        time.sleep(0.1)
