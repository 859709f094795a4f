"""Changes as primitive edits: what they come to, what they leave out, and what they refuse."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.edit import AddElement, NewElement, RemoveElement, SetAttributes, to_json
from arr_bluegreen.apphost.lower import lower
from arr_bluegreen.apphost.places import farm_place, pool_place, server_place
from arr_bluegreen.apphost.schema import attributes
from arr_bluegreen.apphost.steps import Place, Step
from arr_bluegreen.apphost.values import Kind, Type, number, one_of, read_value, span, write_value
from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm import FIRST, ApplicationPool, Binding, Proxy, Rule, Server, Site, WebFarm, WebFarms
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddPool,
    AddRule,
    AddServer,
    AddSite,
    ConfigChange,
    CopyIdentity,
    CopyLocation,
    MoveRule,
    RemoveLocation,
    RemoveServer,
    SetFarm,
    SetPool,
    SetProxy,
    SetServer,
    SetSite,
    SetWebFarms,
    settings,
)
from tests.apphost.texts import declared

EMPTY = declared(b"<configuration>\n</configuration>\n")
SHOP = b"""<configuration>
<webFarms><webFarm name="shop"><server address="blue" enabled="True"/></webFarm></webFarms></configuration>"""


def test_a_setting_finds_its_element_and_its_text() -> None:
    change = SetFarm("shop", settings({"health_check.interval": timedelta(seconds=5), "health_check.url": None}))
    place = farm_place("shop", Step("applicationRequestRouting"), Step("healthCheck"))
    assert lower(change) == (SetAttributes(place, (("interval", "00:00:05"), ("url", None))),)


def test_settings_of_several_elements_are_one_edit_each() -> None:
    edits = lower(SetServer("shop", "blue", settings(enabled=False, weight=5, http_port=81)))
    routing = server_place("shop", "blue", Step("applicationRequestRouting"))
    assert edits == (
        SetAttributes(server_place("shop", "blue"), (("enabled", "false"),)),
        SetAttributes(routing, (("weight", "5"), ("httpPort", "81"))),
    )


def test_what_holds_already_is_left_out_with_the_configuration_at_hand() -> None:
    host = ApplicationHost.parse(SHOP)
    assert lower(SetServer("shop", "blue", settings(enabled=True, weight=100)), host) == ()
    assert lower(AddServer("shop", Server("Blue")), host) == ()
    assert lower(RemoveServer("shop", "green"), host) == ()
    assert len(lower(SetServer("shop", "blue", settings(enabled=True)))) == 1


def test_a_new_pool_says_what_the_defaults_element_does_not() -> None:
    data = EMPTY.replace(
        b"</configuration>",
        b"<system.applicationHost><applicationPools><applicationPoolDefaults autoStart='false'>"
        b"<processModel idleTimeout='00:00:00' /></applicationPoolDefaults></applicationPools></system.applicationHost>"
        b"</configuration>",
    )
    host = ApplicationHost.parse(data)
    (edit,) = lower(AddPool(ApplicationPool("p")), host)
    assert isinstance(edit, AddElement)
    assert dict(edit.element.attributes) == {"name": "p", "autoStart": "true", "managedRuntimeVersion": ""}
    assert edit.element.children == (NewElement("processModel", (("idleTimeout", "00:20:00"),)),)
    assert host.apply([AddPool(ApplicationPool("p"))]).host.pool("p") == ApplicationPool("p")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (SetServer("shop", "blue", settings(weight=0)), "allowed: a whole number from 1 to 4294967295"),
        (SetServer("shop", "blue", settings(http_port=65536)), "from 1 to 65535"),
        (SetServer("shop", "blue", settings(enabled=1)), "allowed: true or false"),
        (SetServer("shop", "blue", settings(enabeld=True)), "Did you mean 'enabled'?"),
        (SetServer("shop", "blue", settings(address="x")), "has no setting 'address' that can be set"),
        (SetFarm("shop", settings({"health_check.timeout": timedelta(0)})), "from 1 to 86400 s"),
        (SetFarm("shop", settings({"affinity.timeout": timedelta(seconds=90)})), "in steps of 60 s"),
        (
            SetFarm("shop", settings({"load_balancing.algorithm": "RoundRobin"})),
            "one of WeightedRoundRobin, RequestHash",
        ),
        (SetPool("p", settings({"process_model.idle_timeout": timedelta(days=31)})), "from 0 to 2592000 s"),
        (SetProxy(settings(timeout=5)), "allowed: a time span (hh:mm:ss)"),
        (AddFarm(WebFarm("a/b")), "'a/b' has /"),
        (AddFarm(WebFarm("")), "is empty"),
        (AddSite(Site("a?b", id=1)), "'a?b' has ?"),
        (AddSite(Site("a")), "needs an id above 0"),
        (AddSite(Site("a", id=1, bindings=(Binding("http", ""),))), "text that is not empty"),
        (AddPool(ApplicationPool("a|b[c")), "'a|b[c' has [ |"),
        (AddRule(Rule("a\x01b")), "has a control character"),
        (AddServer("shop", Server("blue", enabled=False)), "is there already, with other settings"),
    ],
)
def test_what_the_schema_forbids_is_refused_in_one_line_that_says_what_is_allowed(
    change: ConfigChange, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        lower(change, ApplicationHost.parse(SHOP) if isinstance(change, AddServer | SetServer) else None)
    assert message in caught.value.one_line()


def test_edits_are_plain_json() -> None:
    changes = (
        AddRule(Rule("r"), FIRST),
        MoveRule("r", FIRST),
        SetSite("s", settings(server_auto_start=False)),
        RemoveServer("shop", "a"),
        CopyIdentity("a", "b"),
        CopyLocation("a", "b"),
        RemoveLocation("a"),
    )
    kinds = [to_json(edit) for change in changes for edit in lower(change)]
    assert json.loads(json.dumps(kinds)) == kinds
    assert [one["kind"] for one in kinds] == [
        "add",
        "move",
        "set",
        "remove",
        "copy_attributes",
        "copy_location",
        "remove_location",
    ]
    assert kinds[0] == {
        "kind": "add",
        "section": "system.webServer/rewrite/globalRules",
        "location": "",
        "steps": [],
        "element": {
            "tag": "rule",
            "attributes": [["name", "r"]],
            "children": [{"tag": "action", "attributes": [["type", "None"]], "children": []}],
        },
        "where": "first",
        "name": "",
    }
    assert kinds[4]["source"]["steps"][0] == {"tag": "add", "key": [["name", "a"]]}
    assert lower(RemoveServer("f", "a")) == (RemoveElement(server_place("f", "a")),)
    assert pool_place("p") == Place("system.applicationHost/applicationPools", (Step("add", (("name", "p"),)),))


@pytest.mark.parametrize(
    ("text", "of", "value"),
    [
        ("True", Type(Kind.BOOL), True),
        ("00:01:00", span(0, 60), timedelta(minutes=1)),
        ("29:00:00", span(0, 60), timedelta(hours=29)),
        ("1.05:00:00", span(0, 60), timedelta(hours=29)),
        ("00:00:00.1", Type(Kind.TIME_SPAN), timedelta(seconds=0.1)),
        ("requesthash", one_of("RequestHash"), "RequestHash"),
        ("time, Memory", Type(Kind.FLAGS, names=("Time", "Memory")), "Time, Memory"),
        ("4294967295", number(0, 4294967295), 4294967295),
    ],
)
def test_texts_are_read_as_the_schemas_types(text: str, of: Type, value: object) -> None:
    assert read_value(text, of) == value


@pytest.mark.parametrize(
    ("text", "of"),
    [
        ("maybe", Type(Kind.BOOL)),
        ("-1", Type(Kind.UINT)),
        ("1.5", Type(Kind.UINT)),
        ("5", Type(Kind.TIME_SPAN)),
        ("00:60:00", Type(Kind.TIME_SPAN)),
        ("x", one_of("a")),
    ],
)
def test_what_is_none_of_the_type_is_refused(text: str, of: Type) -> None:
    with pytest.raises(ValueError, match="allowed"):
        read_value(text, of)


def _value_of(of: Type, default: Any) -> st.SearchStrategy[Any]:
    low, high = of.low or 0, of.high if of.high is not None else 4294967295
    match of.kind:
        case Kind.BOOL:
            return st.booleans()
        case Kind.UINT | Kind.INT if of.exclude:
            return st.one_of(st.just(default), st.integers(high + 1, high + 1000))
        case Kind.UINT | Kind.INT:
            return st.integers(low, high)
        case Kind.TIME_SPAN:
            step = of.step or 1
            return st.integers(-(-low // step), min(high, 4_000_000) // step).map(lambda n: timedelta(seconds=n * step))
        case Kind.ENUM:
            return st.sampled_from(of.names)
        case Kind.FLAGS:
            return st.just(", ".join(of.names[:1]))
        case Kind.STRING if of.pattern:
            return st.from_regex(of.pattern, fullmatch=True).filter(lambda text: text.isprintable() and text != "")
        case Kind.STRING:
            return st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.data())
@pytest.mark.parametrize(
    ("word", "change"),
    [
        (WebFarm, lambda values: SetFarm("shop", values)),
        (Server, lambda values: SetServer("shop", "blue", values)),
        (Proxy, SetProxy),
        (WebFarms, SetWebFarms),
        (ApplicationPool, lambda values: SetPool("p", values)),
    ],
    ids=["farm", "server", "proxy", "all farms", "pool"],
)
def test_every_setting_reads_back_as_it_was_set(word: Any, change: Any, data: st.DataObject) -> None:
    one = data.draw(st.sampled_from([each for each in attributes(word) if not each.required]))
    value = data.draw(_value_of(one.type, one.default))
    assert read_value(write_value(value, one.type), one.type) == value
    start = ApplicationHost.parse(EMPTY).apply(
        [AddFarm(WebFarm("shop", servers=(Server("blue"),))), AddPool(ApplicationPool("p"))]
    )
    applied = start.host.apply([change(settings({one.field: value}))])
    host = ApplicationHost.parse(applied.host.to_bytes())
    names = {WebFarm: ("shop",), Server: ("shop", "blue"), Proxy: (), WebFarms: (), ApplicationPool: ("p",)}[word]
    assert host.setting(word, names, one.field).value == value
    assert applied.host.apply(applied.inverse).host.to_bytes() == start.host.to_bytes()
