"""The remote way: messages and seconds per status poll, many machines at once, a batch of edits (issue 4, Speed).

Against the simulated host in a process of its own, over NTLM with encryption, at 0, 20 and 100 ms of added round-trip
time. A PowerShell start costs nothing there (on Windows 0.3 s and more): the first two ways look better than they are.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.control.framing import POWERSHELL, bootstrap_arguments, request_line
from arr_bluegreen.control.nodes import side_by_side
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.webfarm.change import SetServer, settings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ConnectSettings(user="bench", password="bench-Pass1", transport="ntlm")
FARM, POLLS, FLEET = "shop", 100, 50


def run() -> dict[str, object]:
    """The numbers: the five of issue 4, and what they are made of (seconds per poll, messages per poll)."""
    host = _Host()
    try:
        found: dict[str, object] = {}
        for rtt in (0, 20, 100):
            host.ask(f"rtt {rtt}")
            for name, way in (("run_ps", _run_ps), ("kept_shell", _kept_shell), ("ours", _ours)):
                polls = POLLS if rtt < 100 else POLLS // 10
                messages, seconds = _measured(host, way, polls)
                found[f"{name}_seconds_{rtt}ms"] = seconds
                found[f"{name}_requests"] = messages
        host.ask("rtt 20")
        found["ours_per_call_requests"] = _measured(host, _per_call, 10)[0]
        found["requests_per_poll"] = found["ours_requests"]
        found["speedup_vs_run_ps_20ms"] = _ratio(found, "run_ps_seconds_20ms", "ours_seconds_20ms")
        return {**found, **_fleet(host), **_batch(host)}
    finally:
        host.close()


# -- the ways: each returns a poll, and how to end ---------------------------------------------------------------

Way = Callable[["_Host"], tuple[Callable[[], object], Callable[[], None]]]


def _run_ps(host: _Host) -> tuple[Callable[[], object], Callable[[], None]]:
    """pywinrm as most use it. The simulated host knows our scripts only and refuses this text: the same messages."""
    import winrm

    session = winrm.Session(
        f"http://127.0.0.1:{host.port}/wsman", auth=(SETTINGS.user, SETTINGS.password), transport="ntlm", proxy=None
    )
    return lambda: session.run_ps("Get-Farm shop"), lambda: None


def _kept_shell(host: _Host) -> tuple[Callable[[], object], Callable[[], None]]:
    """pywinrm with one shell, a PowerShell per poll."""
    from winrm.protocol import Protocol

    protocol = Protocol(
        f"http://127.0.0.1:{host.port}/wsman",
        transport="ntlm",
        username=SETTINGS.user,
        password=SETTINGS.password,
        proxy=None,
    )
    shell = protocol.open_shell(codepage=65001)

    def poll() -> None:
        command = protocol.run_command(shell, POWERSHELL, bootstrap_arguments(), False, True)
        line = request_line("1", "status", {"farm": FARM, "front": []}, with_text=True)
        protocol.send_command_input(shell, command, line, end=True)
        protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)

    return poll, lambda: protocol.close_shell(shell)


def _ours(host: _Host) -> tuple[Callable[[], object], Callable[[], None]]:
    """The kept PowerShell."""
    machine = host.machine()
    return machine.farm(FARM).status, machine.close


def _per_call(host: _Host) -> tuple[Callable[[], object], Callable[[], None]]:
    """Ours, fallen back to a process per call."""
    machine = host.machine(replace(SETTINGS, kept_powershell=False))
    return machine.farm(FARM).status, machine.close


# -- measuring ------------------------------------------------------------------------------------------------------


def _measured(host: _Host, way: Way, polls: int) -> tuple[float, float]:
    """Messages per poll and the median of its seconds, the first (which signs in) left out."""
    poll, end = way(host)
    try:
        poll()
        before, taken = host.messages(), []
        for _ in range(polls):
            start = time.perf_counter()
            poll()
            taken.append(time.perf_counter() - start)
        return (host.messages() - before) / polls, median(taken)
    finally:
        end()


def _fleet(host: _Host) -> dict[str, object]:
    """Status of 50 machines side by side against one, at 20 ms, all connected before.

    Over Basic: one process plays all 50 and would be measured at unsealing instead.
    """
    basic = replace(SETTINGS, transport="basic", allow_basic_over_http=True)
    machines = {str(number): host.machine(basic) for number in range(FLEET)}
    farms = {name: one.farm(FARM) for name, one in machines.items()}
    try:
        side_by_side(farms, lambda one: one.status()).all()
        one, all_of_them = [], []
        for _ in range(7):
            start = time.perf_counter()
            farms["0"].status()
            one.append(time.perf_counter() - start)
            start = time.perf_counter()
            side_by_side(farms, lambda one: one.status()).all()
            all_of_them.append(time.perf_counter() - start)
        return {"fleet50_seconds": median(all_of_them), "fleet50_ratio": median(all_of_them) / median(one)}
    finally:
        side_by_side(machines, lambda one: one.close())


def _batch(host: _Host) -> dict[str, object]:
    """Twenty edits after a look at the configuration: messages and commits."""
    machine = host.machine()
    try:
        machine.config.read()
        names = ["weight", "https_port", "health_check_alternate_port"]
        changes = [
            SetServer(FARM, f"127.0.0.{2 + number % 2}", settings({names[number % 3]: 50 + number}))
            for number in range(20)
        ]
        messages, commits = host.messages(), host.told()["commits"]
        machine.config.apply(changes)
        return {
            "batch20_requests": host.messages() - messages,
            "batch20_commits": host.told()["commits"] - commits,
        }
    finally:
        machine.close()


def _ratio(found: dict[str, object], one: str, other: str) -> float:
    return float(str(found[one])) / float(str(found[other]))


# -- the host, in a process of its own -----------------------------------------------------------------------------


class _Host:
    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, __file__, "serve"], stdin=pipe, stdout=pipe, text=True)
        self.port = int(self._answer()["port"])

    def machine(self, given: ConnectSettings = SETTINGS) -> WinrmMachine:
        return WinrmMachine(f"127.0.0.1:{self.port}", given)

    def ask(self, text: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(text + "\n")
        self._process.stdin.flush()
        return self._answer()

    def told(self) -> dict[str, Any]:
        return self.ask("told")

    def messages(self) -> int:
        return int(self.told()["http"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


async def _serve() -> None:
    from arr_bluegreen.simulator.clock import LoopClock
    from arr_bluegreen.simulator.faults import Faults
    from arr_bluegreen.simulator.host import SimulatedHost
    from arr_bluegreen.simulator.programs import Programs
    from arr_bluegreen.simulator.shells import Quotas
    from arr_bluegreen.simulator.wsman import WsmanServer, WsmanSettings

    loop = asyncio.get_running_loop()
    config = (ROOT / "fixtures" / "apphost" / "blue-green.config").read_bytes()
    host, faults = SimulatedHost(config, clock=LoopClock(loop)).boot(), Faults()
    quotas = Quotas(max_shells_per_user=500)
    service = WsmanSettings({SETTINGS.user: SETTINGS.password}, basic=True, allow_unencrypted=True, quotas=quotas)
    server = WsmanServer(service, Programs(host, faults, powershell_start=0.0), faults)
    print(json.dumps({"port": await server.listen()}), flush=True)
    while line := (await loop.run_in_executor(None, sys.stdin.readline)).split():
        if line[0] == "rtt":
            faults.rtt_ms = float(line[1])
        print(json.dumps({"http": faults.counts["http"], "commits": host.config.commits}), flush=True)
    await server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
