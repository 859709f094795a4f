"""The command line over WinRM: a deployment from start to end, Ctrl+C, machines that are not as they should be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli.main import run
from tests.remote.cli import Cli, ended
from tests.remote.host import BLUE, GREEN, PASSWORD, PUBLIC, Host, host


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("windows"), tls=True) as one:
        yield one


def test_deploy_run_beside_the_load_of_another_process(tmp_path: Path) -> None:
    """As a person does it: exit code 0, the new version live, and not one request of 150 a second lost."""
    with host(tmp_path, tls=True) as one:
        command = [sys.executable, "-m", "arr_bluegreen.simulator.load", "--url", one.front, "--host", PUBLIC]
        command += ["--rate", "150", "--slow-seconds", "0.5", "--web-socket-seconds", "0.5", "--every", "0.1"]
        load = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert load.stdout is not None
        load.stdout.readline()
        cli = Cli(tmp_path / "cli")
        done = cli.run("deploy", "run", "FILE", "--on", f"winrm:{one.target}", "--yes")
        seen = json.loads(load.communicate(timeout=30)[0].splitlines()[-1])
        assert done.code == 0, done.err
        assert (seen["failed"], seen["reasons"]) == (0, {})
        assert set(seen["by_version"]) == {"1", "2"}
        assert (one.live, one.shells) == ((GREEN,), 0)


def test_over_https_with_its_own_authority(windows: Host, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    found = cli.run(
        *("server", "list", "shop", "--json", "--tls", "--ca", str(windows.ca), "--on", f"winrm:{windows.tls_target}")
    )
    assert (found.code, found.err) == (0, "")
    assert [one["address"] for one in json.loads(found.out)] == [BLUE, GREEN]


def test_deploy_switch_and_deploy_drain_by_hand(tmp_path: Path) -> None:
    """The idle slot live as it is; a slot drained by count, and never the last one in service. Nothing is lost."""
    with host(tmp_path) as one, one.load() as report:
        cli = Cli(tmp_path / "cli")
        on = ("--on", f"winrm:{one.target}", "--yes")
        switched = cli.run("deploy", "switch", "FILE", *on)
        assert (switched.code, list(one.live)) == (0, [GREEN]), switched
        refused = cli.run("deploy", "drain", "FILE", "--slot", "green", *on)
        assert (refused.code, list(one.live)) == (3, [GREEN]), refused
        assert "floor" in refused.err
        assert cli.run("server", "online", "shop", BLUE, *on).code == 0
        assert list(one.live) == [BLUE, GREEN]
        seen = cli.run("deploy", "drain", "FILE", "--slot", "blue", "--dry-run", *on)
        assert (seen.code, list(one.live)) == (0, [BLUE, GREEN]), seen
        drained = cli.run("deploy", "drain", "FILE", "--slot", "blue", "--json", *on)
        assert (drained.code, list(one.live)) == (0, [GREEN]), drained
        assert (json.loads(drained.out)["slot"], json.loads(drained.out)["cut"]) == ("blue", 0)
    assert report.failed == 0


# -- Ctrl+C ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
@pytest.mark.parametrize(("step", "number"), [("content", 2), ("gate", 15), ("drain", 2), ("drain", 15)])
def test_ctrl_c_and_sigterm_close_the_journal_and_leave_no_shell(tmp_path: Path, step: str, number: int) -> None:
    """SIGINT, and the SIGTERM of a cancelled CI job: exit code 130; ``deploy resume`` goes on to the end, and not one
    request is lost over all of it."""
    with host(tmp_path) as one, one.load() as report:
        cli = Cli(tmp_path / "cli")
        on = ("--on", f"winrm:{one.target}")
        process = cli.start("deploy", "run", "FILE", *on, "--events", "--transport", "basic", "--allow-basic-over-http")
        assert process.stdout is not None
        while event := json.loads(process.stdout.readline()):
            if (event["event"], event.get("step")) == ("step_started", step):
                break
        process.send_signal(number)
        stopped = ended(process)
        assert stopped.code == 130, stopped
        assert "Traceback" not in stopped.err
        last = json.loads(cli.journals[0].read_text(encoding="utf-8").splitlines()[-1])
        assert (last["event"], last["outcome"], last["exit_code"]) == ("run_ended", "interrupted", 130)
        assert one.shells == 0
        again = cli.run("deploy", "resume", "FILE", *on, "--yes")
        assert again.code == 0, again
        assert (one.live, one.shells) == ((GREEN,), 0)
    assert report.failed == 0


@pytest.mark.skipif(os.name == "nt", reason="signals are another thing there")
@pytest.mark.parametrize(("kind", "number"), [("Signal", 2), ("Signal", 15), ("Delete", 2)])
def test_a_signal_at_the_last_messages_leaves_no_shell(windows: Host, tmp_path: Path, kind: str, number: int) -> None:
    """The command is done and is closing its shell when it comes: Python's end closes it all the same."""
    windows.faults.happened.clear()
    windows.faults.add(f"delay:kind={kind},ms=1500")
    process = Cli(tmp_path).start("server", "list", "shop", "--on", f"winrm:{windows.target}")
    until = time.monotonic() + 20
    while not windows.faults.happened and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(number)
    stopped = ended(process)
    windows.faults.clear()
    assert (stopped.code, "Traceback" in stopped.err) == (130, False), stopped
    assert windows.shells == 0


