"""The demo: what it tells, when it ends well, that it leaves nothing behind; and the demo itself."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli.demo_processes import Child, Lines, interrupts_wait
from arr_bluegreen.cli.demo_scene import build
from arr_bluegreen.cli.demo_story import Story
from arr_bluegreen.deployment import events
from arr_bluegreen.deployment.description_read import read_description
from arr_bluegreen.errors import ExitCode

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEYS = [
    "requests",
    "failed",
    "by_version",
    "live_before",
    "live_after",
    "switch_ms",
    "drain_seconds",
    "cut",
    "p99_ms",
    "steps",
    "exit_code",
]


def story(code: int, *, failed: int = 0, last_seen: dict[str, float], live: str = "green") -> tuple[Story, list[str]]:
    """A story that ended so, with the lines it told."""
    told: list[str] = []
    made = Story(told.append)
    first = {name: AT.timestamp() + 0.0421 for name in last_seen}
    load = {"requests": 6000, "failed": failed, "by_version": dict.fromkeys(last_seen, 3000), "p99_ms": 12.5}
    made.load_said(json.dumps({**load, "first_seen": first, "last_seen": last_seen, "final": True}))
    for event in (
        events.RunStarted("run", "shop", "shop", "green", "blue", "2", "state", "enabled", ("content", "switch")),
        events.StepStarted("content", "Put it there"),
        events.StepDone("content", 0.5),
        events.StepSkipped("retire", "nothing to retire"),
        events.Switched("green", AT.isoformat()),
        events.Drained("blue", 6.5, 0, "empty"),
        events.RunEnded("done", code, live, 12.0, True),
    ):
        made.deploy_said(events.to_line(events.Stamped(AT, "r1", event)))
    made.deploy_code = code
    return made, told


def test_the_result_has_exactly_the_promised_keys() -> None:
    """In their order, with the steps as they went."""
    found, told = story(0, last_seen={"1": 10.0, "2": 14.0})
    result = found.result()
    assert list(result) == KEYS
    assert result["steps"] == [
        {"name": "content", "state": "done", "seconds": 0.5},
        {"name": "retire", "state": "skipped", "seconds": 0.0},
    ]
    assert (result["live_before"], result["live_after"], result["switch_ms"]) == ("blue", "green", 42.1)
    assert (result["drain_seconds"], result["cut"], result["exit_code"]) == (6.5, 0, 0)
    assert any("Put it there" in line and "v1 3000  v2 3000  failed 0" in line for line in told)


def test_a_line_of_the_story_fits_its_terminal() -> None:
    """A long wait is cut beside the tally; why something failed is not."""
    found, told = story(0, last_seen={"1": 10.0, "2": 14.0})
    found.width = 80
    found.deploy_said(events.to_line(events.Stamped(AT, "r1", events.StepStarted("drain", "Drain blue " * 9))))
    found.deploy_said(events.to_line(events.Stamped(AT, "r1", events.StepDone("drain", 0.5))))
    assert len(told[-1]) <= 80
    assert told[-1].endswith("failed 0")
    found.deploy_said(events.to_line(events.Stamped(AT, "r1", events.StepFailed("drain", "it broke " * 9, 0.5))))
    assert ("it broke " * 9).strip() in told[-1]


@pytest.mark.parametrize(
    ("code", "failed", "last_seen", "expected"),
    [
        (0, 0, {"1": 10.0, "2": 14.0}, ExitCode.DONE),
        (0, 1, {"1": 10.0, "2": 14.0}, ExitCode.BUG),  # a request failed
        (0, 0, {"1": 14.0, "2": 14.0}, ExitCode.BUG),  # the old version still answers
        (0, 0, {"1": 14.0}, ExitCode.BUG),  # the new one never did
        (7, 0, {"1": 14.0}, ExitCode.OLD_SLOT_SERVES),
        (7, 2, {"1": 14.0}, ExitCode.BUG),
        (7, 0, {"1": 10.0, "2": 14.0}, ExitCode.BUG),  # it says the old slot serves, and the traffic says it does not
        (5, 3, {"1": 14.0}, ExitCode.UNFINISHED),
    ],
)
def test_the_exit_code_is_what_the_traffic_shows(
    code: int, failed: int, last_seen: dict[str, float], expected: ExitCode
) -> None:
    """Not only what the run says of itself."""
    assert story(code, failed=failed, last_seen=last_seen)[0].exit_code() is expected


def test_the_verdict_names_what_failed() -> None:
    """Each reason with its count."""
    made, _ = story(0, failed=2, last_seen={"1": 10.0, "2": 14.0})
    made.seen["reasons"] = {"kept GET: 502": 2}
    assert "  failed: 2 x kept GET: 502" in made.verdict()


def test_the_scene_is_a_description_that_can_be_read(tmp_path: Path) -> None:
    """And an old, an idle and a new version on the machine's disk."""
    scene = build(tmp_path, broken=True)
    found = read_description(scene.description)
    assert [one.name for one in found.slots.slots] == ["blue", "green"]
    new = json.loads((scene.drives / "C" / "releases" / "shop-2" / "simulated-app.json").read_text(encoding="utf-8"))
    assert (new["version"], new["broken"]) == ("2", True)
    assert scene.config.read_bytes().startswith(b"<?xml")


