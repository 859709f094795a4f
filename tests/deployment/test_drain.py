"""Drain: WebSockets with a deadline of their own, sessions that are kept, counts that cannot be trusted, mappings."""

from __future__ import annotations

from pathlib import Path

from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Drained, StepProgress
from arr_bluegreen.simulator.exchange import PublicRequest
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import ServerState
from tests.deployment.world import BLUE, CONFIG, GREEN, World

AFFINITY = b"<applicationRequestRouting>\r\n                <protocol"
COOKIES = CONFIG.replace(AFFINITY, AFFINITY.replace(b"<protocol", b'<affinity useCookie="true" /><protocol'))
HOST_NAMES = CONFIG.replace(AFFINITY, AFFINITY.replace(b"<protocol", b'<affinity useHostName="true" /><protocol'))
TWO_WORKERS = CONFIG.replace(
    b'<processModel identityType="ApplicationPoolIdentity" idleTimeout="00:00:00" />',
    b'<processModel identityType="ApplicationPoolIdentity" idleTimeout="00:00:00" maxProcesses="2" />',
)


def quiet_world(folder: Path, drain: str, **more: object) -> World:
    world = World(folder, traffic=False, **more)  # type: ignore[arg-type]  # a shorthand
    text = world.deployment.text.replace('[drain]\nwithin = "20s"', f"[drain]\n{drain}")
    world.deployment = parse_description(text)
    return world


def drained(world: World) -> Drained:
    (one,) = [one.event for one in world.heard if isinstance(one.event, Drained)]
    return one


def test_web_sockets_have_a_deadline_of_their_own(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, 'within = "60s"\nweb_sockets_within = "5s"')
    world.host.exchange.send(PublicRequest("shop.example", path="/ws", web_socket=True, seconds=50), lambda _: None)
    assert world.run().outcome == "done"
    one = drained(world)
    assert (one.cut, one.how) == (1, "cut")
    assert 5 <= one.seconds < 7


def test_web_sockets_may_stay_longer_than_requests(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, 'within = "5s"\nweb_sockets_within = "60s"')
    world.host.exchange.send(PublicRequest("shop.example", path="/ws", web_socket=True, seconds=40), lambda _: None)
    assert world.run().outcome == "done"
    one = drained(world)
    assert (one.cut, one.how) == (0, "empty")
    assert one.seconds > 10


def test_sessions_are_kept_until_their_time_and_then_stopped(tmp_path: Path) -> None:
    """Drain first: a known session still gets there; GracefulStop when its time is over."""
    world = quiet_world(tmp_path, 'within = "20s"\nsessions = "keep"\nsessions_within = "30s"', config=COOKIES)
    states: set[ServerState | None] = set()

    def hook(number: int, name: str) -> None:
        if any("sessions of blue" in one.event.text for one in world.heard if isinstance(one.event, StepProgress)):
            states.add(world.host.arr.status("shop").server(BLUE).state)

    world.machine.before_call = hook
    began = world.clock.monotonic()
    assert world.run().outcome == "done"
    assert world.clock.monotonic() - began > 30
    assert ServerState.DRAINING in states
    assert world.live == (GREEN,)


def test_host_name_mappings_to_the_old_servers_are_removed(tmp_path: Path) -> None:
    world = World(tmp_path, config=HOST_NAMES)
    assert world.run().outcome == "done"
    world.finish()
    assert any("remove_mapping" in one for one in map(str, world.machine.journal))
    assert (world.live, world.traffic.lost) == ((GREEN,), [])
    assert set(world.traffic.by_version) == {"1", "2"}


def test_a_count_nobody_has_waits_for_the_farms_timeout(tmp_path: Path) -> None:
    """ARR restarted while the old slot drained, and Request Monitor is not installed (arr.md 6)."""
    world = quiet_world(tmp_path, 'within = "90s"', settings=SimulatorSettings(request_monitor=False))

    def hook(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == "drain" for one in world.heard):
            world.machine.before_call = None
            world.recycle_arr()

    world.machine.before_call = hook
    assert world.run().outcome == "done"
    one = drained(world)
    assert "unknown" in one.how
    assert one.seconds > 50, "the farm's timeout is a minute"


def test_several_worker_processes_of_arr_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, config=TWO_WORKERS)
    plan = plan_run(world.deployment, world.controls, version="2")
    assert any("2 worker processes run ARR" in one for one in plan.gaps)
    assert world.run().outcome == "done"
    world.finish()
    assert (world.live, world.traffic.lost) == ((GREEN,), [])


def test_one_worker_process_of_arr_is_no_news(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert not any("run ARR" in one for one in plan_run(world.deployment, world.controls, version="2").gaps)
