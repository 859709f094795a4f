"""The simulated WinRM service, asked by real pywinrm over real sockets."""

from __future__ import annotations

import asyncio
import base64
import http.client
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import spnego
import winrm
from spnego.channel_bindings import GssChannelBindings
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)

from arr_bluegreen.simulator.shell_service import FindProgram
from arr_bluegreen.simulator.shells import Process, Program, Quotas
from arr_bluegreen.simulator.wsman import WsmanSettings
from tests.simulator.served import PASSWORD, USER, Served, served

OPEN = WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True, stream_chunk=0)


def programs(loop: asyncio.AbstractEventLoop) -> FindProgram:
    """echo, cat (line by line, until the end of input), big, sleep."""

    def find(line: str, skip: bool) -> Program:
        word, _, rest = line.partition(" ")

        async def program(process: Process) -> int:
            if word == "cat":
                while (got := await process.read_line()) is not None:
                    process.write(b"<" + got + b">\r\n")
            elif word == "big":
                process.write(b"x" * int(rest))
            elif word == "sleep":
                await asyncio.sleep(float(rest))
            else:
                process.say(f"{line} skip={skip}")
                process.say("warned", "stderr")
            return 7 if word == "echo" else 0

        return program

    return find


@pytest.fixture(scope="module")
def host() -> Iterator[Served]:
    with served(programs, OPEN, tls=True) as one:
        yield one


@pytest.fixture
def strict() -> Iterator[Served]:
    """Windows' own defaults: Negotiate only, encrypted only."""
    with served(programs, WsmanSettings({USER: PASSWORD})) as one:
        yield one


def run(host: Served, protocol: winrm.protocol.Protocol, command: str, shell: str = "") -> tuple[bytes, bytes, int]:
    own = shell or protocol.open_shell(codepage=65001)
    command_id = protocol.run_command(own, command)
    answer: tuple[bytes, bytes, int] = protocol.get_command_output(own, command_id)
    protocol.cleanup_command(own, command_id)
    if not shell:
        protocol.close_shell(own)
    return answer


def test_session_run_cmd_gets_both_streams_and_the_exit_code(host: Served) -> None:
    session = winrm.Session(
        f"http://127.0.0.1:{host.port}/wsman", auth=(USER, PASSWORD), proxy=None, ca_trust_path=None
    )
    answer = session.run_cmd("echo", ["hello", "<world> & 'you'"])
    assert (answer.std_out, answer.std_err, answer.status_code) == (
        b"echo hello <world> & 'you' skip=False",
        b"warned",
        7,
    )


@pytest.mark.parametrize("how", ["basic", "ntlm"])
def test_a_kept_shell_costs_three_requests_per_command_on_one_connection(host: Served, how: str) -> None:
    protocol = host.protocol(how)
    shell = protocol.open_shell(codepage=65001)
    host.faults.reset_counts()
    for number in range(5):
        assert run(host, protocol, f"echo {number} é", shell)[0] == f"echo {number} é skip=False".encode()
    assert host.faults.counts["http"] == 15
    protocol.close_shell(shell)


@pytest.mark.parametrize("user", [USER, f"WEB01\\{USER}", USER.upper()])
def test_ntlm_with_message_encryption_signs_in_by_every_form_of_the_name(strict: Served, user: str) -> None:
    strict.faults.reset_counts()
    assert run(strict, strict.protocol("ntlm", username=user), "echo sealed")[0] == b"echo sealed skip=False"
    assert strict.faults.counts["http"] == 8, "401, 401 with a challenge, 200 empty, then five messages (winrm.md 1)"


def test_https_is_verified_against_the_machines_own_certificate(host: Served, tmp_path: Path) -> None:
    certificate = host.server.certificate
    assert certificate is not None
    certificate.save(tmp_path / "ca.pem")
    for how in ("ssl", "ntlm"):
        protocol = host.protocol(how, tls=True, ca_trust_path=str(tmp_path / "ca.pem"))
        assert run(host, protocol, "echo tls")[0] == b"echo tls skip=False"


