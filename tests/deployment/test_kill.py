"""Real processes, real SIGKILL, real WinRM: ``deploy run`` killed at every journal line against one kept simulated
host under traffic, then resumed. What kills is here, not in the product: the child replaces the journal's writer."""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.deployment import journal as journal_module
from arr_bluegreen.deployment.journal import Journals, append_durably, is_over
from arr_bluegreen.deployment.memory import BACK, Memory

pytest.importorskip("aiohttp", reason="the simulated host needs the extra 'simulator'")
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the process that is killed")

USER = "Administrator"
HOST = """
import sys
from arr_bluegreen.simulator import shells
made = shells.Quotas.__init__
def roomy(self, **more):
    made(self, **{"max_shells_per_user": 1000, **more})  # each killed process leaves its shell behind, as on Windows
shells.Quotas.__init__ = roomy
from arr_bluegreen.cli.main import run
sys.exit(int(run(sys.argv[1:])))
"""
MODES = ("before", "torn", "before fsync", "after")
TEXT = r"""
[app]
name = "shop"
hosts = ["shop.example"]
front = ["Front"]
[config]
writes = "always"
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "127.0.0.2"
http_port = 8001
site = "shop-blue"
pool = "shop-blue"
health_file = 'C:\inetpub\shop-blue-health\up.txt'
[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "127.0.0.3"
http_port = 8002
site = "shop-green"
pool = "shop-green"
health_file = 'C:\inetpub\shop-green-health\up.txt'
[gate]
version_header = "X-App-Version"
passes = 1
every = "50ms"
[switch]
by = "BY"
[durable]
by = "DURABLE"
[drain]
quiet = "0s"
every = "50ms"
"""


@dataclass
class Host:
    """A simulated host in a process of its own."""

    winrm: int
    front: int
    folder: Path

    def deploy(self, verb: str, *more: str, kill_at: int = -1, mode: str = "") -> int | None:
        """One ``deploy`` command in a forked process; its exit code, None when it was killed."""
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            _child(self, verb, more, kill_at, mode)
        _, status = os.waitpid(pid, 0)
        return None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)

    def arguments(self, verb: str, *more: str) -> list[str]:
        where = ["--on", f"winrm:127.0.0.1:{self.winrm}", "--state-dir", str(self.folder / "state"), "--user", USER]
        return ["deploy", verb, str(self.folder / "deployment.toml"), *where, *more]

    @property
    def journals(self) -> Journals:
        return Journals(self.folder / "state" / "shop")


