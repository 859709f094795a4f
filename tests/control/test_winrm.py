"""The way to a machine, by real pywinrm against the simulated service: every transport, every broken connection."""

import gc
import io
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.control import winrm_shell as winrm_module
from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.control.endpoint import parse_endpoint
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.errors import (
    ArrBlueGreenError,
    ExitCode,
    RefusedError,
    SignInError,
    UnreachableError,
    UsageError,
)
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.shells import Quotas
from arr_bluegreen.simulator.wsman import WsmanSettings
from arr_bluegreen.webfarm import NewState, ServerState
from arr_bluegreen.webfarm.change import SetServer, settings
from tests.control.simulated import FARM, PASSWORD, USER, Machine, simulated

NTLM = WsmanSettings({USER: PASSWORD})
BLUE = "127.0.0.2"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, str]]:
    """A service as Windows sets it up: Negotiate only, encrypted messages only; and its certificate as a CA file."""
    with simulated(service=NTLM, tls=True) as one:
        ca = tmp_path_factory.mktemp("ca") / "ca.pem"
        assert one.server.certificate is not None
        ca.write_bytes(one.server.certificate.pem)
        yield one, str(ca)


@contextmanager
def controls(machine: Machine, **more: Any) -> Iterator[WinrmMachine]:
    one = machine.connect(**more)
    try:
        yield one
    finally:
        one.close()


# -- endpoints and sign-in ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "tls", "url"),
    [
        ("web01", False, "http://web01:5985/wsman"),
        ("web01", True, "https://web01:5986/wsman"),
        ("web01:443/other/wsman", True, "https://web01:443/other/wsman"),
        ("[::1]:5985", False, "http://[::1]:5985/wsman"),
        ("fe80::1", False, "http://[fe80::1]:5985/wsman"),
        ("bücher.example", True, "https://xn--bcher-kva.example:5986/wsman"),
    ],
)
def test_the_endpoint_is_built_here(text: str, tls: bool, url: str) -> None:
    assert parse_endpoint(text, tls=tls).url == url


@pytest.mark.parametrize(
    "text", ["", "a b", "web01:x", "web01:99999", "user@web01", "http://web01", "web01?x", "-rf", "[::1"]
)
def test_what_names_no_machine_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"transport": "basic"}, "readable"),
        ({"user": ""}, "who signs in"),
        ({"password": ""}, "no password"),
        ({"transport": "certificate"}, "certificate"),
    ],
)
def test_a_sign_in_that_cannot_work_is_refused_unsent(more: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"user": USER, "password": PASSWORD, **more}
    with pytest.raises(UsageError, match=words):
        WinrmMachine("web01", ConnectSettings(**given))


def test_ntlm_with_encryption(windows: tuple[Machine, str]) -> None:
    with controls(windows[0], transport="ntlm") as one:
        assert one.farm(FARM).status().server(BLUE).state is ServerState.ACTIVE


def test_https_with_verified_tls(windows: tuple[Machine, str]) -> None:
    with controls(windows[0], transport="ntlm", tls=True, ca=windows[1]) as one:
        assert one.farm(FARM).status().server(BLUE).state is ServerState.ACTIVE


def test_environment_proxies_are_not_used(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with controls(machine) as one:
        assert one.farm(FARM).status().farm.name == FARM


# -- pre-flight: one line, exit 3 or 4, and what to do --------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def said(act: Callable[[], Any]) -> ArrBlueGreenError:
    with pytest.raises(ArrBlueGreenError) as caught:
        act()
    line = caught.value.one_line()
    assert "\n" not in line
    assert len(line) < 350
    assert caught.value.hint, "what to do next"
    assert PASSWORD not in line
    return caught.value


def test_a_wrong_password(windows: tuple[Machine, str]) -> None:
    with controls(windows[0], transport="ntlm", password="wrong") as one:
        error = said(one.facts)
    assert isinstance(error, SignInError)
    assert error.exit_code is ExitCode.UNREACHABLE


def test_a_wrong_password_over_basic(machine: Machine) -> None:
    with controls(machine, password="wrong") as one:
        assert isinstance(said(one.facts), SignInError)


def test_no_such_host(machine: Machine) -> None:
    error = said(WinrmMachine("no-such-host.invalid", machine.settings()).facts)
    assert str(error) == "no such host 'no-such-host.invalid'"
    assert error.exit_code is ExitCode.UNREACHABLE


def test_a_closed_port(machine: Machine) -> None:
    error = said(WinrmMachine(f"127.0.0.1:{closed_port()}", machine.settings()).facts)
    assert "refuses connections" in str(error)
    assert "winrm quickconfig" in error.hint


def test_a_self_signed_certificate(windows: tuple[Machine, str]) -> None:
    with controls(windows[0], transport="ntlm", tls=True) as one:
        error = said(one.facts)
    assert "not trusted" in str(error)
    assert "--ca" in error.hint


def test_basic_where_only_negotiate_is_offered(windows: tuple[Machine, str]) -> None:
    with controls(windows[0]) as one:
        assert isinstance(said(one.facts), SignInError)


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        ({"iis_version": ""}, "IIS is not installed"),
        ({"arr_installed": False}, "Application Request Routing is not installed"),
        ({"elevated": False}, "access denied|insufficient permissions"),
        ({"is_64_bit": False}, "32-bit"),
        ({"language_mode": "ConstrainedLanguage"}, "ConstrainedLanguage"),
    ],
)
def test_a_machine_that_lacks_something(lacking: dict[str, Any], words: str) -> None:
    with simulated(SimulatorSettings(**lacking)) as machine, controls(machine) as one:
        error = said(one.farm(FARM).status)
        assert isinstance(error, RefusedError), error
        import re

        assert re.search(words, str(error)), error
        one.close()
        assert machine.shells == 0