def test_https_with_a_self_signed_certificate_is_refused_by_the_client(host: Served) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        host.protocol("ssl", tls=True).open_shell()


@pytest.mark.parametrize("how", ["basic", "ntlm"])
def test_a_wrong_password_is_a_401(host: Served, how: str) -> None:
    with pytest.raises(InvalidCredentialsError):
        host.protocol(how, password="wrong").open_shell()


def test_basic_is_off_by_default(strict: Served) -> None:
    with pytest.raises(InvalidCredentialsError):
        strict.protocol("basic").open_shell()


def test_an_unencrypted_message_is_answered_by_an_empty_500_by_default(strict: Served) -> None:
    with pytest.raises(WinRMTransportError) as caught:
        strict.protocol("ntlm", message_encryption="never").open_shell()
    assert (caught.value.code, caught.value.response_text) == (500, "")


def test_a_message_sealed_on_a_dropped_connection_is_a_400_and_the_shell_lives_on(strict: Served) -> None:
    protocol = strict.protocol("ntlm")
    shell = protocol.open_shell()
    strict.call(strict.server.drop_connections)
    with pytest.raises((WinRMTransportError, requests.exceptions.ConnectionError)):
        protocol.run_command(shell, "echo")  # may still meet the closed socket
    with pytest.raises(WinRMTransportError) as caught:
        protocol.run_command(shell, "echo")
    assert caught.value.code == 400
    protocol.transport.close_session()
    protocol.transport.encryption = None
    assert run(strict, protocol, "echo again", shell)[0] == b"echo again skip=False"


def test_stdin_is_fed_and_closed(host: Served) -> None:
    protocol = host.protocol()
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, "cat", console_mode_stdin=False, skip_cmd_shell=True)
    protocol.send_command_input(shell, command, b"one\ntw")
    protocol.send_command_input(shell, command, b"o\nthree", end=True)
    assert protocol.get_command_output(shell, command) == (b"<one>\r\n<two>\r\n<three>\r\n", b"", 0)
    protocol.close_shell(shell)


def test_a_kept_process_answers_one_send_by_one_receive(host: Served) -> None:
    protocol = host.protocol("ntlm")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    host.faults.reset_counts()
    for number in range(10):
        protocol.send_command_input(shell, command, b"%d\n" % number)
        assert protocol.get_command_output_raw(shell, command) == (b"<%d>\r\n" % number, b"", -1, False)
    assert host.faults.counts["http"] == 20
    protocol.close_shell(shell)


def test_big_output_comes_in_envelopes_the_client_asked_for(host: Served) -> None:
    protocol = host.protocol("ntlm")
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "big 1000000")
    host.faults.reset_counts()
    assert len(protocol.get_command_output(shell, command)[0]) == 1_000_000
    receives = host.faults.counts["Receive"]
    assert receives == 9
    assert host.faults.bytes_out / receives < 153_600
    protocol.close_shell(shell)


def test_streams_are_split_anywhere_when_told() -> None:
    settings = WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True, stream_chunk=1)
    with served(programs, settings) as one:
        assert run(one, one.protocol(), "echo ü€")[0].decode() == "echo ü€ skip=False"


def test_a_receive_without_output_is_the_timeout_fault(host: Served) -> None:
    protocol = host.protocol(operation_timeout_sec=1, read_timeout_sec=5)
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    began = time.monotonic()
    with pytest.raises(WinRMOperationTimeoutError):
        protocol.get_command_output_raw(shell, command)
    assert 0.9 < time.monotonic() - began < 3
    protocol.close_shell(shell)


def test_terminate_ends_the_program_and_its_id(host: Served) -> None:
    protocol = host.protocol()
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep 60")
    protocol.cleanup_command(shell, command)
    with pytest.raises(WSManFaultError):
        protocol.get_command_output_raw(shell, command)
    protocol.close_shell(shell)