def test_a_process_ends_with_its_stdin_or_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that heeds neither its stdin nor the signal is killed."""
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile True: time.sleep(9)\n"
    (tmp_path / "deaf.py").write_text(code)
    lines: Lines = queue.Queue()
    child = Child("deaf", ["deaf"], lines, tmp_path, environment={"PYTHONPATH": str(tmp_path)})
    try:
        assert lines.get(timeout=20) == ("deaf", "up")
    finally:
        monkeypatch.setattr("arr_bluegreen.cli.demo_processes.STOP_SECONDS", 0.2)
        child.stop()
    assert child.exit_code == -signal.SIGKILL


def test_an_interrupt_while_a_process_starts_comes_once_it_is_known() -> None:
    """Between fork and the note of who stops it there is no moment for a signal."""
    known: list[str] = []

    def start() -> None:
        with interrupts_wait():
            signal.raise_signal(signal.SIGINT)
            known.append("child")

    with pytest.raises(KeyboardInterrupt):
        start()
    assert known == ["child"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- the demo itself: real processes, real sockets ---------------------------------------------------------------


def demo(folder: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the one object on stdout, stderr. Nothing of it is left behind in ``folder``, its temporary one."""
    command = [sys.executable, "-m", "arr_bluegreen", "demo", "--json", *arguments]
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150, check=False)
    assert list(folder.iterdir()) == []
    assert not _processes_below(folder)
    assert len(done.stdout.splitlines()) == 1, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_a_new_version_goes_live_and_no_request_fails(tmp_path: Path) -> None:
    """The main job, under 300 requests a second and more."""
    code, found, talk = demo(tmp_path)
    assert (code, found.get("failed")) == (0, 0), (found, talk)
    assert list(found) == KEYS
    assert found["requests"] >= 5000
    assert (found["live_before"], found["live_after"], found["cut"]) == ("blue", "green", 0)
    assert found["switch_ms"] >= 0
    assert set(found["by_version"]) == {"1", "2"}


def test_a_broken_version_is_never_let_in(tmp_path: Path) -> None:
    """Exit code 7; the old version serves every request."""
    code, found, talk = demo(tmp_path, "--broken")
    assert (code, found["failed"], found["live_after"]) == (7, 0, "blue"), (found, talk)
    assert set(found["by_version"]) == {"1"}


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM is another thing there")
def test_an_ended_demo_leaves_no_process(tmp_path: Path) -> None:
    """SIGTERM in the middle: 130, and the host, the load and the files are gone."""
    command = [sys.executable, "-m", "arr_bluegreen", "demo"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stdout is not None
    while not (line := process.stdout.readline()).startswith("Traffic:"):
        assert line, "it ended before there was traffic"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []
    assert not _processes_below(tmp_path)


@pytest.mark.long
def test_twenty_demos_in_a_row_lose_no_request(tmp_path: Path) -> None:
    """One in a hundred thousand would be seen."""
    for _ in range(20):
        code, found, talk = demo(tmp_path)
        assert (code, found.get("failed")) == (0, 0), (found, talk)


# -- private ------------------------------------------------------------------------------------------------


def _processes_below(folder: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(command.decode(errors="replace"))
    return found
