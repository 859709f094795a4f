"""Slots on machines of their own behind one ARR machine, and slots told apart by names of the hosts file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.ensure import ensure_new
from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.front_rule import front_rules
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.ports import MACHINE
from arr_bluegreen.deployment.retire import Retention, plan_retire
from arr_bluegreen.deployment.retire_due import member_machines, plan_due, retire_hands
from arr_bluegreen.deployment.retire_run import perform_retire
from arr_bluegreen.deployment.run import Run
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.files import HOSTS
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.simulator.traffic import Traffic
from arr_bluegreen.webfarm import FarmProtocol, WebFarm
from arr_bluegreen.webfarm.change import AddFarm, AddRule

from .machine import NoCommands, _edit, described, plain_config
from .test_releases import DROP, PER_RELEASE, Releases

BLUE, GREEN = "10.0.0.11", "10.0.0.12"
ELSEWHERE = rf"""
[config]
writes = "always"
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
machine = "web1"
address = "{BLUE}"
http_port = 8080
site = "shop"
pool = "shop"
path = 'C:\apps\shop'
[[slots.slot]]
name = "green"
[[slots.slot.member]]
machine = "web2"
address = "{GREEN}"
http_port = 8080
site = "shop"
pool = "shop"
path = 'C:\apps\shop'
"""


class Three:
    """One ARR machine and two web servers, all of them with nothing but a plain site; blue's site is made by a run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clock = folder, SimulatedClock()
        config = ApplicationHost.parse(plain_config())
        farm = WebFarm("shop", servers=(), protocol=FarmProtocol(preserve_host_header=True))
        rules = front_rules("shop", config.site("Front"), config)
        made = config.apply([AddFarm(farm), *(AddRule(one) for one in rules)]).host.to_bytes()
        self.arr, self.web1, self.web2 = (self._host(data) for data in (made, plain_config(), plain_config()))
        self.arr.neighbours = {BLUE: self.web1, GREEN: self.web2}
        self.web1.neighbours, self.web2.neighbours = {BLUE: self.web1}, {GREEN: self.web2}
        named = {"web1": self.web1, "web2": self.web2}
        others = {name: self._machine(host, name) for name, host in named.items()}
        self.machine = self._machine(self.arr, "arr1")
        self.controls = Controls((self.machine,), self.clock, NoCommands(), others)
        self.clock.sleep(5)

    def release(self, version: str, text: str = ELSEWHERE + DROP, live: str = "") -> RunEnded:
        """One run, its content in the drop folder of both web servers."""
        for host in (self.web1, self.web2):
            spec = json.dumps({"version": version, "start_seconds": 1.0})
            host.files.write_text(rf"C:\drop\{version}\simulated-app.json", spec)
        deployment = ensure_new(described(text.replace("{version}", version)), self.controls, release=version)
        plan = plan_run(deployment.deployment, self.controls, version=version, live=live)
        journal, who = Journals(self.folder).of(f"run-{version}"), Identity(f"run-{version}", "tester", "here")
        return Run(deployment.deployment, self.controls, journal, who, plan.roles, plan.durable).start(plan)

    # -- private ---------------------------------------------------------------------------------------------

    def _host(self, config: bytes) -> SimulatedHost:
        host = SimulatedHost(config, clock=self.clock)
        host.files.write_text(r"C:\inetpub\front\simulated-app.json", '{"version": "front"}')
        return host.boot()

    def _machine(self, host: SimulatedHost, name: str) -> MemoryMachine:
        return MemoryMachine(host, self.clock, parse=ApplicationHost.parse, edit=_edit, name=name, round_trip=0.02)


def live_blue(three: Three, deployment: Deployment) -> None:
    """Blue as an admin made it: its instance made, its content there, in service."""
    three.web1.files.write_text(r"C:\apps\shop\simulated-app.json", json.dumps({"version": "1"}))
    ensure_new(deployment, three.controls, release="1")
    from arr_bluegreen.webfarm.change import SetServer, settings

    three.machine.config.apply([SetServer("shop", BLUE, settings(enabled=True))])
    three.clock.sleep(5)


