"""No credential anywhere: logs, journals, records, process lists, errors, crash reports. The password is searched in
every form in which it could have leaked."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from tests.remote.cli import Cli
from tests.remote.host import PASSWORD, USER, Host, description, host


def forms(password: str = PASSWORD) -> tuple[bytes, ...]:
    """The password as text, as JSON, URL, XML and repr would write it, UTF-16, base64 (also of Basic)."""
    texts = {password, json.dumps(password)[1:-1], quote(password), repr(password)[1:-1], escape(password)}
    found = {text.encode() for text in texts} | {password.encode("utf-16-le")}
    raw = {password.encode(), password.encode("utf-16-le"), f"{USER}:{password}".encode()}
    return (*found, *(base64.b64encode(one).rstrip(b"=")[:-1] for one in raw))


def assert_clean(data: bytes | str, where: object) -> None:
    """No form of the password in it."""
    found = data.encode() if isinstance(data, str) else data
    for form in forms():
        assert form not in found, f"the password is in {where}"


@contextmanager
def watched_processes() -> Iterator[list[bytes]]:
    """The command line of every process on this machine, looked at all the time."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    found: list[bytes] = []
    try:
        yield found
    finally:
        stop.set()
        thread.join()
        found.extend(seen)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("windows"), tls=True) as one:
        yield one


def test_the_search_would_find_it() -> None:
    basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    for text in (f"x{PASSWORD}y", json.dumps({"p": PASSWORD}), f"Authorization: Basic {basic}"):
        with pytest.raises(AssertionError):
            assert_clean(text, "a text")


def test_a_deployment_and_its_way_back_leave_no_trace_of_it(tmp_path: Path) -> None:
    """With -vv, dropped connections and a PowerShell that dies; then a look into every file and process."""
    with host(tmp_path, tls=True) as one, watched_processes() as processes:
        one.faults.add("drop:kind=http,at=30,when=after")
        one.faults.add("powershell-death:kind=set_state")
        on = ("--on", f"winrm:{one.target}", "-vv")
        cli = Cli(tmp_path / "cli")
        said = [cli.run("deploy", verb, "FILE", *on) for verb in ("run", "switch-back", "status")]
        said.append(cli.run("deploy", "history", "FILE"))
    assert [done.code for done in said] == [0, 0, 0, 0], said
    assert "Receive" in said[0].err, "-vv shows the messages"
    for done in said:
        assert_clean(done.out + done.err, done)
    assert any(b"deploy" in line and b"-vv" in line for line in processes)
    for line in processes:
        assert_clean(line, line)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"wanted.json", "deployment.toml", "applicationHost.config"} <= {path.name for path in files}
    for path in files:
        assert_clean(path.read_bytes(), path)


@pytest.mark.parametrize(
    "argv",
    [
        ("--on", "winrm:127.0.0.1:{closed}"),
        ("--on", "winrm:no-such-host.invalid"),
        ("--on", "winrm:{tls}", "--tls"),
        ("--on", "winrm:{http}", "--transport", "basic", "--allow-basic-over-http"),
        ("--on", "winrm:{http}", "--user", "nobody"),
        ("--on", "winrm:{http}", "--transport", "kerberos"),
    ],
)
def test_no_failure_tells_it(
    windows: Host, argv: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each way to fail, with -vv; one line each, and no word of the password."""
    from arr_bluegreen.cli.main import run

    monkeypatch.setenv("ARR_BLUEGREEN_USER", USER)
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", PASSWORD)
    places = {"closed": "1", "tls": windows.tls_target, "http": windows.target}
    code = run(["server", "list", "shop", "-vv", *(one.format(**places) for one in argv)])
    said = capsys.readouterr()
    assert code in (3, 4), said
    assert_clean(said.out + said.err, said)


def test_a_password_in_a_file_is_not_told_either(windows: Host, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    file.chmod(0o600)
    cli = Cli(tmp_path / "cli", password="")
    done = cli.run("farm", "list", "--on", f"winrm:{windows.target}", "--password-file", str(file), "-vv")
    assert done.code == 0, done.err
    assert_clean(done.out + done.err, done)


BUGS = {
    "in the adapter": "from arr_bluegreen.control import winrm as m; m.Connection._once = bug",
    "in pywinrm": "import winrm.transport as m; m.Transport.send_message = bug",
    "in the sign-in": "import requests_ntlm as m; m.HttpNtlmAuth.__call__ = bug",
    "in the command line": "from arr_bluegreen.cli import server as m; m.machines = bug",
    "in the settings": "from arr_bluegreen.control import winrm_machine as m; m.check_sign_in = bug",
}


@pytest.mark.parametrize("where", BUGS)
def test_a_crash_report_does_not_show_it(windows: Host, tmp_path: Path, where: str) -> None:
    """A bug of ours, or in what signs in for us: the traceback, the locals' reprs with it, and no password."""
    code = f"""
        import sys
        def bug(*given, **more):
            raise ZeroDivisionError(f"provoked with {{given!r}} {{more!r}}")
        {BUGS[where]}
        from arr_bluegreen.__main__ import main
        sys.exit(main())
        """
    environment = Cli(tmp_path).environment
    command = [sys.executable, "-X", "dev", "-c", textwrap.dedent(code)]
    command += ["server", "list", "shop", "--on", f"winrm:{windows.target}", "-vv"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode, done
    assert re.search("ZeroDivisionError|provoked|not WS-Management", done.stderr), done.stderr
    assert_clean(done.stdout + done.stderr, done.stderr)


def test_what_holds_it_does_not_show_it(windows: Host, tmp_path: Path) -> None:
    """The reprs of everything that is made on the way to a machine: what a debugger or a crash reporter prints."""
    from arr_bluegreen.control.connect import ConnectSettings, connect
    from arr_bluegreen.simulator.running import Wanted
    from arr_bluegreen.simulator.wsman import WsmanSettings

    settings = ConnectSettings(user=USER, password=PASSWORD)
    (machine,) = connect(f"winrm:{windows.target}", settings)
    machine.facts()
    shown = [repr(one) for one in (settings, machine, machine.config, machine.files, machine.probe, machine.sites)]
    shown += [str(vars(machine)), repr(Wanted(tmp_path, tmp_path, users={USER: PASSWORD}))]
    shown.append(repr(WsmanSettings({USER: PASSWORD})))
    machine.close()
    assert_clean("\n".join(shown), shown)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")
def test_hooks_do_not_inherit_it(tmp_path: Path) -> None:
    """A hook is somebody else's program: it gets the facts of the run, not our password."""
    told = tmp_path / "hook"
    code = f"import os; print(sorted(os.environ.items()), file=open('{told}', 'w'))"
    hook = f'[hooks]\nbefore_switch = {json.dumps([sys.executable, "-c", code])}\n'
    with host(tmp_path, tls=True) as one:
        done = Cli(tmp_path / "cli", description(more=hook)).run("deploy", "run", "FILE", "--on", f"winrm:{one.target}")
    assert done.code == 0, done
    assert_clean(told.read_bytes(), "the hook's environment")
    assert os.environ.get("PATH", "") in told.read_text(encoding="utf-8")
