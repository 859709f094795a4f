"""A simulated machine in virtual time with one plain IIS site, and the hands to deploy to it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.deployment.description import Deployment, Gate, WarmUp
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.first import FirstWish, NewSlot
from arr_bluegreen.deployment.first_proof import Measure
from arr_bluegreen.deployment.first_run import FirstHands
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ports import MACHINE
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.traffic import Traffic
from arr_bluegreen.webfarm.change import ConfigChange

FARM = "shop"


def plain_config() -> bytes:
    """The demo's configuration without its farm, slots and rule: ARR is there, and one site at shop.example:80."""
    text = (Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config").read_bytes().decode("utf-8-sig")
    for name in ("shop-blue", "shop-green"):
        text = re.sub(rf'\s*<site name="{name}".*?</site>', "", text, flags=re.S)
        text = re.sub(rf'\s*<add name="{name}".*?</add>', "", text, flags=re.S)
        text = re.sub(rf'\s*<location path="{name}".*?</location>', "", text, flags=re.S)
    text = re.sub(r"\s*<!-- blue serves.*?</webFarm>", "", text, flags=re.S)
    text = re.sub(r"\s*<!-- Public traffic.*?</rule>", "", text, flags=re.S)
    front = '<location path="Front">\r\n        <system.webServer>\r\n            <httpLogging dontLog="false" />'
    front += "\r\n        </system.webServer>\r\n    </location>"
    if "\r\n" not in text:
        front = front.replace("\r\n", "\n")
    return re.sub(r"(\s*)</configuration>", rf"\1    {front}\1</configuration>", text).encode()


def _edit(data: bytes, changes: Sequence[ConfigChange]) -> tuple[bytes, tuple[ConfigChange, ...]]:
    applied = ApplicationHost.parse(data).apply(changes)
    return applied.host.to_bytes(), applied.inverse


class NoCommands:
    """A controller without hooks."""

    def run(self, command: object, stdin: object, environment: object, timeout: object) -> CommandResult:
        """Nothing."""
        return CommandResult(0)


class Scene:
    """One machine with its clock. ``content(folder, version)`` puts a simulated application there."""

    def __init__(self, config: bytes | None = None, settings: SimulatorSettings | None = None) -> None:
        self.clock = SimulatedClock()
        self.host = SimulatedHost(config or plain_config(), clock=self.clock, settings=settings)
        self.machine = MemoryMachine(self.host, self.clock, parse=ApplicationHost.parse, edit=_edit, round_trip=0.02)
        self.content(r"C:\inetpub\front", "1")
        self.host.boot()
        self.clock.sleep(5)
        self.controls = Controls((self.machine,), self.clock, NoCommands())
        self.records = self.machine.records(FARM)
        self.port_records = self.machine.records(MACHINE)

    def content(self, folder: str, version: str, **more: object) -> None:
        """An application that starts in a second."""
        spec = {"version": version, "start_seconds": 1.0, **more}
        self.host.files.write_text(folder + r"\simulated-app.json", json.dumps(spec))

    def traffic(self) -> Traffic:
        """Clients that never stop."""
        return Traffic([self.host], self.clock).start()

    def hands(self, **gate: object) -> FirstHands:
        """Hands for a first deployment."""
        wanted = Gate(within=timedelta(seconds=20), **gate)  # type: ignore[arg-type]  # a test's shorthand
        measure = Measure(wanted, WarmUp(within=timedelta(seconds=20)))
        return FirstHands(self.machine, self.records, self.port_records, self.clock, measure)

    @property
    def config(self) -> ApplicationHost:
        """What is in the file."""
        return ApplicationHost.parse(self.host.config.data())


def first_wish() -> FirstWish:
    """Front becomes the front of shop-blue and shop-green."""
    blue = NewSlot("blue", "shop-blue", "shop-blue", "127.0.0.2", 8001)
    green = NewSlot("green", "shop-green", "shop-green", "127.0.0.3", 8002)
    return FirstWish("Front", FARM, (blue, green))


def described(text: str) -> Deployment:
    """A description of the scene; the text adds tables."""
    head = """
    schema = 1
    [app]
    name = "shop"
    farm = "shop"
    hosts = ["shop.example"]
    front = ["Front"]
    [gate]
    version_url = "/version"
    version_header = "X-App-Version"
    """
    return parse_description("\n".join(line.strip() for line in (head + text).splitlines()))
