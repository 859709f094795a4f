"""Who signs in and how: the option, else the environment, else the description; a password never by flag."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli.options import noun_parser, on
from arr_bluegreen.cli.sign_in import settings_of
from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.deployment.description import Arr
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.errors import DescriptionError, UsageError

FIXTURE = Path(__file__).parents[2] / "fixtures" / "deployment.toml"


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("ARR_BLUEGREEN")]:
        monkeypatch.delenv(name)


def given(*argv: str) -> argparse.Namespace:
    parser = noun_parser("farm", "")
    on(parser)
    return parser.parse_args(argv)


def found(*argv: str, target: str = "winrm:web01", arr: Arr | None = None) -> ConnectSettings:
    return settings_of(given(*argv), target, arr=arr)


def secret(folder: Path, text: str = "from-file\r\n", mode: int = 0o600) -> str:
    file = folder / "secret"
    file.write_text(text)
    file.chmod(mode)
    return str(file)


def test_a_password_comes_from_a_file_or_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", "from-env")
    assert found().password == "from-env"
    settings = found("--password-file", secret(tmp_path))
    assert settings.password == "from-file"
    assert "from-file" not in repr(settings)


@pytest.mark.skipif(os.name == "nt", reason="Windows has access lists, which a mode does not tell")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666])
def test_a_password_file_of_others_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match=f"mode {mode:o}") as caught:
        found("--password-file", secret(tmp_path, mode=mode))
    assert "chmod 600" in caught.value.hint


@pytest.mark.skipif(os.name == "nt", reason="no /dev/fd there")
def test_a_pipe_is_a_password_file_too() -> None:
    """``--password-file <(pass show web01)``."""
    read, write = os.pipe()
    os.write(write, b"from-pipe\n")
    os.close(write)
    assert found("--password-file", f"/dev/fd/{read}").password == "from-pipe"
    os.close(read)


# -- the prompt ---------------------------------------------------------------------------------------------

Terminal = Callable[[bool, bool], list[str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Says whether stdin and stderr are terminals; returns what is asked there."""

    def make(stdin: bool, stderr: bool) -> list[str]:
        asked: list[str] = []

        def answer(prompt: str, stream: object = None) -> str:
            asked.append(prompt)
            return "typed"

        monkeypatch.setattr(sys, "stdin", Fake(stdin))
        monkeypatch.setattr(sys, "stderr", Fake(stderr))
        monkeypatch.setattr("getpass.getpass", answer)
        return asked

    return make


class Fake:
    def __init__(self, is_terminal: bool) -> None:
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_a_password_that_nobody_gave_is_asked_on_a_terminal(terminal: Terminal) -> None:
    asked = terminal(True, True)
    assert found("--user", "deployer").password == "typed"
    assert asked == ["Password of deployer on web01: "]


@pytest.mark.parametrize(("stdin", "stderr"), [(False, True), (True, False), (False, False)])
def test_without_a_terminal_nothing_is_ever_asked(terminal: Terminal, stdin: bool, stderr: bool) -> None:
    asked = terminal(stdin, stderr)
    assert (found("--user", "deployer").password, asked) == ("", [])


@pytest.mark.parametrize(
    ("argv", "target"),
    [
        (("--user", "deployer"), "file:x.config"),
        (("--user", "deployer"), "local"),
        (("--user", "deployer", "--transport", "kerberos"), "winrm:web01"),
        (("--user", "deployer", "--transport", "certificate"), "winrm:web01"),
        ((), "winrm:web01"),
    ],
)
def test_what_needs_no_password_asks_for_none(terminal: Terminal, argv: tuple[str, ...], target: str) -> None:
    asked = terminal(True, True)
    assert (found(*argv, target=target).password, asked) == ("", [])


def test_a_password_from_the_environment_is_not_asked_for(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", "from-env")
    asked = terminal(True, True)
    assert (found("--user", "deployer").password, asked) == ("from-env", [])


# -- certificate, proxy, kept PowerShell ---------------------------------------------------------------------

DESCRIBED = Arr(
    transport="certificate", tls=True, ca="a.pem", certificate="c.pem", certificate_key="k.pem", proxy="http://p:1",
    kept_powershell=False,
)  # fmt: skip
BY_OPTION = ("--certificate", "c1", "--certificate-key", "k1", "--ca", "a1", "--transport", "ntlm")


def shown(one: ConnectSettings) -> tuple[Any, ...]:
    return (one.transport, one.ca, one.certificate, one.certificate_key, one.proxy, one.kept_powershell)


def test_the_option_comes_first_then_the_environment_then_the_description(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(found()) == ("ntlm", "", "", "", "", True)
    assert shown(found(arr=DESCRIBED)) == ("certificate", "a.pem", "c.pem", "k.pem", "http://p:1", False)
    for name, value in (("CERTIFICATE", "c2"), ("CERTIFICATE_KEY", "k2"), ("PROXY", "http://p:2")):
        monkeypatch.setenv(f"ARR_BLUEGREEN_{name}", value)
    monkeypatch.setenv("ARR_BLUEGREEN_KEPT_POWERSHELL", "yes")
    assert shown(found(arr=DESCRIBED)) == ("certificate", "a.pem", "c2", "k2", "http://p:2", True)
    assert shown(found(*BY_OPTION, arr=DESCRIBED)) == ("ntlm", "a1", "c1", "k1", "http://p:2", True)


@pytest.mark.parametrize(("word", "kept"), [("no", False), ("False", False), ("0", False), ("yes", True), ("", True)])
def test_the_kept_powershell_can_be_turned_off_for_good(monkeypatch: pytest.MonkeyPatch, word: str, kept: bool) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_KEPT_POWERSHELL", word)
    assert found().kept_powershell is kept


def test_neither_yes_nor_no_is_wrong_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_KEPT_POWERSHELL", "perhaps")
    with pytest.raises(UsageError, match="ARR_BLUEGREEN_KEPT_POWERSHELL"):
        found()


def test_the_description_says_how_to_reach_the_machines() -> None:
    text = FIXTURE.read_text(encoding="utf-8")
    assert parse_description(text).arr == Arr()
    more = text.replace('proxy = ""', 'proxy = "http://proxy:3128"').replace(
        "kept_powershell = true", "kept_powershell = false"
    )
    arr = parse_description(more).arr
    assert (arr.proxy, arr.kept_powershell) == ("http://proxy:3128", False)
    with pytest.raises(DescriptionError, match="no secrets"):
        parse_description(text.replace('proxy = ""', 'proxy = "http://me:secret@proxy:3128"'))


def test_help_names_every_way(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        given("--help")
    said = " ".join(capsys.readouterr().out.split())
    for word in ("PASSWORD", "CERTIFICATE", "CERTIFICATE_KEY", "PROXY", "KEPT_POWERSHELL=no", "USER", "ON"):
        assert f"ARR_BLUEGREEN_{word}" in said, word
    assert "asked on a terminal" in said
