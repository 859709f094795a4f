"""A whole deployment over the real remote way (real pywinrm, real sockets), undisturbed and with everything broken."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.control import remote_config, winrm_shell
from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.errors import ArrBlueGreenError
from tests.remote.host import BLUE, GREEN, Host, Ways, at_step, host

BY_NTLM: dict[str, Any] = {"transport": "ntlm"}


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for other writers waits 50 ms."""
    original = remote_config.RemoteConfig.__init__
    monkeypatch.setattr(
        remote_config.RemoteConfig, "__init__", lambda self, hands: original(self, hands, lambda: -0.1875)
    )


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """WinRM as Windows sets it up: Negotiate and sealed messages only, and HTTPS."""
    with host(tmp_path_factory.mktemp("windows"), tls=True) as one:
        yield one


def deployed(one: Host, ways: Ways, rate: float = 20, **asked: Any) -> RunEnded:
    """A run under load that ends well: nothing failed, version 2 is what is served, no shell is left."""
    with one.load(rate) as report:
        ended = ways.run(**asked)
    assert (ended.outcome, ended.exit_code, ended.error) == ("done", 0, ""), ended
    assert (report.failed, dict(report.reasons)) == (0, {})
    assert set(report.by_version) == {"1", "2"}
    assert one.live == (GREEN,)
    return ended


# -- undisturbed -----------------------------------------------------------------------------------------------


def test_over_ntlm_with_sealed_messages_there_and_back(windows: Host, tmp_path: Path) -> None:
    ways = Ways([windows.target], tmp_path, settings=BY_NTLM)
    deployed(windows, ways, rate=40)
    with windows.load() as report:
        back = ways.switch_back()
    assert (back.outcome, back.exit_code, report.failed) == ("done", 0, 0)
    assert windows.live == (BLUE,)
    assert windows.shells == 0


def test_over_https_with_verified_tls(tmp_path: Path) -> None:
    with host(tmp_path, tls=True) as one:
        settings = {**BY_NTLM, "tls": True, "ca": str(one.ca)}
        deployed(one, Ways([one.tls_target], tmp_path / "state", settings=settings))
        assert one.shells == 0


# -- connections dropped ---------------------------------------------------------------------------------------


def survives(folder: Path, *faults: str, sealed: bool = False, leaked: int = 0, **settings: Any) -> Host:
    """A deployment with these faults planned; all of them happened, and it ended as if they had not."""
    with host(folder, tls=sealed) as one:
        for fault in faults:
            one.faults.add(fault)
        deployed(one, Ways([one.target], folder / "state", settings={**(BY_NTLM if sealed else {}), **settings}))
        assert len(one.faults.happened) >= len(faults), one.faults.told()
        assert one.shells <= leaked
        return one


@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
def test_dropped_connections_are_not_noticed(tmp_path: Path, when: str, sealed: bool) -> None:
    """A sample of the enumeration below, in one run. A Create whose reply is lost leaves a shell to its time-out."""
    drops = [f"drop:kind=http,at={at},when={when}" for at in (2, 9, 24, 37, 52, 68, 81, 95, 109, 124, 138, 151)]
    survives(tmp_path, *drops, sealed=sealed, leaked=1)


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_messages_that_must_not_be_repeated(tmp_path: Path, when: str) -> None:
    """The first of each kind, all in one run: where the fate is unknown the run looks, then decides."""
    survives(tmp_path, *(f"drop:kind={one},when={when}" for one in ("Create", "Command", "Send", "Receive")), leaked=1)


@pytest.mark.long
@pytest.mark.parametrize("sealed", [False, True])
@pytest.mark.parametrize("when", ["before", "after"])
def test_every_message_of_a_deployment_dropped_in_turn(tmp_path: Path, when: str, sealed: bool) -> None:
    """Every HTTP request, those of signing in among them; four deployments at a time."""
    with host(tmp_path / "count", tls=sealed) as one:
        deployed(one, Ways([one.target], tmp_path / "state", settings=BY_NTLM if sealed else {}))
        messages = one.faults.counts["http"]
    assert messages > 100
    with ProcessPoolExecutor(4, get_context("spawn")) as processes:
        tried = list(processes.map(partial(dropped_at, tmp_path, when, sealed), range(1, messages)))
    assert [told for _, told in tried if told] == []
    # Waits differ from run to run, and with them the number of messages: the last ones are not always reached.
    assert sum(happened for happened, _ in tried) > 0.8 * messages


