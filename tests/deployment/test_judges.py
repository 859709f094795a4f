"""Those who judge a run from outside: bake, hooks, approvals; each of their outcomes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import CommandResult, ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import StepStarted, Switched, Warned
from arr_bluegreen.deployment.prove_front import risen
from arr_bluegreen.errors import RefusedError, UnreachableError
from arr_bluegreen.simulator.settings import SimulatorSettings
from tests.deployment.world import BLUE, CONFIG, GREEN, World

FENCES = SimulatorSettings(state_survives_enabling=True)
APPROVAL = '[[approval]]\nbefore = "switch"\nwithin = "1h"\notherwise = "{}"\n'


def asked(world: World) -> list[str]:
    return [command[0] for command, _ in world.commands.asked]


def in_phase(world: World, step: str, act: Callable[[], object]) -> None:
    """Does it once, at the first call after that step has begun."""

    def hook(number: int, name: str) -> None:
        if any(isinstance(one.event, StepStarted) and one.event.step == step for one in world.heard):
            world.machine.before_call = None
            act()

    world.machine.before_call = hook


def deaf(world: World, *steps: str) -> None:
    """Nobody can ask anything in these steps."""

    def hook(number: int, name: str) -> None:
        begun = [one.event.step for one in world.heard if isinstance(one.event, StepStarted)]
        if name == "probe.ask" and begun and begun[-1] in steps:
            raise UnreachableError("connection lost")

    world.machine.before_call = hook


def break_in_place(world: World, site: str) -> None:
    """The application answers 500 from now on, in the worker process it is in."""
    for worker in world.host.iis._pools[site].current():
        app = worker.apps[site]
        app.spec = replace(app.spec, broken=True)


def warned(world: World) -> str:
    return " ".join(one.event.text for one in world.heard if isinstance(one.event, Warned))


def test_a_judge_that_hangs_is_an_error_and_both_slots_stay_as_they_are(tmp_path: Path) -> None:
    world = World(tmp_path, more='command = ["judge"]\n')
    world.commands.answer = CommandResult(None)
    ended = world.run()
    assert (ended.outcome, ended.exit_code) == ("failed", 5)
    assert "error" in ended.error
    assert world.enabled(BLUE), "not durable yet: the old slot is kept"
    world.commands.answer = CommandResult(0)
    assert world.resume().outcome == "done"
    assert world.live == (GREEN,)


def test_a_bake_that_sees_nothing_is_inconclusive(tmp_path: Path) -> None:
    """No front is described and no client comes."""
    world = World(tmp_path, bake="5s", traffic=False)
    text = world.deployment.text.replace('front = ["Front"]\n', "")
    world.deployment = parse_description(text)
    ended = world.run()
    assert (ended.outcome, ended.exit_code) == ("failed", 5)
    assert "inconclusive" in ended.error


def test_a_bake_in_which_nobody_could_ask_is_inconclusive(tmp_path: Path) -> None:
    """Unknown is not good: it does not promote."""
    world = World(tmp_path, bake="60s")
    deaf(world, "bake")
    ended = world.run()
    assert (ended.exit_code, world.enabled(BLUE)) == (5, True)
    assert "inconclusive: connection lost" in ended.error
    world.machine.before_call = None
    assert world.resume().outcome == "done"


def test_a_bake_that_saw_good_answers_for_less_than_half_of_its_time_is_inconclusive(tmp_path: Path) -> None:
    world = World(tmp_path, bake="60s")
    began: list[float] = []

    def hook(number: int, name: str) -> None:
        if name == "probe.ask" and any(getattr(one.event, "step", "") == "bake" for one in world.heard):
            began.append(world.clock.monotonic())
            if world.clock.monotonic() - began[0] < 40:
                raise UnreachableError("connection lost")

    world.machine.before_call = hook
    ended = world.run()
    assert ended.exit_code == 5
    assert "too few" in ended.error


def test_a_bake_that_ends_with_a_bad_answer_looks_on_until_it_knows(tmp_path: Path) -> None:
    """Two bad answers at the end are not three: nor are they good."""
    world = World(tmp_path, bake="10s")
    moment: list[float] = []

    def hook(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == "bake" for one in world.heard):
            moment.append(world.clock.monotonic())
            if world.clock.monotonic() - moment[0] > 8.5:
                world.machine.before_call = None
                world.host.iis.stop_pool("shop-green")

    world.machine.before_call = hook
    ended = world.run()
    assert (ended.outcome, world.live) == ("old-slot-serves", (BLUE,))


def test_a_front_that_answers_while_the_new_slot_gets_nothing_is_inconclusive(tmp_path: Path) -> None:
    """Something else answers, such as a cache."""
    world = World(tmp_path, bake="5s", traffic=False)
    real = world.machine.probe.ask
    begun = [False]

    def ask(requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        begun[0] = begun[0] or any(getattr(one.event, "step", "") == "bake" for one in world.heard)
        return tuple(ProbeAnswer(200) for _ in requests) if begun[0] else real(requests)

    world.machine.probe.ask = ask  # type: ignore[method-assign]  # a cache, played
    ended = world.run()
    assert ended.exit_code == 5
    assert "counts no request for green" in ended.error


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [((5,), (6,), True), ((5,), (5,), False), ((5,), (2,), None), ((None,), (6,), None), ((5, None), (6, 1), True)],
)
def test_growth_is_known_or_not(before: tuple[int | None], after: tuple[int | None], grown: bool | None) -> None:
    assert risen(before, after) is grown


def test_a_bad_bake_that_shall_hold_neither_returns_nor_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, more='command = ["judge"]\non_fail = "hold"\n')
    world.commands.answer = CommandResult(1, "slow")
    ended = world.run()
    assert (ended.outcome, ended.exit_code) == ("failed", 5)
    assert GREEN in world.live
    assert world.switch_back().outcome == "old-slot-serves"
    assert world.live == (BLUE,)


BOTH_WAYS = pytest.mark.parametrize("settings", [FENCES, SimulatorSettings()], ids=["fences", "no-fence"])


@BOTH_WAYS
def test_a_smoke_test_that_fails_is_a_gate_that_fails(tmp_path: Path, settings: SimulatorSettings) -> None:
    """Also where a fence does not outlive the enabling commit: it is run before that."""
    world = World(tmp_path, more='[hooks]\nsmoke_test = ["smoke"]\non_failure = ["tell"]\n', settings=settings)
    world.commands.answer = CommandResult(1, "broken basket")
    ended = world.run()
    world.finish()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    assert "broken basket" in ended.error
    assert asked(world) == ["smoke", "tell"]
    assert not any(isinstance(one.event, Switched) for one in world.heard)
    assert set(world.traffic.by_version) == {"1"}, "nobody has seen the new version"


@BOTH_WAYS
@pytest.mark.parametrize("by", ["state", "weights", "enabled", "health-file"])
def test_hooks_before_the_switch_run_before_anything_of_the_new_version_is_in_service(
    tmp_path: Path, by: str, settings: SimulatorSettings
) -> None:
    stages = '[[switch.stages]]\npercent = 50\nhold = "1s"\n' if by == "weights" else ""
    hooks = '[hooks]\nsmoke_test = ["smoke"]\nbefore_switch = ["announce"]\n'
    world = World(tmp_path, by=by, more=stages + hooks, settings=settings)
    live: list[Sequence[str]] = []
    world.commands.act = lambda command: live.append(world.live)
    assert world.run().outcome == "done"
    assert asked(world) == ["smoke", "announce"], "each once"
    assert live == [(BLUE,), (BLUE,)]


@pytest.mark.parametrize("durable", ["enabled", "reconcile"])
def test_an_approval_holds_back_what_announces_the_switch(tmp_path: Path, durable: str) -> None:
    hooks = '[hooks]\nsmoke_test = ["smoke"]\nbefore_switch = ["announce"]\n'
    world = World(tmp_path, durable=durable, more=hooks + APPROVAL.format("hold"))
    assert world.run().outcome == "paused"
    assert asked(world) == ["smoke"]
    assert world.resume().outcome == "done"
    assert asked(world) == ["smoke", "smoke", "announce"], "what was seen before the pause is seen again"


def test_a_hook_is_told_where_the_slots_answer_and_which_moment_it_is(tmp_path: Path) -> None:
    world = World(tmp_path, more='[hooks]\nsmoke_test = ["smoke"]\n')
    world.deployment = parse_description(world.deployment.text.replace("http_port = 8002", 'http_port = "auto"'))
    assert world.run().outcome == "done"
    told = json.loads(world.commands.asked[0][1])
    assert (told["moment"], told["way"], told["host"]) == ("smoke_test", "forward", "shop.example")
    assert (told["new"], told["new_urls"], told["new_sites"]) == ("green", f"http://{GREEN}:8002", "shop-green")
    assert (told["old_addresses"], told["old_ports"], told["old_machines"]) == (BLUE, "8001", "memory")
    assert all(isinstance(one, str) for one in told.values())
    assert world.commands.environments[0] == {f"ARR_BLUEGREEN_{key.upper()}": told[key] for key in told}


def test_on_the_way_back_hooks_tell_from_the_switch_on_and_stop_nothing(tmp_path: Path) -> None:
    """None may delay or prevent the switch back; and who announced the new version hears that it is gone."""
    names = ("before_gate", "before_switch", "after_switch", "after_drain", "before_durable", "on_failure")
    hooks = "".join(f'{one} = {{ command = ["{one}"], ignore_failure = true }}\n' for one in names)
    world = World(tmp_path, bake="30s", more=f"[hooks]\n{hooks}")
    world.commands.answer = CommandResult(1, "no")
    in_phase(world, "bake", lambda: world.host.iis.stop_pool("shop-green"))
    assert world.run().outcome == "old-slot-serves"
    told = [json.loads(stdin) for _, stdin in world.commands.asked]
    back = [one for one in told if one["way"] == "back"]
    assert [one["moment"] for one in back] == ["after_switch", "after_drain", "before_durable", "on_failure"]
    assert {(one["new"], one["old"], one["version"]) for one in told} == {("green", "blue", "2")}
    assert "the bake failed" in back[-1]["reason"]
    assert world.live == (BLUE,)


def test_a_hook_whose_failure_does_not_count_stops_nothing(tmp_path: Path) -> None:
    hook = '[hooks]\nbefore_switch = { command = ["tell"], ignore_failure = true }\n'
    world = World(tmp_path, more=hook, settings=FENCES)
    world.commands.answer = CommandResult(None)
    assert world.run().outcome == "done"
    assert "does not count" in warned(world)


def test_every_phase_has_its_hooks_in_order(tmp_path: Path) -> None:
    phases = ("deploy", "gate", "enable", "switch", "drain", "durable")
    lines = "".join(f'{when}_{one} = ["{when}-{one}"]\n' for one in phases for when in ("before", "after"))
    world = World(tmp_path, more=f"[hooks]\n{lines}", settings=FENCES)
    assert world.run().outcome == "done"
    order = asked(world)
    assert sorted(order) == sorted(f"{when}-{one}" for one in phases for when in ("before", "after"))
    for one in phases:
        assert order.index(f"before-{one}") < order.index(f"after-{one}")
    for one, other in zip(("deploy", "switch", "drain"), ("switch", "drain", "durable"), strict=True):
        assert order.index(f"after-{one}") < order.index(f"before-{other}")


@pytest.mark.parametrize("fences", [True, False])
@pytest.mark.parametrize(
    ("otherwise", "live", "code"), [("hold", (BLUE,), None), ("return", (BLUE,), 7), ("go-on", (GREEN,), 0)]
)
def test_an_approval_that_comes_too_late_does_what_was_declared(
    tmp_path: Path, otherwise: str, live: Sequence[str], code: int | None, fences: bool
) -> None:
    settings = SimulatorSettings(state_survives_enabling=fences)
    world = World(tmp_path, more=APPROVAL.format(otherwise), settings=settings, traffic=False)  # an hour of it is long
    assert world.run().outcome == "paused"
    assert world.live == (BLUE,), "nothing of the new version is in service before its approval"
    world.clock.sleep(3700)
    if code is None:
        with pytest.raises(RefusedError, match="was due by"):
            world.resume()
        assert world.abort().outcome == "aborted"
    else:
        assert world.resume().exit_code == code
    assert world.live == live


@pytest.mark.parametrize("health_url", [True, False])
def test_a_run_that_waited_for_hours_proves_the_slot_again_before_it_switches(tmp_path: Path, health_url: bool) -> None:
    """The application broke meanwhile, in the same worker process: no request of the public finds that out."""
    config = CONFIG if health_url else CONFIG.replace(b'url="http://shop.example/health"', b'url=""')
    world = World(tmp_path, durable="reconcile", more=APPROVAL.format("hold"), config=config)
    assert world.run().outcome == "paused"
    world.traffic.stop()
    world.clock.sleep(3000)
    world.traffic.start()  # an hour of clients would show nothing that a minute of them does not
    break_in_place(world, "shop-green")
    ended = world.resume()
    world.finish()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    assert world.traffic.lost == []


def test_members_without_a_pool_are_proven_again_too(tmp_path: Path) -> None:
    """No pool, no worker process to compare: nothing is not the same as before."""
    world = World(tmp_path, durable="reconcile", more=APPROVAL.format("hold"))
    world.deployment = parse_description(world.deployment.text.replace('pool = "shop-green"\n', ""))
    assert world.run().outcome == "paused"
    asked_before = world.machine.journal.count("probe.ask")
    ended = world.resume()
    assert ended.outcome == "done", ended
    assert world.machine.journal.count("probe.ask") - asked_before >= 2 + 1, "gate 1 and the proof through the front"


@pytest.mark.parametrize("fences", [True, False])
@pytest.mark.parametrize("by", ["state", "health-file"])
def test_until_switch_stops_before_anything_of_the_new_version_is_in_service(
    tmp_path: Path, fences: bool, by: str
) -> None:
    """Enabling may already be the switch, so it waits with it; resuming goes on from there, and through the gates."""
    world = World(tmp_path, by=by, settings=SimulatorSettings(state_survives_enabling=fences))
    assert world.run(until="switch").outcome == "paused"
    assert (world.live, world.enabled(GREEN)) == ((BLUE,), False)
    assert world.resume().outcome == "done"
    assert (world.live, world.traffic.lost) == ((GREEN,), [])


def test_on_failure_is_told_only_when_the_old_slot_serves_again(tmp_path: Path) -> None:
    """A hook of 50 s before the way back would cost every request of 50 s."""
    world = World(tmp_path, bake="30s", more='[hooks]\non_failure = ["tell"]\n')
    served: list[Sequence[str]] = []

    def act(command: str) -> None:
        served.append(world.live)
        world.clock.sleep(50)

    world.commands.act = act
    in_phase(world, "bake", lambda: world.host.iis.stop_pool("shop-green"))
    ended = world.run()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    assert served == [(BLUE,)]


def test_an_on_failure_hook_that_is_not_there_keeps_no_bad_version_live(tmp_path: Path) -> None:
    world = World(tmp_path, bake="30s", more='[hooks]\non_failure = ["not-there"]\n')
    world.commands.missing = {"not-there"}
    in_phase(world, "bake", lambda: world.host.iis.stop_pool("shop-green"))
    ended = world.run()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    assert "cannot run not-there" in warned(world)


def test_on_failure_is_told_too_of_a_run_that_stopped_midway(tmp_path: Path) -> None:
    world = World(tmp_path, more='[hooks]\nafter_switch = ["no"]\non_failure = ["tell"]\n')
    world.commands.missing = {"no"}
    assert world.run().exit_code == 5
    assert asked(world) == ["tell"]
    assert "cannot run no" in json.loads(world.commands.asked[0][1])["reason"]


def test_a_hook_that_is_not_there_stops_nothing_where_its_failure_does_not_count(tmp_path: Path) -> None:
    """The manual's own example names a command that few machines have."""
    hook = '[hooks]\nafter_switch = { command = ["notify"], timeout = "10s", ignore_failure = true }\n'
    world = World(tmp_path, more=hook)
    world.commands.missing = {"notify"}
    assert world.run().outcome == "done"
    assert "cannot run notify" in warned(world)


def test_a_judge_that_is_not_there_is_an_error_and_both_slots_stay_as_they_are(tmp_path: Path) -> None:
    world = World(tmp_path, more='command = ["not-there"]\n')
    world.commands.missing = {"not-there"}
    ended = world.run()
    assert (ended.exit_code, world.live[-1]) == (5, GREEN)
    assert "the bake is error: cannot run not-there" in ended.error
