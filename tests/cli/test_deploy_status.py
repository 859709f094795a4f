"""``deploy status``: it says what is, on every machine it can reach, and only what can be typed with success."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from arr_bluegreen.cli.deploy_view import Around, standing
from arr_bluegreen.deployment import lock, wanted
from arr_bluegreen.deployment.events import RunPaused, RunStarted, Stamped, StepDone, Switched
from arr_bluegreen.deployment.reconcile import reconcile
from arr_bluegreen.errors import UnreachableError
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.webfarm import NewState
from tests.cli.deploying import Typed
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World, edit_once

STARTED = RunStarted("run", "shop", "shop", "green", "blue", "2", "state", "enabled", ("fence",))


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    world = World(tmp_path / "world", durable="reconcile", traffic=False)
    return Typed(world, tmp_path, monkeypatch, capsys)


@pytest.fixture
def second(typed: Typed) -> MemoryMachine:
    """Another ARR machine of the same farm."""
    config = CONFIG.replace(*BOTH_ENABLED)
    host = host_in_memory(config, typed.world.clock, versions={"shop-blue": "1", "shop-green": "2"})
    machine = machine_in_memory(host, typed.world.clock, name="second")
    machine.edit = edit_once
    host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
    typed.world.clock.sleep(3)
    typed.machines = (typed.world.machine, machine)
    return machine


def gone(number: int, name: str) -> None:
    raise UnreachableError("no route to host")


def test_one_machine_that_cannot_be_reached_hides_nothing(typed: Typed, second: MemoryMachine) -> None:
    second.before_call = gone
    code, said = typed.deploy("status")
    assert code == 0
    assert "second: cannot be reached: no route to host" in said
    assert "blue is in service" in said


def test_a_run_goes_on_without_a_machine_only_where_that_is_declared(typed: Typed, second: MemoryMachine) -> None:
    """By default it is refused (4); excluded, the machine is told of, and reconcile makes it follow when it is back."""
    second.before_call = gone
    typed.file.write_text(typed.file.read_text().replace('site = "shop', 'machine = "WEB01"\nsite = "shop'))
    assert typed.deploy("run", "--version", "2")[0] == 4
    typed.file.write_text(typed.file.read_text() + '\n[arr]\nmissing = "exclude"\n')
    code, said = typed.deploy("run", "--version", "2")
    assert code == 0, said
    assert "second cannot be reached and is left out" in said
    second.before_call = None
    assert typed.world.live == (GREEN,)
    assert second.host.arr.in_service("shop") == (BLUE,)
    reconcile(typed.machines, "shop", typed.world.clock)
    assert second.host.arr.in_service("shop") == (GREEN,)
    assert typed.deploy("switch-back")[0] == 0
    assert second.host.arr.in_service("shop") == typed.world.live == (BLUE,)


def test_when_nobody_is_served_status_says_so_and_what_helps(typed: Typed) -> None:
    typed.world.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
    code, said = typed.deploy("status")
    assert code == 0
    assert "ALARM: no slot of 'shop' is in service" in said
    assert "arr-bluegreen server available shop 127.0.0.2 --on winrm:127.0.0.1" in said
    assert "deploy run" not in said
    for live in ((), ("--live", "blue")):
        code, said = typed.deploy("run", "--version", "2", *live)
        assert (code, "server available shop" in said, "--live blue or" in said) == (3, True, False), said


def test_a_paused_reconcile_is_told(typed: Typed) -> None:
    typed.deploy("run", "--version", "2")
    wanted.pause([typed.world.machine.records("shop")], True)
    assert "reconcile is paused" in typed.deploy("status")[1]


def test_a_lock_that_cannot_be_read_is_named_before_it_is_broken(typed: Typed) -> None:
    store = typed.world.machine.records("shop")
    store.write(lock.RECORD, "{")
    assert "somebody whose record cannot be read" in typed.deploy("status")[1]
    code, said = typed.deploy("unlock", "--yes")
    assert (code, "the lock of somebody whose record cannot be read is broken" in said) == (0, True), said
    assert store.read(lock.RECORD) is None


def test_check_refuses_a_hook_that_cannot_be_run(typed: Typed) -> None:
    typed.file.write_text(typed.file.read_text() + '\n[hooks]\nbefore_switch = ["no-such-program-here"]\n')
    code, said = typed.deploy("check", "--version", "2")
    assert (code, "there is no program 'no-such-program-here'" in said) == (3, True), said
    assert typed.deploy("run", "--version", "2")[0] == 3, "and a run, before it begins"


@pytest.mark.parametrize(
    ("otherwise", "switched", "commands"),
    [
        ("hold", False, ["deploy abort"]),
        ("hold", True, ["deploy switch-back"]),
        ("return", False, ["deploy resume", "deploy abort"]),
        ("go-on", True, ["deploy resume", "deploy switch-back"]),
    ],
)
def test_an_approval_that_came_too_late_is_not_waited_for(
    typed: Typed, otherwise: str, switched: bool, commands: list[str]
) -> None:
    now = typed.world.clock.now()
    events: list[object] = [STARTED, StepDone("gate", 1)]
    events += [Switched("green", "now")] if switched else []
    events.append(RunPaused("switch", now.isoformat(), otherwise))
    stamped = tuple(Stamped(now, "r", one) for one in events)  # type: ignore[arg-type]  # events of any kind
    assert "waits for an approval" in standing("r", stamped, Around(now=now))[0]
    text, found = standing("r", stamped, Around(now=now + timedelta(seconds=1)))
    assert "did not come" in text
    assert "waits" not in text
    assert found == commands
