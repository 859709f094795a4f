"""``rule`` on a file: added in place, moved, removed; ``route`` makes the rule that cannot loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]


def names(cli: Cli) -> list[str]:
    return [one["name"] for one in cli("rule", "list", "--json").json]


def test_route_goes_before_what_would_swallow_it_with_host_and_port(cli: Cli) -> None:
    assert cli("rule", "route", "shop", "--host", "shop.example-1.com", "--port", "80").code == 0
    assert names(cli) == ["arr-bluegreen shop shop.example-1.com 80", "To shop"]
    shown = cli("rule", "show", names(cli)[0], "--json").json
    assert [(one["input"], one["pattern"]) for one in shown["conditions"]] == [
        ("{HTTP_HOST}", "^shop\\.example-1\\.com$"),
        ("{SERVER_PORT}", "^80$"),
    ]
    assert shown["stop_processing"] is True
    assert shown["action"]["url"] == "http://shop/{R:0}"


def test_route_is_made_once(cli: Cli, path: Path) -> None:
    cli("rule", "route", "shop", "--host", "h", "--port", "443")
    before = path.read_bytes()
    assert cli("rule", "route", "shop", "--host", "h", "--port", "443").out == "nothing to do\n"
    assert path.read_bytes() == before
    assert b"{HTTPS}" in before


def test_another_port_may_be_in_the_host_header(cli: Cli) -> None:
    cli("rule", "route", "shop", "--host", "h", "--port", "8080")
    assert cli("rule", "show", "arr-bluegreen shop h 8080", "--json").json["conditions"][0]["pattern"] == "^h(:8080)?$"


def test_route_to_a_farm_that_is_not_there_names_those_that_are(cli: Cli, path: Path) -> None:
    ran = cli("rule", "route", "nope", "--host", "h")
    assert ran.code == 2
    assert "There: shop." in ran.err
    assert path.read_bytes() == SHOP


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (["--first"], ["new", "To shop", "last"]),
        (["--last"], ["To shop", "last", "new"]),
        (["--before", "last"], ["To shop", "new", "last"]),
        (["--after", "To shop"], ["To shop", "new", "last"]),
    ],
)
def test_a_rule_is_added_and_moved_to_its_place(cli: Cli, place: list[str], expected: list[str]) -> None:
    cli("rule", "add", "last", "--to", "http://shop/{R:0}", "--last")
    assert cli("rule", "add", "new", "--to", "http://shop/{R:0}", *place).code == 0
    assert names(cli) == expected
    cli("rule", "move", "new", "--last" if expected[0] == "new" else "--first")
    assert cli("rule", "move", "new", *place).code == 0
    assert names(cli) == expected
    assert cli("rule", "move", "new", *place).out == "nothing to do\n"


def test_remove_gives_the_file_back(cli: Cli, path: Path) -> None:
    cli("rule", "add", "new", "--to", "http://shop/{R:0}", "--condition", "{HTTPS}=^ON$")
    assert cli("rule", "remove", "NEW").code == 0
    assert path.read_bytes() == SHOP


def test_what_iis_manager_owns_is_neither_made_nor_moved(cli: Cli, path: Path) -> None:
    assert cli("rule", "add", "ARR_shop_loadbalance", "--to", "http://shop/{R:0}").code == 2
    path.write_bytes(SHOP.replace(b"To shop", b"ARR_shop_loadbalance"))
    cli("rule", "add", "new", "--to", "http://shop/{R:0}", "--last")
    assert cli("rule", "move", "ARR_shop_loadbalance", "--last").code == 3
    assert cli("rule", "move", "ARR_shop_loadbalance", "--last", "--force").code == 0


def test_an_unknown_rule_is_told_with_those_there(cli: Cli) -> None:
    for verb in (
        ["remove", "nope"],
        ["show", "nope"],
        ["move", "nope", "--last"],
        ["move", "To shop", "--after", "nope"],
    ):
        ran = cli("rule", *verb)
        assert ran.code == 2
        assert "There: To shop." in ran.err


def test_a_condition_that_is_none_is_refused(cli: Cli) -> None:
    assert cli("rule", "add", "x", "--to", "http://shop/", "--condition", "HTTPS").code == 2
