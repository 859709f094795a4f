"""A simulated Windows host with everything (WinRM, front, slots) on a loop of its own, and deployments to it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from arr_bluegreen.apphost.web_config import edit_xml
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.command import LocalCommands
from arr_bluegreen.control.connect import ConnectSettings, connect
from arr_bluegreen.deployment.begin import plan_run, plan_switch_back, reopened
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import RunEnded, Stamped, StepStarted
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.plan import Plan
from arr_bluegreen.deployment.run import Asked, Run
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.load import Load, Report
from arr_bluegreen.simulator.running import RunningMachine, Wanted, run_machine

T = TypeVar("T")
FARM, PUBLIC, USER, PASSWORD = "shop", "shop.example", "deployer", "Zaunk%nig'7-dist\"inct"
BLUE, GREEN = "127.0.0.2", "127.0.0.3"
CONFIG = (Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config").read_bytes()
AT_ONCE = {"powershell_start_seconds": 0, "poll_seconds": 0.05}
"""Settings that cost no time."""
Members = Mapping[str, tuple[tuple[str, int, str], ...]]
MEMBERS: Members = {"blue": ((BLUE, 8001, ""),), "green": ((GREEN, 8002, ""),)}


def description(members: Members = MEMBERS, more: str = "") -> str:
    """A deployment.toml that waits for little: ``members`` by slot are address, port, machine."""
    slots = "".join(
        f'[[slots.slot]]\nname = "{slot}"\n'
        + "".join(
            f'[[slots.slot.member]]\naddress = "{address}"\nhttp_port = {port}\nmachine = "{machine}"\n'
            f"site = \"shop-{slot}\"\npool = \"shop-{slot}\"\npath = 'C:\\inetpub\\shop-{slot}'\n"
            for address, port, machine in found
        )
        for slot, found in members.items()
    )
    return (
        f'schema = 1\n[app]\nname = "{FARM}"\nfarm = "{FARM}"\nhosts = ["{PUBLIC}"]\nfront = ["Front"]\n{slots}'
        "[content]\nsource = 'C:\\releases\\shop-2'\nversion = \"2\"\n"
        '[warm_up]\npaths = ["/"]\nevery = "50ms"\nwithin = "5s"\n'
        '[gate]\nversion_header = "X-App-Version"\npasses = 2\nevery = "20ms"\nwithin = "5s"\n'
        f'[drain]\nwithin = "10s"\nquiet = "100ms"\nevery = "50ms"\n{more}'
    )


def lay_out(folder: Path, config: bytes = CONFIG, **new: object) -> Path:
    """The machine's disk: blue serves version 1, and version 2 lies ready; returns its configuration file."""
    path = folder / "applicationHost.config"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(config)
    apps: dict[str, dict[str, object]] = {
        "inetpub/shop-blue": {"version": "1"},
        "inetpub/shop-green": {"version": "0"},
        "releases/shop-2": {"version": "2", **new},
    }
    for place, spec in apps.items():
        home = folder / "root" / "C" / place
        home.mkdir(parents=True)
        (home / "simulated-app.json").write_text(json.dumps({"start_seconds": 0.02, **spec}))
    return path


class Loop:
    """An asyncio loop in a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, made: Callable[[], Awaitable[T]], within: float = 20.0) -> T:
        """To its end, on the loop."""

        async def awaited() -> T:
            return await made()

        return asyncio.run_coroutine_threadsafe(awaited(), self.loop).result(within)

    def call(self, function: Callable[[], T]) -> T:
        """A plain function, on the loop."""

        async def called() -> T:
            return function()

        return self.run(called)

    def close(self) -> None:
        """Stop it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@dataclass
class Host:
    """One machine that runs, and what can be asked of it from outside."""

    folder: Path
    own: Loop
    machine: RunningMachine
    ca: Path

    @property
    def target(self) -> str:
        """``127.0.0.1:PORT`` of its WinRM over HTTP."""
        return f"127.0.0.1:{self.machine.ports['winrm']}"

    @property
    def tls_target(self) -> str:
        """The same over HTTPS."""
        return f"127.0.0.1:{self.machine.ports['winrm_tls']}"

    @property
    def faults(self) -> Faults:
        """Faults of its WinRM and tools."""
        assert self.machine.winrm is not None
        return self.machine.winrm.faults

    @property
    def shells(self) -> int:
        """Remote shells open now."""
        winrm = self.machine.winrm
        assert winrm is not None
        return self.own.call(lambda: len(winrm.shells))

    @property
    def live(self) -> tuple[str, ...]:
        """The addresses that get new requests and can answer."""
        return self.own.call(lambda: self.machine.served.host.serving(FARM))

    @property
    def front(self) -> str:
        """The public site."""
        return f"http://127.0.0.1:{self.machine.ports['front']}"

    def files(self) -> Iterator[Path]:
        """Everything on its disk."""
        return (one for one in self.folder.rglob("*") if one.is_file())

    @contextmanager
    def load(self, rate: float = 40.0) -> Iterator[Report]:
        """Clients beside, on the host's own loop; the report is whole when this ends."""
        made = Load(self.front, PUBLIC, rate, slow_seconds=0.2, web_sockets=0)
        task = asyncio.run_coroutine_threadsafe(made.run(None, 60, lambda line: None), self.own.loop)
        try:
            yield made.report
        finally:
            self.own.loop.call_soon_threadsafe(made.stop)
            task.result(30)


