"""What a rule takes and where it sends it: read alike by the lint and by the commands."""

from __future__ import annotations

import pytest

from arr_bluegreen.webfarm.routing import ends, managers_farm, references, takes_every_path, takes_everything, targets
from arr_bluegreen.webfarm.rule import Action, Condition, Match, RewriteMap, Rule, RuleList

MAPS = (
    RewriteMap("Farms", "spare", entries=(("a", "blue"), ("b", "http://green/x"))),
    RewriteMap("Scheme", "http://", entries=(("ON", "https://"),)),
)


def to(url: str, kind: str = "Rewrite") -> Rule:
    return Rule("r", action=Action(kind, url))


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("http://Shop/{R:0}", ["shop"]),
        ("HTTPS://shop:8443/x", ["shop"]),
        ("http://user@shop/", ["shop"]),
        ("http://[::1]:81/", ["[::1]"]),
        ("wss://shop?x", ["shop"]),
        ("http{C:1}://shop/{R:1}", ["shop"]),
        ("{C:1}://shop/", ["shop"]),
        ("{Scheme:{HTTPS}}shop/{R:0}", ["shop", "shop"]),
        ("http://{farms:{HTTP_HOST}}/{R:0}", ["spare", "blue", "http"]),
        ("http://{ToLower:{Farms:{HTTP_HOST}}}/", ["spare", "blue", "http"]),
        ("{Farms:{HTTP_HOST}}", ["green"]),
        ("http://{R:1}/", []),
        ("http://shop{R:1}/", []),
        ("/local/{R:0}", []),
        ("local/http://shop/", []),
        ("{", []),
        ("", []),
    ],
)
def test_the_hosts_of_a_url_are_those_it_may_go_to(url: str, hosts: list[str]) -> None:
    assert [one.host for one in targets(to(url), MAPS)] == hosts
    assert targets(to(url, "Redirect"), MAPS) == ()


def test_a_port_of_its_own_is_a_hosts_and_the_schemes_port_a_farms() -> None:
    urls = ["http://shop/", "http://shop:80/", "https://shop:443/", "https://shop:80/", "http://shop:8080/"]
    assert [targets(to(one))[0].may_be_farm for one in urls] == [True, True, True, False, False]


def test_references_say_whether_a_map_names_the_farm() -> None:
    by_map, by_url, scheme = to("http://{Farms:{HTTP_HOST}}/"), to("http://blue/"), to("{Scheme:{HTTPS}}blue/")
    found = references([RuleList("", (by_map,)), RuleList("x", (by_url, scheme), is_global=False)], MAPS)
    assert [(one.location, one.rule, one.map) for one in found["blue"]] == [
        ("", by_map, "Farms"),
        ("x", by_url, ""),
        ("x", scheme, ""),
    ]
    assert [one.rule for one in found["spare"]] == [by_map]


@pytest.mark.parametrize(
    ("rule", "every_path", "everything"),
    [
        (Rule("r", match=Match(".*")), True, True),
        (Rule("r", match=Match("^(.*)$")), True, True),
        (Rule("r", match=Match("(.*)")), True, True),
        (Rule("r", match=Match(".*", negate=True)), False, False),
        (Rule("r", match=Match(".+")), False, False),
        (Rule("r", match=Match("^$")), False, False),
        (Rule("r", match=Match("*")), False, False),
        (Rule("r", pattern_syntax="Wildcard", match=Match("*")), True, True),
        (Rule("r", pattern_syntax="Wildcard", match=Match(".*")), False, False),
        (Rule("r", pattern_syntax="ExactMatch", match=Match(".*")), False, False),
        (Rule("r", match=Match(".*"), conditions=(Condition("{HTTP_HOST}", ".*"),)), True, True),
        (Rule("r", match=Match(".*"), conditions=(Condition("{HTTP_HOST}", ".*", negate=True),)), True, False),
        (Rule("r", match=Match(".*"), conditions=(Condition("{A}", ".*"), Condition("{B}", "x"))), True, False),
        (
            Rule(
                "r",
                match=Match(".*"),
                logical_grouping="MatchAny",
                conditions=(Condition("{A}", ".*"), Condition("{B}", "x")),
            ),
            True,
            True,
        ),
    ],
)
def test_what_passes_every_request_is_told_from_what_may_not(rule: Rule, every_path: bool, everything: bool) -> None:
    assert (takes_every_path(rule), takes_everything(rule)) == (every_path, everything)


def test_a_redirect_ends_without_stop_processing() -> None:
    kinds = ["Rewrite", "Redirect", "CustomResponse", "AbortRequest", "None"]
    assert [ends(to("x", one)) for one in kinds] == [False, True, True, True, False]


def test_the_names_of_iis_manager_are_known_without_case() -> None:
    names = ["ARR_shop_loadbalance", "arr_shop_LoadBalance_SSL", "ARR__loadbalance", "ARR_shop_loadbalance2", "shop"]
    assert [managers_farm(one) for one in names] == ["shop", "shop", "", "", ""]
