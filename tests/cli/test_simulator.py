"""``arr-bluegreen simulator``: a machine as a process, seen and disturbed from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.errors import ExitCode
from arr_bluegreen.pytest_plugin import BLUE_GREEN
from arr_bluegreen.simulator.faults import TOOL_FAULTS, What

SECRET = "sim-Secret-7"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running simulator's ready line; it ends when its stdin closes."""
    folder = tmp_path_factory.mktemp("simulator")
    command = [sys.executable, "-m", "arr_bluegreen", "simulator", "run", "--root", str(folder), "--basic"]
    process = subprocess.Popen(
        [*command, "--set", "state_survives_enabling=true"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ARR_BLUEGREEN_PASSWORD": SECRET},
    )
    assert process.stdout is not None
    assert process.stdin is not None
    yield json.loads(process.stdout.readline())
    process.stdin.close()
    assert process.wait(10) == 0
    process.stdout.close()


def through_front(ready: dict[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(ready["front_url"] + "/", headers={"Host": "shop.example"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_ready_line_says_where_everything_is_and_no_secret(running: dict[str, Any]) -> None:
    assert set(running) >= {"front_port", "winrm_port", "admin_url", "config", "root", "pid"}
    assert SECRET not in json.dumps(running)
    assert Path(running["config"]).read_bytes() == BLUE_GREEN.read_bytes()
    assert through_front(running)[0] == 200


def test_its_state_is_shown_for_people_and_machines(
    running: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulator", "show", "--admin", running["admin_url"]]) is ExitCode.DONE
    told = capsys.readouterr().out
    for expected in ("127.0.0.2", "site shop-green: Started", "pool Front: Started, pid ", f":{running['front_port']}"):
        assert expected in told
    assert run(["simulator", "show", "--admin", running["admin_url"], "--json"]) is ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["farms"][0]["in_service"] == ["127.0.0.2"]


def test_faults_are_done_while_it_runs(running: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_SIMULATOR", running["admin_url"])
    assert run(["simulator", "fault", "state:farm=shop,address=127.0.0.2,to=GracefulStop"]) is ExitCode.DONE
    assert through_front(running)[0] == 502
    assert run(["simulator", "fault", "recycle"]) is ExitCode.DONE
    assert through_front(running)[0] == 200, "the recycle forgot the stop (arr.md 5.6)"


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("nope", "recycle"),
        ("kill:pool=nope", "shop-blue"),
        ("set:x=1", "elevated"),
        ("rtt:ms=abc", "no whole number"),
        ("rtt-ms=20", "rtt"),
        ("late-answers:seconds=soon", "late-answers:seconds=N"),
        ("state:farm=shop,address=127.0.0.2,to=Off", "GracefulStop"),
        ("set:disabled_farm=x", "no-server"),
    ],
)
def test_a_wrong_fault_is_refused_naming_what_there_is(
    running: dict[str, Any], capsys: pytest.CaptureFixture[str], fault: str, word: str
) -> None:
    assert run(["simulator", "fault", fault, "--admin", running["admin_url"]]) is ExitCode.USAGE
    said = capsys.readouterr().err
    assert word in said
    assert "Error(" not in said


def test_faults_and_settings_are_listed_without_a_simulator(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["simulator", "fault", "--list"]) is ExitCode.DONE
    told = capsys.readouterr().out
    for expected in ("recycle:pool=NAME", "drop:when=before|after", "health_change_resets=server  (server | farm)"):
        assert expected in told


def test_every_planned_fault_is_explained() -> None:
    assert set(TOOL_FAULTS) == {one.value for one in What}


def test_a_stranger_without_the_header_is_refused(running: dict[str, Any]) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(running["admin_url"] + "/state", timeout=5)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["run", "--config", "/no/such.config"], ExitCode.USAGE, "no such file"),
        (["run", "--winrm-port", "-1", "--set", "nope=1"], ExitCode.USAGE, "no simulator setting"),
        (["run", "--password-env", "NO_SUCH_VARIABLE"], ExitCode.USAGE, "no password"),
        (["show"], ExitCode.USAGE, "--admin"),
        (["fault"], ExitCode.USAGE, "--list"),
        (["show", "--admin", "http://127.0.0.1:1"], ExitCode.UNREACHABLE, "no simulator answers"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], code: ExitCode, word: str
) -> None:
    extra = ["--root", str(tmp_path)] if arguments[0] == "run" else []
    assert run(["simulator", *arguments, *extra]) is code
    said = capsys.readouterr().err
    assert word in said
    assert said.count("\n") == 1
