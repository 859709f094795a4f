"""The machine in memory: numbered calls, virtual time, clients that count what they lose."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import pytest

from arr_bluegreen.control.interface import Capability, Machine, ProbeRequest
from arr_bluegreen.errors import NoSuchObject, UnreachableError
from arr_bluegreen.pytest_plugin import host_in_memory, machine_in_memory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.hosts_lines import hosts_entries, with_hosts_entries
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.simulator.traffic import FloorWatch, Traffic
from arr_bluegreen.webfarm import NewState, ServerState, TestResult
from arr_bluegreen.webfarm.change import SetServer, settings

BLUE, GREEN = "127.0.0.2", "127.0.0.3"
ENABLE = SetServer("shop", GREEN, settings(enabled=True))


def switch(machine: MemoryMachine) -> None:
    """The shortest right order: fence, enable, start, stop."""
    farm = machine.farm("shop", ["Front"])
    farm.set_state({GREEN: NewState.GRACEFUL_STOP})
    machine.config.apply([ENABLE])
    farm.set_state({GREEN: NewState.START})
    farm.set_state({BLUE: NewState.GRACEFUL_STOP})


def test_it_is_a_machine_to_the_sequence(arr_machine: MemoryMachine) -> None:
    machine: Machine = arr_machine
    assert machine.capabilities == frozenset(Capability)
    assert machine.facts().name == "WEB01"
    assert [one.name for one in machine.config.read().farms] == ["shop"]
    machine.close()


def test_a_commit_is_counted_and_its_inverse_undoes_it(arr_machine: MemoryMachine) -> None:
    before = arr_machine.host.config.data()
    commit = arr_machine.config.apply([ENABLE])
    assert commit.commits == 1
    assert arr_machine.config.apply([ENABLE]).commits == 0
    assert arr_machine.config.apply(commit.inverse).commits == 1
    assert arr_machine.host.config.data() == before


def test_status_names_the_workers_of_the_front(arr_machine: MemoryMachine) -> None:
    status = arr_machine.farm("shop", ["Front"]).status()
    assert status.machine == "WEB01"
    assert status.arr_workers is not None
    assert [one.pool for one in status.arr_workers] == ["Front"]
    assert arr_machine.farm("shop").status().arr_workers is None


def test_test_health_waits_for_its_answer_in_virtual_time(arr_machine: MemoryMachine) -> None:
    arr_machine.host.files.write_text("C:\\inetpub\\shop-green\\simulated-app.json", '{"start_seconds": 3}')
    arr_machine.host.iis.recycle_pool("shop-green")
    began = arr_machine.clock.monotonic()
    tested = arr_machine.farm("shop").test_health(GREEN, "http://shop.example/health", timedelta(seconds=9), "200", "")
    assert tested.result is TestResult.SUCCESS
    assert 3 <= arr_machine.clock.monotonic() - began < 3.1


def test_probes_answer_in_order_and_never_raise(arr_machine: MemoryMachine) -> None:
    slow = ProbeRequest(f"http://{BLUE}:8001/slow?seconds=2", "shop.example")
    late = replace(slow, timeout=timedelta(seconds=1))
    nobody = ProbeRequest("http://nowhere:8001/", "shop.example")
    answers = arr_machine.probe.ask([slow, late, nobody])
    assert [one.status for one in answers] == [200, 0, 0]
    assert answers[0].header("x-app-version") == "1"
    assert [one.error[:5] for one in answers[1:]] == ["12002", "12007"]


def test_records_are_created_swapped_and_listed(arr_machine: MemoryMachine) -> None:
    records = arr_machine.records("shop")
    assert records.names() == ()
    assert records.create("lock.json", "a")
    assert not records.create("lock.json", "b")
    assert records.replace("lock.json", "a", "c")
    assert records.read("lock.json") == "c"
    assert records.names() == ("lock.json",)
    assert arr_machine.host.files.read_text("%ProgramData%\\arr-bluegreen\\shop\\lock.json") == "c"
    assert records.delete("lock.json")
    assert records.read("lock.json") is None


def test_hosts_lines_are_an_owners_own() -> None:
    text = "127.0.0.1 localhost\r\n127.0.0.1 other # somebody\r\n"
    after = with_hosts_entries(text, "arr-bluegreen shop", [("127.0.0.1", "shop-blue")])
    assert after.startswith(text)
    assert hosts_entries(after, "arr-bluegreen shop") == (("127.0.0.1", "shop-blue"),)
    assert len(hosts_entries(after, None)) == 3
    assert with_hosts_entries(after, "arr-bluegreen shop", []) == text


class TestHooks:
    def test_every_call_is_numbered_and_costs_a_round_trip(self, arr_machine: MemoryMachine) -> None:
        began = arr_machine.clock.monotonic()
        arr_machine.farm("shop").status()
        arr_machine.sites.pools(["Front"])
        assert arr_machine.journal == ["farm.status", "sites.pools"]
        assert arr_machine.clock.monotonic() - began == pytest.approx(2 * arr_machine.round_trip)

    def test_a_call_may_fail_before_or_after_its_act(self, arr_machine: MemoryMachine) -> None:
        def fail(number: int, name: str) -> None:
            raise UnreachableError(f"{number} {name}", maybe_done=True)

        farm = arr_machine.farm("shop")
        arr_machine.before_call = fail
        with pytest.raises(UnreachableError, match=r"0 farm\.set_state"):
            farm.set_state({BLUE: NewState.DRAIN})
        arr_machine.before_call = None
        assert farm.status().server(BLUE).state is ServerState.ACTIVE
        arr_machine.after_call = fail
        with pytest.raises(UnreachableError):
            farm.set_state({BLUE: NewState.DRAIN})
        arr_machine.after_call = None
        assert farm.status().server(BLUE).state is ServerState.DRAINING

    def test_something_may_happen_at_any_call(self, arr_machine: MemoryMachine) -> None:
        arr_machine.before_call = lambda number, _: arr_machine.host.iis.recycle_pool("Front") if number == 1 else None
        farm = arr_machine.farm("shop")
        farm.set_state({BLUE: NewState.DRAIN})
        assert farm.status().server(BLUE).state is ServerState.ACTIVE

    def test_unknown_names_are_errors_of_ours(self, arr_machine: MemoryMachine) -> None:
        with pytest.raises(NoSuchObject):
            arr_machine.farm("nope").status()
        with pytest.raises(NoSuchObject):
            arr_machine.sites.stop_pool("nope")


class TestTraffic:
    def watched(self, host: SimulatedHost, clock: SimulatedClock) -> tuple[Traffic, FloorWatch]:
        return Traffic([host], clock, every=0.05).start(), FloorWatch(host, "shop")

    def test_a_right_switch_loses_nothing_and_keeps_the_floor(
        self, arr_machine: MemoryMachine, arr_clock: SimulatedClock
    ) -> None:
        traffic, floor = self.watched(arr_machine.host, arr_clock)
        arr_clock.sleep(3)
        switch(arr_machine)
        arr_clock.sleep(5)
        traffic.stop()
        arr_clock.sleep(5)
        assert (traffic.lost, traffic.open, floor.lowest, floor.broken) == ([], 0, 1, [])
        assert set(traffic.by_version) == {"1", "2"}
        assert sum(traffic.by_version.values()) == traffic.sent

    def test_the_wrong_order_is_caught(self, arr_machine: MemoryMachine, arr_clock: SimulatedClock) -> None:
        traffic, floor = self.watched(arr_machine.host, arr_clock)
        arr_machine.farm("shop").set_state({BLUE: NewState.GRACEFUL_STOP})
        arr_clock.sleep(1)
        arr_machine.config.apply([ENABLE])
        arr_clock.sleep(1)
        assert floor.lowest == 0
        assert floor.broken
        assert traffic.lost
        assert all(one.reason.startswith("502.4") for one in traffic.lost)

    def test_a_broken_slot_does_not_count_as_in_service(
        self, arr_machine: MemoryMachine, arr_clock: SimulatedClock
    ) -> None:
        arr_machine.host.files.write_text("C:\\inetpub\\shop-green\\simulated-app.json", '{"broken": true}')
        arr_machine.host.iis.recycle_pool("shop-green")
        traffic, floor = self.watched(arr_machine.host, arr_clock)
        switch(arr_machine)
        arr_clock.sleep(1)
        assert floor.lowest == 0
        assert traffic.lost

    def test_a_cut_request_is_lost(self, arr_machine: MemoryMachine, arr_clock: SimulatedClock) -> None:
        traffic, _ = self.watched(arr_machine.host, arr_clock)
        arr_clock.sleep(1)
        assert not traffic.lost
        arr_machine.farm("shop").set_state({BLUE: NewState.FORCEFUL_STOP})
        assert any("cut" in one.reason for one in traffic.lost)

    def test_two_machines_take_turns(self) -> None:
        clock = SimulatedClock()
        hosts = [host_in_memory(None, clock) for _ in range(2)]
        traffic = Traffic(hosts, clock, every=0.1, long_every=0).start()
        clock.sleep(0.95)
        assert [one.arr.status("shop").server(BLUE).total_requests for one in hosts] == [5, 5]
        assert traffic.sent == 10


def test_a_switch_under_load_costs_milliseconds() -> None:
    """Thousands of enumerated runs need this; the limit is wide, and others' work on the machine does not count."""
    began = time.process_time()
    for _ in range(20):
        clock = SimulatedClock()
        host = host_in_memory(None, clock)
        machine = machine_in_memory(host, clock)
        traffic = Traffic([host], clock, every=0.25).start()
        farm = machine.farm("shop", ["Front"])
        for _ in range(35):
            farm.status()
        switch(machine)
        clock.sleep(10)
        assert not traffic.lost
    assert (time.process_time() - began) / 20 < 0.1
