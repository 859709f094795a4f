"""What others do in the middle of a run, at every control call: ARR recycled, the file edited, a slot dying, ..."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.memory import FORWARD, Memory
from arr_bluegreen.simulator.settings import SimulatorSettings
from tests.deployment.crashing import Killer
from tests.deployment.test_crashes import AXES
from tests.deployment.world import BLUE, GREEN, World

POOL = b'<add name="DefaultAppPool" />'
Disturb = Callable[[World], object]


def recycle(world: World) -> None:
    world.recycle_arr()


def edit(world: World) -> None:
    config = world.host.config
    config.commit(config.data().replace(POOL, POOL[:-3] + b' queueLength="1500" />'))


def late(world: World) -> None:
    world.host.exchange.delay_next_asks = 3.0


def die(world: World) -> None:
    world.host.iis.stop_pool("shop-green")


def disturbed(folder: Path, by: str, durable: str, disturb: Disturb, at: int) -> tuple[World, RunEnded]:
    """A run in which ``disturb`` happens at control call ``at``."""
    world = World(folder / f"{disturb.__name__}-{at}", by=by, durable=durable)
    moment = len(world.machine.journal) + at

    def hook(number: int, name: str) -> None:
        if number == moment:
            disturb(world)

    world.machine.before_call = hook
    ended = world.run()
    world.machine.before_call = None
    world.host.exchange.delay_next_asks = 0.0
    return world, ended


def calls(folder: Path, by: str, durable: str) -> int:
    world = World(folder / "count", by=by, durable=durable)
    killer = Killer(world).count()
    world.run()
    return killer.counted()[0]


@pytest.mark.parametrize("disturb", [recycle, edit, late])
@pytest.mark.parametrize(("by", "durable"), AXES)
def test_a_run_gets_through(tmp_path: Path, by: str, durable: str, disturb: Disturb) -> None:
    """Recycles, foreign edits and late probes cost time, never a request and never a question."""
    kept = durable == "enabled"
    last = calls(tmp_path, by, durable) - (0 if kept else 5)  # in its last calls ``reconcile`` takes over
    for at in range(0 if kept else 3, last, 2):
        world, ended = disturbed(tmp_path, by, durable, disturb, at)
        world.finish()
        assert (ended.outcome, world.live) == ("done", (GREEN,)), (at, ended)
        assert not world.floor.broken, at
        assert not world.traffic.lost, at
        assert disturb is not edit or b'queueLength="1500"' in world.host.config.data(), "the foreign edit is kept"


@pytest.mark.parametrize(("by", "durable"), AXES)
def test_a_slot_that_dies_before_the_switch_costs_nothing(tmp_path: Path, by: str, durable: str) -> None:
    for at in range(0, calls(tmp_path, by, durable), 2):
        world, ended = disturbed(tmp_path, by, durable, die, at)
        switched = Memory(world.journals.of("run-1").read()).get("switched", way=FORWARD)
        world.finish()
        if not switched:
            assert not world.traffic.lost, at
        if ended.outcome == "old-slot-serves":
            assert (ended.exit_code, world.live) == (7, (BLUE,)), at
        assert ended.outcome in ("done", "old-slot-serves"), (at, ended)


@pytest.mark.parametrize("resets", [True, False])
@pytest.mark.parametrize("survives", [True, False])
@pytest.mark.parametrize("on_disabled", [True, False])
@pytest.mark.parametrize(("by", "durable"), AXES)
def test_whatever_arr_does_with_its_states_on_a_commit(
    tmp_path: Path, by: str, durable: str, on_disabled: bool, survives: bool, resets: bool
) -> None:
    """Nobody documents it (arr.md 8.1): the sequence is right either way."""
    settings = SimulatorSettings(
        commit_resets_states=resets, state_survives_enabling=survives, set_state_works_on_disabled=on_disabled
    )
    world = World(tmp_path / "w", by=by, durable=durable, settings=settings)
    ended = world.run()
    world.finish()
    assert (ended.outcome, world.live, world.traffic.lost) == ("done", (GREEN,), []), ended
    assert not world.floor.broken
