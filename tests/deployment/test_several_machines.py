"""Several ARR machines: every one sees the new slot in service before any takes the old one out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.events import StepStarted, Warned
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.switched import Switched
from arr_bluegreen.errors import LockedError, RemoteError, UnreachableError
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import FarmStatus, NewState, Server, ServerState, ServerStatus, WebFarm
from tests.deployment.world import BLUE, CONFIG, GREEN, World, edit_once


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def second(world: World) -> SimulatedHost:
    return _second(world)


def test_new_in_everywhere_before_old_out_anywhere(world: World, second: SimulatedHost) -> None:
    told: list[tuple[str, str, str]] = []
    for name, host in (("first", world.host), ("second", second)):
        _watch(host, name, told)
    assert world.run().outcome == "done"
    starts = [at for at, (_, address, state) in enumerate(told) if (address, state) == (GREEN, "Start")]
    stops = [at for at, (_, address, state) in enumerate(told) if (address, state) == (BLUE, "GracefulStop")]
    assert len(stops) == 2
    assert not starts or max(starts) < min(stops)
    assert world.live == second.arr.in_service("shop") == (GREEN,)
    for machine in world.controls.arr:
        record = wanted.read(machine.records("shop"))
        assert record is not None
        assert record.slot == "green"


def test_a_machine_that_is_locked_locks_all(world: World, second: SimulatedHost) -> None:
    from arr_bluegreen.deployment.lock import RECORD, Lock

    Lock(world.controls.arr[1], "shop", world.clock, "other", "anna", "there").take()
    with pytest.raises(LockedError):
        world.run()
    assert world.machine.records("shop").read(RECORD) is None, "the first machine's lock is given back"


def test_one_machine_gone_at_the_switch_leaves_the_old_slot_serving_there(world: World, second: SimulatedHost) -> None:
    """It is not there when the new slot is brought in: nothing is taken out anywhere, and resume goes on."""
    machine = world.controls.arr[1]

    def gone(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == "take-out" for one in world.heard):
            raise UnreachableError("no route to host")

    machine.before_call = gone  # type: ignore[attr-defined]  # a MemoryMachine
    ended = world.run()
    assert (ended.outcome, ended.exit_code) == ("failed", 5)
    machine.before_call = None  # type: ignore[attr-defined]
    assert BLUE in second.arr.in_service("shop")
    assert world.resume().outcome == "done"
    assert second.arr.in_service("shop") == (GREEN,)


def test_what_only_one_machine_switched_is_put_back(world: World, second: SimulatedHost) -> None:
    """The old slot is in service on the first again, said by name; resume goes on once the second can be told."""
    machine: Any = world.controls.arr[1]
    machine.before_call = _refusing("farm.set_state", world, "take-out")
    ended = world.run()
    assert (ended.outcome, ended.exit_code, ended.live) == ("failed", 5, "blue")
    assert "done on memory; not on second" in ended.error
    assert BLUE in world.live
    assert BLUE in second.arr.in_service("shop")
    assert f"memory: put back: {BLUE} Start" in _warnings(world)
    machine.before_call = None
    assert world.resume().outcome == "done"
    assert world.live == second.arr.in_service("shop") == (GREEN,)


def test_a_commit_that_switches_one_machine_only_is_undone(tmp_path: Path) -> None:
    world = World(tmp_path, by="enabled")
    second = _second(world)
    machine: Any = world.controls.arr[1]
    machine.before_call = _refusing("config.apply", world, "swap-enabled")
    assert world.run().exit_code == 5
    assert "memory: the commit was undone" in _warnings(world)
    assert world.live == second.arr.in_service("shop") == (BLUE,)
    machine.before_call = None
    assert world.resume().outcome == "done"
    assert world.live == second.arr.in_service("shop") == (GREEN,)


def test_what_would_leave_too_few_is_not_put_back() -> None:
    """Bringing in is undone only where enough others serve."""
    status = FarmStatus(
        "first",
        WebFarm("shop", servers=(Server(BLUE), Server(GREEN))),
        (ServerStatus(BLUE, ServerState.INACTIVE, True), ServerStatus(GREEN, ServerState.ACTIVE, True)),
    )
    told: list[object] = []
    control: Any = SimpleNamespace(status=lambda: status, set_state=told.append)
    for floor, count in ((1, 0), (0, 1)):
        switched = Switched()
        switched.telling("first", control, {GREEN: ServerState.INACTIVE}, NewState.START, {"blue": "Start"})
        hold, lines = switched.back(floor)
        assert (hold, len(told)) == ({"blue": "Start"}, count)
        assert ("stays in service" in lines[0]) is (count == 0)


def test_machines_of_one_configuration_are_written_once(tmp_path: Path) -> None:
    """Each commit of a run is made once, and goes on only when the second machine has seen it (arr.md 5.13)."""
    world = World(tmp_path)
    path = tmp_path / "applicationHost.config"
    path.write_bytes(CONFIG)
    made = []
    for name in ("first", "second"):
        settings = SimulatorSettings(redirected_to=r"\\files\iis", config_seen_after_seconds=5)
        host = SimulatedHost(path, clock=world.clock, settings=settings)
        for slot, version in (("blue", 1), ("green", 2)):
            app = f"C:\\inetpub\\shop-{slot}\\simulated-app.json"
            host.files.write_text(app, f'{{"version": "{version}"}}')
        host.boot()
        made.append(machine_in_memory(host, world.clock, name=name))
    world.controls = Controls(tuple(made), world.clock, world.commands)
    world.clock.sleep(3)
    ended = world.run()
    assert (ended.outcome, ended.error) == ("done", "")
    assert [one.host.config.commits for one in made] == [2, 0], "enabled, and made durable"
    assert [one.host.arr.in_service("shop") for one in made] == [(GREEN,), (GREEN,)]


# -- private -------------------------------------------------------------------------------------------------


def _second(world: World) -> SimulatedHost:
    host = host_in_memory(CONFIG, world.clock, versions={"shop-blue": "1", "shop-green": "2"})
    machine = machine_in_memory(host, world.clock, name="second")
    machine.edit = edit_once
    world.controls = Controls((world.machine, machine), world.clock, world.commands)
    world.clock.sleep(3)
    return host


def _refusing(call: str, world: World, step: str) -> Callable[[int, str], None]:
    """From this step on, the machine refuses this call."""

    def before(number: int, name: str) -> None:
        begun = any(isinstance(one.event, StepStarted) and one.event.step == step for one in world.heard)
        if name == call and begun:
            raise RemoteError("access denied")

    return before


def _warnings(world: World) -> list[str]:
    return [one.event.text for one in world.heard if isinstance(one.event, Warned)]


def _watch(host: SimulatedHost, name: str, told: list[tuple[str, str, str]]) -> None:
    real = host.arr.set_state

    def set_state(farm: str, states: Mapping[str, NewState]) -> None:
        told.extend((name, address, state.value) for address, state in states.items())
        real(farm, states)

    host.arr.set_state = set_state  # type: ignore[method-assign]
