"""``deploy`` as it is typed: what is refused, with which exit code, in one line; init writes what can be read again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arr_bluegreen.cli.deploy_alive import carried_out, is_running
from arr_bluegreen.cli.deploy_story import Story
from arr_bluegreen.cli.deploy_view import Around, standing
from arr_bluegreen.cli.deploy_world import World
from arr_bluegreen.cli.main import run
from arr_bluegreen.deployment.description_read import read_description
from arr_bluegreen.deployment.events import (
    Noted,
    RunEnded,
    RunStarted,
    Stamped,
    StepDone,
    StepProgress,
    StepStarted,
    Switched,
    from_line,
    to_line,
)
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import LockedError, RefusedError
from arr_bluegreen.simulator.clock import SimulatedClock
from tests.deployment.world import NoCommands

FIXTURES = Path(__file__).parents[2] / "fixtures"
CONFIG = FIXTURES / "apphost" / "blue-green.config"
STARTED = RunStarted("run", "shop", "shop", "green", "blue", "2", "state", "enabled", ("fence",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "deployment.toml"
    path.write_text((FIXTURES / "deployment.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def stamped(*events: object) -> tuple[Stamped, ...]:
    clock = SimulatedClock()
    return tuple(Stamped(clock.now(), "r", one) for one in events)  # type: ignore[arg-type]  # events of any kind


def test_a_file_cannot_be_deployed_to(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = CONFIG.read_bytes()
    assert run(["deploy", "run", str(file), "--on", f"file:{CONFIG}", "--state-dir", str(file.parent)]) == 3
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "--on winrm:HOST" in said[0]
    assert CONFIG.read_bytes() == before


def test_an_unknown_key_names_the_nearest(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace("quiet =", "quite ="), encoding="utf-8")
    assert run(["deploy", "check", str(file), "--on", f"file:{CONFIG}"]) == 2
    assert "unknown key 'drain.quite' (did you mean 'quiet'?)" in capsys.readouterr().err


def test_no_description_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "plan", str(tmp_path / "none.toml"), "--on", f"file:{CONFIG}"]) == 2
    assert "deploy init" in capsys.readouterr().err


def test_init_writes_a_description_that_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "made.toml"
    assert run(["deploy", "init", str(path), "--on", f"file:{CONFIG}"]) == 0
    found = read_description(path)
    assert (found.app.hosts, found.app.front) == (("shop.example",), ("Front",))
    assert [one.members[0].site for one in found.slots.slots] == ["shop-blue", "shop-green"]
    assert run(["deploy", "init", str(path), "--on", f"file:{CONFIG}"]) == 2, "never over a file that is there"
    assert "there already" in capsys.readouterr().err


def test_nothing_to_tell_is_an_empty_history(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["deploy", "history", str(file), "--state-dir", str(file.parent), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("events", "says", "commands"),
    [
        ([STARTED, StepStarted("gate", "x")], "has not switched: blue serves", ["deploy resume", "deploy abort"]),
        (
            [STARTED, Switched("green", "now"), StepDone("bring-in", 1)],
            "has switched",
            ["deploy resume", "deploy switch-back"],
        ),
        ([STARTED, Noted("way", {"to": "back", "why": "bad"})], "was going back to blue", ["deploy resume"]),
        ([STARTED, RunEnded("done", 0, "green", 1.0)], "is over: done", ["deploy switch-back", "deploy run"]),
    ],
)
def test_status_says_where_a_run_stands_and_what_to_type(events: list[object], says: str, commands: list[str]) -> None:
    text, found = standing("r", stamped(*events))
    assert says in text
    assert found == commands


def test_events_are_lines_that_come_back(file: Path) -> None:
    for one in stamped(STARTED, Switched("green", "2026"), StepProgress("drain", "waiting", 0.5), Noted("a", [1])):
        assert from_line(to_line(one)) == one
    line = '{"schema": 1, "event": "of_tomorrow", "at": "2026-01-01T00:00:00+00:00", "run": "r"}'
    assert from_line(line) is None
    with pytest.raises(RefusedError, match="newer arr-bluegreen"):
        from_line(line.replace("1", "99", 1))


def test_a_wait_is_told_once_until_it_changes() -> None:
    said: list[str] = []
    story = Story(said.append)
    for number in range(20):
        story(stamped(StepProgress("drain", f"waiting for {20 - number} request(s)"))[0])
    assert len(said) == 1


def test_one_process_carries_out_a_run(tmp_path: Path) -> None:
    """A second one is refused (8), and the end of the first, however it comes, lets the next in."""
    journals = Journals(tmp_path / "shop")
    there = World(
        read_description(FIXTURES / "deployment.toml"), Controls((), SimulatedClock(), NoCommands()), journals
    )
    assert not is_running(journals.folder)
    with carried_out(there):
        assert is_running(journals.folder)
        with pytest.raises(LockedError, match="being carried out"), carried_out(there):
            pass
    assert not is_running(journals.folder)


def test_a_run_under_way_is_not_told_as_stopped() -> None:
    events = stamped(STARTED, StepStarted("drain", "Drain blue"))
    assert "stopped in the step 'drain'" in standing("r", events)[0]
    text, commands = standing("r", events, Around(running=True))
    assert "under way" in text
    assert "stopped" not in text
    assert commands == ["deploy status"]
