"""``[switch] by = "rule"``: the rewrite rule names the other slot's farm, in one write."""

from __future__ import annotations

import contextlib
from pathlib import Path

from arr_bluegreen.deployment.journal import started
from arr_bluegreen.deployment.memory import Memory
from tests.deployment.crashing import BEFORE, Killed, Killer
from tests.deployment.rule_world import RuleWorld


def test_the_rule_names_the_new_farm_and_back(tmp_path: Path) -> None:
    world = RuleWorld(tmp_path)
    ended = world.run()
    assert (ended.outcome, ended.live) == ("done", "green"), ended
    assert b'url="http://shop-green/{R:0}"' in world.host.config.data()
    assert world.go_back().outcome == "done"
    assert b'url="http://shop/{R:0}"' in world.host.config.data()
    world.finish()
    assert not world.traffic.lost
    assert set(world.traffic.by_version) == {"1", "2"}


def test_before_the_rule_names_the_new_farm_nobody_is_told_of_a_switch(tmp_path: Path) -> None:
    """The new slot is in service in a farm that no request is sent to: the run can still be aborted."""
    world = RuleWorld(tmp_path)
    killed_at(world, "retarget")
    assert not Memory(world.journals.of("run-1").read()).switched
    assert world.abort().outcome == "aborted"
    world.finish()
    assert (world.live, world.traffic.lost) == (("127.0.0.2",), [])


def killed_at(world: RuleWorld, step: str) -> None:
    """The run dies when this step begins."""
    killer = Killer(world)

    def die(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == step for one in world.heard):
            killer.disarm()
            raise Killed(f"{BEFORE} {step}")

    world.machine.before_call = die
    with contextlib.suppress(Killed):
        world.run()
    assert started(world.journals.of("run-1").read()) is not None