def dropped_at(folder: Path, when: str, sealed: bool, at: int) -> tuple[bool, str]:
    """Whether the connection was dropped at this request, and what went wrong then ("": nothing)."""
    with host(folder / str(at), tls=sealed) as one:
        one.faults.add(f"drop:kind=http,at={at},when={when}")
        try:
            deployed(one, Ways([one.target], folder / str(at) / "state", settings=BY_NTLM if sealed else {}))
            assert one.shells <= 1, "a shell is left"
        except (AssertionError, ArrBlueGreenError) as error:
            return bool(one.faults.happened), f"{at}: {error!r}"
        return bool(one.faults.happened), ""


# -- what runs there fails -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sharing", "changed"])
def test_a_commit_that_fails_twice(tmp_path: Path, how: str) -> None:
    """Another program holds the file, or has just written it (arr.md 4.4)."""
    survives(tmp_path, f"commit:how={how},times=2")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("deaths", [("status,at=3", "folder,at=1", "probe,at=3"), ("files,at=4", "set_state,at=1")])
def test_a_powershell_that_dies_midway(tmp_path: Path, deaths: tuple[str, ...], when: str) -> None:
    """Before or after it did what it was asked; twice not in a row is no reason to give up keeping one."""
    one = survives(tmp_path, *(f"powershell-death:kind={death},when={when}" for death in deaths))
    assert one.faults.counts["Command"] < 20


def test_a_powershell_that_dies_twice_in_a_row(tmp_path: Path) -> None:
    """From then on a process per call goes on."""
    one = survives(tmp_path, *(f"powershell-death:at={at}" for at in (10, 30, 31, 32, 60)))
    assert one.faults.counts["Command"] > 20


def test_a_process_per_call_all_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its final Signal, in shells that are renewed before they wear out."""
    monkeypatch.setattr(winrm_shell, "COMMANDS_PER_SHELL", 20)
    one = survives(tmp_path, kept_powershell=False)
    assert one.faults.counts["Command"] == one.faults.counts["Signal"] > 50
    assert one.faults.counts["Create"] == one.faults.counts["Delete"] > 2


def test_a_kept_powershell_that_is_never_ready(tmp_path: Path) -> None:
    """It dies before it says that it is: a process per call goes on by itself."""
    survives(tmp_path, "fault:kind=Receive,code=2150858843,times=2")


def test_quotas_time_outs_and_delays(tmp_path: Path) -> None:
    """A quota that is full for a moment, operations that run out of time, a message that is late."""
    survives(
        tmp_path,
        *("fault:kind=Send,at=40,code=2150859173", "fault:kind=Command,at=2,code=2150859174"),
        *("fault:kind=Receive,at=5,code=2150858793,times=3", "delay:kind=Send,at=9,ms=400"),
    )


def test_http_errors_and_lost_shells_midway(tmp_path: Path) -> None:
    """The service is busy, wants the sign-in again, has lost the shell; an unsteady network drops five in a row."""
    survives(
        tmp_path,
        *("status:kind=http,at=40,code=503", "status:kind=http,at=70,code=401", "status:kind=http,at=100,code=500"),
        *("fault:kind=Send,at=60,code=2150858843", "drop:kind=http,at=125,times=5"),
    )


@pytest.mark.parametrize("step", ["content", "enable", "take-out", "drain"])
def test_the_winrm_service_restarts_midway(tmp_path: Path, step: str) -> None:
    """Every connection and every shell is gone at once."""
    with host(tmp_path) as one:
        winrm = one.machine.winrm
        assert winrm is not None
        restarted = at_step(step, lambda: one.own.call(winrm.restart))
        deployed(one, Ways([one.target], tmp_path / "state"), listeners=(restarted,))
        assert one.faults.counts["Create"] > 1
        assert one.shells == 0