def _child(host: Host, verb: str, more: tuple[str, ...], kill_at: int, mode: str) -> None:
    """Never returns: the command's exit code, or SIGKILL at the journal line."""
    lines = 0

    def append(path: Path, data: bytes) -> None:
        nonlocal lines
        lines += 1
        if lines - 1 != kill_at:
            append_durably(path, data)
            return
        part = {"before": b"", "torn": data[: len(data) // 2]}.get(mode, data)
        with path.open("ab") as file:
            file.write(part)
            file.flush()
            if mode == "after":
                os.fsync(file.fileno())
        os.kill(os.getpid(), signal.SIGKILL)

    code = 1
    try:
        journal_module.Journals.__init__.__defaults__ = (append,)
        sys.stdout = sys.stderr = (host.folder / "talk.txt").open("a", buffering=1)
        code = int(run(host.arguments(verb, *more)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Host]:
    from tests.deployment.world import BOTH_ENABLED, CONFIG, HEALTH_FILE_CONFIG

    by, durable = getattr(request, "param", ("state", "enabled"))
    monkeypatch.setenv("ARR_BLUEGREEN_USER", USER)
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", secrets.token_urlsafe(12))
    (tmp_path / "deployment.toml").write_text(TEXT.replace("DURABLE", durable).replace("BY", by))
    config = HEALTH_FILE_CONFIG if by == "health-file" else CONFIG
    config = config if durable == "enabled" else config.replace(*BOTH_ENABLED)
    (tmp_path / "applicationHost.config").write_bytes(config)
    for name, version in (("blue", "1"), ("green", "2")):
        folder = tmp_path / "drives" / "C" / "inetpub" / f"shop-{name}"
        folder.mkdir(parents=True)
        (folder / "simulated-app.json").write_text(json.dumps({"version": version}))
        health = tmp_path / "drives" / "C" / "inetpub" / f"shop-{name}-health"
        health.mkdir()
        (health / "up.txt").write_text("up" if name == "blue" else "down")
    command = [sys.executable, "-c", HOST, "simulator", "run"]
    command += ["--config", str(tmp_path / "applicationHost.config"), "--root", str(tmp_path / "drives"), "--json"]
    with (tmp_path / "host.txt").open("wb") as talk:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=talk)
    try:
        ready = _first_line(process)
        made = Host(ready["winrm_port"], ready["front_port"], tmp_path)
        _import_all(made)
        yield made
    finally:
        process.terminate()
        process.wait(10)


@fork
@pytest.mark.parametrize("host", [("state", "enabled")], indirect=True, ids="-".join)
def test_killed_at_every_journal_line_and_resumed(host: Host) -> None:
    """Forth and back in turn; the way of dying changes from line to line, ``--long`` has every way at every line."""
    _every_line(host, lambda line: (MODES[line % len(MODES)],))


@fork
@pytest.mark.long
@pytest.mark.parametrize("host", [("state", "enabled"), ("state", "reconcile")], indirect=True, ids="-".join)
def test_killed_in_every_way_at_every_journal_line(host: Host) -> None:
    _every_line(host, lambda line: MODES)


@fork
@pytest.mark.long
@pytest.mark.parametrize("host", [("health-file", "health-file"), ("enabled", "enabled")], indirect=True, ids="-".join)
def test_killed_at_every_journal_line_by_another_way(host: Host) -> None:
    _every_line(host, lambda line: (MODES[line % len(MODES)],))


@fork
@pytest.mark.long
@pytest.mark.parametrize("host", [("state", "enabled"), ("health-file", "health-file")], indirect=True, ids="-".join)
def test_killed_at_every_journal_line_of_the_way_back(host: Host) -> None:
    """A run stopped after its switch, its way back killed at a line: whoever goes on with it, the old slot is live."""
    load, line, over = _Load(host), 0, False
    while not over:
        assert host.deploy("run", "--version", "2", "--until", "drain") == 0
        killed = host.deploy("switch-back", kill_at=line, mode=MODES[line % len(MODES)])
        over = killed == 0
        assert killed in (None, 0), (line, (host.folder / "talk.txt").read_text()[-2000:])
        last = host.journals.last()
        assert last is not None
        turned = Memory(last[1]).way == BACK  # killed before that was written, it is still to be asked for
        assert is_over(last[1]) or host.deploy("resume" if turned and line % 2 else "switch-back") == 0, line
        assert json.loads(_status(host))["wanted"] == "blue", line
        line += 1
    said = load.finish()
    assert said["failed"] == 0, said


# -- private -------------------------------------------------------------------------------------------------


def _import_all(host: Host) -> None:
    """A look from here: what is imported for it, no forked child has to import again (half a second each)."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert run(host.arguments("status")) in (0, 3)
    gc.freeze()


def _every_line(host: Host, modes: object) -> None:
    assert callable(modes)
    load = _Load(host)
    slots, live = ("blue", "green"), 0
    if "reconcile" in (host.folder / "deployment.toml").read_text():
        _settle(host)
    line, over = 0, False
    while not over:
        for mode in modes(line):
            live = 1 - live
            more = ("--version", str(live + 1))
            killed = host.deploy("run", *more, kill_at=line, mode=mode)
            assert killed in (None, 0), (line, mode, killed, (host.folder / "talk.txt").read_text()[-2000:])
            over = killed == 0
            _go_on(host, more, (line, mode))
            last = host.journals.last()
            assert last is not None
            assert is_over(last[1])
            if line % 5 == 0 or over:
                assert json.loads(_status(host))["wanted"] == slots[live], (line, mode)
        line += 1
    assert line > 20, "a run has many lines"
    said = load.finish()
    assert said["failed"] == 0, said
    assert said["requests"] > 100


def _go_on(host: Host, more: tuple[str, ...], point: object) -> None:
    """What a user would do: resume; where not even the first line was written, unlock and run."""
    found = host.journals.runs()
    unfinished = [one for one in found if not is_over(host.journals.of(one).read()) and host.journals.of(one).read()]
    if unfinished:
        code = host.deploy("resume")
    elif host.journals.last() is None or _wanted(host) != ("blue", "green")[int(more[1]) - 1]:
        assert host.deploy("unlock") == 0
        code = host.deploy("run", *more)
    else:
        code = 0
    assert code == 0, (point, (host.folder / "talk.txt").read_text()[-2000:])


def _wanted(host: Host) -> object:
    return json.loads(_status(host))["wanted"]


def _status(host: Host) -> str:
    talk = host.folder / "talk.txt"
    before = talk.stat().st_size if talk.exists() else 0
    assert host.deploy("status", "--json") == 0
    return talk.read_text()[before:].strip().splitlines()[-1]


def _settle(host: Host) -> None:
    """Both slots enabled and in service: the first word says who is live."""
    assert host.deploy("run", "--version", "1", "--live", "green") == 0


def _first_line(process: subprocess.Popen[bytes]) -> dict[str, int]:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 20)
    assert ready, "the simulated host did not come up"
    found: dict[str, int] = json.loads(process.stdout.readline())
    assert "winrm_port" in found, found
    return found


class _Load:
    """Clients in a process of their own."""

    def __init__(self, host: Host) -> None:
        command = [sys.executable, "-m", "arr_bluegreen.simulator.load", "--url", f"http://127.0.0.1:{host.front}"]
        command += ["--host", "shop.example", "--rate", "40", "--slow-seconds", "0.15", "--web-socket-seconds", "0.15"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        time.sleep(0.5)

    def finish(self) -> dict[str, int]:
        out, _ = self._process.communicate(timeout=30)  # its stdin closes: it comes to its end
        found: dict[str, int] = json.loads(out.decode().strip().splitlines()[-1])
        return found
