"""A switch under load through real sockets and real WinRM: ours by each way, beside what others do (issue 5, Speed).

Host, clients and sequence are three processes; every message of WinRM takes 20 ms more. The clients: kept and new
connections, GET and POST, requests of 2 s, WebSockets. The new version takes a second to start. Whatever says that it
is done must mean it: the old slot's pool is stopped then, as the next deployment would. Peers' sleeps, the 90 s that
IIS gives a stopping pool, and WebSockets are short in the same measure (1/20); ours waits by count and is not changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.events import Stamped, StepDone, StepStarted, Switched
from bench.peers import PEERS, SCALE
from bench.stage import PROBE_SECONDS, Clients, Stage, stage

OURS = ("state", "health-file", "enabled", "rule", "weights")
RTT_MS, CLIENTS, START_SECONDS = 20.0, Clients(rate=80.0), 1.0
ENOUGH = 80
"""Requests before the sequence begins and after it ended."""
SWITCHES = 4
"""How often the speed of a switch is taken: medians."""


def run() -> dict[str, object]:
    """One object per way (``requests``, ``failed``, ``longest_gap_ms``, ``seconds``); beside them the speeds."""
    found: dict[str, object] = {}
    with TemporaryDirectory() as folder:
        home = Path(folder)
        for by in OURS:
            found[by] = _way(home / by, by, _ours)
        for name, peer in PEERS.items():
            found[name] = _way(home / name, "enabled", partial(_theirs, peer))
        found.update(_speed_of_state(home / "speed"))
        found.update(_speed_of_health_files(home / "speed-health"))
    return found


# -- private: failures ------------------------------------------------------------------------------------------


def _way(folder: Path, by: str, play: Callable[[Stage], None]) -> dict[str, object]:
    with stage(folder, by, rtt_ms=RTT_MS, start_seconds=START_SECONDS, scale=SCALE) as one, one.load(CLIENTS) as load:
        load.requests(ENOUGH)
        _restart_new(one)
        began = time.monotonic()
        play(one)
        seconds = time.monotonic() - began
        _stop_old(one)
        load.until(lambda line: line["seconds"] > 0)
        time.sleep(90 * SCALE + 0.5)  # what a pool may take to stop
        load.requests(ENOUGH)
    said = load.final
    return {
        "requests": said["requests"],
        "failed": said["failed"],
        "longest_gap_ms": said["longest_gap_ms"],
        "seconds": round(seconds, 2),
        **({"reasons": said["reasons"]} if said["failed"] else {}),
    }


def _ours(one: Stage) -> None:
    _, ended = one.switch("green")
    if ended.outcome != "done":
        raise RuntimeError(f"{one.by}: {ended}")


def _theirs(peer: Callable[[Machine], None], one: Stage) -> None:
    machine = one.machine()
    try:
        peer(machine)
    finally:
        machine.close()


def _restart_new(one: Stage) -> None:
    """The new version has just been put there: its worker process is a new one."""
    machine = one.machine()
    machine.sites.recycle_pool("shop-green")
    machine.close()


def _stop_old(one: Stage) -> None:
    machine = one.machine()
    machine.sites.stop_pool("shop-blue")
    machine.close()


# -- private: speed ---------------------------------------------------------------------------------------------


def _speed_of_state(folder: Path) -> dict[str, object]:
    """Milliseconds, medians of some switches. ``control_round_trip_ms`` is one call of the kept PowerShell."""
    whole, from_start, own = [], [], []
    clients = replace(CLIENTS, rate=150.0, web_sockets=0, slow_seconds=0.0)
    with stage(folder, "state", rtt_ms=RTT_MS, pair=True) as one:
        for number in range(SWITCHES):
            to = ("green", "blue")[number % 2]
            with one.load(clients) as load:
                load.requests(50)
                before, slept = len(one.heard), one.clock.slept
                _, ended = one.switch(to, text=one.description(more='[durable]\nby = "reconcile"\n'))
                slept = one.clock.slept - slept
                load.requests(50)
            first, heard = _first(load.final, to), one.heard[before:]
            whole.append((first - _at(heard, StepDone, "arr-gate")) * 1000)
            from_start.append((first - _at(heard, Switched, "")) * 1000)
            own.append(ended.seconds - slept)
        return {
            "switch_ms_state": round(median(whole), 1),
            "switch_ms_state_from_set_state": round(median(from_start), 1),
            "control_round_trip_ms": round(_round_trip(one), 1),
            "own_seconds": round(median(own), 2),
            "requests_per_second_waiting": _waiting(one),
        }


def _speed_of_health_files(folder: Path) -> dict[str, object]:
    """From the file that says up to the first request, in probe intervals (the median), and the slowest."""
    taken = []
    clients = replace(CLIENTS, rate=200.0, web_sockets=0, slow_seconds=0.0)
    with stage(folder, "health-file", rtt_ms=RTT_MS) as one:
        for number in range(SWITCHES):
            to = ("green", "blue")[number % 2]
            with one.load(clients) as load:
                load.requests(50)
                before = len(one.heard)
                one.switch(to)
                load.requests(50)
            taken.append((_first(load.final, to) - _at(one.heard[before:], Switched, "")) / PROBE_SECONDS)
    return {
        "switch_intervals_health_file": round(median(taken), 2),
        "switch_intervals_health_file_slowest": round(max(taken), 2),
    }


def _round_trip(one: Stage) -> float:
    machine, taken = one.machine(), []
    farm = machine.farm("shop", ["Front"])
    farm.status()
    for _ in range(10):
        began = time.perf_counter()
        farm.status()
        taken.append((time.perf_counter() - began) * 1000)
    machine.close()
    return median(taken)


def _waiting(one: Stage) -> float:
    """WinRM messages per second while the old slot drains: it is kept busy by a request of 6 s."""
    seen: list[tuple[float, int]] = []

    def hear(stamped: Stamped) -> None:
        if isinstance(stamped.event, StepStarted | StepDone) and stamped.event.step == "drain":
            seen.append((time.monotonic(), one.messages()))

    to = "green" if one.in_service() == ("127.0.0.2",) else "blue"
    with one.load(replace(CLIENTS, slow_seconds=6.0, web_sockets=0)) as load:
        load.requests(50)
        one.switch(to, text=one.description(more='[durable]\nby = "reconcile"\n'), hear=hear)
    (began, first), (ended, last) = seen[0], seen[-1]
    return round((last - first) / (ended - began), 1)


def _first(final: dict[str, dict[str, float]], to: str) -> float:
    return final["first_seen"][{"blue": "1", "green": "2"}[to]]


def _at(heard: list[Stamped], kind: type, step: str) -> float:
    found = [one.at for one in heard if isinstance(one.event, kind) and getattr(one.event, "step", "") == step]
    return found[-1].timestamp()
