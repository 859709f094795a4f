"""Drain: WebSockets with a deadline of their own, sessions that are kept, counts that cannot be trusted, mappings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Drained, StepProgress
from arr_bluegreen.simulator.exchange import PublicRequest
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import FarmStatus, ServerState
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


def test_without_cookies_there_are_no_sessions_to_wait_for(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, 'within = "20s"\nsessions = "keep"\nsessions_within = "300s"')
    began = world.clock.monotonic()
    assert world.run().outcome == "done"
    assert world.clock.monotonic() - began < 30


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


def recycled_while_draining(world: World) -> None:
    """ARR's counters start anew while the old slot drains."""

    def hook(number: int, name: str) -> None:
        if any(getattr(one.event, "step", "") == "drain" for one in world.heard):
            world.machine.before_call = None
            world.recycle_arr()

    world.machine.before_call = hook


def test_what_was_cut_by_counts_nobody_has_is_not_known(tmp_path: Path) -> None:
    """Unknown is no zero, and the farm's timeout of a minute has not passed after 10 s."""
    world = quiet_world(tmp_path, 'within = "10s"', settings=SimulatorSettings(request_monitor=False))
    world.host.exchange.send(PublicRequest("shop.example", seconds=40.0), lambda _: None)
    recycled_while_draining(world)
    assert world.run().outcome == "done"
    one = drained(world)
    assert (one.cut, one.how) == (None, "cut, by unknown counts")
    assert one.seconds < 15


def test_web_sockets_keep_their_deadline_where_only_the_pool_can_count(tmp_path: Path) -> None:
    """The pool's requests may be WebSockets: the deadline of requests does not cut them."""
    world = quiet_world(tmp_path, 'within = "5s"\nweb_sockets_within = "60s"')
    world.host.exchange.send(PublicRequest("shop.example", path="/ws", web_socket=True, seconds=40), lambda _: None)
    recycled_while_draining(world)
    assert world.run().outcome == "done"
    one = drained(world)
    assert (one.cut, one.how) == (0, "empty")
    assert one.seconds > 20
    told = " ".join(one.event.text for one in world.heard if isinstance(one.event, StepProgress))
    assert "1 request(s) in its pools, WebSockets among them" in told


def test_a_count_of_web_sockets_nobody_has_is_no_zero(tmp_path: Path) -> None:
    world = quiet_world(tmp_path, 'within = "60s"')
    world.host.exchange.send(PublicRequest("shop.example", path="/ws", web_socket=True, seconds=30), lambda _: None)
    real = world.host.arr.status

    def status(farm: str, front: Iterable[str] = ()) -> FarmStatus:
        found = real(farm, front)
        return replace(found, servers=tuple(replace(one, current_web_socket_requests=None) for one in found.servers))

    world.host.arr.status = status  # type: ignore[method-assign]  # an ARR that does not count them
    assert world.run().outcome == "done"
    one = drained(world)
    assert (one.cut, one.how) == (0, "empty")
    assert one.seconds > 20


def test_a_new_slot_whose_health_nobody_knows_takes_no_live_slot_down(tmp_path: Path) -> None:
    """By enabled, the commit that enables the one disables the other."""
    world = World(tmp_path, by="enabled")
    real = world.host.arr.status

    def status(farm: str, front: Iterable[str] = ()) -> FarmStatus:
        found = real(farm, front)
        told = (replace(one, is_healthy=None) if one.address == GREEN else one for one in found.servers)
        return replace(found, servers=tuple(told))

    world.host.arr.status = status  # type: ignore[method-assign]  # ARR tells nothing of it
    ended = world.run()
    assert (ended.exit_code, ended.outcome) == (7, "old-slot-serves")
    assert (world.enabled(BLUE), world.enabled(GREEN)) == (True, False)
    world.finish()
    assert world.traffic.lost == []


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