def test_deleting_the_shell_aborts_a_waiting_receive(host: Served) -> None:
    protocol, other = host.protocol(), host.protocol()
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "sleep 60")
    timer = threading.Timer(0.3, lambda: other.close_shell(shell))
    timer.start()
    with pytest.raises(WSManFaultError) as caught:
        protocol.get_command_output_raw(shell, command)
    timer.join()
    assert caught.value.wsman_fault_code == 995


def test_an_unknown_shell_is_fault_2150858843(host: Served) -> None:
    with pytest.raises(WSManFaultError) as caught:
        host.protocol().run_command("00000000-0000-0000-0000-000000000000", "echo")
    assert caught.value.wsman_fault_code == 2150858843
    assert caught.value.fault_subcode == "w:InvalidSelectors"


def test_quotas_of_shells_operations_and_envelopes_hold() -> None:
    quotas = Quotas(max_shells_per_user=2, max_operations_per_shell=3, max_envelope_bytes=20_000)
    with served(programs, WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True, quotas=quotas)) as one:
        protocol = one.protocol()
        shell, second = protocol.open_shell(), protocol.open_shell()
        with pytest.raises(WSManFaultError) as caught:
            protocol.open_shell()
        assert caught.value.wsman_fault_code == 2150859173
        protocol.close_shell(second)
        for _ in range(3):
            run(one, protocol, "echo", shell)
        with pytest.raises(WSManFaultError) as caught:
            run(one, protocol, "echo", shell)
        assert caught.value.wsman_fault_code == 2150859174
        fresh = protocol.open_shell()
        command = protocol.run_command(fresh, "cat")
        with pytest.raises(WinRMTransportError) as refused:
            protocol.send_command_input(fresh, command, b"x" * 20_000)
        assert refused.value.code == 413


def test_an_idle_shell_goes_when_its_time_is_over(host: Served) -> None:
    protocol = host.protocol()
    shell = protocol.open_shell(idle_timeout="PT0.2S")
    time.sleep(0.4)
    with pytest.raises(WSManFaultError) as caught:
        protocol.run_command(shell, "echo")
    assert caught.value.wsman_fault_code == 2150858843


# -- raw messages ---------------------------------------------------------------------------------------------


def post(host: Served, body: str, path: str = "/wsman", **headers: str) -> requests.Response:
    address = f"http://127.0.0.1:{host.port}{path}"
    sent = {"Content-Type": "application/soap+xml;charset=UTF-8", **headers}
    return requests.post(address, body.encode(), headers=sent, auth=None if headers else (USER, PASSWORD), timeout=5)


ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header>'
    "<a:MessageID>uuid:1</a:MessageID>{more}<a:Action>{action}</a:Action>"
    "<w:ResourceURI>{resource}</w:ResourceURI></s:Header><s:Body/></s:Envelope>"
)
CREATE = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create"
CMD = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"action": "http://example.test/Fly"}, 2150858753),
        ({"resource": "http://example.test/other"}, 2150858752),
        ({"more": '<x:New xmlns:x="urn:new" s:mustUnderstand="true"/>'}, 2150858767),
        ({"more": "<w:OperationTimeout>soon</w:OperationTimeout>"}, 2150858767),
        ({"more": "<w:MaxEnvelopeSize>100</w:MaxEnvelopeSize>"}, 2150858878),
        ({}, 2150858767),  # Create without rsp:Shell
    ],
)
def test_what_is_not_right_is_a_fault_of_its_own_code(host: Served, change: dict[str, str], code: int) -> None:
    answer = post(host, ENVELOPE.format(**{"action": CREATE, "resource": CMD, "more": "", **change}))
    assert answer.status_code == 500
    assert f'Code="{code}"' in answer.text
    assert "<a:RelatesTo>" in answer.text


def test_what_is_no_envelope_is_a_400_and_another_path_a_404(host: Served) -> None:
    assert post(host, "hello").status_code == 400
    assert post(host, "<a/>").status_code == 400
    assert post(host, "<a/>", path="/other").status_code == 404


