"""Origins of values, inverses after somebody else's edit, many changes at once, and diffs for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from arr_bluegreen.apphost import ApplicationHost, editor, schema, words
from arr_bluegreen.apphost.diff import diff
from arr_bluegreen.apphost.effective import Effective
from arr_bluegreen.apphost.splice import spliced
from arr_bluegreen.apphost.words import Origin
from arr_bluegreen.errors import ArrBlueGreenError, NoSuchObject
from arr_bluegreen.webfarm import FIRST, Application, ApplicationPool, Position, Rule, Server, Site, WebFarm, Where
from arr_bluegreen.webfarm.change import (
    AddRule,
    AddServer,
    MoveRule,
    RemoveServer,
    SetMapEntry,
    SetPool,
    SetRule,
    SetServer,
    Undo,
    settings,
)
from tests.apphost.texts import FIXTURES, declared

FARM = b"""<configuration>
    <webFarms>
        <webFarm name="shop">
            <server address="blue" enabled="true" />
            <server address="green" enabled="false" />
        </webFarm>
    </webFarms>
</configuration>
"""
POOLS = b"""<configuration>
  <system.applicationHost>
    <applicationPools>
      <add name="own" startMode="AlwaysRunning" />
      <add name="bare" />
      <applicationPoolDefaults startMode="AlwaysRunning">
        <processModel idleTimeout="00:05:00" />
      </applicationPoolDefaults>
    </applicationPools>
    <sites>
      <site name="a" id="1"><application path="/" /><applicationDefaults preloadEnabled="true" /></site>
      <applicationDefaults applicationPool="bare" preloadEnabled="false" />
    </sites>
  </system.applicationHost>
