"""The floor: how many servers would certainly stay in service, on every ARR machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.deployment.now import Now, check_floor
from arr_bluegreen.webfarm import NewState
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World


def floor_of(world: World, slot: int, floor: int) -> str:
    """Why this slot must not leave, "" when it may."""
    return check_floor(Now(world.controls, world.deployment), world.deployment.slots.slots[slot], floor)


def both(folder: Path) -> World:
    """Both slots in service."""
    return World(folder, config=CONFIG.replace(*BOTH_ENABLED))


def test_the_last_server_in_service_stays(tmp_path: Path) -> None:
    """Blue alone is in service: 0 would be left, and the refusal says where."""
    reason = floor_of(World(tmp_path), 0, 1)
    assert "would leave 0 server(s) (none)" in reason
    assert BLUE in reason


def test_one_of_two_may_leave_at_a_floor_of_one_and_not_of_two(tmp_path: Path) -> None:
    world = both(tmp_path)
    assert floor_of(world, 0, 1) == ""
    assert f"would leave 1 server(s) ({GREEN})" in floor_of(world, 0, 2)


@pytest.mark.parametrize("how", ["drained", "unhealthy"])
def test_a_server_that_takes_nothing_new_does_not_count(tmp_path: Path, how: str) -> None:
    world = both(tmp_path)
    if how == "drained":
        world.host.arr.set_state("shop", {GREEN: NewState.DRAIN})
    else:
        world.host.arr.set_healthy("shop", {GREEN: False})
    assert "would leave 0" in floor_of(world, 0, 1)