def test_slots_on_machines_of_their_own(tmp_path: Path) -> None:
    """Site and pool on the slot's machine, the farm server on ARR's; releases there and back under load, none lost."""
    three = Three(tmp_path)
    live_blue(three, described(ELSEWHERE))
    assert [one.address for one in ApplicationHost.parse(three.arr.config.data()).farm("shop").servers] == [BLUE, GREEN]
    assert [one.name for one in ApplicationHost.parse(three.arr.config.data()).sites] == ["Front"]
    for host in (three.web1, three.web2):
        assert [one.name for one in ApplicationHost.parse(host.config.data()).sites] == ["Front", "shop"]
        assert not ApplicationHost.parse(host.config.data()).farms
    assert three.arr.arr.in_service("shop") == (BLUE,)
    traffic = Traffic([three.arr], three.clock).start()
    three.clock.sleep(2)
    for version, address in (("2", GREEN), ("3", BLUE), ("4", GREEN)):
        ended = three.release(version)
        assert ended.outcome == "done", ended
        assert three.arr.arr.in_service("shop") == (address,)
    traffic.stop()
    three.clock.sleep(10)
    assert traffic.lost == []
    assert set(traffic.by_version) == {"1", "2", "3", "4"}
    records = three.controls.machine("web2").records("shop")
    assert {one.slot for one in read_owned(records).instances} == {"green"}
    deployment = described(ELSEWHERE)
    machines = member_machines(deployment, three.controls)
    assert [one.name for one in machines] == ["web1", "web2"]
    for one in machines:
        plan = plan_due(deployment, three.controls, one)
        perform_retire(plan, retire_hands(deployment, three.controls, one, print, lambda: None))
    assert three.web2.files.read_text(r"C:\apps\shop\2\simulated-app.json") is None
    assert three.web2.files.read_text(r"C:\apps\shop\4\simulated-app.json") is not None


def test_retire_on_another_machine_takes_its_farm_server_too(tmp_path: Path) -> None:
    """Site and pool go there, the server goes from the farm of the ARR machine, and nothing else."""
    three = Three(tmp_path)
    deployment = described(ELSEWHERE)
    live_blue(three, deployment)
    web2 = three.controls.machine("web2")
    arr = three.machine.config.read()
    owned = read_owned(web2.records("shop"))
    plan = plan_retire("shop", owned, web2.config.read(), Retention("blue"), [BLUE], "green", arr)
    perform_retire(plan, retire_hands(deployment, three.controls, web2, print, lambda: None))
    assert [one.address for one in ApplicationHost.parse(three.arr.config.data()).farm("shop").servers] == [BLUE]
    assert three.web2.config.data() == plain_config()
    assert not read_owned(web2.records("shop")).instances


def test_an_address_that_means_the_asker_is_refused_elsewhere(tmp_path: Path) -> None:
    """``auto`` on web2 would be a loopback address of the ARR machine: nothing is recorded, claimed or made."""
    three = Three(tmp_path)
    live_blue(three, described(ELSEWHERE))
    web2 = three.controls.machine("web2")
    before = three.arr.config.data(), three.web2.config.data(), read_owned(web2.records("shop"))
    for wanted in ("auto", "alias"):
        text = ELSEWHERE.replace(f'"{GREEN}"\nhttp_port = 8080', f'"{wanted}"\nhttp_port = "auto"')
        with pytest.raises(RefusedError, match="web2 while arr1"):
            ensure_new(described(text), three.controls, release="2")
    assert (three.arr.config.data(), three.web2.config.data(), read_owned(web2.records("shop"))) == before
    assert not web2.records(MACHINE).names()


# -- the hosts file ----------------------------------------------------------------------------------------------


@pytest.fixture
def aliased(tmp_path: Path) -> Releases:
    """Per release, each known by a name of the hosts file."""
    return Releases(tmp_path, PER_RELEASE.replace('address = "auto"', 'address = "alias"') + DROP)


def test_names_of_the_hosts_file_come_and_go_with_their_slots(aliased: Releases) -> None:
    """The farm server's address is the name; live, previous and one older keep their lines, others lose them."""
    scene = aliased.scene
    scene.host.files.write_text(r"C:\Windows\System32\drivers\etc\hosts", "10.9.9.9 intranet  # by hand\r\n")
    for version in "2345":
        assert aliased.release(version).outcome == "done"
        assert scene.host.arr.in_service("shop") == (f"shop-shop-{version}",)
        aliased.retire(keep=1)
    aliased.over()
    lines = scene.machine.files.hosts_entries("arr-bluegreen shop")
    assert lines == (("127.0.0.1", "shop-shop-4"), ("127.0.0.1", "shop-shop-5"))
    assert scene.machine.files.hosts_entries()[0] == ("10.9.9.9", "intranet")
    assert [one.address for one in scene.config.farm("shop").servers] == ["shop-shop-4", "shop-shop-5"]
    text = scene.host.files.read_text(r"C:\Windows\System32\drivers\etc\hosts") or ""
    assert text.startswith("10.9.9.9 intranet  # by hand\r\n")


def test_a_name_of_somebody_elses_is_refused_before_anything_is_recorded(aliased: Releases) -> None:
    """An admin's line sends the slot's name elsewhere; ours would never be asked."""
    scene = aliased.scene
    scene.host.files.write_bytes(HOSTS, b"10.9.9.9 shop-shop-2 # M\xfcller\r\n")
    before = scene.host.config.data(), scene.port_records.read("ports.json")
    with pytest.raises(RefusedError, match=r"10\.9\.9\.9"):
        aliased.release("2")
    assert (scene.host.config.data(), scene.port_records.read("ports.json")) == before
    assert read_owned(scene.records).of("shop-2") is None


