"""Signing in: what is wrong is said before anything is sent, and nothing comes from the environment unasked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.control.endpoint import parse_endpoint
from arr_bluegreen.control.winrm import Connection
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode, RefusedError, UnreachableError, UsageError
from arr_bluegreen.simulator.certificate import make_certificate
from arr_bluegreen.simulator.wsman import WsmanSettings
from tests.control.simulated import PASSWORD, USER, Machine, simulated


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    service = WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True)
    with simulated(service=service, tls=True) as one:
        yield one


def said(machine: Machine, **more: Any) -> ArrBlueGreenError:
    with pytest.raises(ArrBlueGreenError) as caught:
        machine.connect(**more).facts()
    assert caught.value.hint
    assert PASSWORD not in caught.value.one_line()
    return caught.value


@pytest.fixture
def pem(tmp_path: Path, machine: Machine) -> dict[str, str]:
    """Files by what they are."""
    assert machine.server.certificate is not None
    texts = {
        "ca": machine.server.certificate.pem,
        "other": make_certificate("other.example").pem,
        "damaged": b"-----BEGIN CERTIFICATE-----\nxxx\n-----END CERTIFICATE-----\n",
        "der": b"\x30\x82\x01\x0a",
    }
    for name, data in texts.items():
        (tmp_path / f"{name}.pem").write_bytes(data)
    return {name: str(tmp_path / f"{name}.pem") for name in (*texts, "missing")}


# -- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["missing", "damaged", "der"])
def test_a_ca_file_that_is_no_use_is_named_unsent(machine: Machine, pem: dict[str, str], bad: str) -> None:
    before = machine.faults.counts["http"]
    error = said(machine, tls=True, ca=pem[bad])
    assert isinstance(error, UsageError)
    assert pem[bad] in str(error)
    assert machine.faults.counts["http"] == before


@pytest.mark.parametrize(
    ("certificate", "key"), [("missing", "ca"), ("ca", "missing"), ("damaged", "ca"), ("ca", "ca")]
)
def test_a_certificate_that_is_no_use_is_named_and_no_wrong_password(
    machine: Machine, pem: dict[str, str], certificate: str, key: str
) -> None:
    named = {"certificate": pem[certificate], "certificate_key": pem[key]}
    error = said(machine, tls=True, ca=pem["ca"], transport="certificate", **named)
    assert isinstance(error, UsageError)
    assert (pem["missing"] if "missing" in (certificate, key) else pem[certificate]) in str(error)


def test_certificates_without_files_say_how_to_give_them() -> None:
    with pytest.raises(UsageError, match="needs --tls") as caught:
        WinrmMachine("web01", ConnectSettings(transport="certificate", tls=True))
    assert "ARR_BLUEGREEN_CERTIFICATE" in caught.value.hint


# -- what the other side is not ------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["basic", "ntlm"])
def test_http_to_an_https_listener_suggests_tls(machine: Machine, transport: str) -> None:
    there = WinrmMachine(f"127.0.0.1:{machine.tls_port}", machine.settings(transport=transport))
    with pytest.raises(UnreachableError, match="breaks off") as caught:
        there.facts()
    assert "--tls" in caught.value.hint


def test_a_connection_that_breaks_later_is_no_question_of_tls(machine: Machine) -> None:
    one = machine.connect()
    one.facts()
    machine.faults.add("drop:kind=Send,times=0")
    with pytest.raises(UnreachableError) as caught:
        one.sites.recycle_pool("shop-blue")
    machine.faults.clear()
    one.close()
    assert "--tls" not in caught.value.hint


def test_a_proxy_that_is_not_there_is_the_proxys_fault(machine: Machine) -> None:
    error = said(machine, proxy="http://me:proxy-secret@127.0.0.1:1")
    assert "proxy" in str(error)
    assert "ARR_BLUEGREEN_PROXY" in error.hint
    assert "proxy-secret" not in error.one_line()


@pytest.mark.parametrize("transport", ["kerberos", "credssp"])
def test_a_transport_without_its_package_says_what_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    monkeypatch.setattr(f"winrm.transport.HAVE_{transport.upper()}", False)
    error = said(machine, transport=transport)
    assert isinstance(error, RefusedError)
    assert error.exit_code is ExitCode.REFUSED
    assert error.hint == f"pip install 'arr-bluegreen[{transport}]'"


# -- the environment -----------------------------------------------------------------------------------------


class Sent(Exception):
    """Stands for the network: what would have gone there."""


@pytest.mark.parametrize("transport", ["certificate", "basic", "ntlm"])
def test_netrc_and_proxies_of_the_environment_are_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pem: dict[str, str], transport: str
) -> None:
    """Not by the first message either, nor by the empty one that signs in before it."""
    (tmp_path / "netrc").write_text("machine web01 login netrc-user password netrc-password\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    trusted: list[bool] = []
    original = requests.Session.send

    def session_sends(self: requests.Session, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        trusted.append(self.trust_env)
        return original(self, request, **more)

    def adapter_sends(self: HTTPAdapter, request: requests.PreparedRequest, **more: Any) -> requests.Response:
        proxies = [value for name, value in more["proxies"].items() if name != "no_proxy"]
        raise Sent(request.headers.get("Authorization", ""), proxies)

    monkeypatch.setattr(requests.Session, "send", session_sends)
    monkeypatch.setattr(HTTPAdapter, "send", adapter_sends)
    monkeypatch.setattr("arr_bluegreen.control.winrm.check_sign_in", lambda to, settings: None)
    settings = ConnectSettings(
        user=USER, password=PASSWORD, transport=transport, certificate=pem["ca"], certificate_key=pem["ca"]
    )
    connection = Connection(parse_endpoint("web01", tls=transport == "certificate"), settings)
    with pytest.raises(ArrBlueGreenError) as caught:
        connection.message("Create", lambda protocol: protocol.open_shell(), again=False)
    sent = caught.value.__cause__
    assert isinstance(sent, Sent)
    authorization, proxies = sent.args
    assert "netrc" not in authorization
    assert not authorization.startswith("Basic bmV0cmM")
    assert proxies == []
    assert trusted
    assert not any(trusted)
