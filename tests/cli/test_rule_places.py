"""Rules beside globalRules: the server's own, those of a location, of two locations of one path; and rewrite maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.apphost.texts import DECLARATIONS
from tests.cli.ran import Ran

Cli = Callable[..., Ran]
RULE = '<rule name="{}"><match url=".*"/><action type="Rewrite" url="http://{}/{{R:0}}"/></rule>'
FARM = '<webFarms><webFarm name="shop"/></webFarms>'
SITE = (
    '<system.applicationHost><sites><site name="Front" id="1"><application path="/"/>'
    '<bindings><binding protocol="http" bindingInformation="*:80:"/></bindings></site></sites></system.applicationHost>'
)


def write(path: Path, body: str) -> bytes:
    text = f"<configuration><configSections>{DECLARATIONS}</configSections>\n{body}\n</configuration>\n".encode()
    path.write_bytes(text)
    return text


def located(path: str, *rules: str) -> str:
    inner = f"<system.webServer><rewrite><rules>{''.join(rules)}</rules></rewrite></system.webServer>"
    return f'<location path="{path}">{inner}</location>\n'


def test_a_farm_goes_with_the_servers_own_rules_that_point_to_it(cli: Cli, path: Path) -> None:
    rules = f"<rules>{RULE.format('dist', 'shop')}</rules>"
    write(path, f"<system.webServer><rewrite><globalRules/>{rules}</rewrite></system.webServer>{FARM}")
    assert "'dist' in the server's own rules" in cli("farm", "remove", "shop").err
    assert cli("farm", "remove", "shop", "--with-rules").code == 0
    assert b"dist" not in path.read_bytes()


def test_the_servers_own_rules_are_listed_shown_and_removed_as_dot(cli: Cli, path: Path) -> None:
    rules = f"<rules>{RULE.format('dist', 'shop')}</rules>"
    write(path, f"<system.webServer><rewrite><globalRules/>{rules}</rewrite></system.webServer>{FARM}")
    assert [one["location"] for one in cli("rule", "list", "--json").json] == ["."]
    assert cli("rule", "show", "dist").code == 2
    assert cli("rule", "show", "dist", "--location", ".").code == 0
    assert cli("rule", "list", "--location", "").err == "no rules in globalRules\n"
    assert cli("rule", "remove", "dist", "--location", ".").code == 0


def test_rules_in_two_blocks_of_one_path_are_one_list(cli: Cli, path: Path) -> None:
    write(path, located("Front", RULE.format("a", "shop")) + located("front", RULE.format("b", "shop")) + FARM + SITE)
    assert [(one["position"], one["name"]) for one in cli("rule", "list", "--json").json] == [(1, "a"), (2, "b")]
    assert cli("rule", "remove", "b", "--location", "FRONT").code == 0
    write(path, located("Front", RULE.format("a", "shop")) + located("Front", RULE.format("b", "shop")) + FARM + SITE)
    new = ["rule", "add", "n", "--to", "http://shop/{R:0}", "--location", "Front", "--before", "b"]
    assert cli(*new).code == 0
    assert cli("farm", "remove", "shop", "--with-rules").code == 0
    assert b"<rule " not in path.read_bytes()


@pytest.mark.parametrize("entry", ['key="h" value="shop"', 'key="h" value="Shop:80"'])
def test_a_farm_that_a_rewrite_map_names_is_not_removed(cli: Cli, path: Path, entry: str) -> None:
    maps = f'<rewriteMaps><rewriteMap name="Farms"><add {entry}/></rewriteMap></rewriteMaps>'
    rules = f"<globalRules>{RULE.format('by host', '{Farms:{HTTP_HOST}}')}</globalRules>"
    before = write(path, f"<system.webServer><rewrite>{rules}{maps}</rewrite></system.webServer>{FARM}")
    for flags in ([], ["--with-rules"]):
        ran = cli("farm", "remove", "shop", *flags)
        assert ran.code == 3
        assert "'by host' (by the rewrite map 'Farms')" in ran.err
    assert path.read_bytes() == before
    assert cli("farm", "show", "shop", "--json").json["rules"][0]["map"] == "Farms"
    assert not [one for one in cli("config", "check", "--json").json if one["code"] == "ARR025"]
    assert cli("farm", "remove", "shop", "--force").code == 0


def test_a_location_is_made_only_for_a_site_that_is_there(cli: Cli, path: Path) -> None:
    write(path, FARM + SITE)
    new = ["rule", "add", "n", "--to", "http://shop/{R:0}", "--location"]
    ran = cli(*new, "Nosuch")
    assert ran.code == 2
    assert "no site 'Nosuch'" in ran.err
    assert "There: Front." in ran.err
    assert cli(*new, "front/app").code == 0
    assert cli("rule", "show", "n", "--location", "Front/App").code == 0


def test_what_is_gone_may_be_misspelt_or_done(cli: Cli) -> None:
    for command in (["rule", "remove", "nope"], ["server", "remove", "shop", "nope"], ["farm", "remove", "nope"]):
        ran = cli(*command)
        assert ran.code == 2
        assert "If it was removed before, nothing is left to do." in ran.err
