"""``farm`` on a file: made, shown, and not removed from under its rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]


def test_the_list_counts_servers_and_rules(cli: Cli) -> None:
    (one,) = cli("farm", "list", "--json").json
    assert (one["farm"], one["servers"], one["online"], one["rules"]) == ("shop", 3, 2, 1)


def test_show_names_the_rules_and_what_is_no_default(cli: Cli) -> None:
    shown = cli("farm", "show", "shop", "--json").json
    assert shown["rules"] == [{"name": "To shop", "location": "", "enabled": True, "map": ""}]
    assert shown["health_check"]["interval"] == 30
    assert "all settings are ARR's defaults" in cli("farm", "show", "shop").out


def test_a_farm_is_made_once(cli: Cli, path: Path) -> None:
    command = ["farm", "create", "api", "--server", "api-blue:9001", "--server", "::1", "--health-url", "http://api/up"]
    assert cli(*command).code == 0
    listed = cli("server", "list", "api", "--json").json
    assert [(one["address"], one["http_port"]) for one in listed] == [("api-blue", 9001), ("::1", 80)]
    assert cli(*command).out == "nothing to do\n"
    assert cli("farm", "create", "api").code == 2


def test_a_port_that_is_none_is_refused(cli: Cli, path: Path) -> None:
    assert cli("farm", "create", "api", "--server", "a:99999").code == 2
    assert path.read_bytes() == SHOP


def test_a_farm_that_rules_point_to_is_not_removed_without_saying_so(cli: Cli, path: Path) -> None:
    ran = cli("farm", "remove", "shop")
    assert ran.code == 3
    assert "'To shop'" in ran.err
    assert path.read_bytes() == SHOP


def test_a_farm_goes_with_its_rules_in_one_write(cli: Cli) -> None:
    ran = cli("farm", "remove", "shop", "--with-rules", "--json")
    assert ran.json["machines"][0]["commits"] == 1
    assert cli("farm", "list", "--json").json == []
    assert cli("rule", "list", "--json").json == []


def test_force_leaves_the_rules(cli: Cli) -> None:
    assert cli("farm", "remove", "shop", "--force").code == 0
    assert len(cli("rule", "list", "--json").json) == 1


def test_reconcile_is_run_time(cli: Cli) -> None:
    assert cli("farm", "reconcile", "shop").code == 3
