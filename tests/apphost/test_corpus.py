"""Real files: every byte kept, every edit in its own lines and places, every inverse exact."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.scan import element_end, start_tags
from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm import FIRST, LAST, Action, Match, Position, Rule, Server, WebFarm, Where
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddRule,
    ConfigChange,
    MoveRule,
    RemoveFarm,
    RemoveRule,
    RemoveServer,
    SetPool,
    SetServer,
    settings,
)
from tests.apphost.texts import CORPUS, corpus, declared, expat_starts, gone_and_come, lines_gone_and_come

SHOP = WebFarm("shop", servers=(Server("blue", http_port=8001), Server("green", enabled=False)))
SHOP_LINES = [
    b'<webFarm name="shop" enabled="true">',
    b'<server address="blue" enabled="true">',
    b'<applicationRequestRouting httpPort="8001" />',
    b"</server>",
    b'<server address="green" enabled="false" />',
    b"</webFarm>",
]


def rule(name: str) -> Rule:
    return Rule(name, match=Match(".*"), action=Action("Rewrite", "http://shop/{R:0}"))


def rule_lines(name: str) -> list[bytes]:
    return [
        b'<rule name="%s">' % name.encode(),
        b'<match url=".*" />',
        b'<action type="Rewrite" url="http://shop/{R:0}" />',
        b"</rule>",
    ]


def made(before: bytes, *changes: ConfigChange) -> bytes:
    """The bytes after the changes, which are proven to be undone to the byte and to change nothing the second time."""
    applied = ApplicationHost.parse(before).apply(changes)
    after = applied.host.to_bytes()
    assert applied.differs
    assert applied.host.apply(applied.inverse).host.to_bytes() == before
    assert not ApplicationHost.parse(after).apply(changes).differs
    return after


@pytest.mark.parametrize("file", corpus())
def test_a_file_comes_back_byte_for_byte(file: Path) -> None:
    data = file.read_bytes()
    host = ApplicationHost.parse(data)
    assert host.to_bytes() == data
    assert all(site.name for site in host.sites)
    assert all(pool.name for pool in host.pools)


@pytest.mark.parametrize("file", corpus())
def test_spans_are_those_expat_sees(file: Path) -> None:
    data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
    seen = expat_starts(data)
    for tag in {name for name, _, _ in seen}:
        assert start_tags(data, tag) == [start for name, start, _ in seen if name == tag]
    for _, start, end in seen[:: max(1, len(seen) // 60)]:
        assert element_end(data, start) == end


@pytest.mark.parametrize("file", corpus())
def test_the_first_farm_is_exactly_its_own_lines(file: Path) -> None:
    before = declared(file.read_bytes())
    after = made(before, AddFarm(SHOP))
    gone, come = lines_gone_and_come(before, after)
    around = [] if ApplicationHost.parse(before).reading.find.section("webFarms") is not None else [b"<webFarms>"]
    close = [b"</webFarms>"] if around else []
    assert (gone, [one for one in come if one]) == ([], around + SHOP_LINES + close)
    assert ApplicationHost.parse(after).farm("shop") == SHOP


@pytest.mark.parametrize("file", corpus())
@pytest.mark.parametrize(
    ("position", "order"),
    [
        (FIRST, ["new", "one", "two"]),
        (LAST, ["one", "two", "new"]),
        (Position(Where.BEFORE, "Two"), ["one", "new", "two"]),
        (Position(Where.AFTER, "ONE"), ["one", "new", "two"]),
    ],
    ids=["first", "last", "before", "after"],
)
def test_a_rule_lands_at_its_position_in_its_own_lines(file: Path, position: Position, order: list[str]) -> None:
    before = made(declared(file.read_bytes()), AddRule(rule("one")), AddRule(rule("two")))
    after = made(before, AddRule(rule("new"), position))
    assert lines_gone_and_come(before, after) == ([], rotated(rule_lines("new"), before, after))
    assert [one.name for one in ApplicationHost.parse(after).rule_lists[0].rules] == order


def rotated(lines: list[bytes], before: bytes, after: bytes) -> list[bytes]:
    """The lines as a diff from the head shows them: the head may share the first ones with the element that follows."""
    _, come = lines_gone_and_come(before, after)
    turns = [lines[n:] + lines[:n] for n in range(len(lines))]
    return next((one for one in turns if one == come), lines)


@pytest.mark.parametrize("file", corpus())
def test_a_toggle_changes_one_line_and_one_element(file: Path) -> None:
    before = made(declared(file.read_bytes()), AddFarm(SHOP))
    after = made(before, SetServer("SHOP", "Green", settings(enabled=True)))
    assert lines_gone_and_come(before, after) == (
        [b'<server address="green" enabled="false" />'],
        [b'<server address="green" enabled="true" />'],
    )
    path = "configuration/webFarms/webFarm/server"
    gone, come = gone_and_come(before, after)
    assert dict(gone) == {(path, (("address", "green"), ("enabled", "false"))): 1}
    assert dict(come) == {(path, (("address", "green"), ("enabled", "true"))): 1}
    assert len(after) == len(before) - 1


@pytest.mark.parametrize("file", corpus())
def test_the_first_pool_there_is_set_in_one_line(file: Path) -> None:
    before = file.read_bytes()
    pools = ApplicationHost.parse(before).pools
    if not pools:
        pytest.skip("this file has no pool")
    after = made(before, SetPool(pools[0].name, settings(auto_start=not pools[0].auto_start, queue_length=77)))
    gone, come = lines_gone_and_come(before, after)
    assert (len(gone), len(come)) == (1, 1)
    assert b'queueLength="77"' in come[0]


@pytest.mark.parametrize("file", corpus())
def test_what_is_removed_goes_with_its_lines_and_nothing_else(file: Path) -> None:
    start = declared(file.read_bytes())
    before = made(start, AddFarm(SHOP), AddRule(rule("one")), AddRule(rule("two")))
    without_server = made(before, RemoveServer("shop", "blue"))
    gone, come = lines_gone_and_come(before, without_server)
    assert (sorted(gone), come) == (sorted(SHOP_LINES[1:4]), [])
    both = made(before, RemoveFarm("shop"), RemoveRule("one"), MoveRule("two", FIRST))
    old, new = gone_and_come(start, both)
    assert not old
    assert sum(new.values()) - sum("rule" in str(path) for path, _ in new) <= 4  # only parents that had to be made


@pytest.mark.parametrize("name", ["154-paulwoodland-AspNetCoreModule.config", "146-Muath4-Squares.config"])
def test_a_file_that_is_no_configuration_is_one_clear_error(name: str) -> None:
    if not CORPUS.is_dir():
        pytest.skip("no corpus beside this checkout")
    with pytest.raises(ConfigurationError, match=r"not well-formed|not <configuration>") as caught:
        ApplicationHost.parse((CORPUS / name).read_bytes(), file=name)
    assert name in str(caught.value)
