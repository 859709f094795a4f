"""What ends a worker process, and with it ARR's memory (arr.md 3.2, 5.6)."""

from __future__ import annotations

import itertools

import pytest

from arr_bluegreen.errors import RemoteError
from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.exchange import Outcome, PublicRequest
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import NewState, RunState, ServerState

FRONT = b'<processModel identityType="ApplicationPoolIdentity" idleTimeout="00:00:00" />'
BLUE = "127.0.0.2"


def front_pool(*pairs: tuple[bytes, bytes]) -> bytes:
    """The fixture with pieces of the pool Front replaced."""
    start = BLUE_GREEN.read_bytes().index(b'<add name="Front"')
    head, pool = BLUE_GREEN.read_bytes()[:start], BLUE_GREEN.read_bytes()[start:]
    for old, new in pairs:
        assert old in pool
        pool = pool.replace(old, new, 1)
    return head + pool


def send(host: SimulatedHost, **more: object) -> list[Outcome]:
    ended: list[Outcome] = []
    host.exchange.send(PublicRequest("shop.example", **more), ended.append)  # type: ignore[arg-type]  # keywords
    return ended


def pids(host: SimulatedHost, pool: str = "Front") -> list[int]:
    return [one.pid for one in host.iis.workers(pool)]


class TestIdle:
    """``idleTimeout``: what it ends comes back with the next request, and ARR has forgotten everything."""

    def test_a_pool_without_requests_loses_its_process_and_arrs_state(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock
    ) -> None:
        host = arr_host_from(front_pool((FRONT, b"<processModel />"), (b"AlwaysRunning", b"OnDemand")))
        send(host)
        host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
        arr_clock.sleep(19 * 60)
        assert len(pids(host)) == 1
        arr_clock.sleep(2 * 60)
        assert pids(host) == []
        assert host.arr.status("shop").server(BLUE).state is ServerState.ACTIVE

    def test_requests_keep_it(self, arr_host_from: HostFactory, arr_clock: SimulatedClock) -> None:
        host = arr_host_from(front_pool((FRONT, b"<processModel />")))
        before = pids(host)
        for _ in range(4):
            arr_clock.sleep(15 * 60)
            send(host)
        assert pids(host) == before
        send(host, seconds=3600.0, web_socket=True)
        arr_clock.sleep(3500)
        assert pids(host) == before, "a WebSocket is a request"

    @pytest.mark.parametrize("ends", [False, True])
    def test_whether_it_ends_what_is_always_running_is_a_setting(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock, ends: bool
    ) -> None:
        settings = SimulatorSettings(idle_ends_always_running=ends)
        host = arr_host_from(front_pool((FRONT, b"<processModel />")), settings=settings)
        arr_clock.sleep(21 * 60)
        assert (pids(host) == []) is ends

    def test_a_suspended_process_is_still_there(self, arr_host_from: HostFactory, arr_clock: SimulatedClock) -> None:
        host = arr_host_from(front_pool((FRONT, b'<processModel idleTimeoutAction="Suspend" />')))
        arr_clock.sleep(21 * 60)
        assert len(pids(host)) == 1


class TestRecycling:
    """By count, by the clock, with and without overlap."""

    def test_after_so_many_requests(self, arr_host_from: HostFactory) -> None:
        host = arr_host_from(front_pool((b'time="00:00:00"', b'time="00:00:00" requests="3"')))
        before = pids(host)
        for number in range(1, 4):
            assert send(host)[0].status == 200
            assert (pids(host) == before) is (number < 3)

    def test_at_a_time_of_day(self, arr_host_from: HostFactory, arr_clock: SimulatedClock) -> None:
        schedule = b'<periodicRestart time="00:00:00"><schedule><add value="03:00:00" /></schedule></periodicRestart>'
        seldom = (b'interval="00:00:01"', b'interval="00:10:00"')  # a day of probes would be long
        host = arr_host_from(front_pool((b'<periodicRestart time="00:00:00" />', schedule), seldom))
        seen = [pids(host)]
        for hours in (2.9, 0.2, 23.0, 1.0):
            arr_clock.sleep(hours * 3600)
            seen.append(pids(host))
        assert [a == b for a, b in itertools.pairwise(seen)] == [True, False, True, False]

    def test_without_overlap_the_next_process_waits_and_so_do_requests(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock
    ) -> None:
        host = arr_host_from(front_pool((b"<recycling>", b'<recycling disallowOverlappingRotation="true">')))
        slow = send(host, seconds=5.0)
        host.arr.set_state("shop", {BLUE: NewState.DRAIN})
        before = pids(host)
        host.iis.recycle_pool("Front")
        assert pids(host) == before, "one process at a time"
        waiting = send(host)
        arr_clock.sleep(4)
        assert (slow, waiting) == ([], [])
        arr_clock.sleep(2)
        assert [one.status for one in (*slow, *waiting)] == [200, 200]
        assert len(pids(host)) == 1
        assert pids(host) != before
        assert host.arr.status("shop").server(BLUE).state is ServerState.ACTIVE, "and ARR begins anew in it"

    def test_an_identity_or_a_cpu_limit_recycles_the_pool_and_a_queue_does_not(self, arr_host: SimulatedHost) -> None:
        """The list of arr.md 5.8; a password counts too, though it is no word."""
        for old, new, recycles in (
            (FRONT, FRONT.replace(b" />", b' password="[enc:x:eA==:enc]" />'), True),
            (b'<add name="Front"', b'<add name="Front" queueLength="500"', False),
            (b"<recycling>", b'<cpu limit="50000" /><recycling>', True),
            (b'idleTimeout="00:00:00" pass', b'idleTimeout="0.00:00:00" pingResponseTime="00:02:00" pass', False),
        ):
            before = pids(arr_host)
            text = arr_host.config.data()
            assert old in text
            arr_host.config.commit(text.replace(old, new, 1))
            assert (pids(arr_host) != before) is recycles, new


def test_five_crashes_in_five_minutes_stop_the_pool(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
    """Rapid-fail protection: 503 until somebody starts it again."""
    for _ in range(4):
        arr_host.iis.kill_pool("shop-blue")
        arr_clock.sleep(10)
    assert send(arr_host)[0].status == 200
    arr_clock.sleep(300)
    arr_host.iis.kill_pool("shop-blue")
    assert send(arr_host)[0].status == 200, "the others are too long ago"
    for _ in range(4):
        arr_host.iis.kill_pool("shop-blue")
    assert arr_host.iis.pools(["shop-blue"])[0].state is RunState.STOPPED
    assert send(arr_host)[0].status == 503
    arr_host.iis.start_pool("shop-blue")
    assert send(arr_host)[0].status == 200


def test_a_site_was_takes_for_invalid_does_not_start_by_any_way(arr_host: SimulatedHost) -> None:
    """A binding that another started site has (arr.md 4.4)."""
    arr_host.iis.stop_site("shop-green")
    text = arr_host.config.data().replace(b"*:8002:", b"*:8001:")
    arr_host.config.commit(text)
    with pytest.raises(RemoteError) as caught:
        arr_host.iis.start_site("shop-green")
    assert caught.value.code == 0x800710D8
    arr_host.boot()
    assert [one.state for one in arr_host.iis.sites()] == [RunState.STARTED, RunState.STARTED, RunState.STOPPED]
