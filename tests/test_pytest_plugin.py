"""The fixtures that other people's tests get with the package."""

from __future__ import annotations

import pytest

from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.memory import MemoryMachine
from arr_bluegreen.simulator.settings import SimulatorSettings


def test_a_host_is_booted_on_the_clock(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
    assert arr_host.clock is arr_clock
    assert arr_host.arr.in_service("shop") == ("127.0.0.2",)


@pytest.mark.arr_host(
    BLUE_GREEN.read_bytes().replace(b'name="shop"', b'name="store"'), settings=SimulatorSettings(computer="WEB9")
)
def test_a_marker_gives_another_configuration(arr_host: SimulatedHost) -> None:
    assert arr_host.arr.status("store").machine == "WEB9"


def test_further_hosts_share_the_clock(arr_host_from: HostFactory, arr_host: SimulatedHost) -> None:
    assert arr_host_from().clock is arr_host.clock


def test_the_machine_is_the_hosts(arr_machine: MemoryMachine, arr_host: SimulatedHost) -> None:
    assert arr_machine.host is arr_host
    assert arr_machine.farm("shop").status().farm.name == "shop"
