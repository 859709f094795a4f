"""``server`` on a file: one attribute's bytes and no others, the floor, clear refusals; run time is not a file's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]


def test_offline_changes_the_value_of_one_attribute(cli: Cli, path: Path) -> None:
    ran = cli("server", "offline", "shop", "10.0.0.1")
    assert (ran.code, ran.out) == (0, "server shop/10.0.0.1: enabled = false\n")
    assert path.read_bytes() == SHOP.replace(b'"10.0.0.1" enabled="true"', b'"10.0.0.1" enabled="false"')


def test_offline_adds_one_attribute_where_there_was_none(cli: Cli, path: Path) -> None:
    assert cli("server", "offline", "shop", "10.0.0.3").code == 0
    assert path.read_bytes() == SHOP.replace(b'"10.0.0.3" />', b'"10.0.0.3" enabled="false" />')


def test_online_keeps_quotes_and_blanks(cli: Cli, path: Path) -> None:
    assert cli("server", "online", "SHOP", "10.0.0.2").code == 0
    assert path.read_bytes() == SHOP.replace(b"enabled='false'", b"enabled='true'")


def test_doing_it_twice_writes_once(cli: Cli, path: Path) -> None:
    cli("server", "offline", "shop", "10.0.0.1")
    before = path.stat()
    ran = cli("server", "offline", "shop", "10.0.0.1")
    assert (ran.code, ran.out) == (0, "nothing to do\n")
    assert path.stat() == before


def test_several_servers_are_one_write(cli: Cli) -> None:
    ran = cli("server", "offline", "shop", "10.0.0.1", "10.0.0.3", "--force", "--json")
    assert ran.json["machines"][0]["commits"] == 1
    assert len(ran.json["machines"][0]["changes"]) == 2


def test_a_dry_run_prints_the_diff_and_changes_nothing(cli: Cli, path: Path) -> None:
    ran = cli("server", "offline", "shop", "10.0.0.1", "--dry-run")
    assert ran.code == 0
    assert '-            <server address="10.0.0.1" enabled="true" />\r\n' in ran.out
    assert '+            <server address="10.0.0.1" enabled="false" />\r\n' in ran.out
    line = SHOP[: SHOP.index(b"10.0.0.1")].count(b"\n") + 1
    assert f"@@ -{line - 3},7 +{line - 3},7 @@" in ran.out
    assert path.read_bytes() == SHOP
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_floor_is_kept_unless_forced(cli: Cli, path: Path) -> None:
    ran = cli("server", "offline", "shop", "10.0.0.1", "10.0.0.3")
    assert ran.code == 3
    assert "no server in service; the floor is 1" in ran.err
    assert cli("server", "offline", "shop", "10.0.0.1", "--floor", "2").code == 3
    assert path.read_bytes() == SHOP
    assert cli("server", "offline", "shop", "10.0.0.1", "10.0.0.3", "--force").code == 0


def test_removing_a_server_obeys_the_floor_too(cli: Cli, path: Path) -> None:
    assert cli("server", "remove", "shop", "10.0.0.1", "--floor", "2").code == 3
    assert cli("server", "remove", "shop", "10.0.0.2", "--floor", "2").code == 0, "it is offline: nothing is taken away"
    assert path.read_bytes() == SHOP.replace(b"            <server address='10.0.0.2'   enabled='false'/>\r\n", b"")


def test_a_server_is_added_once_and_another_of_its_name_is_refused(cli: Cli, path: Path) -> None:
    assert cli("server", "add", "shop", "10.0.0.4", "--http-port", "8080", "--offline").code == 0
    assert b'<server address="10.0.0.4" enabled="false">' in path.read_bytes()
    assert cli("server", "add", "shop", "10.0.0.4", "--http-port", "8080", "--offline").out == "nothing to do\n"
    assert cli("server", "add", "shop", "10.0.0.4", "--http-port", "9090").code == 2


def test_weight_is_set_and_zero_refused(cli: Cli, path: Path) -> None:
    assert cli("server", "weight", "shop", "10.0.0.1", "50").code == 0
    assert b'weight="50"' in path.read_bytes()
    assert cli("server", "weight", "shop", "10.0.0.1", "0").code == 2


@pytest.mark.parametrize(
    ("farm", "address", "there"), [("shop", "10.0.0.9", "10.0.0.1, 10.0.0.2, 10.0.0.3"), ("shoop", "10.0.0.1", "shop")]
)
def test_an_unknown_name_is_told_with_those_there(cli: Cli, farm: str, address: str, there: str) -> None:
    ran = cli("server", "offline", farm, address)
    assert ran.code == 2
    assert f"There: {there}." in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("verb", ["available", "drain", "unavailable", "healthy", "unhealthy", "test-health"])
def test_run_time_is_refused_on_a_file(cli: Cli, path: Path, verb: str) -> None:
    ran = cli("server", verb, "shop", "10.0.0.1")
    assert ran.code == 3
    assert "--on local or --on winrm:HOST" in ran.err
    assert path.read_bytes() == SHOP


def test_the_list_says_what_is_configured(cli: Cli) -> None:
    listed = cli("server", "list", "--json").json
    assert [(one["address"], one["enabled"], one["state"]) for one in listed] == [
        ("10.0.0.1", True, None),
        ("10.0.0.2", False, None),
        ("10.0.0.3", True, None),
    ]
    assert cli("server", "list", "shop").out.splitlines()[0].split() == ["farm", "address", "enabled", "port", "weight"]


def test_show_finds_the_server_without_case(cli: Cli) -> None:
    assert cli("server", "show", "SHOP", "10.0.0.2", "--json").json["enabled"] is False


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [(b"", 2, "empty"), (b"<configuration>", 2, "XML"), (b"hello", 2, "XML"), (b"<web />", 2, "<web>")],
)
def test_a_file_that_is_none_is_one_line_and_unchanged(
    cli: Cli, path: Path, data: bytes, code: int, words: str
) -> None:
    path.write_bytes(data)
    ran = cli("server", "offline", "shop", "10.0.0.1")
    assert ran.code == code
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert path.read_bytes() == data


def test_no_file_and_no_such_target_are_usage_errors(cli: Cli, path: Path) -> None:
    assert cli("server", "list", on="file:/nowhere/at.all").code == 2
    ran = cli("server", "list", on=str(path))
    assert ran.code == 2
    assert f"Did you mean file:{path}?" in ran.err
    assert cli("server", "list", on="flie:x").code == 2


def test_a_read_only_file_is_refused(cli: Cli, path: Path) -> None:
    path.chmod(0o444)
    ran = cli("server", "offline", "shop", "10.0.0.1")
    assert (ran.code, path.read_bytes()) == (3, SHOP)
    assert "read-only" in ran.err


def test_an_error_is_json_too(cli: Cli) -> None:
    told = cli("server", "offline", "shop", "10.0.0.9", "--json").json
    assert told["exit_code"] == 2
    assert "10.0.0.9" in told["error"]
