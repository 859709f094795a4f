"""Switches under load through real sockets, real WinRM and three processes: what fails, and how long nobody answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("aiohttp", reason="the simulated host needs the extra 'simulator'")
sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from bench.stage import ADDRESS, Clients, stage  # scripts/ is no package

QUICK = Clients(rate=60.0, slow_seconds=0.4, web_sockets=2, web_socket_seconds=0.7)
FULL = Clients(rate=60.0, slow_seconds=2.0, web_sockets=2, web_socket_seconds=3.0)
SWITCHES = 20
BUSY_BOX_MS = 1500.0
"""A pause of this box itself: no answer for longer is the switch's doing."""


@pytest.mark.parametrize("by", ["state", "health-file"])
def test_switched_back_and_forth_under_load_nothing_fails(tmp_path: Path, by: str) -> None:
    switched(tmp_path, by, 3 if by == "state" else 2, QUICK)


@pytest.mark.long
@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("by", ["state", "health-file", "enabled", "rule", "weights"])
def test_twenty_switches_under_load(tmp_path: Path, by: str, pair: bool) -> None:
    """0 failed for ``state`` and ``health-file``. The others name writes as their gap, and that none restarts a worker
    process here: so nothing may fail either. ``pair``: a switch by state that writes nothing."""
    if pair and by != "state":
        pytest.skip("only for state: the others' pair is as it is")
    switched(tmp_path, by, SWITCHES, FULL, pair=pair)


# -- private -------------------------------------------------------------------------------------------------


def switched(folder: Path, by: str, times: int, clients: Clients, *, pair: bool = True) -> None:
    """So many switches, back and forth; each ended well, and both versions served all the while."""
    with stage(folder / "host", by, pair=pair and by == "state") as one:
        more = '[durable]\nby = "reconcile"\n' if pair and by == "state" else ""
        with one.load(clients) as load:
            load.requests(30)
            for number in range(times):
                to = ("green", "blue")[number % 2]
                plan, ended = one.switch(to, text=one.description(quiet="200ms", more=more))
                assert (ended.outcome, ended.live) == ("done", to), (number, ended)
                assert not plan.restarts
                assert one.in_service()[-1:] == (ADDRESS[to],) or by == "rule"
                load.requests(30)
    said = load.final
    assert said["failed"] == 0, (said["reasons"], said["failures"])
    assert set(said["by_version"]) == {"1", "2"}
    assert set(said["by_kind"]) == {"new GET", "new POST", "kept GET", "kept POST", "slow", "web socket"}
    assert said["longest_gap_ms"] < BUSY_BOX_MS, said["longest_gap_ms"]
