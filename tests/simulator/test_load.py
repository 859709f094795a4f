"""The load generator: paced, honest about what failed, a process of its own."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from arr_bluegreen.simulator.load import Load, Report, main
from arr_bluegreen.webfarm import NewState
from tests.simulator.served_host import BLUE, hosted, on_loop


def lines_of(output: str) -> list[dict[str, object]]:
    return [json.loads(one) for one in output.splitlines()]


def test_as_a_process_it_ends_when_its_stdin_closes(tmp_path: Path) -> None:
    async def run() -> list[dict[str, object]]:
        async with hosted(tmp_path) as served:
            url = f"http://127.0.0.1:{served.front_port}"
            command = ["-m", "arr_bluegreen.simulator.load", "--url", url, "--host", "shop.example"]
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                *("--rate", "200", "--every", "0.2", "--slow-seconds", "0.5"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            first = await process.stdout.readline()
            await asyncio.sleep(0.8)
            process.stdin.close()
            rest = await process.stdout.read()
            assert await process.wait() == 0
            return lines_of((first + rest).decode())

    *short, final = on_loop(run)
    assert len(short) >= 3
    assert final["final"] is True
    assert (final["failed"], final["reasons"]) == (0, {})
    kinds = final["by_kind"]
    assert isinstance(kinds, dict)
    assert set(kinds) == {"kept GET", "kept POST", "new GET", "new POST", "slow", "web socket"}
    assert final["by_version"] == {"1": final["requests"]}
    assert set(final) >= {"p50_ms", "p99_ms", "longest_gap_ms", "first_seen", "last_seen", "rate"}


def test_it_keeps_its_pace(tmp_path: Path) -> None:
    async def run() -> Report:
        async with hosted(tmp_path) as served:
            load = Load(f"http://127.0.0.1:{served.front_port}", "shop.example", 250, slow_seconds=0, web_sockets=0)
            return await load.run(1.0, 60, print)

    report = on_loop(run)
    assert 250 * (1 - report.behind) * 0.8 <= report.requests <= 260, "as fast as told, or it says how far behind"
    assert report.failed == 0


@pytest.mark.parametrize("how", ["502", "cut socket", "nobody there"])
def test_every_failure_is_counted_with_its_reason(tmp_path: Path, how: str) -> None:
    async def run() -> Report:
        async with hosted(tmp_path) as served:
            port = served.front_port if how != "nobody there" else 1
            load = Load(f"http://127.0.0.1:{port}", "shop.example", 50, slow_seconds=0, web_sockets=how == "cut socket")
            running = asyncio.create_task(load.run(0.6, 60, print))
            await asyncio.sleep(0.3)
            if how == "502":
                served.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
            elif how == "cut socket":
                served.host.iis.kill_pool("shop-blue")
            return await running

    report = on_loop(run)
    assert report.failed > 0
    expected = {"502": "502 HTTP Error 502.4", "cut socket": "web socket", "nobody there": "ClientConnectorError"}[how]
    assert any(expected in one for one in report.reasons), dict(report.reasons)


def test_a_body_for_another_request_is_a_failure() -> None:
    from arr_bluegreen.simulator.load import _problem

    good = json.dumps({"path": "/a", "method": "POST", "received": 3}).encode()
    assert _problem(200, good, "/a", "POST", b"123") == ""
    assert "received" in _problem(200, good, "/a", "POST", b"12")
    assert "path" in _problem(200, good, "/b", "POST", b"123")
    assert "no JSON" in _problem(200, b"<html>", "/a", "GET", None)
    assert _problem(503, good, "/a", "POST", b"123").startswith("503")


def test_it_needs_to_know_where(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--host", "x"])
    assert "--url" in capsys.readouterr().err
