"""Bad input on a file target: one line that says what, where and what to do; the right exit code; nothing changed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from arr_bluegreen.cli import sign_in
from arr_bluegreen.cli.main import run
from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.control.disk import Disk
from arr_bluegreen.control.writerlock import writer_lock
from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]
OFFLINE = ("server", "offline", "shop", "10.0.0.1")
FILES: dict[str, tuple[bytes, str]] = {
    "not XML": (b"hello", ":1:1: not well-formed XML"),
    "a torn XML": (SHOP[:-40], ": not well-formed XML"),
    "empty": (b"", ": the file is empty. Restore a backup"),
    "blanks": (b" \r\n\t", ": the file is empty. Restore a backup"),
    "another root": (b"<web/>", "the root element is <web>, not <configuration>"),
    "a DOCTYPE": (b"<!DOCTYPE x>" + SHOP[SHOP.index(b"<conf") :], ":1:1: a DOCTYPE is not allowed here"),
    "an entity bomb": (b'<!DOCTYPE x [<!ENTITY a "b">]><configuration>&a;</configuration>', "a DOCTYPE"),
    "101 levels": (b"<configuration>" + b"<a>" * 100 + b"</a>" * 100 + b"</configuration>", "more than 100 deep"),
    "100,000 levels": (b"<configuration>" + b"<a>" * 99999, "more than 100 deep"),
    "a long attribute": (b'<configuration a="' + b"x" * 11_000_000 + b'"/>', "longer than ten million bytes"),
    "a long text": (b"<configuration>" + b"x" * 11_000_000 + b"</configuration>", "longer than ten million bytes"),
    "Latin-1": (SHOP.replace(b"To shop", b"Caf\xe9"), ":14:32: these bytes are not UTF-8"),
    "a lying declaration": (SHOP.replace(b"UTF-8", b"UTF-16"), ":1:31: the declaration says encoding 'UTF-16'"),
    "a bad value": (
        SHOP.replace(b'"10.0.0.1" enabled="true"', b'"10.0.0.1" enabled="maybe"'),
        "'maybe' is not allowed",
    ),
}
COMMANDS: dict[tuple[str, ...], tuple[int, str]] = {
    ("server", "offline", "shpo", "10.0.0.1"): (2, "no web farm 'shpo'. There: shop."),
    ("server", "offline", "shop", "10.0.0.9"): (2, "no server '10.0.0.9' in farm 'shop'. There: 10.0.0.1, 10.0.0.2"),
    ("server", "offline", "shop", "10.0.0.1", "10.0.0.3"): (3, "no server in service; the floor is 1"),
    ("server", "weight", "shop", "10.0.0.1", "0"): (2, "a weight is at least 1"),
    ("server", "weight", "shop", "10.0.0.1", "x"): (2, "server weight: argument N: invalid int value: 'x'"),
    ("server", "add", "shop", "10.0.0.4 <b"): (2, "the name of the server '10.0.0.4 <b' has (blank) <"),
    ("server", "available", "shop", "10.0.0.1"): (3, "is run time, and "),
    ("server", "ofline", "shop", "10.0.0.1"): (2, "invalid choice: 'ofline'"),
    ("farm", "create", "a/b"): (2, "the name of the web farm 'a/b' has /"),
    ("farm", "create", "shop", "--server", "10.0.0.1"): (2, "there is a farm 'shop' already, with other settings"),
    ("farm", "create", "new", "--server", "10.0.0.1:99999"): (2, "'99999' is no port"),
    ("farm", "remove", "shop"): (3, "rules still point to farm 'shop': 'To shop'"),
    ("farm", "remove", "shpo"): (2, "no web farm 'shpo'. There: shop."),
    ("rule", "remove", "nosuch"): (2, "no rule 'nosuch' in globalRules. There: To shop."),
    ("rule", "move", "nosuch", "--first"): (2, "no rule 'nosuch' in globalRules. There: To shop."),
    ("rule", "route", "shpo", "--host", "x.example"): (2, "no web farm 'shpo'. There: shop."),
    ("config", "restore", "nosuch"): (2, "'nosuch'"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_cannot_be_read_is_told_with_its_place(cli: Cli, path: Path, kind: str) -> None:
    data, words = FILES[kind]
    path.write_bytes(data)
    told(cli(*OFFLINE), 2, words)
    assert path.read_bytes() == data


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_that_cannot_be_done_says_why(cli: Cli, path: Path, command: tuple[str, ...]) -> None:
    told(cli(*command), *COMMANDS[command])
    assert path.read_bytes() == SHOP
    assert [one.name for one in path.parent.iterdir() if one.is_file()] == [path.name]


def test_a_file_that_another_writer_holds_is_left_alone(cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "ConnectSettings", partial(ConnectSettings, lock_timeout=timedelta(milliseconds=20)))
    ours = path.parent / "arr-bluegreen"
    ours.mkdir()
    with writer_lock(ours, path.name, 1):
        told(cli(*OFFLINE), 8, f"another writer holds {path}: process {os.getpid()} of ")
    assert path.read_bytes() == SHOP


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.EACCES, "no permission"),
        (errno.EPERM, "no permission"),
        (errno.EROFS, "the file system is read-only"),
        (errno.ENOSPC, "the disk is full"),
    ],
)
def test_a_disk_that_refuses_is_told_in_one_line(
    cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Disk, "replace", refuse)
    told(cli(*OFFLINE), 3, words)
    assert path.read_bytes() == SHOP


def test_a_file_that_may_not_be_read_is_told_in_one_line(cli: Cli, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Disk, "read", refuse)
    told(cli(*OFFLINE), 2, "may not read ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('by = "state"', 'byy = "state"', "unknown key 'switch.byy' (did you mean 'by'?)"),
        ("\n[switch]\n", "\n[swich]\n", "unknown key 'swich' (did you mean 'switch'?)"),
        ('by = "state"', 'by = "stat"', "switch.by"),
        ("schema = 1", "schema = 9", "schema"),
        ("schema = 1", "schema =", "not TOML"),
    ],
)
def test_a_description_that_is_wrong_names_key_and_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, words: str
) -> None:
    text = (Path(__file__).parents[2] / "fixtures" / "deployment.toml").read_text(encoding="utf-8")
    assert old in text
    wrong = tmp_path / "deployment.toml"
    wrong.write_text(text.replace(old, new, 1), encoding="utf-8")
    code = run(["deploy", "check", str(wrong), "--on", "winrm:127.0.0.1:1"])
    said = capsys.readouterr()
    told(Ran(int(code), said.out, said.err), 2, words)
    assert "deployment.toml: " in said.err


def told(ran: Ran, code: int, words: str) -> None:
    """One line on stderr with these words, nothing on stdout, this exit code."""
    assert words in ran.err
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
    assert ran.err.startswith("arr-bluegreen: ")
    assert "Traceback" not in ran.err