def test_identify_needs_no_sign_in(host: Served) -> None:
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
        ' xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
        "<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>"
    )
    answer = post(host, body, WSMANIDENTIFY="unauthenticated")
    assert answer.status_code == 200
    assert "OS: 0.0.0 SP: 0.0 Stack: 3.0" in answer.text
    assert post(host, "", WSMANIDENTIFY="unauthenticated").status_code == 401


# -- many at once ---------------------------------------------------------------------------------------------


def test_fifty_clients_at_20_ms_take_hardly_longer_than_one() -> None:
    roomy = replace(OPEN, quotas=Quotas(max_shells_per_user=100))
    with served(programs, roomy) as host:
        host.faults.rtt_ms = 20
        began = time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda number: run(host, host.protocol(), f"echo {number}")[0], range(50)))
        taken = time.monotonic() - began
    assert answers == [f"echo {number} skip=False".encode() for number in range(50)]
    assert taken < 4, "one after another this is 50 x 5 x 20 ms of waiting alone"


# -- sign-in beyond what pywinrm does ---------------------------------------------------------------------------


@pytest.mark.parametrize("bound", ["right", "wrong"])
def test_channel_bindings_must_be_those_of_the_certificate_where_strict(bound: str) -> None:
    strict = replace(OPEN, cbt_strict=True)
    with served(programs, strict, tls=True) as one:
        certificate = one.server.certificate
        assert certificate is not None
        if bound == "wrong":  # as behind a proxy that ends TLS (winrm.md 1)
            other = GssChannelBindings(application_data=b"tls-server-end-point:another")
            one.call(lambda: setattr(one.server, "certificate", replace(certificate, bindings=other)))
        protocol = one.protocol("ntlm", tls=True, server_cert_validation="ignore")
        if bound == "wrong":
            with pytest.raises(InvalidCredentialsError):
                protocol.open_shell()
        else:
            assert run(one, protocol, "echo")[2] == 7


def test_spnego_is_answered_with_its_last_token(strict: Served) -> None:
    client = spnego.client(USER, PASSWORD, protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
    connection = http.client.HTTPConnection("127.0.0.1", strict.port, timeout=5)
    token, statuses = client.step(), []
    while token is not None:
        sent = "Negotiate " + base64.b64encode(token).decode()
        connection.request("POST", "/wsman", headers={"Authorization": sent, "Content-Length": "0"})
        response = connection.getresponse()
        response.read()
        statuses.append(response.status)
        back = response.headers["WWW-Authenticate"].removeprefix("Negotiate ")
        token = client.step(base64.b64decode(back))
    connection.close()
    assert client.complete
    assert statuses[-1] == 200


def test_no_password_lies_about_in_a_file_or_a_repr(strict: Served) -> None:
    run(strict, strict.protocol("ntlm"), "echo")
    assert not list(Path(tempfile.gettempdir()).glob("arr-bluegreen-users-*"))
    assert "NTLM_USER_FILE" not in os.environ
    for one in (strict.server.settings, strict.server):
        assert PASSWORD not in repr(one)


def test_a_restarted_service_knows_no_shell(host: Served) -> None:
    shell = host.protocol().open_shell()
    host.call(host.server.restart)
    with pytest.raises(WSManFaultError) as caught:
        host.protocol().run_command(shell, "echo")
    assert caught.value.wsman_fault_code == 2150858843


def test_a_receive_whose_client_went_away_takes_no_output_with_it(host: Served) -> None:
    protocol, other = host.protocol(operation_timeout_sec=5, read_timeout_sec=6), host.protocol()
    shell = protocol.open_shell()
    command = protocol.run_command(shell, "cat")
    protocol.transport.read_timeout_sec = 1
    with pytest.raises(requests.exceptions.RequestException):
        protocol.get_command_output_raw(shell, command)
    other.send_command_input(shell, command, b"one\n")
    assert other.get_command_output_raw(shell, command)[0] == b"<one>\r\n"
    other.close_shell(shell)