def test_request_monitor_missing_is_said_and_no_failure() -> None:
    with simulated(SimulatorSettings(request_monitor=False)) as machine, controls(machine) as one:
        assert one.sites.pools(["shop-blue"])[0].requests is None
        assert one.facts().request_monitor is False


# -- messages ------------------------------------------------------------------------------------------------


def test_a_poll_is_one_send_and_one_receive(machine: Machine) -> None:
    with controls(machine) as one:
        farm = one.farm(FARM)
        farm.status()
        machine.faults.reset_counts()
        for _ in range(10):
            farm.status()
        assert machine.faults.counts == {"http": 20, "Send": 10, "Receive": 10}


def test_a_process_per_call_is_four_messages(machine: Machine) -> None:
    with controls(machine, kept_powershell=False) as one:
        one.farm(FARM).status()
        machine.faults.reset_counts()
        one.farm(FARM).status()
        assert machine.faults.counts["http"] <= 5
        assert machine.faults.counts["Signal"] == machine.faults.counts["Command"] == 1


def test_no_shell_is_left(machine: Machine) -> None:
    one = machine.connect()
    one.facts()
    assert machine.shells == 1
    one.close()
    assert machine.shells == 0


def test_ctrl_c_leaves_no_shell(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    one = machine.connect()
    one.facts()
    original = winrm_module.Command.receive

    def interrupted(self: Any, within: float) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(winrm_module.Command, "receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.facts()
    monkeypatch.setattr(winrm_module.Command, "receive", original)
    one.close()
    assert machine.shells == 0


def test_the_shell_is_renewed_before_it_wears_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winrm_module, "COMMANDS_PER_SHELL", 3)
    machine.faults.reset_counts()
    with controls(machine, kept_powershell=False) as one:
        for _ in range(7):
            one.farm(FARM).status()
    assert machine.faults.counts["Create"] == 3
    assert machine.faults.counts["Delete"] == 3
    assert machine.shells == 0


def test_vv_shows_each_message_and_no_secret(machine: Machine) -> None:
    heard: list[tuple[str, int]] = []
    with controls(machine, talk=lambda text, level: heard.append((text, level))) as one:
        one.facts()
    kinds = [text.split()[1] for text, level in heard if level == 2]
    assert kinds == ["Create", "Command", "Receive", "Send", "Receive", "Signal", "Delete"]
    assert any("is kept" in text for text, level in heard if level == 1)
    assert not any(PASSWORD in text for text, _ in heard)


# -- broken connections ----------------------------------------------------------------------------------------


def work(one: WinrmMachine) -> None:
    """A bit of everything, each thing with its effect looked at."""
    farm, records = one.farm(FARM), one.records(FARM)
    assert farm.status().farm.name == FARM
    farm.set_state({BLUE: NewState.DRAIN})
    assert farm.status().server(BLUE).state is ServerState.DRAINING
    farm.set_state({BLUE: NewState.START})
    one.sites.stop_pool("shop-green")
    one.sites.start_pool("shop-green")
    assert records.create("lock.json", "mine") is True
    assert records.create("lock.json", "other") is False
    assert records.replace("lock.json", "mine", "mine 2") is True
    assert records.delete("lock.json", "mine 2") is True
    assert records.read("lock.json") is None
    done = one.config.apply([SetServer(FARM, "127.0.0.3", settings(weight=60))])
    assert one.config.read().farm(FARM).servers[1].weight == 60
    one.config.apply([*done.inverse, SetServer(FARM, "127.0.0.3", settings(host_name=None))])


def messages_of(machine: Machine, **more: Any) -> int:
    machine.faults.reset_counts()
    with controls(machine, **more) as one:
        work(one)
    return sum(count for kind, count in machine.faults.counts.items() if kind != "http")


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_dropped_at_every_message_in_turn(machine: Machine, when: str) -> None:
    with short_waits():
        for at in range(1, messages_of(machine) + 1):
            machine.faults.add(f"drop:at={at},when={when}")
            with controls(machine) as one:
                one.config._jitter = lambda: -0.25
                work(one)
            assert machine.faults.happened
            machine.faults.clear()
            machine.faults.happened.clear()
    leaked = machine.shells  # a Create whose answer was lost leaves one to its idle time-out
    assert leaked <= 1


def test_the_connection_dropped_under_encryption(windows: tuple[Machine, str]) -> None:
    """The worst defect of pywinrm: sealed with the keys of a connection that is gone (winrm.md 1)."""
    machine = windows[0]
    with short_waits(), controls(machine, transport="ntlm") as one:
        one.config._jitter = lambda: -0.25
        for _ in range(3):
            machine.loop.call_soon_threadsafe(machine.server.drop_connections)
            work(one)
            machine.faults.add("drop:at=5,when=after")
            work(one)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("script", ["status", "set_state", "files", "commit", "appcmd", "site_action"])
def test_the_powershell_process_dies(machine: Machine, script: str, when: str) -> None:
    machine.faults.add(f"powershell-death:kind={script},when={when}")
    with short_waits(), controls(machine) as one:
        one.config._jitter = lambda: -0.25
        work(one)
        one.config.apply([SetServer(FARM, "127.0.0.3", settings({"weight": 61, "host_name": "x'y"}))])
        one.config.apply([SetServer(FARM, "127.0.0.3", settings(weight=100, host_name=None))])
    assert machine.faults.happened
    machine.faults.clear()
    machine.faults.happened.clear()


def test_a_recycle_of_unknown_fate_is_not_done_twice(machine: Machine) -> None:
    with controls(machine) as one:
        one.facts()
        machine.faults.add("powershell-death:kind=site_action,when=after")
        with pytest.raises(UnreachableError) as caught:
            one.sites.recycle_pool("shop-blue")
    assert caught.value.maybe_done


def test_a_shell_that_is_gone_is_opened_anew(machine: Machine) -> None:
    with controls(machine) as one:
        one.farm(FARM).status()
        machine.loop.call_soon_threadsafe(machine.server.shells.close_all)
        assert one.farm(FARM).status().farm.name == FARM


@pytest.mark.parametrize(("code", "words"), [(503, "not available"), (404, "no WinRM"), (413, "too large")])
def test_http_errors_are_one_line_each(machine: Machine, code: int, words: str) -> None:
    machine.faults.add(f"status:code={code},times=0")
    try:
        with controls(machine) as one:
            assert words in str(said(one.facts))
    finally:
        machine.faults.clear()


def test_a_full_quota_is_told() -> None:
    with simulated(
        service=replace(NTLM, basic=True, allow_unencrypted=True, quotas=Quotas(max_shells_per_user=0))
    ) as one:
        error = said(one.connect().facts)
    assert "quota" in str(error)
    assert "MaxShellsPerUser" in error.hint


def test_operation_timeouts_are_waited_through(machine: Machine) -> None:
    machine.faults.add("fault:kind=Receive,code=2150858793,times=3")
    with controls(machine) as one:
        assert one.farm(FARM).status().farm.name == FARM
    machine.faults.clear()


@contextmanager
def short_waits() -> Iterator[None]:
    """A lost reply of what must not be done twice is waited for until the deadline: seconds, in these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arr_bluegreen.control.remote_config.COMMIT_WITHIN", 3.0)
        yield


# -- secrets ---------------------------------------------------------------------------------------------------


def test_no_credential_appears_anywhere(windows: tuple[Machine, str], tmp_path: Path) -> None:
    """Logs at DEBUG, talk, stdout, stderr, reprs, errors with their causes, and argv."""
    told = io.StringIO()
    handler = logging.StreamHandler(told)
    logging.getLogger().addHandler(handler)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    try:
        with redirect_stdout(told), redirect_stderr(told):
            for more in ({}, {"password": PASSWORD + "-wrong"}, {"tls": True}):
                talk = lambda text, level: told.write(f"{level} {text}\n")  # noqa: E731  # shorter than a function here
                one = windows[0].connect(**{"transport": "ntlm", "talk": talk, **more})
                try:
                    one.facts()
                    work(one)
                except ArrBlueGreenError as error:
                    cause: BaseException | None = error
                    while cause is not None:
                        told.write(f"{cause!r} {cause}\n")
                        cause = cause.__cause__ or cause.__context__
                told.write(f"{one!r} {one.hands!r} {windows[0].settings(**more)!r} {vars(one)!r}\n")
                one.close()
        told.write(Path("/proc/self/cmdline").read_text())
    finally:
        logging.getLogger().setLevel(level)
        logging.getLogger().removeHandler(handler)
    gc.collect()
    assert len(told.getvalue()) > 1000
    assert PASSWORD not in told.getvalue()
