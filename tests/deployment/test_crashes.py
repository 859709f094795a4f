"""A run killed at every control call and at every journal line, then resumed, switched back, or aborted: the right slot
is live, the floor held at every instant, and no request is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.journal import is_over, started
from arr_bluegreen.deployment.memory import FORWARD, Memory
from tests.deployment.crashing import AFTER, BEFORE, TORN, Killed, Killer
from tests.deployment.rule_world import RuleWorld
from tests.deployment.world import BLUE, GREEN, World

AXES = [
    ("state", "enabled"),
    ("state", "reconcile"),
    ("health-file", "health-file"),
    ("health-file", "enabled"),
    ("enabled", "enabled"),
]
ALL_AXES = [*AXES, ("rule", "auto")]
Point = tuple[str, int, str]
Act = Callable[[World], object]


class Bed:
    """Fresh worlds of one combination, and the points at which an act can die."""

    def __init__(self, folder: Path, by: str, durable: str) -> None:
        self.durable = durable
        self._folder, self._by, self._count = folder, by, count()

    def world(self) -> World:
        if self._by == "rule":
            return RuleWorld(self._folder / str(next(self._count)))
        return World(self._folder / str(next(self._count)), by=self._by, durable=self.durable)

    def points(self, act: Act, before: Act = lambda world: None, every: int = 1) -> Iterator[Point]:
        world = self.world()
        before(world)
        killer = Killer(world).count()
        act(world)
        calls, lines = killer.counted()
        found = [("call", at, when) for at in range(calls) for when in (BEFORE, AFTER)]
        found += [("line", at, when) for at in range(lines) for when in (BEFORE, TORN, AFTER)]
        yield from found[::every]

    def killed(self, point: Point, act: Act, before: Act = lambda world: None) -> World:
        """A world in which ``act`` died at the point."""
        world = self.world()
        before(world)
        killer = Killer(world)
        kind, at, when = point
        (killer.at_call if kind == "call" else killer.at_line)(at, when)
        try:
            act(world)
        except Killed:
            pass
        finally:
            killer.disarm()
        return world


def run(world: World) -> RunEnded:
    return world.run()


def go_back(world: World) -> RunEnded:
    return world.go_back()


def resumed(world: World, name: str, again: Act) -> object:
    """``deploy resume``; a run that died before its first line has nothing to resume and is begun again."""
    events = world.journals.of(name).read()
    if started(events) is None:
        world.clock.sleep(100)  # its lease must run out: nobody knows of it
        return again(world)
    return None if is_over(events) else world.resume(name)


def good_end(world: World, live: str, point: Point) -> None:
    world.finish()
    assert world.live == (live,), point
    assert not world.floor.broken, point
    assert not world.traffic.lost, (point, world.traffic.lost[:3])


@pytest.mark.parametrize(("by", "durable"), ALL_AXES)
def test_killed_anywhere_and_resumed_the_new_slot_is_live(tmp_path: Path, by: str, durable: str) -> None:
    """At every point of the default axes, at every third of the others (and of those at each with --long)."""
    resumed_from(Bed(tmp_path, by, durable), every=1 if (by, durable) == AXES[0] else 3)


@pytest.mark.long
@pytest.mark.parametrize(("by", "durable"), ALL_AXES[1:])
def test_killed_at_any_point_at_all_and_resumed_the_new_slot_is_live(tmp_path: Path, by: str, durable: str) -> None:
    resumed_from(Bed(tmp_path, by, durable), every=1)


def resumed_from(bed: Bed, every: int) -> None:
    for point in bed.points(run, every=every):
        world = bed.killed(point, run)
        resumed(world, "run-1", lambda one: one.run(run="run-2"))
        good_end(world, GREEN, point)
        assert world.enabled(BLUE) is (bed.durable != "enabled"), point


@pytest.mark.parametrize(("by", "durable"), ALL_AXES)
def test_killed_anywhere_and_switched_back_the_old_slot_is_live(tmp_path: Path, by: str, durable: str) -> None:
    bed = Bed(tmp_path, by, durable)
    for point in bed.points(run, every=2 if by == "state" else 5):
        world = bed.killed(point, run)
        events = world.journals.of("run-1").read()
        if is_over(events):
            world.go_back()
        elif started(events) is not None:
            world.switch_back()
        good_end(world, BLUE, point)


@pytest.mark.parametrize(("by", "durable"), ALL_AXES)
def test_killed_before_the_switch_and_aborted_the_idle_slot_is_cleared(tmp_path: Path, by: str, durable: str) -> None:
    bed = Bed(tmp_path, by, durable)
    for point in bed.points(run, every=2 if by == "state" else 5):
        world = bed.killed(point, run)
        events = world.journals.of("run-1").read()
        if started(events) is None or is_over(events) or Memory(events).get("switched", way=FORWARD):
            continue
        assert world.abort().outcome == "aborted", point
        good_end(world, BLUE, point)
        assert world.enabled(GREEN) is (durable != "enabled"), point


@pytest.mark.parametrize(("by", "durable"), [*AXES[:3], ("rule", "auto")])
def test_killed_on_the_way_back_and_resumed_the_old_slot_is_live(tmp_path: Path, by: str, durable: str) -> None:
    bed = Bed(tmp_path, by, durable)
    for point in bed.points(go_back, before=run, every=2 if by == "state" else 5):
        world = bed.killed(point, go_back, before=run)
        resumed(world, "run-2", lambda one: one.go_back("run-3"))
        good_end(world, BLUE, point)


@pytest.mark.parametrize(("by", "durable"), [("state", "enabled"), ("health-file", "enabled")])
def test_arr_recycled_between_crash_and_resume_asks_no_question(tmp_path: Path, by: str, durable: str) -> None:
    bed = Bed(tmp_path, by, durable)
    for point in bed.points(run, every=2 if by == "state" else 5):
        world = bed.killed(point, run)
        world.recycle_arr()
        world.clock.sleep(3)
        resumed(world, "run-1", lambda one: one.run(run="run-2"))
        good_end(world, GREEN, point)
