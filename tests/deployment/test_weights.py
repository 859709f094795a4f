"""``[switch] by = "weights"``: shares as asked for, stages that are judged, weights put back, crashes anywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description import Member, Slot
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import StepStarted, Warned
from arr_bluegreen.deployment.journal import is_over, started
from arr_bluegreen.deployment.memory import FORWARD, Memory
from arr_bluegreen.deployment.weights import shares
from arr_bluegreen.errors import DescriptionError, RefusedError, UnreachableError
from arr_bluegreen.webfarm import FarmStatus
from arr_bluegreen.webfarm.change import SetServer, settings
from tests.deployment.test_crashes import Bed, good_end, resumed, run
from tests.deployment.world import BLUE, CONFIG, GREEN, World

STAGES = "".join(f'[[switch.stages]]\npercent = {one}\nhold = "HOLD"\n' for one in (5, 25, 50))
HASHED = CONFIG.replace(b"<healthCheck", b'<loadBalancing algorithm="RequestHash" />\r\n                <healthCheck')


def canary(folder: Path, hold: str = "10s", **more: object) -> World:
    return World(folder, by="weights", more=STAGES.replace("HOLD", hold), **more)  # type: ignore[arg-type]  # a shorthand


def weights(world: World) -> dict[str, int]:
    farm = world.host.config.reading.farm("shop")
    assert farm is not None
    return {one.address: one.weight for one in farm.servers}


def when_step(world: World, step: str, act: object) -> None:
    """Does it once, at the first call of that step."""

    def hook(number: int, name: str) -> None:
        if any(isinstance(one.event, StepStarted) and one.event.step == step for one in world.heard):
            world.machine.before_call = None
            assert callable(act)
            act()

    world.machine.before_call = hook


@pytest.mark.parametrize(("until", "percent"), [("hold-5", 5), ("hold-25", 25), ("hold-50", 50)])
def test_clients_get_the_stages_share(tmp_path: Path, until: str, percent: int) -> None:
    world = canary(tmp_path)
    assert world.run(until=until).outcome == "paused"
    assert weights(world) == {GREEN: percent, BLUE: 100 - percent}
    world.traffic.by_version.clear()
    world.clock.sleep(60)
    got = world.traffic.by_version
    assert got["2"] / sum(got.values()) == pytest.approx(percent / 100, abs=0.02)
    assert world.resume().outcome == "done"
    world.finish()
    assert (world.live, world.traffic.lost, world.floor.broken) == ((GREEN,), [], [])
    assert weights(world) == {GREEN: 100, BLUE: 100}


def test_the_new_slot_never_gets_more_than_the_first_share_before_it_is_judged(tmp_path: Path) -> None:
    """The fence over the enabling commit does not hold: its weight is small by then."""
    world = canary(tmp_path)
    world.run(until="arr-gate")
    world.traffic.by_version.clear()
    world.clock.sleep(60)
    got = world.traffic.by_version
    assert got["2"] / sum(got.values()) == pytest.approx(0.05, abs=0.02)


def test_a_version_that_turns_bad_in_a_stage_goes_and_the_weights_are_put_back(tmp_path: Path) -> None:
    world = canary(tmp_path)
    when_step(world, "hold-25", lambda: world.host.iis.stop_pool("shop-green"))
    ended = world.run()
    world.clock.sleep(5)
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    assert weights(world) == {GREEN: 100, BLUE: 100}


def test_a_share_that_brings_no_request_fails_its_stage(tmp_path: Path) -> None:
    """Somebody else has set the weights meanwhile."""
    world = canary(tmp_path, hold="30s")
    foreign = [SetServer("shop", BLUE, settings(weight=4_000_000_000))]
    when_step(world, "hold-50", lambda: world.machine.config.apply(foreign))
    ended = world.run()
    assert (ended.exit_code, world.live) == (7, (BLUE,))
    assert "none for green" in ended.error


def test_a_stage_that_nobody_could_judge_holds(tmp_path: Path) -> None:
    """Unknown neither promotes nor reverts; the shares stay as they are, and ``resume`` judges again."""
    world = canary(tmp_path)

    def hook(number: int, name: str) -> None:
        if name == "probe.ask" and any(getattr(one.event, "step", "") == "hold-25" for one in world.heard):
            raise UnreachableError("connection lost")

    world.machine.before_call = hook
    ended = world.run()
    assert (ended.exit_code, weights(world)) == (5, {GREEN: 25, BLUE: 75})
    assert "cannot be judged: connection lost" in ended.error
    world.machine.before_call = None
    assert world.resume().outcome == "done"
    world.finish()
    assert (world.live, world.traffic.lost) == ((GREEN,), [])


def test_a_state_nobody_knows_does_not_end_the_canary(tmp_path: Path) -> None:
    world = canary(tmp_path)
    real = world.host.arr.status

    def status(farm: str, front: Iterable[str] = ()) -> FarmStatus:
        found = real(farm, front)
        begun = [one.event.step for one in world.heard if isinstance(one.event, StepStarted)]
        if not begun or begun[-1] != "hold-50":
            return found
        return replace(found, servers=tuple(replace(one, is_healthy=None) for one in found.servers))

    world.host.arr.status = status  # type: ignore[method-assign]  # ARR tells no health
    ended = world.run()
    assert ended.exit_code == 5
    assert "is not known" in ended.error
    assert weights(world) == {GREEN: 50, BLUE: 50}


def test_without_traffic_a_stage_says_that_it_could_not_judge_by_requests(tmp_path: Path) -> None:
    world = canary(tmp_path, hold="1s", traffic=False)
    assert world.run().outcome == "done"
    assert any("too few requests" in one.event.text for one in world.heard if isinstance(one.event, Warned))


def test_switch_back_has_no_stages(tmp_path: Path) -> None:
    world = canary(tmp_path)
    world.run()
    began = world.clock.monotonic()
    assert world.go_back().outcome == "done"
    assert world.clock.monotonic() - began < 8
    assert world.live == (BLUE,)


def test_a_farm_that_chooses_by_hash_is_refused(tmp_path: Path) -> None:
    world = canary(tmp_path, config=HASHED)
    with pytest.raises(RefusedError, match="RequestHash"):
        world.run()


def test_slots_that_a_write_restarts_are_refused_but_with_accept_gap(tmp_path: Path) -> None:
    world = canary(tmp_path)
    world.deployment = parse_description(world.deployment.text.replace('writes = "always"', 'writes = "when-safe"'))
    config = '<configuration><system.webServer><aspNetCore processPath="dotnet" /></system.webServer></configuration>'
    world.host.files.write_text(r"C:\inetpub\shop-green\web.config", config)
    with pytest.raises(RefusedError, match="writes at the switch") as caught:
        world.run()
    assert "--accept-gap" in caught.value.one_line()
    plan = plan_run(world.deployment, world.controls, version="2", accept_gap=True)
    assert any("restarts" in one for one in plan.gaps)


def test_stages_that_do_not_rise_are_refused(tmp_path: Path) -> None:
    text = canary(tmp_path).deployment.text
    with pytest.raises(DescriptionError, match="must rise"):
        parse_description(text.replace("percent = 25", "percent = 60"))


def test_the_plan_names_a_write_per_stage(tmp_path: Path) -> None:
    world = canary(tmp_path)
    plan = plan_run(world.deployment, world.controls, version="2")
    assert plan.writes == 6  # three stages, enabling, putting back, disabling the old
    assert any("5, 25, 50 of 100" in one for one in plan.gaps)


@pytest.mark.parametrize(
    ("new", "old", "expected"), [(1, 1, (5, 95)), (2, 2, (5, 95)), (1, 3, (15, 95)), (3, 1, (5, 285))]
)
def test_a_slot_gets_its_share_whatever_the_number_of_its_servers(
    new: int, old: int, expected: tuple[int, int]
) -> None:
    one, other = (Slot(name, tuple(Member(f"{name}{n}", 80) for n in range(count))) for name, count in
                  (("new", new), ("old", old)))  # fmt: skip
    mine, theirs = shares(5, one, other)
    assert (mine, theirs) == expected
    assert mine * new / (mine * new + theirs * old) == pytest.approx(0.05)


# -- crashes -------------------------------------------------------------------------------------------------


class CanaryBed(Bed):
    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "weights", "enabled")

    def world(self) -> World:
        return canary(self._folder / str(next(self._count)), hold="1s")


def put_back(world: World, point: object) -> None:
    assert weights(world) == {GREEN: 100, BLUE: 100}, point


def test_killed_anywhere_and_resumed_the_new_slot_is_live(tmp_path: Path) -> None:
    bed = CanaryBed(tmp_path)
    for point in bed.points(run, every=3):
        world = bed.killed(point, run)
        resumed(world, "run-1", lambda one: one.run(run="run-2"))
        good_end(world, GREEN, point)
        put_back(world, point)


def test_killed_anywhere_and_switched_back_the_old_slot_is_live(tmp_path: Path) -> None:
    bed = CanaryBed(tmp_path)
    for point in bed.points(run, every=5):
        world = bed.killed(point, run)
        events = world.journals.of("run-1").read()
        if is_over(events):
            world.go_back()
        elif started(events) is not None:
            world.switch_back()
        good_end(world, BLUE, point)
        put_back(world, point)


def test_killed_before_the_switch_and_aborted_the_idle_slot_is_cleared(tmp_path: Path) -> None:
    bed = CanaryBed(tmp_path)
    for point in bed.points(run, every=5):
        world = bed.killed(point, run)
        events = world.journals.of("run-1").read()
        if started(events) is None or is_over(events) or Memory(events).get("switched", way=FORWARD):
            continue
        assert world.abort().outcome == "aborted", point
        good_end(world, BLUE, point)
        put_back(world, point)
        assert not world.enabled(GREEN), point
