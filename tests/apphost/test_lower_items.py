"""A rule's conditions and variables as lists, keys that are there twice, and where a refused value stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.lower import lower
from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm import (
    ApplicationPool,
    Binding,
    Condition,
    Match,
    RewriteMap,
    Rule,
    Server,
    ServerVariable,
    Site,
    WebFarm,
)
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddPool,
    AddRewriteMap,
    AddRule,
    AddSite,
    ConfigChange,
    SetConditions,
    SetServer,
    SetServerVariables,
    Undo,
    settings,
)
from tests.apphost.texts import declared

EMPTY = declared(b"<configuration>\n</configuration>\n")
SHOP = b"""<configuration>
<webFarms><webFarm name="shop"><server address="blue" enabled="True"/></webFarm></webFarms></configuration>"""


CONDITIONS = [Condition("{A}", "1"), Condition("{B}", "2"), Condition("{A}", "3", negate=True)]


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.permutations(CONDITIONS), st.lists(st.sampled_from([*CONDITIONS, Condition("{A}", "1", negate=True)])))
def test_conditions_become_any_others_and_back_again(old: list[Condition], new: list[Condition]) -> None:
    new = list(dict.fromkeys(new))
    rule = Rule("r", match=Match(".*"), conditions=tuple(old))
    start = ApplicationHost.parse(EMPTY).apply([AddRule(rule)]).host
    applied = start.apply([SetConditions("r", tuple(new))])
    host = ApplicationHost.parse(applied.to_bytes())
    assert host.rule("r").conditions == tuple(new)
    assert host.apply(applied.inverse).to_bytes() == start.to_bytes()
    assert not host.apply([SetConditions("r", tuple(new))]).differs
    words = tuple(one for undo in applied.inverse if isinstance(undo, Undo) for one in undo.changes)
    assert host.apply(words).host.rule("r").conditions == tuple(old)


def test_what_is_there_twice_is_refused() -> None:
    twice = Condition("{A}", "1")
    changes: list[ConfigChange] = [
        AddFarm(WebFarm("f", servers=(Server("a"), Server("A")))),
        AddRule(Rule("r", match=Match("x"), conditions=(twice, Condition("{a}", "1")))),
        SetConditions("r", (twice, twice)),
        SetServerVariables("r", (ServerVariable("A"), ServerVariable("a"))),
        AddRewriteMap(RewriteMap("m", entries=(("k", "1"), ("k", "2")))),
        AddSite(Site("s", 1, bindings=(Binding("http", "*:80:"), Binding("HTTP", "*:80:")))),
        AddPool(ApplicationPool("p", environment_variables=(("A", "1"), ("A", "2")))),
    ]
    for one in changes:
        with pytest.raises(ConfigurationError, match="twice"):
            lower(one)


def test_a_refused_value_says_file_line_column_and_element() -> None:
    host = ApplicationHost.parse(SHOP, file="a.config")
    with pytest.raises(ConfigurationError) as caught:
        host.apply([SetServer("shop", "blue", settings(weight=0))])
    assert str(caught.value) == (
        f"a.config:2:{SHOP.index(b'<server') - SHOP.index(b'<webFarms') + 1}"
        ": configuration/webFarms/webFarm[@name='shop']"
        "/server[@address='blue']/applicationRequestRouting/@weight: weight: '0' is not allowed;"
        " allowed: a whole number from 1 to 4294967295"
    )
    with pytest.raises(ConfigurationError, match=r"webFarm\[@name='f'\]/server\[@address='a'\]/.*@weight"):
        host.apply([AddFarm(WebFarm("f", servers=(Server("a", weight=0),)))])
