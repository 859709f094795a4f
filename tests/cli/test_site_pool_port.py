"""``site``, ``pool`` and ``port`` on a file and on a simulated machine: what they change, and what they refuse."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.cli.serving import farm_behind
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.webfarm import Action, Binding, Condition, Rule, RuleList, RunState, Site
from tests.cli.ran import Ran
from tests.deployment.machine import Scene
from tests.deployment.words import pair

ADD = ["site", "add", "x", "--pool", "Front"]
CONFIG = (Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config").read_bytes()
Cli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our blue-green configuration on disk; records lie in the test's folder."""
    monkeypatch.setenv("ARR_BLUEGREEN_STATE_DIR", str(tmp_path / "state"))
    file = tmp_path / "blue-green.config"
    file.write_bytes(CONFIG)
    return file


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> MemoryMachine:
    """A running machine of that configuration, behind ``--on winrm:...``."""
    found = Scene(CONFIG).machine
    monkeypatch.setattr("arr_bluegreen.cli.target.connect", lambda target, settings: (found,))
    return found


def test_sites_and_pools_are_listed_from_a_file(cli: Cli) -> None:
    sites = cli("site", "list", "--json").json
    assert [(one["name"], one["id"], one["state"]) for one in sites][1] == ("shop-blue", 2, None)
    assert sites[1]["bindings"] == ["http/*:8001:"]
    pools = {one["name"]: one for one in cli("pool", "list", "--json").json}
    assert pools["shop-blue"]["sites"] == ["shop-blue"]
    assert pools["DefaultAppPool"]["runtime"] == "v4.0"
    assert "Front" in cli("site", "list").out


def test_a_site_and_its_pool_come_and_go_without_a_trace(cli: Cli, path: Path) -> None:
    assert cli("pool", "add", "shop-x").code == 0
    assert cli("site", "add", "shop-x", "--path", r"C:\x", "--binding", "http/*:8004:").code == 0
    shown = cli("site", "show", "SHOP-X", "--json").json
    assert (shown["id"], shown["pool"], shown["path"]) == (4, "shop-x", r"C:\x")
    assert cli("pool", "show", "shop-x", "--json").json["start_mode"] == "AlwaysRunning"
    assert cli("pool", "remove", "shop-x").code == 3
    assert cli("site", "remove", "shop-x").code == 0
    assert cli("pool", "remove", "shop-x").code == 0
    assert path.read_bytes() == CONFIG


def test_a_dry_run_shows_and_writes_nothing(cli: Cli, path: Path) -> None:
    ran = cli("pool", "add", "shop-x", "--dry-run")
    assert (ran.code, path.read_bytes()) == (0, CONFIG)
    assert "shop-x" in ran.out