@contextmanager
def hosts(
    folder: Path, *configs: bytes, tls: bool = False, at: Path | None = None, **settings: object
) -> Iterator[tuple[Host, ...]]:
    """One host per configuration, on one loop, each with a disk of its own; all on the one file ``at``, if given."""
    own = Loop()
    with ExitStack() as stack:
        stack.callback(own.close)
        found = []
        for number, config in enumerate(configs):
            home = folder / f"host-{number + 1}"
            path = lay_out(home, config)
            wanted = Wanted(
                at or path,
                home / "root",
                winrm_tls_port=0 if tls else None,
                users={USER: PASSWORD},
                basic=not tls,
                ca_file=home / "ca.pem" if tls else None,
                settings={**AT_ONCE, "computer": f"WEB0{number + 1}", **settings},
            )
            machine = own.run(lambda: run_machine(wanted))  # noqa: B023  # run before the next turn
            stack.callback(own.run, machine.close)
            found.append(Host(home, own, machine, home / "ca.pem"))
        yield tuple(found)


@contextmanager
def host(folder: Path, *, tls: bool = False, **settings: object) -> Iterator[Host]:
    """The one host most tests need. With ``tls`` as Windows sets WinRM up: Negotiate and sealed messages only."""
    with hosts(folder, CONFIG, tls=tls, at=None, **settings) as (one,):
        yield one


class Hurried(SystemClock):
    """Waits a fifth of what it is told to; time itself goes as it goes."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 5)


@dataclass
class Ways:
    """How to reach hosts, and where runs are kept."""

    targets: Sequence[str]
    state: Path
    text: str = field(default_factory=description)
    settings: dict[str, Any] = field(default_factory=dict)

    def connect_settings(self) -> ConnectSettings:
        """Basic over HTTP, which costs least, unless told otherwise."""
        given: dict[str, Any] = {"transport": "basic", "allow_basic_over_http": True, **self.settings}
        return ConnectSettings(user=USER, password=PASSWORD, timeout=timedelta(seconds=10), **given)

    def run(self, **asked: Any) -> RunEnded:
        """A new run, exactly as ``deploy run`` makes it."""
        deployment = parse_description(self.text)
        with self._controls() as controls:
            plan = plan_run(deployment, controls)
            return self._begin("run-1", deployment, controls, plan, **asked).start(plan)

    def resume(self, how: Callable[[Run], RunEnded] = Run.resume) -> RunEnded:
        """Go on with it; ``how`` may be ``Run.switch_back`` or ``Run.abort``."""
        journal = self.journals.of("run-1")
        deployment, roles, durable = reopened(journal.read())
        with self._controls() as controls:
            who = Identity("run-1", "me", "here")
            return how(Run(deployment, controls, journal, who, roles, durable, Asked(), journal.read()))

    def switch_back(self) -> RunEnded:
        """A finished run undone by a new one."""
        deployment = parse_description(self.text)
        with self._controls() as controls:
            plan = plan_switch_back(deployment, controls)
            return self._begin("run-2", deployment, controls, plan).start(plan)

    @property
    def journals(self) -> Journals:
        """Where its runs are written."""
        return Journals(self.state)

    # -- private -------------------------------------------------------------------------------------------

    @contextmanager
    def _controls(self) -> Iterator[Controls]:
        arr = connect(f"winrm:{','.join(self.targets)}", self.connect_settings())
        controls = Controls(arr, Hurried(), LocalCommands(), {}, edit_xml)
        try:
            yield controls
        finally:
            controls.close()

    def _begin(self, name: str, deployment: Deployment, controls: Controls, plan: Plan, **asked: Any) -> Run:
        who = Identity(name, "me", "here")
        return Run(deployment, controls, self.journals.of(name), who, plan.roles, plan.durable, Asked(**asked))


def at_step(name: str, act: Callable[[], object]) -> Callable[[Stamped], None]:
    """A listener that acts when a step starts, once."""
    done: list[bool] = []

    def listen(stamped: Stamped) -> None:
        match stamped.event:
            case StepStarted(step=step) if step == name and not done:
                done.append(True)
                act()

    return listen