@pytest.mark.parametrize("kind", ["Create", "Command", "Send", "Receive"])
def test_a_service_that_is_too_slow_is_one_line(
    windows: Host, cli: Cli, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """pywinrm's operation timeout is never a traceback; a Receive is only asked again."""
    windows.faults.add(f"fault:kind={kind},code=2150858793,times={2 if kind == 'Receive' else 0}")
    code = run(["farm", "list", "--on", f"winrm:{windows.target}"])
    windows.faults.clear()
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert (code, said.err.count("\n")) == ((0, 0) if kind == "Receive" else (4, 1))


# -- machines that are not as they should be -------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


COMMANDS = (("farm", "list"), ("server", "list", "shop"), ("deploy", "run", "FILE"))
LACKING: dict[str, tuple[dict[str, object], str, str]] = {
    "IIS": ({"iis_version": ""}, "IIS is not installed", "Install the IIS role"),
    "ARR": ({"arr_installed": False}, "Application Request Routing is not installed", "Install Application Request"),
    "elevation": ({"elevated": False}, "access denied", "must be an administrator"),
    "64 bits": ({"is_64_bit": False}, "32-bit process", "64-bit"),
    "a full language": ({"language_mode": "ConstrainedLanguage"}, "ConstrainedLanguage", "AppLocker or WDAC"),
}


def refused(capsys: pytest.CaptureFixture[str], cli: Cli, argv: tuple[str, ...], *more: str) -> tuple[int, str]:
    """The exit code and the one line on stderr; nothing on stdout."""
    code = run([*(str(cli.file) if one == "FILE" else one for one in argv), *more])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1, said.err
    assert said.err.startswith("arr-bluegreen: ")
    assert PASSWORD not in said.err
    return int(code), said.err


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line in this process, with its own environment."""
    made = Cli(tmp_path)
    for name, value in made.environment.items():
        if name.startswith("ARR_BLUEGREEN"):
            monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize("lack", LACKING)
def test_what_a_machine_lacks_is_one_line(
    windows: Host, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    """Exit code 3, and what to do; nothing was changed, and no shell is left."""
    settings, words, hint = LACKING[lack]
    for name, value in settings.items():
        monkeypatch.setattr(windows.machine.served.host.settings, name, value)
    before = windows.machine.served.host.config.digest
    for argv in COMMANDS[lack == "ARR" :]:  # a farm can be listed where there is no ARR: it is configuration
        code, line = refused(capsys, cli, argv, "--on", f"winrm:{windows.target}")
        assert code == 3
        assert words in line
        assert hint in line
    assert (windows.machine.served.host.config.digest, cli.journals, windows.shells) == (before, [], 0)


def test_no_request_monitor_is_no_failure(
    windows: Host, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment's plan says what that costs, and a list of pools says once why their requests are ``?``."""
    monkeypatch.setattr(windows.machine.served.host.settings, "request_monitor", False)
    assert run(["pool", "list", "--on", f"winrm:{windows.target}"]) == 0
    said = capsys.readouterr()
    assert " ? " in said.out
    assert said.err.count("Request Monitor (Web-Request-Monitor) is not installed on") == 1
    for argv in (*COMMANDS[:2], ("deploy", "plan", "FILE")):
        code = run([str(cli.file) if one == "FILE" else one for one in argv] + ["--on", f"winrm:{windows.target}"])
        assert code == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "Request Monitor is not installed" in said.out


WAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "a wrong password": ({"password": "wrong"}, "did not take the user name and password", "ARR_BLUEGREEN_PASSWORD"),
    "no such host": ({"on": "no-such-host.invalid"}, "no such host", "DNS"),
    "a closed port": ({"on": None}, "refuses connections on port", "winrm quickconfig"),
    "a self-signed certificate": ({"more": ("--tls",), "tls": True}, "not trusted (self-signed)", "--ca FILE"),
    "no TLS there": ({"more": ("--tls",)}, "does not speak TLS on port", "without --tls"),
    "TLS there": ({"tls": True}, "breaks off the connection on port", "say --tls"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_machine_that_cannot_be_reached_is_one_line(
    windows: Host, cli: Cli, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Exit code 4, and what to do."""
    given, words, hint = WAYS[way]
    on = given.get("on", windows.tls_target if given.get("tls") else windows.target) or f"127.0.0.1:{closed_port()}"
    if "password" in given:
        monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", given["password"])
    for argv in COMMANDS:
        code, line = refused(capsys, cli, argv, "--on", f"winrm:{on}", *given.get("more", ()))
        assert code == 4
        assert words in line
        assert hint in line
    assert (cli.journals, windows.shells) == ([], 0)


def test_a_ca_file_that_is_not_there_is_wrong_usage(
    windows: Host, cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2: nothing was sent."""
    code, line = refused(
        capsys, cli, ("farm", "list"), "--on", f"winrm:{windows.tls_target}", "--tls", "--ca", "nofile.pem"
    )
    assert code == 2
    assert "--ca nofile.pem cannot be read" in line


def test_a_process_says_the_same(windows: Host, tmp_path: Path) -> None:
    """One of them as a process of its own: quick, one line, the code."""
    began = time.monotonic()
    done = Cli(tmp_path, password="wrong").run("server", "list", "shop", "--on", f"winrm:{windows.target}")
    assert (done.code, done.out, done.err.count("\n")) == (4, "", 1)
    assert time.monotonic() - began < 20