@pytest.mark.parametrize(
    ("argv", "code", "says"),
    [
        (["site", "start", "Front"], 3, "run time"),
        (["pool", "recycle", "Front"], 3, "run time"),
        (["site", "remove", "shop-blue"], 3, "127.0.0.2"),
        (["site", "show", "nope"], 2, "Front, shop-blue, shop-green"),
        (["pool", "add", "a&b"], 2, "&"),
        (["pool", "add", "x" * 65], 2, "64"),
        (["pool", "add", "front"], 2, "already"),
        (["site", "add", "a/b", "--path", "C:\\", "--binding", "http/*:1:"], 2, "/"),
        (["site", "add", "x", "--path", "C:\\", "--pool", "Front", "--binding", "http/*:8001:"], 2, "shop-blue"),
        (["site", "add", "x", "--path", "C:\\", "--pool", "Front", "--binding", "8001"], 2, "no binding"),
        (["site", "add", "x", "--path", "C:\\", "--pool", "Front"], 2, "binding"),
        ([*ADD, "--path", "C:\\x", "--binding", "http/*:99999:"], 2, "1 to 65535"),
        ([*ADD, "--path", "C:\\x", "--binding", "http/*:0:"], 2, "1 to 65535"),
        ([*ADD, "--path", "C:\\x", "--binding", "http/*:\u00b2:"], 2, "no binding"),
        ([*ADD, "--path", "C:\\x", "--binding", "http/256.1.1.1:80:"], 2, "no IP address"),
        ([*ADD, "--path", "C:\\x", "--binding", "http/*:8009:a b"], 2, "no IP address"),
        ([*ADD, "--path", "", "--binding", "http/*:8009:"], 2, "no folder"),
        ([*ADD, "--path", "x", "--binding", "http/*:8009:"], 2, "no folder"),
        (["site", "remove", "Front"], 3, "the front of farm 'shop'"),
        (["site", "add", "x", "--path", "C:\\", "--binding", "http/*:8004:"], 2, "no pool 'x'"),
        (["port", "next", "--range", "9-1"], 2, "9-1"),
        (["port", "next", "--range", "8001-8002"], 3, "8001-8002"),
        (["port", "next", "--slot", ""], 2, "no slot"),
        (["port", "next", "--slot", "a/b"], 2, "no slot"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    cli: Cli, path: Path, argv: list[str], code: int, says: str
) -> None:
    ran = cli(*argv)
    assert ran.code == code
    assert says in ran.err
    assert path.read_bytes() == CONFIG


def test_sites_and_pools_start_and_stop_on_a_machine(cli: Cli, machine: MemoryMachine) -> None:
    assert cli("site", "stop", "shop-blue", on="winrm:x").code == 3
    assert cli("pool", "stop", "shop-blue", on="winrm:x").code == 3
    assert cli("site", "stop", "shop-green", "--for-good", on="winrm:x").code == 0
    assert cli("pool", "stop", "shop-green", "--for-good", on="winrm:x").code == 0
    machine.clock.sleep(100)
    states = {one.name: one.state for one in machine.sites.sites()}
    assert states["shop-green"] is RunState.STOPPED
    shown = cli("site", "show", "shop-green", "--json", on="winrm:x").json
    assert (shown["state"], shown["server_auto_start"]) == ("Stopped", False)
    assert cli("pool", "start", "shop-green", on="winrm:x").code == 0
    assert cli("site", "start", "shop-green", on="winrm:x").code == 0
    before = machine.sites.pools(["shop-green"])[0].workers
    assert cli("site", "recycle", "shop-green", on="winrm:x").code == 0
    machine.clock.sleep(5)
    assert machine.sites.pools(["shop-green"])[0].workers != before


def test_what_stopped_for_good_starts_for_good(cli: Cli, machine: MemoryMachine) -> None:
    """Also after a reboot, and with no write where that holds already."""
    for noun, setting in (("site", "server_auto_start"), ("pool", "auto_start")):
        for verb, value in (("stop", False), ("start", True)):
            assert cli(noun, verb, "shop-green", "--for-good", on="winrm:x").code == 0
            assert cli(noun, "show", "shop-green", "--json", on="winrm:x").json[setting] is value
    before = machine.host.config.digest
    assert cli("site", "start", "shop-green", "--for-good", on="winrm:x").code == 0
    assert machine.host.config.digest == before


def test_the_front_is_not_stopped_by_mistake(cli: Cli, machine: MemoryMachine) -> None:
    """Rules send its requests to the farm, and its pool holds ARR's state: everything goes through it."""
    for noun in ("site", "pool"):
        ran = cli(noun, "stop", "Front", on="winrm:x")
        assert (ran.code, "the front of farm 'shop'" in ran.err) == (3, True)
    assert machine.journal.count("sites.stop_site") == machine.journal.count("sites.stop_pool") == 0
    assert cli("site", "stop", "Front", "--force", on="winrm:x").code == 0


@pytest.mark.parametrize(
    ("information", "rule", "front"),
    [
        ("*:80:", {}, True),
        ("*:80:shop.example", {"input": "{HTTP_HOST}", "pattern": r"^shop\.example$"}, True),
        ("*:80:other.example", {"input": "{HTTP_HOST}", "pattern": r"^shop\.example$"}, False),
        ("*:80:other.example", {"input": "{HTTP_HOST}", "pattern": r"^shop\.example$", "negate": True}, True),
        ("*:81:", {"input": "{SERVER_PORT}", "pattern": "^80$"}, False),
        ("*:81:", {"input": "{REMOTE_ADDR}", "pattern": "^10"}, True),
        ("*:8001:", {}, False),
    ],
)
def test_a_front_is_a_site_whose_requests_a_rule_sends_to_a_farm(
    information: str, rule: dict[str, Any], front: bool
) -> None:
    conditions = (Condition(**rule),) if rule else ()
    to_shop = Rule("to shop", conditions=conditions, action=Action("Rewrite", "http://SHOP/{R:0}"))
    words = replace(pair(), rule_lists=(RuleList("", (to_shop,)),))
    site = Site("x", 9, bindings=(Binding("http", information),))
    assert farm_behind(words, site) == ("shop" if front else "")


def test_show_speaks_to_people(cli: Cli, machine: MemoryMachine) -> None:
    """No value is told as Python writes it."""
    for on in ("winrm:x", None):
        for noun in ("site", "pool"):
            text = cli(noun, "show", "Front", on=on).out
            assert not set("[]{}'") & set(text), text
            assert not re.search("None|True|False|datetime", text), text
    assert "would change: remove site: shop-green" in cli("site", "remove", "shop-green", "--dry-run", on="winrm:x").out


def test_a_dry_run_stops_nothing(cli: Cli, machine: MemoryMachine) -> None:
    ran = cli("site", "stop", "shop-green", "--dry-run", on="winrm:x")
    assert (ran.code, ran.out) == (0, "would stop site 'shop-green'\n")
    assert not [one for one in machine.journal if one == "sites.stop_site"]


def test_a_port_is_the_same_for_a_slot_and_new_without_one(cli: Cli) -> None:
    first = cli("port", "next", "--slot", "blue", "--farm", "shop", "--range", "8000-8009").out
    assert first == cli("port", "next", "--slot", "blue", "--farm", "shop", "--range", "8000-8009").out == "8000\n"
    assert cli("port", "next", "--dry-run").out == cli("port", "next", "--dry-run").out == "8003\n"
    assert cli("port", "next").out == "8003\n"
    assert cli("port", "next").out == "8004\n"


def test_claims_are_listed_and_given_back(cli: Cli, path: Path) -> None:
    assert cli("port", "next", "--slot", "blue", "--farm", "shop", "--range", "8000-8009").out == "8000\n"
    assert cli("port", "next").out == "8003\n"
    listed = cli("port", "list", "--json").json
    assert [(one["port"], one["owner"], bool(one["until"]), one["used_by"]) for one in listed] == [
        (8000, "shop/blue", False, None),
        (8003, listed[1]["owner"], True, None),
    ]
    assert "shop/blue" in cli("port", "list").out
    assert cli("port", "free", "green").code == 2
    assert "would be free" in cli("port", "free", "blue", "--dry-run").out
    assert "port 8000 of shop/blue is free" in cli("port", "free", "blue").out
    assert cli("port", "free", "8003").code == 0
    assert [(one["port"], one["owner"]) for one in cli("port", "list", "--json").json] == [(8000, None), (8003, None)]
    assert cli("port", "next").out == "8004\n"
    assert path.read_bytes() == CONFIG


def test_fifty_commands_at_once_get_fifty_ports(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threads = [threading.Thread(target=run, args=(["port", "next", "--on", f"file:{path}"],)) for _ in range(50)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    ports = capsys.readouterr().out.split()
    assert len(ports) == len(set(ports)) == 50
    assert {"8001", "8002"}.isdisjoint(ports)
