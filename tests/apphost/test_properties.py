"""Any file, any sequence of changes: the right elements, nothing else, and every byte back."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm import FIRST, LAST, Action, Match, Position, Rule, Server, Where
from arr_bluegreen.webfarm.change import (
    AddRule,
    AddServer,
    ConfigChange,
    MoveRule,
    RemoveRule,
    RemoveServer,
    SetRule,
    SetServer,
)
from arr_bluegreen.webfarm.change import settings as values
from tests.apphost.texts import DECLARATIONS

NAMES = ["blue", "green", "Grün", "a&b", "x<y"]
RULES = ["one", "two", "drei", "it's"]
COMMENTS = ["", "", "<!-- <server address='blue' enabled='no'/> -->", "<!-- note -->", "<?keep <rule name='one'/> ?>"]


# -- files -----------------------------------------------------------------------------------------------


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """A small applicationHost.config in any dress: spacing, quotes, comments, line ends, encodings."""
    blank = st.sampled_from(["\n    ", "\n\t", "\n", "", " ", "\n\n      "])
    quote = st.sampled_from(['"', "'"])
    between = st.sampled_from([" ", "\n         ", "  "])

    def attributes(*pairs: tuple[str, str]) -> str:
        return "".join(
            f"{draw(between)}{key}{draw(st.sampled_from(['=', ' = ']))}{_quoted(value, draw(quote))}"
            for key, value in pairs
        )

    def element(tag: str, pairs: list[tuple[str, str]], children: list[str]) -> str:
        head = f"<{tag}{attributes(*pairs)}"
        if not children:
            return draw(st.sampled_from([f"{head} />", f"{head}/>", f"{head}></{tag}>", f"{head}>\n  </{tag}>"]))
        inner = "".join(f"{draw(blank)}{draw(st.sampled_from(COMMENTS))}{draw(blank)}{one}" for one in children)
        return f"{head}>{inner}{draw(st.sampled_from(COMMENTS))}{draw(blank)}</{tag}>"

    def server(name: str) -> str:
        enabled = draw(st.sampled_from([[], [("enabled", "true")], [("enabled", "False")]]))
        inner = (
            [element("applicationRequestRouting", [("httpPort", "81"), ("odd", "1")], [])]
            if draw(st.booleans())
            else []
        )
        return element("server", [("address", name), *enabled], inner)

    def rule(name: str) -> str:
        return element(
            "rule", [("name", name)], [element("match", [("url", ".*")], []), element("action", [("type", "None")], [])]
        )

    servers = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    rules = draw(st.lists(st.sampled_from(RULES), unique=True, max_size=4))
    farms = [
        element("webFarm", [("name", "other")], [server("blue")]),
        element("webFarm", [("name", "shop")], [server(one) for one in servers]),
    ]
    text = element(
        "configuration",
        [],
        [
            f"<configSections>{DECLARATIONS}</configSections>",
            element(
                "system.webServer",
                [],
                [element("rewrite", [], [element("globalRules", [], [rule(one) for one in rules])])],
            ),
            element("webFarms", [], farms),
            element("location", [("path", "x")], [element("unknown", [("server", "blue")], [])]),
            element("location", [("path", "x")], []),
        ],
    )
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    return draw(st.sampled_from(DRESSES))(text)


def _quoted(value: str, quote: str) -> str:
    text = value.replace("&", "&#x26;").replace("<", "&lt;")
    return quote + text.replace(quote, "&#39;" if quote == "'" else "&quot;") + quote


DRESSES: list[Callable[[str], bytes]] = [
    lambda text: text.encode(),
    lambda text: ('<?xml version="1.0" encoding="UTF-8"?>\n' + text).encode(),
    lambda text: codecs.BOM_UTF8 + text.encode(),
    lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    lambda text: codecs.BOM_UTF16_BE + ("<?xml version='1.0' encoding='utf-16'?>" + text).encode("utf-16-be"),
]


# -- changes, and plain lxml doing the same -----------------------------------------------------------------

address, name = st.sampled_from(NAMES), st.sampled_from(RULES)
position = st.one_of(
    st.just(FIRST),
    st.just(LAST),
    st.builds(Position, st.sampled_from([Where.BEFORE, Where.AFTER]), st.sampled_from(RULES)),
)
changes = st.lists(
    st.one_of(
        st.builds(lambda a, on: SetServer("SHOP", a, values(enabled=on)), address, st.booleans()),
        st.builds(lambda a, w: SetServer("shop", a, values(weight=w)), address, st.sampled_from([None, 7, 100])),
        st.builds(
            lambda a, on: AddServer("shop", Server(a, enabled=on, http_port=82)),
            st.sampled_from(NAMES[:-1]),
            st.booleans(),
        ),
        st.builds(lambda a: RemoveServer("shop", a), address),
        st.builds(
            lambda n, p: AddRule(Rule(n, match=Match("a>b"), action=Action("Rewrite", 'http://"s"/')), p),
            name,
            position,
        ),
        st.builds(RemoveRule, name),
        st.builds(MoveRule, name, position),
        st.builds(
            lambda n, u: SetRule(n, values({"match.url": u, "enabled": False})), name, st.sampled_from(["x", ".*"])
        ),
    ),
    min_size=1,
    max_size=5,
)


class Model:
    """The farm and the rules as lists, and what each change does to them."""

    def __init__(self, host: ApplicationHost) -> None:
        self.servers = {one.address: (one.enabled, one.weight, one.http_port) for one in host.farm("shop").servers}
        self.rules = [one.name for one in host.rule_lists[0].rules] if host.rule_lists else []

    def fits(self, change: ConfigChange) -> bool:
        """Whether the change can be made (else it must be refused)."""
        match change:
            case SetServer(_, at, _):
                return at in self.servers
            case AddServer(_, server):
                return self.servers.get(server.address, (server.enabled, 100, 82)) == (server.enabled, 100, 82)
            case AddRule(rule, where, _):
                return rule.name not in self.rules and (not where.name or where.name in self.rules)
            case MoveRule(one, where, _):
                return one in self.rules and where.name != one and (not where.name or where.name in self.rules)
            case SetRule(one, _, _):
                return one in self.rules
            case _:
                return True

    def make(self, change: ConfigChange) -> None:
        match change:
            case SetServer(_, at, settings_):
                on, weight, port = self.servers[at]
                ((field, value),) = settings_
                new_weight = 100 if value is None else value
                self.servers[at] = (
                    (bool(value), weight, port) if field == "enabled" else (on, int(str(new_weight)), port)
                )
            case AddServer(_, server):
                self.servers.setdefault(server.address, (server.enabled, 100, 82))
            case RemoveServer(_, at):
                self.servers.pop(at, None)
            case AddRule(rule, where, _):
                self._put(rule.name, where)
            case RemoveRule(one, _) if one in self.rules:
                self.rules.remove(one)
            case MoveRule(one, where, _):
                self.rules.remove(one)
                self._put(one, where)
            case _:
                pass

    def _put(self, one: str, where: Position) -> None:
        if where.name:
            at = self.rules.index(where.name) + (where.where is Where.AFTER)
        else:
            at = 0 if where == FIRST else len(self.rules)
        self.rules.insert(at, one)


def untouched(data: bytes) -> list[tuple[str, str]]:
    """Everything that no change is about: comments, instructions, and the elements outside the farm and the rules."""
    found = []
    for node in etree.fromstring(data).iter():
        farm = next((one for one in [node, *node.iterancestors()] if one.tag == "webFarm"), None)
        ours = farm is not None and farm.get("name") == "shop"
        below_rules = any(one.tag == "globalRules" for one in node.iterancestors())
        if isinstance(node, etree._Comment | etree._ProcessingInstruction):
            if not any(one.tag in ("server", "rule") for one in node.iterancestors()):
                found.append(("comment", str(node.text)))
        elif not ours and not below_rules:
            found.append((str(node.tag), str(sorted(map(str, node.attrib.items())))))
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files(), changes)
def test_changes_do_what_they_say_and_nothing_else_and_can_be_undone(data: bytes, wanted: list[ConfigChange]) -> None:
    host = ApplicationHost.parse(data)
    assert host.to_bytes() == data
    model, fitting = Model(host), []
    for change in wanted:
        if model.fits(change):
            fitting.append(change)
            model.make(change)
    applied = host.apply(fitting)
    after = applied.host.to_bytes()
    again = ApplicationHost.parse(after)
    assert {
        one.address: (one.enabled, one.weight, one.http_port) for one in again.farm("shop").servers
    } == model.servers
    assert ([one.name for one in again.rule_lists[0].rules] if again.rule_lists else []) == model.rules
    assert untouched(after) == untouched(data)
    assert applied.host.apply(applied.inverse).host.to_bytes() == data
    assert host.to_bytes() == data
    assert host.apply(fitting).host.to_bytes() == after


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files(), changes)
def test_one_by_one_comes_to_the_same_words_as_all_at_once(data: bytes, wanted: list[ConfigChange]) -> None:
    host = ApplicationHost.parse(data)
    model, fitting = Model(host), []
    for change in wanted:
        if model.fits(change):
            fitting.append(change)
            model.make(change)
    single, undo = host, []
    for change in fitting:
        step = single.apply([change])
        assert not step.host.apply([change]).differs or isinstance(change, AddRule | MoveRule)
        undo.append(step.inverse)
        single = step.host
    together = host.apply(fitting).host
    assert (single.farms, single.rule_lists) == (together.farms, together.rule_lists)
    for inverse in reversed(undo):
        single = single.apply(inverse).host
    assert single.to_bytes() == data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(files(), changes)
def test_what_cannot_be_done_is_refused_and_the_configuration_stays(data: bytes, wanted: list[ConfigChange]) -> None:
    host = ApplicationHost.parse(data)
    words = (host.farms, host.rule_lists)
    model = Model(host)
    for change in wanted:
        if not model.fits(change):
            try:
                host.apply([change])
            except (NoSuchObject, ConfigurationError):
                pass
            else:
                assert isinstance(change, AddRule)  # the very rule is there already: nothing to do
            assert (host.to_bytes(), ApplicationHost.parse(host.to_bytes()).farms) == (data, words[0])
