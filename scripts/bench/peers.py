"""What others do, step by step as published (own words, own code), by the same remote hands as ours.

Their sleeps are shortened to ``SCALE`` of theirs, as are the time IIS gives a stopping pool and what clients keep open.
Each begins with both slots running and ends when its author says that it is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from arr_bluegreen.control.interface import Machine, ProbeRequest
from arr_bluegreen.webfarm import NewState
from arr_bluegreen.webfarm.change import SetServer, settings
from bench.stage import BLUE, FARM, GREEN, PUBLIC

SCALE = 1 / 20
"""A minute is three seconds."""


def flag_and_sleep(machine: Machine) -> None:
    """The configuration's flag on the new server, a fixed time, the flag off the old one; 10 s instead of a count."""
    _warm(machine)
    _flag(machine, GREEN, True)
    _sleep(10)
    _flag(machine, BLUE, False)
    _sleep(10)


def request_rate(machine: Machine) -> None:
    """Start behind a flag, Drain on the old, then poll its requests per second (not those in flight) up to 10 s."""
    farm = machine.farm(FARM, ["Front"])
    _warm(machine)
    farm.set_state({GREEN: NewState.START})
    _flag(machine, GREEN, True)
    farm.set_state({BLUE: NewState.DRAIN})
    before, ends = None, time.monotonic() + 10
    while time.monotonic() < ends:
        total = farm.status().server(BLUE).total_requests
        if total == before:
            break
        before = total
        time.sleep(1)  # what a counter per second needs: not shortened
    _flag(machine, BLUE, False)


def force_healthy(machine: Machine) -> None:
    """One GET, healthy by force, Start; Drain on the old, sleep 60 s, stop the old site."""
    farm = machine.farm(FARM, ["Front"])
    _flag(machine, GREEN, True)  # there both are enabled all the time
    machine.probe.ask([_get()])
    farm.set_healthy({GREEN: True})
    farm.set_state({GREEN: NewState.START})
    farm.set_state({BLUE: NewState.DRAIN})
    _sleep(60)
    machine.sites.stop_site("shop-blue")


def swap_flags(machine: Machine) -> None:
    """The source disabled, then the destination enabled: two commits, nothing warmed."""
    _flag(machine, BLUE, False)
    _flag(machine, GREEN, True)


PEERS: dict[str, Callable[[Machine], None]] = {
    "peer-flag-and-sleep": flag_and_sleep,
    "peer-request-rate": request_rate,
    "peer-force-healthy": force_healthy,
    "peer-swap-flags": swap_flags,
}


# -- private --------------------------------------------------------------------------------------------------


def _warm(machine: Machine) -> None:
    """GET until it answers in less than 400 ms, without a deadline, as published."""
    while True:
        answer = machine.probe.ask([_get()])[0]
        if answer.status == 200 and answer.seconds < 0.4:
            return


def _get() -> ProbeRequest:
    return ProbeRequest(f"http://{GREEN}:8002/", host=PUBLIC, timeout=timedelta(seconds=30))


def _flag(machine: Machine, address: str, enabled: bool) -> None:
    machine.config.apply([SetServer(FARM, address, settings(enabled=enabled))])


def _sleep(seconds: float) -> None:
    time.sleep(seconds * SCALE)
