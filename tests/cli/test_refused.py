"""What our own lint, or IIS, calls an error is not written; and input that is none is one clear line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]
ADD = ["rule", "add", "x", "--to", "http://shop/{R:0}"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ([*ADD, "--condition", "{HTTP_ON}=1"], "ARR027"),
        ([*ADD, "--match", "("], "ARR029"),
        (["rule", "add", "x", "--to", "http://nosuch/{R:0}", "--match", "y"], "ARR023"),
    ],
)
def test_a_new_error_of_the_lint_is_refused_unless_insisted_on(
    cli: Cli, path: Path, command: list[str], code: str
) -> None:
    for flags in ([], ["--dry-run"]):
        ran = cli(*command, *flags)
        assert ran.code == 3
        assert code in ran.err
        assert f"--despite {code}" in ran.err
    assert path.read_bytes() == SHOP
    assert cli(*command, "--despite", code.lower()).code == 0
    assert code in [one["code"] for one in cli("config", "check", "--json").json]


def test_an_error_that_was_there_before_is_nobodys_fault_now(cli: Cli) -> None:
    cli("rule", "add", "old", "--match", "y", "--to", "http://nosuch/{R:0}", "--despite", "ARR023")
    assert cli(*ADD).code == 0
    assert cli("rule", "move", "old", "--first").code == 0


def test_a_new_warning_is_said_and_done(cli: Cli) -> None:
    ran = cli("farm", "create", "api", "--server", "a")
    assert ran.code == 0
    assert "warning: ARR006: farm 'api' has no health test url\n" in ran.err
    assert "shop" not in ran.err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["farm", "create", "f", "--server", "a", "--server", "A"], "has the server 'a' twice"),
        (["server", "add", "shop", "10.0.0.9:8080"], "more than an address"),
        (["server", "add", "shop", "a", "--host-name", "a b/c"], "a host name"),
        (["farm", "create", "f", "--health-url", "foo"], "a url such as"),
        (["farm", "create", "f", "--health-status", "abc"], "statuses such as"),
        ([*ADD, "--condition", "{HTTPS}=^ON$", "--condition", "{https}=^on$"], "twice"),
        ([*ADD, "--match", ""], "--match"),
        (["rule", "add", "x", "--to", " "], "--to"),
        (["rule", "route", "shop", "--host", "shop.example:8080"], "no host name"),
        (["rule", "route", "shop", "--host", "http://x/"], "no host name"),
        (["rule", "route", "shop", "--host", "*.x"], "no host name"),
        (["rule", "route", "shop", "--host", ""], "no host name"),
        (["farm", "create", "f", "--health-interval", "nan"], "'nan' is no number of seconds"),
        (["farm", "create", "f", "--health-interval", "inf"], "'inf' is no number of seconds"),
        (["farm", "create", "f", "--timeout", "1e300"], "'1e300' is no number of seconds"),
        (["farm", "create", "f", "--timeout", "-1"], "'-1' is no number of seconds"),
        (["farm", "create", "f", "--timeout", "0"], "'0 s' is not allowed; allowed: a time span (hh:mm:ss) from 1"),
        (["farm", "create", "f", "--server", "a:²"], "'²' is no port"),
        (["farm", "create", "f", "--server", "http://x"], "an address has no scheme"),
        (["server", "offline", "shop", "10.0.0.1", "--floor", "-5"], "'-5' is no whole number"),
        (["rule", "add", "To shop", "--to", "http://x/"], "or take another name"),
        (["rule", "route", "shop", "--host", "h", "--name", "To shop"], "or say --name"),
    ],
)
def test_what_cannot_be_is_one_line_with_what_can(cli: Cli, path: Path, command: list[str], words: str) -> None:
    ran = cli(*command)
    assert ran.code == 2, ran
    assert words in ran.err.replace("\\xb2", "²")
    assert ran.err.count("\n") == 1
    assert path.read_bytes() == SHOP


def test_a_farm_shows_times_with_their_unit(cli: Cli) -> None:
    cli("farm", "create", "api", "--timeout", "90", "--no-cache")
    shown = cli("farm", "show", "api").out
    assert "protocol.timeout = 90 s" in shown
    assert "protocol.cache.enabled = false" in shown


def test_every_refused_finding_is_named_with_the_flags_that_insist(cli: Cli) -> None:
    ran = cli(*ADD, "--condition", "{HTTP_ON}=(")
    assert ran.code == 3
    assert "Or insist with --despite ARR027 --despite ARR029." in ran.err


def test_a_refused_value_of_something_new_says_where_it_would_go(cli: Cli, path: Path) -> None:
    ran = cli("server", "add", "shop", "x", "--weight", "99999999999")
    line = SHOP[: SHOP.index(b"<webFarm ")].count(b"\n") + 1
    assert f"{path}:{line}:9: configuration/webFarms/webFarm[@name='shop']/server[@address='x']/" in ran.err
    assert "allowed: a whole number from 1 to 4294967295" in ran.err