</configuration>
"""


def test_a_value_says_whether_element_defaults_or_schema_gave_it() -> None:
    host = ApplicationHost.parse(POOLS)
    idle = timedelta(minutes=5)
    assert host.setting(ApplicationPool, ("own",), "start_mode") == Effective("AlwaysRunning", Origin.ELEMENT, (4, 23))
    assert host.setting(ApplicationPool, ("BARE",), "start_mode").origin is Origin.DEFAULTS
    assert host.setting(ApplicationPool, ("own",), "process_model.idle_timeout") == Effective(
        idle, Origin.DEFAULTS, (7, 23)
    )
    assert host.setting(ApplicationPool, ("own",), "queue_length") == Effective(1000, Origin.SCHEMA)
    assert host.setting(Application, ("a", "/"), "preload_enabled").value is True
    assert host.setting(Application, ("a", "/"), "pool") == Effective("bare", Origin.DEFAULTS, (12, 28))
    assert host.setting(Site, ("a",), "server_auto_start").origin is Origin.SCHEMA
    with pytest.raises(NoSuchObject, match="no setting 'idle'"):
        host.setting(ApplicationPool, ("own",), "idle")


def test_words_have_the_effective_values() -> None:
    host = ApplicationHost.parse(POOLS)
    assert [one.start_mode for one in host.pools] == ["AlwaysRunning", "AlwaysRunning"]
    assert host.pool("own").process_model.idle_timeout == timedelta(minutes=5)
    assert host.site("A").applications == (Application("/", "bare", preload_enabled=True),)


def test_what_the_defaults_say_already_is_not_written() -> None:
    host = ApplicationHost.parse(POOLS)
    same = settings({"start_mode": "AlwaysRunning", "process_model.idle_timeout": timedelta(minutes=5)})
    assert not host.apply([SetPool("bare", same)]).differs
    applied = host.apply([SetPool("bare", settings(start_mode="OnDemand"))])
    assert b'<add name="bare" startMode="OnDemand" />' in applied.host.to_bytes()


def test_an_inverse_holds_after_a_foreign_edit_elsewhere() -> None:
    applied = ApplicationHost.parse(FARM).apply([SetServer("shop", "blue", settings(enabled=False, weight=3))])
    foreign = applied.host.to_bytes().replace(b"<configuration>", b"<configuration>\n    <!-- somebody -->")
    back = ApplicationHost.parse(foreign).apply(applied.inverse).host
    assert back.to_bytes() == FARM.replace(b"<configuration>", b"<configuration>\n    <!-- somebody -->")


def test_an_inverse_says_it_in_words_where_the_place_was_edited_since() -> None:
    applied = ApplicationHost.parse(FARM).apply(
        [RemoveServer("shop", "blue"), SetServer("shop", "green", settings(enabled=True))]
    )
    foreign = applied.host.to_bytes().replace(b'<server address="green"', b'<server   address="green"')
    back = ApplicationHost.parse(foreign).apply(applied.inverse).host
    assert {one.address: one.enabled for one in back.farm("shop").servers} == {"blue": True, "green": False}
    assert b"<server   address" in back.to_bytes()


def test_an_inverse_has_an_inverse() -> None:
    host = ApplicationHost.parse(FARM)
    there = host.apply([AddServer("shop", Server("new", http_port=81)), RemoveServer("shop", "blue")])
    back = there.host.apply(there.inverse)
    assert back.host.to_bytes() == FARM
    assert back.host.apply(back.inverse).host.to_bytes() == there.host.to_bytes()
    assert all(isinstance(one, Undo) for one in there.inverse)


def test_changes_build_on_each_other_within_one_commit() -> None:
    data = declared(FARM)
    host = ApplicationHost.parse(data)
    applied = host.apply(
        [
            AddServer("shop", Server("new")),
            SetServer("shop", "new", settings(http_port=81, enabled=False)),
            AddRule(Rule("b")),
            AddRule(Rule("a"), Position(Where.BEFORE, "b")),
            MoveRule("b", FIRST),
            SetRule("b", settings({"match.url": "x"})),
            RemoveServer("shop", "blue"),
            AddServer("shop", Server("blue", enabled=False)),
        ]
    )
    farm = applied.host.farm("shop")
    assert [(one.address, one.enabled, one.http_port) for one in farm.servers] == [
        ("green", False, 80),
        ("new", False, 81),
        ("blue", False, 80),
    ]
    assert [(one.name, one.match.url) for one in applied.host.rule_lists[0].rules] == [("b", "x"), ("a", "")]
    assert applied.host.apply(applied.inverse).host.to_bytes() == data


def test_what_is_added_and_removed_in_one_commit_changes_nothing() -> None:
    host = ApplicationHost.parse(FARM)
    applied = host.apply(
        [AddServer("shop", Server("x")), RemoveServer("shop", "x"), SetServer("shop", "blue", settings(enabled=True))]
    )
    assert (applied.host.to_bytes(), applied.differs) == (FARM, False)


def test_an_error_half_way_changes_nothing() -> None:
    host = ApplicationHost.parse(FARM)
    with pytest.raises(NoSuchObject, match="no rewrite map 'none'"):
        host.apply([RemoveServer("shop", "blue"), SetMapEntry("none", "k", "v")])
    assert (host.to_bytes(), len(host.farm("shop").servers)) == (FARM, 2)


def test_a_thousand_changes_are_one_commit() -> None:
    farms = b"".join(b'<webFarm name="f%d"><server address="a" enabled="false"/></webFarm>\n' % n for n in range(1000))
    data = b"<configuration>\n<webFarms>\n" + farms + b"</webFarms>\n</configuration>"
    applied = ApplicationHost.parse(data).apply([SetServer(f"f{n}", "a", settings(enabled=True)) for n in range(1000)])
    assert applied.host.to_bytes() == data.replace(b'"false"', b'"true"')
    assert applied.host.apply(applied.inverse).host.to_bytes() == data


def test_a_diff_shows_the_changed_lines_alone() -> None:
    after = ApplicationHost.parse(FARM).apply([SetServer("shop", "green", settings(enabled=True))]).host.to_bytes()
    changed = [one for one in diff(FARM, after) if one[0] in "+-"]
    assert changed[2:] == [
        '-            <server address="green" enabled="false" />',
        '+            <server address="green" enabled="true" />',
    ]
    assert diff(FARM, FARM) == ()
    crlf = (FIXTURES / "utf16-le.config").read_bytes()
    other = ApplicationHost.parse(crlf).apply([SetServer("shop", "green", settings(enabled=True))]).host.to_bytes()
    assert [one for one in diff(crlf, other) if "\r" in one or "\\r" in one] == []
    assert diff(FARM, FARM.replace(b"\n", b"\r\n"))[3].endswith("<configuration>")


def test_farms_are_words_of_their_own() -> None:
    host = ApplicationHost.parse(FARM)
    assert host.farms == (WebFarm("shop", servers=(Server("blue"), Server("green", enabled=False))),)
    assert len(host.digest) == 64


def test_a_splice_that_went_wrong_is_found_by_the_proof_and_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edited text is read again and compared with the tree that was meant: a fault of ours writes nothing."""
    data = (FIXTURES / "blue-green.config").read_bytes()
    host = ApplicationHost.parse(data)
    real = spliced

    def wrong(*given: Any) -> bytes:
        return real(*given).replace(b'name="DefaultAppPool"', b'name="DefaultAppPoo1"', 1)

    monkeypatch.setattr(editor, "spliced", wrong)
    with pytest.raises(ArrBlueGreenError, match="does not read as intended"):
        host.apply([SetServer("shop", "127.0.0.2", settings(enabled=False))])
    assert host.to_bytes() == data


def test_a_thread_that_reads_while_another_learns_the_words_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines are read side by side: what is known of a word is known whole or not at all."""
    known = schema.attributes
    seen: list[int] = []

    def attributes(word: type[Any]) -> Any:
        for one in known(word):
            yield one
            if word is Server and not seen:
                seen.append(0)
                seen.append(len(ApplicationHost.parse(FARM).farm("shop").servers))

    monkeypatch.setattr(words, "_SHAPES", {})
    monkeypatch.setattr(words, "attributes", attributes)
    assert len(ApplicationHost.parse(FARM).farm("shop").servers) == 2
    assert seen == [0, 2]
