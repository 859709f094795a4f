"""A run killed, ended in any way, and killed again on that way: whatever is typed then, it comes to its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.journal import is_over, started
from arr_bluegreen.deployment.memory import BACK, FORWARD, Memory
from arr_bluegreen.errors import RefusedError
from tests.deployment.crashing import AFTER, BEFORE, TORN, Killed, Killer
from tests.deployment.test_crashes import ALL_AXES, Bed, Point, good_end, run
from tests.deployment.world import BLUE, GREEN, World

VERBS = (World.switch_back, World.resume, World.abort)
SECOND: tuple[Point, ...] = tuple(
    [("call", at, when) for at in range(60) for when in (BEFORE, AFTER)]
    + [("line", at, when) for at in range(30) for when in (BEFORE, TORN, AFTER)]
)
"""Where the second process dies; one that comes to its end before has not died."""


@pytest.mark.parametrize(("by", "durable"), ALL_AXES)
def test_killed_twice_and_ended_in_any_way(tmp_path: Path, by: str, durable: str) -> None:
    """Some thirty pairs of moments for each way of switching; ``--long`` has a few thousand."""
    bed = Bed(tmp_path, by, durable)
    points = list(bed.points(run))
    firsts = points[:: len(points) // 30]
    for number, first in enumerate(firsts):
        twice(bed, first, SECOND[number * 37 % len(SECOND)], number)


@pytest.mark.long
@pytest.mark.parametrize(("by", "durable"), ALL_AXES)
def test_killed_twice_at_many_moments(tmp_path: Path, by: str, durable: str) -> None:
    bed = Bed(tmp_path, by, durable)
    number = 0
    for first in islice(bed.points(run), 0, None, 7):
        for second in SECOND[number % 11 :: 11]:
            twice(bed, first, second, number)
            number += 1


def twice(bed: Bed, first: Point, second: Point, number: int) -> None:
    """Killed, one of the three verbs killed too, and then one of them to the end."""
    world = bed.killed(first, run)
    events = world.journals.of("run-1").read()
    if started(events) is None or is_over(events):
        return
    point = (*first, *second)
    killer = Killer(world)
    kind, at, when = second
    (killer.at_call if kind == "call" else killer.at_line)(at, when)
    with contextlib.suppress(Killed):
        carried_on(world, number)
    killer.disarm()
    while not is_over(world.journals.of("run-1").read()):
        ended = carried_on(world, number // 3)
        assert ended.exit_code == 0, (point, ended)
    back = Memory(world.journals.of("run-1").read()).way != FORWARD
    good_end(world, BLUE if back else GREEN, ("/".join(map(str, point)), number, ""))


def carried_on(world: World, number: int) -> RunEnded:
    """The verb of this number; ``abort`` is refused once the new slot may have got requests, and then it goes back."""
    verb = VERBS[number % len(VERBS)]
    memory = Memory(world.journals.of("run-1").read())
    if verb is not World.abort or not (memory.switched or memory.way == BACK):
        return verb(world)
    with pytest.raises(RefusedError):
        world.abort()
    return world.switch_back()


def test_a_health_file_that_says_up_unseen_is_taken_down_again(tmp_path: Path) -> None:
    """Killed when green's file was just raised; going back, killed before it was lowered: ARR has not probed in
    between, so that its view of green says nothing about the file."""
    world = World(tmp_path, by="health-file", durable="health-file")
    die_at_file(world, "up", AFTER)
    with contextlib.suppress(Killed):
        world.run()
    assert not is_over(world.journals.of("run-1").read())
    die_at_file(world, "down", BEFORE)
    with contextlib.suppress(Killed):
        world.switch_back()
    assert not is_over(world.journals.of("run-1").read()), "it died once more"
    ended = world.resume()
    assert (ended.outcome, ended.durable) == ("old-slot-serves", True)
    world.clock.sleep(30)
    good_end(world, BLUE, ("files", 0, ""))


def die_at_file(world: World, wanted: str, when: str) -> None:
    """The process dies at the write of green's health file with this text."""
    files, real = world.host.files, world.host.files.write_text
    killer = Killer(world)

    def write_text(path: str, text: str) -> None:
        found = "shop-green-health" in path and text.strip() == wanted
        if not found or when == AFTER:
            real(path, text)
        if found:
            killer.disarm()
            files.write_text = real  # type: ignore[method-assign]
            raise Killed(f"{when} {wanted}")

    files.write_text = write_text  # type: ignore[method-assign]


@pytest.mark.parametrize(("by", "durable"), [("state", "enabled"), ("rule", "auto")])
@pytest.mark.parametrize("verb", [World.switch_back, World.resume])
def test_killed_before_the_first_step_of_the_way_back_it_still_goes_back(
    tmp_path: Path, by: str, durable: str, verb: Callable[[World], RunEnded]
) -> None:
    """Nothing of the way back is noted yet: that the switch had begun is a fact of the way forward."""
    bed = Bed(tmp_path, by, durable)
    world = bed.world()
    world.run(until="drain")
    killer = Killer(world).at_line(3, AFTER)
    with contextlib.suppress(Killed):
        world.switch_back()
    killer.disarm()
    assert Memory(world.journals.of("run-1").read()).way == BACK
    with pytest.raises(RefusedError, match="on its way back"):
        world.abort()
    assert verb(world).outcome == "old-slot-serves"
    good_end(world, BLUE, ("line", 3, AFTER))
