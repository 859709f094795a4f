"""Faults on demand: at which message, how often, before or after it is handled."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from arr_bluegreen.errors import UsageError
from arr_bluegreen.simulator.faults import Fault, Faults, What, parse
from tests.simulator.machine import Script, Simulated, simulated
from tests.simulator.served import served
from tests.simulator.test_wsman import OPEN, programs


@pytest.fixture(scope="module")
def shared() -> Iterator[Simulated]:
    with simulated() as one:
        yield one


@pytest.fixture
def machine(shared: Simulated) -> Simulated:
    shared.faults.clear()
    shared.faults.reset_counts()
    shared.faults.rtt_ms = 0
    return shared


# -- the plan --------------------------------------------------------------------------------------------------


def test_a_fault_waits_for_its_moment_happens_and_is_gone() -> None:
    faults = Faults()
    faults.add("drop:kind=Receive,at=2,times=2,when=after")
    taken = [faults.take(What.DROP, kind, when) is not None for kind, when in _MOMENTS]
    assert taken == [False, False, True, True, False]
    assert faults.told()["planned"] == []
    assert faults.happened == ["drop Receive", "drop Receive"]


_MOMENTS = [
    ("Receive", "after"),
    ("Receive", "before"),
    ("Receive", "after"),
    ("Receive", "after"),
    ("Receive", "after"),
]


def test_times_0_is_for_ever_and_http_moments_need_to_be_asked_for() -> None:
    faults = Faults()
    faults.add(Fault(What.STATUS, times=0, code=503))
    assert faults.take(What.STATUS, "http") is None
    assert all(faults.take(What.STATUS, "Send") for _ in range(5))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("explode", "drop"),
        ("drop:speed=3", "at"),
        ("drop:at=soon", "no whole number"),
        ("rtt:ms=abc", "no whole number"),
        ("rtt-ms=20", "rtt"),
        ("drop:when=during", "before or after"),
        ("commit:how=badly", "sharing"),
    ],
)
def test_a_fault_that_is_none_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert named in caught.value.one_line()


# -- the connection ----------------------------------------------------------------------------------------------


def echo(machine: Simulated, **more: object) -> tuple[bytes, bytes, int]:
    protocol = machine.served.protocol(**more)  # type: ignore[arg-type]  # the test's keywords are pywinrm's
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, "echo", ["hi"])
    answer: tuple[bytes, bytes, int] = protocol.get_command_output(shell, command)
    protocol.cleanup_command(shell, command)
    protocol.close_shell(shell)
    return answer


KINDS = ("Create", "Command", "Receive", "Signal", "Delete")


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_connection_is_cut_at_every_message_in_turn(machine: Simulated, when: str) -> None:
    for number, kind in enumerate(KINDS, 1):
        machine.faults.add(f"drop:at={number},when={when}")
        with pytest.raises(requests.exceptions.ConnectionError):
            echo(machine)
        assert machine.faults.happened[-1] == f"drop {kind}"
    assert echo(machine) == (b"hi\r\n", b"", 0)
    machine.served.call(machine.served.server.shells.close_all)


def test_after_means_that_it_was_done(machine: Simulated) -> None:
    machine.faults.add("drop:kind=Create,when=before")
    machine.faults.add("drop:kind=Create,when=after")
    counted = []
    for _ in range(2):
        with pytest.raises(requests.exceptions.ConnectionError):
            machine.served.protocol().open_shell()
        counted.append(machine.served.call(lambda: len(machine.served.server.shells)))
    assert counted == [0, 1]
    machine.served.call(machine.served.server.shells.close_all)


def test_the_sign_in_itself_can_be_cut(machine: Simulated) -> None:
    machine.faults.add("drop:kind=http,at=2")
    with pytest.raises(requests.exceptions.ConnectionError):
        echo(machine, transport="ntlm")
    assert echo(machine, transport="ntlm")[2] == 0


@pytest.mark.parametrize(
    ("code", "error"), [(503, WinRMTransportError), (500, WinRMTransportError), (401, InvalidCredentialsError)]
)
def test_an_http_status_is_answered_as_often_as_planned(machine: Simulated, code: int, error: type[Exception]) -> None:
    machine.faults.add(f"status:kind=http,code={code},times=2")
    for _ in range(2):
        with pytest.raises(error):
            echo(machine)
    assert echo(machine)[2] == 0


@pytest.mark.parametrize(("code", "error"), [(2150858793, WinRMOperationTimeoutError), (2150859173, WSManFaultError)])
def test_a_soap_fault_of_any_code_comes_at_any_message(machine: Simulated, code: int, error: type[Exception]) -> None:
    machine.faults.add(f"fault:kind=Create,code={code}")
    with pytest.raises(error):
        echo(machine)
    assert echo(machine)[2] == 0


def test_round_trip_time_is_added_to_every_http_request(machine: Simulated) -> None:
    machine.faults.add("rtt:ms=30")
    began = time.monotonic()
    echo(machine)
    assert 0.15 <= time.monotonic() - began < 1.5
    assert machine.faults.counts == {"http": 5, **dict.fromkeys(KINDS, 1)}
    assert machine.faults.bytes_in > 5000 < machine.faults.bytes_out * 2


def test_one_message_can_be_late(machine: Simulated) -> None:
    machine.faults.add("delay:kind=Signal,ms=200")
    began = time.monotonic()
    echo(machine)
    assert time.monotonic() - began >= 0.2


def test_a_certificate_of_another_name_is_refused_by_the_client(tmp_path: Path) -> None:
    with served(programs, OPEN) as one:
        one.faults.add("wrong-certificate")
        port = one.listen_tls()
        certificate = one.server.certificate
        assert certificate is not None
        certificate.save(tmp_path / "ca.pem")
        one.tls_port = port
        with pytest.raises(requests.exceptions.SSLError, match=r"certificate is not valid for|doesn't match|mismatch"):
            one.protocol("ssl", tls=True, ca_trust_path=str(tmp_path / "ca.pem")).open_shell()


# -- the programs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("when", "enabled"), [("before", True), ("after", False)])
def test_powershell_dies_midway_with_or_without_its_deed(machine: Simulated, when: str, enabled: bool) -> None:
    script = Script(machine.served.protocol())
    script.reply("status", farm="shop", front=[])
    machine.faults.add(f"powershell-death:kind=commit,when={when}")
    steps = [{"tag": "webFarm", "key": [["name", "shop"]]}]
    edit = {"kind": "set", "section": "webFarms", "location": "", "steps": steps, "values": [["enabled", "false"]]}
    assert script.ask("commit", edits=[edit], expect=None) == {}
    assert script.exit_code == 1
    assert machine.host.config.reading.farms[0].enabled is enabled
    with pytest.raises(WSManFaultError):
        script.protocol.send_command_input(script.shell, script.command, b"more\n")
    script.close()


def test_a_sharing_violation_meets_a_file_script(machine: Simulated) -> None:
    script = Script(machine.served.protocol())
    machine.faults.add("sharing:kind=files")
    ops = [{"op": "write", "path": r"C:\x.txt", "text": "1"}]
    error = script.error("files", ops=ops)
    assert (error["hresult"], error["type"]) == ("0x80070020", "System.IO.IOException")
    assert script.reply("files", ops=ops) == {"results": [{"done": True}]}
    script.close()
