"""Retire carried out: what is waited for, what nobody can count, what is kept warm; and as a run's last step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import Capability
from arr_bluegreen.deployment.begin import plan_run, reopened
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.ensure import ensure_new
from arr_bluegreen.deployment.events import Warned
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.retire import Remove, Retention, plan_retire
from arr_bluegreen.deployment.retire_run import RetireHands, RetireLimits, in_flight, perform_retire
from arr_bluegreen.deployment.run import Run
from arr_bluegreen.errors import WaitRanOutError
from arr_bluegreen.webfarm import NewState, PoolStatus, RunState
from arr_bluegreen.webfarm.change import SetServer, settings

from .machine import Scene, described
from .test_releases import DROP, PER_RELEASE, Releases

LIMITS = RetireLimits(within=timedelta(seconds=10), quiet=timedelta(seconds=1), every=timedelta(seconds=0.5))


@pytest.fixture
def releases(tmp_path: Path) -> Releases:
    """shop-2 is live, blue the previous one, green never served."""
    made = Releases(tmp_path, PER_RELEASE + DROP)
    made.release("2")
    return made


def hands(scene: Scene, limits: RetireLimits = LIMITS, say: Callable[[str], None] = print) -> RetireHands:
    """Hands for the scene's machine."""
    farm = scene.machine.farm("shop", ("Front",))
    return RetireHands("shop", scene.machine, (farm,), scene.records, scene.port_records, scene.clock, limits, say)


def retire_green(scene: Scene, limits: RetireLimits = LIMITS, say: Callable[[str], None] = print) -> None:
    """``deploy retire --instance green``."""
    plan = plan_retire(
        "shop", read_owned(scene.records), scene.config, Retention("shop-2", "blue"), ["127.0.0.4"], "green"
    )
    assert [type(one) for one in plan.acts] == [Remove]
    perform_retire(plan, hands(scene, limits, say))


def pools(scene: Scene, monkeypatch: pytest.MonkeyPatch, requests: Callable[[], int | None]) -> None:
    """Green's pool tells so many requests, and that it has a worker."""
    real = scene.machine.sites.pools

    def told(names: object = ()) -> tuple[PoolStatus, ...]:
        found = real(names)  # type: ignore[arg-type]  # as it was called
        return tuple(replace(one, requests=requests()) if one.name == "shop-green" else one for one in found)

    monkeypatch.setattr(type(scene.machine.sites), "pools", lambda self, names=(): told(names))


