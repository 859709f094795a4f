"""The lock: one process at a time carries out a run, and a lease that covers what it waits for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.deployment import lock
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import StepStarted
from arr_bluegreen.deployment.lock import RECORD, Lock
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import LockedError, RefusedError
from tests.deployment.world import GREEN, World

MORE_HOOK = """
[hooks]
before_drain = { command = ["migrate"], timeout = "10m" }
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def of(world: World, run: str, where: str = "here", folder: str = "/state") -> Lock:
    return Lock(world.machine, "shop", world.clock, run, "anna", where, folder=folder)


def test_a_run_takes_its_own_lock_back_where_it_left_it(world: World) -> None:
    of(world, "run-1").take()
    of(world, "run-1").take()


@pytest.mark.parametrize(("where", "folder"), [("elsewhere", "/state"), ("here", "/other")])
def test_a_run_that_may_be_alive_elsewhere_is_not_carried_out_twice(world: World, where: str, folder: str) -> None:
    """Another host, or another state folder here: nothing proves that the process there is dead, until its lease is."""
    of(world, "run-1").take()
    other = of(world, "run-1", where, folder)
    with pytest.raises(LockedError, match="this very run is carried out elsewhere: by anna on here") as caught:
        other.take()
    assert "Wait for it" not in caught.value.hint
    world.clock.sleep(lock.LEASE.total_seconds() + 1)
    other.take()


def test_whoever_lost_the_lock_to_its_own_run_elsewhere_is_told_so(world: World) -> None:
    first = of(world, "run-1")
    first.take()
    world.clock.sleep(lock.LEASE.total_seconds() + 1)
    of(world, "run-1", "elsewhere").take()
    with pytest.raises(LockedError, match="carried out elsewhere"):
        first.renew()


def test_whoever_lost_its_run_to_another_process_leaves_the_copies_alone(world: World) -> None:
    """What the other has journaled since is on the ARR machine; the loser stops and touches nothing more."""
    world.run(until="drain")

    def lose(number: int, name: str) -> None:
        if any(isinstance(one.event, StepStarted) and one.event.step == "drain" for one in world.heard):
            world.machine.before_call = None
            world.clock.sleep(lock.LEASE.total_seconds() + 1)
            of(world, "run-1", "elsewhere").take()
            world.machine.records("shop").write("journal-run-1.jsonl", "theirs")

    world.machine.before_call = lose
    ended = world.resume()
    assert (ended.outcome, "carried out elsewhere" in ended.error) == ("failed", True), ended
    assert world.machine.records("shop").read("journal-run-1.jsonl") == "theirs"
    assert "elsewhere" in lock.told(world.machine, "shop")


def test_the_lease_covers_a_long_call_and_is_short_again_after_it(world: World) -> None:
    one = of(world, "run-1")
    one.take()
    one.renew(timedelta(minutes=10))
    world.clock.sleep(500)
    with pytest.raises(LockedError):
        of(world, "run-2").take()
    one.renew()
    world.clock.sleep(lock.LEASE.total_seconds() + 1)
    of(world, "run-2").take()


def test_a_short_call_costs_no_renewal(world: World) -> None:
    one = of(world, "run-1")
    one.take()
    before = len(world.machine.journal)
    one.renew(timedelta(seconds=60))
    assert len(world.machine.journal) == before


@dataclass
class Slow:
    """Commands that take nine minutes, during which somebody tries something."""

    world: World
    meanwhile: Callable[[], None]

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        self.world.clock.sleep(540)
        self.meanwhile()
        return CommandResult(0)


@pytest.mark.parametrize("more", [MORE_HOOK, '\n[bake]\nfor = "0"\ncommand = ["judge"]\ncommand_timeout = "10m"\n'])
def test_no_other_run_takes_the_lock_while_a_command_runs(tmp_path: Path, more: str) -> None:
    """A hook, or the bake's judge, of ten minutes."""
    world = World(tmp_path, traffic=False)
    text = world.deployment.text
    if "[bake]" in more:
        text = text[: text.index("[bake]")]

    world.deployment = parse_description(text + more)
    tried: list[str] = []

    def other() -> None:
        with pytest.raises(LockedError):
            of(world, "run-2").take()
        tried.append("refused")

    world.controls = Controls((world.machine,), world.clock, Slow(world, other))
    assert world.run().outcome == "done"
    assert (tried, world.live) == (["refused"], (GREEN,))


def test_a_lock_of_a_newer_version_is_refused_and_not_read_as_ours(world: World) -> None:
    of(world, "run-2").take()
    store = world.machine.records("shop")
    store.write(RECORD, json.dumps({**json.loads(store.read(RECORD) or ""), "schema": 99}))
    with pytest.raises(RefusedError, match=r"newer arr-bluegreen \(schema 99\)"):
        world.run()
    assert "schema 99" in lock.told(world.machine, "shop")


def test_a_lock_that_cannot_be_read_is_told_of(world: World) -> None:
    """``unlock`` names it before it breaks it: "no lock" would be a lie."""
    world.machine.records("shop").write(RECORD, "{")
    assert lock.told(world.machine, "shop") == "somebody whose record cannot be read"
    lock.break_lock(world.machine, "shop")
    assert lock.told(world.machine, "shop") == ""
