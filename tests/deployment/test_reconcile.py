"""Reconcile: what ARR forgot is found again; what a run or an admin did is left as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arr_bluegreen.deployment import lock, wanted
from arr_bluegreen.deployment.reconcile import Outcome, Reconciled, reconcile
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import LockedError
from arr_bluegreen.webfarm import NewState
from tests.deployment.rule_world import RuleWorld
from tests.deployment.world import BLUE, GREEN, World


def reconciled(world: World) -> Reconciled:
    (found,) = reconcile([world.machine], "shop", world.clock)
    return found


def outcome(world: World) -> Outcome:
    return reconciled(world).outcome


def record(world: World) -> Wanted:
    found = wanted.read(world.machine.records("shop"))
    assert found is not None
    return found


@pytest.fixture
def forgotten(tmp_path: Path) -> World:
    """Green is wanted, and a restart of ARR has brought blue back beside it."""
    world = World(tmp_path, durable="reconcile")
    world.run()
    world.recycle_arr()
    world.clock.sleep(5)
    assert len(world.live) == 2
    return world


def at_call(world: World, wanted_name: str, act: Callable[[], object]) -> None:
    """Before the first control call of this name something else happens."""

    def hook(number: int, name: str) -> None:
        if name == wanted_name:
            world.machine.before_call = None
            act()

    world.machine.before_call = hook


def test_reconcile_makes_the_wanted_slot_live_again_only_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, durable="reconcile")
    world.run()
    assert outcome(world) is Outcome.AS_WANTED
    world.host.arr.set_state("shop", {BLUE: NewState.START})
    assert outcome(world) is Outcome.LEFT_ALONE, "an admin's own act"
    world.recycle_arr()
    world.clock.sleep(5)
    assert outcome(world) is Outcome.ASSERTED
    assert world.live == (GREEN,)


def test_reconcile_leaves_a_wanted_slot_that_is_dead(tmp_path: Path) -> None:
    world = World(tmp_path, durable="reconcile")
    world.run()
    world.recycle_arr()
    world.host.iis.stop_pool("shop-green")
    world.clock.sleep(5)
    assert outcome(world) is Outcome.CANNOT
    assert world.live[0] == BLUE, "who serves goes on serving"


def test_reconcile_waits_for_a_live_run_and_for_a_pause(tmp_path: Path) -> None:
    world = World(tmp_path, durable="reconcile")
    world.run()
    world.recycle_arr()
    world.clock.sleep(5)
    store = world.machine.records("shop")
    assert wanted.pause([store], True) == 1
    assert reconciled(world).why == "reconcile is paused"
    wanted.pause([store], False)
    lock.Lock(world.machine, "shop", world.clock, "other", "anna", "there").take()
    assert "a run is at work" in reconciled(world).why


def test_a_run_that_comes_and_goes_during_the_probe_is_not_undone(forgotten: World) -> None:
    """Blue was made live meanwhile, with a higher epoch: that is what is wanted now."""
    at_call(forgotten, "probe.ask", lambda: forgotten.run(version="1", run="run-2", live="green"))
    assert outcome(forgotten) is Outcome.LEFT_ALONE
    assert (forgotten.live, record(forgotten).slot, record(forgotten).run) == ((BLUE,), "blue", "run-2")


def test_a_pause_that_comes_during_the_probe_is_kept_to(forgotten: World) -> None:
    at_call(forgotten, "probe.ask", lambda: wanted.pause([forgotten.machine.records("shop")], True))
    assert outcome(forgotten) is Outcome.LEFT_ALONE
    assert len(forgotten.live) == 2


def test_a_pause_that_comes_while_states_are_set_is_not_written_over(forgotten: World) -> None:
    at_call(forgotten, "farm.set_state", lambda: wanted.pause([forgotten.machine.records("shop")], True))
    assert outcome(forgotten) is Outcome.ASSERTED
    assert record(forgotten).paused


def test_while_states_are_set_no_run_can_begin(forgotten: World) -> None:
    def run() -> None:
        with pytest.raises(LockedError, match="reconcile"):
            forgotten.run(version="1", run="run-2", live="green")

    at_call(forgotten, "farm.set_state", run)
    assert outcome(forgotten) is Outcome.ASSERTED
    assert forgotten.machine.records("shop").read(lock.RECORD) is None, "its lock is given back"


def test_an_act_by_hand_after_a_harmless_restart_stays(tmp_path: Path) -> None:
    """Durable by enabled a restart loses nothing; seen so, it is no excuse for undoing what an admin does later."""
    world = World(tmp_path, durable="enabled", traffic=False)
    world.run()
    world.recycle_arr()
    world.clock.sleep(60)
    assert outcome(world) is Outcome.AS_WANTED
    world.clock.sleep(3600)
    world.host.arr.set_state("shop", {GREEN: NewState.DRAIN})
    assert outcome(world) is Outcome.LEFT_ALONE


def test_by_rule_a_restart_loses_nothing(tmp_path: Path) -> None:
    world = RuleWorld(tmp_path)
    world.run()
    world.recycle_arr()
    world.clock.sleep(5)
    assert outcome(world) is Outcome.LEFT_ALONE


def test_the_floor_of_the_description_is_kept_to(forgotten: World) -> None:
    """It stands in the record: whoever reconciles needs no description."""
    wanted.change(forgotten.machine.records("shop"), lambda there: there and replace(there, floor=2))
    assert "the floor is 2" in reconciled(forgotten).why
    assert len(forgotten.live) == 2
