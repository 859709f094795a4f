"""What others do in the middle of a run, at every control call: ARR recycled, the file edited, a slot dying, ..."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.memory import FORWARD, Memory
from arr_bluegreen.simulator.settings import SimulatorSettings
from tests.deployment.crashing import Killer
from tests.deployment.test_crashes import AXES, go_back, run
from tests.deployment.world import BLUE, GREEN, World

POOL = b'<add name="DefaultAppPool" />'
Disturb = Callable[[World], object]
Act = Callable[[World], RunEnded]


def recycle(world: World) -> None:
    world.recycle_arr()


def edit(world: World) -> None:
    config = world.host.config
    config.commit(config.data().replace(POOL, POOL[:-3] + b' queueLength="1500" />'))


def late(world: World) -> None:
    world.host.exchange.delay_next_asks = 3.0


def die(world: World) -> None:
    world.host.iis.stop_pool("shop-green")


def disturbed(
    folder: Path, by: str, durable: str, disturb: Disturb, at: int, act: Act = run
) -> tuple[World, RunEnded]:
    """A run (or, after one, the way back) in which ``disturb`` happens at control call ``at``."""
    world = World(folder / f"{disturb.__name__}-{at}", by=by, durable=durable)
    if act is not run:
        run(world)
    moment = len(world.machine.journal) + at

    def hook(number: int, name: str) -> None:
        if number == moment:
            disturb(world)

    world.machine.before_call = hook
    ended = act(world)
    world.machine.before_call = None
    world.host.exchange.delay_next_asks = 0.0
    return world, ended


def calls(folder: Path, by: str, durable: str, act: Act = run) -> int:
    world = World(folder / "count", by=by, durable=durable)
    if act is not run:
        run(world)
    killer = Killer(world).count()
    act(world)
    return killer.counted()[0]


@pytest.mark.parametrize("disturb", [recycle, edit, late])
@pytest.mark.parametrize(("by", "durable"), AXES)
def test_a_run_gets_through(tmp_path: Path, by: str, durable: str, disturb: Disturb) -> None:
    """Recycles, foreign edits and late probes cost time, never a request, never a question. ``--long``: everywhere."""
    got_through(tmp_path, by, durable, disturb, run, every=2)


@pytest.mark.parametrize("disturb", [recycle, edit, late])
@pytest.mark.parametrize(("by", "durable"), AXES)
def test_the_way_back_gets_through(tmp_path: Path, by: str, durable: str, disturb: Disturb) -> None:
    got_through(tmp_path, by, durable, disturb, go_back, every=6)


@pytest.mark.long
@pytest.mark.parametrize("act", [run, go_back])
@pytest.mark.parametrize("disturb", [recycle, edit, late])
@pytest.mark.parametrize(("by", "durable"), AXES)
def test_either_way_gets_through_whatever_happens_when(
    tmp_path: Path, by: str, durable: str, disturb: Disturb, act: Act
) -> None:
    got_through(tmp_path, by, durable, disturb, act, every=1)


def got_through(folder: Path, by: str, durable: str, disturb: Disturb, act: Act, every: int) -> None:
    kept = durable == "enabled"
    last = calls(folder, by, durable, act) - (0 if kept else 5)  # in its last calls ``reconcile`` takes over
    for at in range(0 if kept else 3, last, every):
        world, ended = disturbed(folder, by, durable, disturb, at, act)
        world.finish()
        assert (ended.outcome, world.live) == ("done", (GREEN if act is run else BLUE,)), (at, ended)
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
