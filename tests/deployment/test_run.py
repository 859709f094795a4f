"""One run from end to end in virtual time: gates, lock, ambiguity, drain, bake, hooks, approvals, going back."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.deployment import lock, wanted
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Drained, Switched
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.plan import what_is_seen
from arr_bluegreen.errors import (
    AmbiguousError,
    DescriptionError,
    LockedError,
    NoSuchObject,
    RefusedError,
    StalePlanError,
)
from arr_bluegreen.simulator.exchange import PublicRequest
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import NewState
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World

FENCES = SimulatorSettings(state_survives_enabling=True)


def events(world: World, kind: type) -> list[object]:
    return [one.event for one in world.heard if isinstance(one.event, kind)]


def test_a_version_that_is_not_there_never_goes_live(tmp_path: Path) -> None:
    world = World(tmp_path)
    ended = world.run(version="3")
    world.finish()
    assert (ended.exit_code, world.live) == (7, (BLUE,))
    assert "answers version 2, not 3" in ended.error
    assert not world.enabled(GREEN), "not enabled before its gate"
    assert set(world.traffic.by_version) == {"1"}


def test_the_gate_needs_a_version_to_prove(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match="none is named"):
        World(tmp_path).run(version="")


def test_both_in_service_without_a_record_is_refused_and_live_decides(tmp_path: Path) -> None:
    world = World(tmp_path, config=CONFIG.replace(*BOTH_ENABLED))
    with pytest.raises(AmbiguousError) as caught:
        world.run()
    assert "--live" in caught.value.one_line()
    assert world.run(live="blue").outcome == "done"
    assert world.live == (GREEN,)


def test_live_never_contradicts_the_machines(tmp_path: Path) -> None:
    with pytest.raises(AmbiguousError, match="show 'blue' in service"):
        World(tmp_path).run(live="green")


def test_both_in_service_with_a_record_is_fenced_without_a_question(tmp_path: Path) -> None:
    """Two deployments with ``reconcile``, and ARR recycled in between."""
    world = World(tmp_path, durable="reconcile")
    world.run()
    world.recycle_arr()
    world.clock.sleep(5)
    assert set(world.live) == {BLUE, GREEN}
    assert world.run(version="1", run="run-2").outcome == "done"
    assert world.live == (BLUE,)


def test_another_run_is_locked_out_until_its_lease_ran_out(tmp_path: Path) -> None:
    world = World(tmp_path)
    other = lock.Lock(world.machine, "shop", world.clock, "other", "anna", "worker-7")
    other.take()
    with pytest.raises(LockedError, match="anna on worker-7"):
        world.run()
    world.clock.sleep(lock.LEASE.total_seconds() + 1)
    assert world.run().outcome == "done"
    with pytest.raises(LockedError):
        other.renew(at_once=True)


def test_a_long_run_keeps_its_lock(tmp_path: Path) -> None:
    world = World(tmp_path, bake="300s")
    seen: list[bool] = []

    def hook(number: int, name: str) -> None:
        holder = lock.from_text(world.host.files.read_text(r"C:\ProgramData\arr-bluegreen\shop\lock.json") or "")
        if holder is not None:
            seen.append(holder.until > world.clock.now())

    world.machine.before_call = hook
    assert world.run().outcome == "done"
    assert seen
    assert all(seen)


def test_a_stale_plan_is_refused_with_the_difference(tmp_path: Path) -> None:
    world = World(tmp_path)
    plan = plan_run(world.deployment, world.controls, version="2")
    world.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
    with pytest.raises(StalePlanError, match="was enabled, in service"):
        plan.refuse_stale(what_is_seen(Now(world.controls, world.deployment)))


def test_a_member_that_is_no_server_names_the_ones_there(tmp_path: Path) -> None:
    world = World(tmp_path, config=CONFIG.replace(b'address="127.0.0.3"', b'address="127.0.0.9"'))
    with pytest.raises(NoSuchObject, match=r"127\.0\.0\.3"):
        world.run()


@pytest.mark.parametrize(
    ("then", "outcome", "cut"), [("cut", "done", 1), ("wait", "done", 0), ("fail", "failed", None)]
)
def test_a_drain_that_runs_out_follows_its_policy(tmp_path: Path, then: str, outcome: str, cut: int | None) -> None:
    world = World(tmp_path, traffic=False)
    world.deployment = _with(world, drain=f'within = "5s"\nthen = "{then}"')
    world.host.exchange.send(PublicRequest("shop.example", seconds=40.0), lambda outcome: None)
    ended = world.run()
    assert ended.outcome == outcome
    assert [one.cut for one in events(world, Drained)] == ([] if cut is None else [cut])  # type: ignore[attr-defined]
    assert ended.exit_code == (6 if then == "fail" else 0)


def test_a_drain_survives_a_recycle_of_arr_by_the_pools_own_requests(tmp_path: Path) -> None:
    """ARR's counters start anew at 0; the request is still running in the slot."""
    world = World(tmp_path, traffic=False)
    world.deployment = _with(world, drain='within = "60s"')
    world.host.exchange.send(PublicRequest("shop.example", seconds=20.0), lambda outcome: None)
    moments: list[float] = []

    def hook(number: int, name: str) -> None:
        if not moments and any(getattr(one.event, "step", "") == "drain" for one in world.heard):
            moments.append(world.clock.monotonic())
            world.recycle_arr()

    world.machine.before_call = hook
    assert world.run().outcome == "done"
    assert moments
    assert world.live == (GREEN,)