def test_requests_in_flight_are_waited_for(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Request Monitor tells three for four seconds: nothing is stopped before they are gone, and quiet for a second."""
    scene = releases.scene
    begun = scene.clock.monotonic()
    pools(scene, monkeypatch, lambda: 3 if scene.clock.monotonic() - begun < 4 else 0)
    stopped: list[float] = []
    real = scene.host.iis.stop_site

    def stop(name: str) -> None:
        stopped.append(scene.clock.monotonic() - begun)
        real(name)

    monkeypatch.setattr(scene.host.iis, "stop_site", stop)
    retire_green(scene)
    assert len(stopped) == 1
    assert stopped[0] >= 5
    assert "shop-green" not in {one.name for one in scene.config.sites}


def test_requests_that_do_not_end_stop_nothing(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 6; with ``cut`` they are cut off, and that is said."""
    scene, said = releases.scene, list[str]()
    pools(scene, monkeypatch, lambda: 1)
    before = scene.host.config.data()
    with pytest.raises(WaitRanOutError, match="1 requests in flight"):
        retire_green(scene)
    assert scene.host.config.data() == before
    assert {one.name: one.state for one in scene.machine.sites.sites()}["shop-green"] is RunState.STARTED
    retire_green(scene, replace(LIMITS, then="cut"), said.append)
    assert said == ["'green' is stopped with 1 requests in flight"]


def test_what_nobody_can_count_is_never_taken_for_zero(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """No ARR counters and no Request Monitor: unknown, and waited for until the end."""
    scene = releases.scene
    pools(scene, monkeypatch, lambda: None)
    real = scene.host.arr.status

    def uncounted(*args: object) -> object:
        status = real(*args)  # type: ignore[arg-type]  # as it was called
        blind = tuple(replace(one, current_requests=None, current_web_socket_requests=None) for one in status.servers)
        return replace(status, servers=blind)

    green = read_owned(scene.records).of("green")
    assert green is not None
    assert in_flight(green, hands(scene)) == 0
    monkeypatch.setattr(scene.host.arr, "status", uncounted)
    assert in_flight(green, hands(scene)) is None
    with pytest.raises(WaitRanOutError, match="nobody can count"):
        retire_green(scene)
    assert "shop-green" in {one.name for one in scene.config.sites}


def test_a_commit_that_loses_states_is_mended(tmp_path: Path) -> None:
    """A drained server that a commit made Active again is out of service again, and that is said (arr.md 8.1)."""
    made = Releases(tmp_path, PER_RELEASE + DROP)
    made.release("2")
    scene, said = made.scene, list[str]()
    scene.machine.config.apply([SetServer("shop", "127.0.0.2", settings(enabled=True))])
    scene.host.arr.set_state("shop", {"127.0.0.2": NewState.GRACEFUL_STOP})
    scene.host.settings.commit_resets_states = True
    commits = Commits(scene.controls, "shop", ("Front",), said.append)
    commits.apply(scene.machine, [SetServer("shop", "127.0.0.3", settings(weight=50))])
    assert scene.host.arr.in_service("shop") == ("127.0.0.4",)
    assert any("127.0.0.2" in one for one in said)
    assert Capability.RUN_TIME in scene.machine.capabilities


def test_what_is_retired_together_is_one_commit(tmp_path: Path) -> None:
    """Each commit may restart what serves (arr.md 5.8): two instances and a stopped one are written at once."""
    made = Releases(tmp_path, PER_RELEASE + DROP)
    for version in "2345":
        made.release(version)
    scene = made.scene
    before = scene.machine.journal.count("config.apply")
    made.retire(keep=2)
    assert scene.machine.journal.count("config.apply") == before + 1
    assert {one.slot for one in read_owned(scene.records).instances} == {"shop-3", "shop-4", "shop-5"}


def test_one_that_cannot_go_holds_up_no_other(releases: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Green still has a request: told at the end, and the next retire takes it."""
    releases.release("3")
    scene = releases.scene
    pools(scene, monkeypatch, lambda: 1)
    with pytest.raises(WaitRanOutError, match="green"):
        releases.retire(keep=1)
    assert {one.slot for one in read_owned(scene.records).instances} == {"green", "shop-2", "shop-3"}


# -- the last step of a run ----------------------------------------------------------------------------------


def in_run(made: Releases, version: str, after: str, *, kill: int | None = None) -> tuple[int, list[str]]:
    """A release with ``[retire]``; killed at a call of its last step it is resumed. Calls of that step, warnings."""
    scene = made.scene
    scene.content(rf"C:\drop\{version}", version)
    text = (made.text + f'[retire]\nkeep = 1\nafter = "{after}"\n').replace("{version}", version)
    deployment = ensure_new(described(text), scene.controls, release=version).deployment
    plan = plan_run(deployment, scene.controls, version=version)
    journal, who = Journals(made.folder).of(f"run-{version}"), Identity(f"run-{version}", "tester", "here")
    run = Run(deployment, scene.controls, journal, who, plan.roles, plan.durable)
    assert plan.steps[-1].name == "retire"
    calls: list[str] = []

    def count(number: int, name: str) -> None:
        if getattr(run._hands, "step", "") == "retire":
            calls.append(name)
            if kill is not None and len(calls) > kill:
                scene.machine.after_call = None
                raise KeyboardInterrupt

    scene.machine.after_call = count
    ended = run.start(plan)
    scene.machine.after_call = None
    if ended.outcome == "interrupted":
        events = journal.read()
        again, roles, durable = reopened(events)
        ended = Run(again, scene.controls, journal, who, roles, durable, None, events).resume()
    assert ended.outcome == "done"
    return len(calls), [one.event.text for one in journal.read() if isinstance(one.event, Warned)]


def test_a_run_retires_what_is_due_and_can_be_cut_off_anywhere_in_it(tmp_path: Path) -> None:
    """Killed after each call of its last step and resumed: live and previous are left, and nothing else."""
    counted = Releases(tmp_path / "counted", PER_RELEASE + DROP)
    in_run(counted, "2", "0s")
    calls = in_run(counted, "3", "0s")[0]
    assert calls > 30
    for number in range(0, calls, 3):
        made = Releases(tmp_path / str(number), PER_RELEASE + DROP)
        in_run(made, "2", "0s")
        assert in_run(made, "3", "0s", kill=number)[0] == number + 1
        made.over()
        scene = made.scene
        assert {one.name for one in scene.config.sites} == {"Front", "shop-2", "shop-3"}
        assert {one.slot for one in read_owned(scene.records).instances} == {"shop-2", "shop-3"}


def test_after_keeps_old_ones_warm(tmp_path: Path) -> None:
    """With an hour nothing goes yet; an hour later the next run takes what left service then."""
    made = Releases(tmp_path, PER_RELEASE + DROP)
    in_run(made, "2", "1h")
    in_run(made, "3", "1h")
    scene = made.scene
    assert {one.slot for one in read_owned(scene.records).instances} == {"blue", "green", "shop-2", "shop-3"}
    made.over()
    scene.clock.sleep(3700)
    in_run(made, "4", "1h")
    assert {one.slot for one in read_owned(scene.records).instances} == {"shop-3", "shop-4"}


def test_what_cannot_go_yet_does_not_fail_the_deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that hangs in an old instance: told, and left to ``deploy retire``."""
    made = Releases(tmp_path, PER_RELEASE + DROP)
    pools(made.scene, monkeypatch, lambda: 1)
    warned = in_run(made, "2", "0s")[1]
    assert any("'deploy retire' goes on" in one for one in warned)
    assert "green" in {one.slot for one in read_owned(made.scene.records).instances}


