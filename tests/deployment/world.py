"""A simulated ARR machine in virtual time, a description of its pair of slots, and runs against it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.deployment.begin import plan_run, plan_switch_back, reopened
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import RunEnded, Stamped
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Append, Journal, Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.plan import Plan
from arr_bluegreen.deployment.run import Asked, Run
from arr_bluegreen.errors import UsageError
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.traffic import FloorWatch, Traffic
from arr_bluegreen.webfarm import NewState
from arr_bluegreen.webfarm.change import ConfigChange

BLUE, GREEN = "127.0.0.2", "127.0.0.3"
CONFIG = (Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config").read_bytes()
HEALTH_FILE_CONFIG = CONFIG.replace(
    b'url="http://shop.example/health" interval="00:00:01" timeout="00:00:02" statusCodeMatch="200" '
    b'responseMatch="healthy"',
    b'url="http://shop.example/arr-health/up.txt" interval="00:00:01" timeout="00:00:02" statusCodeMatch="200" '
    b'responseMatch="up" retries="1"',
)
BOTH_ENABLED = (b'address="127.0.0.3" enabled="false"', b'address="127.0.0.3" enabled="true"')

TEXT = """
schema = 1
[app]
name = "shop"
hosts = ["shop.example"]
front = ["Front"]
[config]
writes = "always"
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "127.0.0.2"
http_port = 8001
site = "shop-blue"
pool = "shop-blue"
path = 'C:\\inetpub\\shop-blue'
health_file = 'C:\\inetpub\\shop-blue-health\\up.txt'
[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "127.0.0.3"
http_port = 8002
site = "shop-green"
pool = "shop-green"
path = 'C:\\inetpub\\shop-green'
health_file = 'C:\\inetpub\\shop-green-health\\up.txt'
[warm_up]
within = "20s"
[gate]
version_url = "/version"
version_header = "X-App-Version"
within = "10s"
passes = 2
[switch]
by = "{by}"
within = "20s"
[durable]
by = "{durable}"
[drain]
within = "20s"
quiet = "1s"
[bake]
for = "{bake}"
"""


_edited: dict[tuple[bytes, str], tuple[bytes, tuple[ConfigChange, ...]]] = {}


def edit_once(data: bytes, changes: Sequence[ConfigChange]) -> tuple[bytes, tuple[ConfigChange, ...]]:
    """``edit``, done once for the same bytes and changes: thousands of runs make the same few."""
    key = (data, repr(changes))
    if key not in _edited:
        applied = ApplicationHost.parse(data).apply(changes)
        _edited[key] = (applied.host.to_bytes(), applied.inverse)
    return _edited[key]


class NoCommands:
    """A ``CommandRunner`` that answers as told and keeps what it was asked. ``missing`` are no commands here; ``act``
    is what running one does besides."""

    def __init__(self) -> None:
        self.asked: list[tuple[Sequence[str], str]] = []
        self.environments: list[Mapping[str, str]] = []
        self.answer = CommandResult(0)
        self.missing: set[str] = set()
        self.act: Callable[[str], object] = lambda command: None

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        if command[0] in self.missing:
            raise UsageError(f"cannot run {command[0]}: No such file or directory")
        self.asked.append((command, stdin))
        self.environments.append(environment)
        self.act(command[0])
        return self.answer


def append_quickly(path: Path, data: bytes) -> None:
    """Appended, without the fsync that thousands of runs would wait for."""
    with path.open("ab") as file:
        file.write(data)


class World:
    """One host, its clients, its description, and the state folder of whoever deploys to it."""

    def __init__(
        self,
        folder: Path,
        *,
        by: str = "state",
        durable: str = "enabled",
        bake: str = "0",
        more: str = "",
        config: bytes | None = None,
        settings: SimulatorSettings | None = None,
        traffic: bool = True,
    ) -> None:
        config = config or (HEALTH_FILE_CONFIG if by == "health-file" else CONFIG)
        if durable in ("reconcile", "health-file") and by != "enabled":
            config = config.replace(*BOTH_ENABLED)
        self.clock = SimulatedClock()
        self.settings = settings or SimulatorSettings()
        self.host: SimulatedHost = host_in_memory(
            config, self.clock, settings=self.settings, versions={"shop-blue": "1", "shop-green": "2"}
        )
        for name, text in (("blue", "up"), ("green", "down")):
            self.host.files.write_text(f"C:\\inetpub\\shop-{name}-health\\up.txt", text)
        self.machine = machine_in_memory(self.host, self.clock)
        self.machine.edit = edit_once
        self.commands = NoCommands()
        self.controls = Controls((self.machine,), self.clock, self.commands)
        text = TEXT.replace("{by}", by).replace("{durable}", durable).replace("{bake}", bake) + more
        self.deployment: Deployment = parse_description(text)
        self.folder = folder
        self.append: Append = append_quickly
        self.heard: list[Stamped] = []
        if durable != "enabled" and by == "state":
            self.host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
        self.clock.sleep(5)
        self.floor = FloorWatch(self.host, "shop")
        self.traffic = Traffic([self.host], self.clock)
        if traffic:
            self.traffic.start()

    # -- what a user does -------------------------------------------------------------------------------------

    def run(self, version: str = "2", run: str = "run-1", live: str = "", until: str = "") -> RunEnded:
        plan = plan_run(self.deployment, self.controls, version=version, live=live)
        return self._run(self.journals.of(run), run, until).start_plan(plan)

    def resume(self, run: str = "run-1", until: str = "") -> RunEnded:
        return self._again(run, lambda one: one.resume(), until)

    def switch_back(self, run: str = "run-1") -> RunEnded:
        return self._again(run, lambda one: one.switch_back())

    def abort(self, run: str = "run-1") -> RunEnded:
        return self._again(run, lambda one: one.abort())

    def go_back(self, run: str = "run-2") -> RunEnded:
        """``switch-back`` after a run that is over."""
        plan = plan_switch_back(self.deployment, self.controls)
        return self._run(self.journals.of(run), run, "").start_plan(plan)

    def start(self, plan: Plan, run: str) -> RunEnded:
        """A plan that was made elsewhere."""
        return self._run(self.journals.of(run), run, "").start_plan(plan)

    # -- what is seen ------------------------------------------------------------------------------------------

    @property
    def journals(self) -> Journals:
        return Journals(self.folder, self.append)

    @property
    def live(self) -> tuple[str, ...]:
        return self.host.arr.in_service("shop")

    def enabled(self, address: str) -> bool:
        farm = self.host.config.reading.farm("shop")
        assert farm is not None
        server = farm.server(address)
        assert server is not None
        return server.enabled

    def recycle_arr(self) -> None:
        """ARR's worker process is recycled: all run-time state is gone (arr.md 5.6)."""
        self.host.iis.recycle_pool("Front")

    def finish(self) -> None:
        """Clients stop; what is open ends."""
        self.traffic.stop()
        self.clock.sleep(10)

    # -- private -------------------------------------------------------------------------------------------------

    def _run(self, journal: Journal, run: str, until: str) -> _Starter:
        return _Starter(self, journal, run, until)

    def _again(self, run: str, how: Callable[[Run], RunEnded], until: str = "") -> RunEnded:
        journal = self.journals.of(run)
        events = journal.read()
        deployment, roles, durable = reopened(events)
        identity = Identity(run, "tester", "here")
        asked = Asked(until, (self.heard.append,), self.journals.is_over)
        return how(Run(deployment, self.controls, journal, identity, roles, durable, asked, events))


class _Starter:
    def __init__(self, world: World, journal: Journal, run: str, until: str) -> None:
        self._world, self._journal, self._run, self._until = world, journal, run, until

    def start_plan(self, plan: Plan) -> RunEnded:
        world = self._world
        identity = Identity(self._run, "tester", "here")
        asked = Asked(self._until, (world.heard.append,), world.journals.is_over)
        run = Run(world.deployment, world.controls, self._journal, identity, plan.roles, plan.durable, asked)
        return run.start(plan)