def test_a_bad_bake_goes_back_by_itself(tmp_path: Path) -> None:
    world = World(tmp_path, bake="30s", more='url = "/version"\n')

    def hook(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == "bake" for one in world.heard):
            world.machine.before_call = None
            world.host.iis.stop_pool("shop-green")

    world.machine.before_call = hook
    ended = world.run()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))


@pytest.mark.parametrize(
    ("code", "outcome", "live"), [(0, "done", GREEN), (1, "old-slot-serves", BLUE), (3, "failed", GREEN)]
)
def test_the_bakes_command_judges_and_unknown_holds(tmp_path: Path, code: int, outcome: str, live: str) -> None:
    world = World(tmp_path, bake="0", more='command = ["judge"]\n')
    world.commands.answer = CommandResult(code, "because")
    ended = world.run()
    assert (ended.outcome, world.live[-1]) == (outcome, live)
    assert '"slot": "green"' in world.commands.asked[0][1]


def test_hooks_are_told_the_facts_and_a_failing_one_stops_before_the_switch(tmp_path: Path) -> None:
    world = World(tmp_path, more='[hooks]\nbefore_switch = ["announce"]\n', settings=FENCES)
    world.commands.answer = CommandResult(1, "no")
    ended = world.run()
    assert (ended.exit_code, world.live) == (5, (BLUE,))
    assert not events(world, Switched)
    world.commands.answer = CommandResult(0)
    assert world.resume().outcome == "done"
    assert '"new": "green"' in world.commands.asked[-1][1]


def test_an_approval_waits_and_resume_gives_it(tmp_path: Path) -> None:
    world = World(tmp_path, more='[[approval]]\nbefore = "switch"\nwithin = "1h"\n', settings=FENCES)
    assert (world.run().outcome, world.live) == ("paused", (BLUE,))
    assert world.resume().outcome == "done"


def test_an_approval_that_comes_too_late_returns(tmp_path: Path) -> None:
    more = '[[approval]]\nbefore = "drain"\nwithin = "1h"\notherwise = "return"\n'
    world = World(tmp_path, more=more, traffic=False)
    assert world.run().outcome == "paused"
    world.clock.sleep(3700)
    assert (world.resume().exit_code, world.live) == (7, (BLUE,))


def test_going_back_is_one_quick_probe_and_the_switch(tmp_path: Path) -> None:
    world = World(tmp_path, durable="reconcile")
    world.run()
    began = world.clock.monotonic()
    assert world.go_back().outcome == "done"
    assert world.live == (BLUE,)
    assert world.clock.monotonic() - began < 5
    record = wanted.read(world.machine.records("shop"))
    assert record is not None
    assert (record.slot, record.epoch) == ("blue", 3)


def test_writes_never_refuses_what_must_write(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.deployment = _with(world, writes="never")
    with pytest.raises(RefusedError, match=r"durable|enabled yet"):
        world.run()


def test_a_pause_of_reconcile_outlives_the_next_run(tmp_path: Path) -> None:
    world = World(tmp_path, durable="reconcile")
    world.run()
    store = world.machine.records("shop")
    wanted.pause([store], True)
    assert world.go_back().outcome == "done"
    record = wanted.read(store)
    assert record is not None
    assert (record.slot, record.paused) == ("blue", True)


# -- private -------------------------------------------------------------------------------------------------


def _with(world: World, **parts: str) -> Deployment:
    text = world.deployment.text
    for name, value in parts.items():
        if name == "drain":
            text = text.replace('[drain]\nwithin = "20s"', f"[drain]\n{value}")
        else:
            text = text.replace(f'{name} = "always"', f'{name} = "{value}"')
    return parse_description(text)
