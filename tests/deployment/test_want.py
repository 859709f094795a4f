"""The wanted record before the switch: compared and swapped, on every machine first, in as few calls as can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.events import StepDone, StepStarted
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World, edit_once


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, durable="reconcile", traffic=False)


def calls_from(world: World, done: str, begun: str) -> list[str]:
    """The control calls of a run between the end of a step and the beginning of another."""
    at: dict[object, int] = {}

    class Heard(list[object]):
        def append(self, one: object) -> None:
            event = getattr(one, "event", None)
            if isinstance(event, StepDone | StepStarted):
                at[(type(event), event.step)] = len(world.machine.journal)

    world.heard = Heard()  # type: ignore[assignment]  # only appended to
    assert world.run().outcome == "done"
    return world.machine.journal[at[(StepDone, done)] : at[(StepStarted, begun)]]


def test_between_gate_and_switch_lie_one_swap_and_one_set_state(world: World) -> None:
    """The record's text is known since the lock was taken; nothing is read again that only a swap must compare."""
    found = calls_from(world, "arr-gate", "take-out")
    assert found[:2] == ["records.replace", "farm.set_state"]


def test_a_pause_that_comes_just_before_the_switch_is_in_the_new_record(world: World) -> None:
    """The swap fails, the record is read again, and the run goes on."""

    def pause(number: int, name: str) -> None:
        if any(isinstance(one.event, StepStarted) and one.event.step == "want" for one in world.heard):
            world.machine.before_call = None
            wanted.pause([world.machine.records("shop")], True)

    world.machine.before_call = pause
    assert world.run().outcome == "done"
    record = wanted.read(world.machine.records("shop"))
    assert record is not None
    assert (record.slot, record.paused) == ("green", True)


def test_every_machine_has_the_record_before_any_state_is_set(world: World) -> None:
    host = host_in_memory(
        CONFIG.replace(*BOTH_ENABLED), world.clock, versions={"shop-blue": "1", "shop-green": "2"}
    )
    machine = machine_in_memory(host, world.clock, name="second")
    machine.edit = edit_once
    world.controls = Controls((world.machine, machine), world.clock, world.commands)
    world.clock.sleep(3)
    wrong: list[str] = []

    def see(number: int, name: str) -> None:
        if name == "farm.set_state" and any(getattr(one.event, "step", "") == "bring-in" for one in world.heard):
            records = [wanted.read(one.records("shop")) for one in (world.machine, machine)]
            wrong.extend("green" for one in records if one is None or one.slot != "green")

    world.machine.before_call = machine.before_call = see
    assert world.run(live="blue").outcome == "done"
    assert not wrong
    assert world.live == host.arr.in_service("shop") == (GREEN,)
    assert BLUE not in world.live


def test_a_phase_in_which_nothing_was_done_is_not_copied(world: World) -> None:
    """The copy says what was done; that steps were passed over is no news."""
    assert calls_from(world, "gate", "arr-gate").count("records.write") == 1, "after the gate, not after enabling"
