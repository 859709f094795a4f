"""``site``, ``pool`` and ``port`` on a file and on a simulated machine: what they change, and what they refuse."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.webfarm import RunState
from tests.cli.ran import Ran
from tests.deployment.machine import Scene

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
