"""Several ARR machines: every one sees the new slot in service before any takes the old one out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import LockedError, UnreachableError
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.webfarm import NewState
from tests.deployment.world import BLUE, CONFIG, GREEN, World, edit_once


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def second(world: World) -> SimulatedHost:
    host = host_in_memory(CONFIG, world.clock, versions={"shop-blue": "1", "shop-green": "2"})
    machine = machine_in_memory(host, world.clock, name="second")
    machine.edit = edit_once
    world.controls = Controls((world.machine, machine), world.clock, world.commands)
    world.clock.sleep(3)
    return host


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


# -- private -------------------------------------------------------------------------------------------------


def _watch(host: SimulatedHost, name: str, told: list[tuple[str, str, str]]) -> None:
    real = host.arr.set_state

    def set_state(farm: str, states: Mapping[str, NewState]) -> None:
        told.extend((name, address, state.value) for address, state in states.items())
        real(farm, states)

    host.arr.set_state = set_state  # type: ignore[method-assign]
