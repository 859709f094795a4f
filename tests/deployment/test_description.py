"""deployment.toml: the fixture is manual, sample and input; what is wrong is named with its key."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description, read_description
from arr_bluegreen.deployment.placeholders import doubtful_settings
from arr_bluegreen.deployment.toml_table import Table, parse_duration
from arr_bluegreen.errors import DescriptionError

MANUAL = Path(__file__).parents[2] / "fixtures" / "deployment.toml"
SMALL = """
[app]
name = "shop"
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "a"
[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "b"
"""


PATTERN = r"""
[app]
name = "shop"
[slots]
naming = "per-release"
[[slots.slot]]
name = "{app}-{release}"
[[slots.slot.member]]
address = "auto"
http_port = "auto"
path = 'C:\apps\{slot}'
"""


def test_the_manual_reads_as_it_says() -> None:
    found = read_description(MANUAL)
    assert [one.name for one in found.slots.slots] == ["blue", "green"]
    assert found.slot("GREEN").members[0].http_port == 8002
    assert (found.drain.quiet, found.retire.keep, found.durable.by) == (timedelta(seconds=2), 1, "auto")


def test_what_the_manual_shows_as_default_is_the_default() -> None:
    """Every scalar of the sections that are all defaults equals what an empty description has."""
    manual, small = read_description(MANUAL), parse_description(SMALL)
    for name in ("writes", "floor", "warm_up", "switch", "durable", "bake", "hooks", "approvals"):
        assert getattr(manual, name) == getattr(small, name), name
    assert manual.retire == replace(small.retire, in_run=True)


def test_a_braced_word_in_a_setting_is_told_and_not_refused() -> None:
    """It may be the application's own; what is nearly one of ours is asked about."""
    text = '[[content.settings]]\nfile = "a.json"\ntokens = { A = "{relase} {slot} {0} {Level}", B = "{version}" }\n'
    told = list(doubtful_settings(parse_description(SMALL + text)))
    assert len(told) == 2
    assert "{relase} in a value stays as it is written (did you mean {release}?)" in told[0]
    assert "{version}" in told[1]


def uncommented() -> str:
    """The manual with every key and table that it shows in a comment."""
    text = MANUAL.read_text(encoding="utf-8")
    return re.sub(r"(?m)^# (?=\[\[?[\w.]+\]|\w+ = )", "", text)


def keys_of(value: object, where: str = "") -> Iterator[str]:
    """Every key with its path; rows of an array are one."""
    for row in value if isinstance(value, list) else [value]:
        for key, below in row.items() if isinstance(row, dict) else ():
            yield (path := f"{where}.{key}".lstrip("."))
            yield from keys_of(below, path)


def test_the_manual_shows_every_key_the_reader_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key the reader asks for and the manual does not show, at its place, would be a secret."""
    asked: set[str] = set()

    def finish(table: Table) -> None:
        asked.update(re.sub(r"\[\d+\]", "", table._path(key)) for key in table._asked)

    monkeypatch.setattr(Table, "finish", finish)
    with contextlib.suppress(DescriptionError):  # it shows choices that exclude each other
        parse_description(uncommented())
    assert len(asked) > 100
    assert not asked - set(keys_of(tomllib.loads(uncommented())))


def test_the_manual_shows_no_key_the_reader_does_not_know() -> None:
    """Also in its comments, where nobody else would notice."""
    with pytest.raises(DescriptionError, match="is enough"):  # of version_header, _json and _text: all else is read
        parse_description(uncommented())


def test_the_manual_tells_every_word_with_a_meaning() -> None:
    """Placeholders and special values are no keys."""
    text = MANUAL.read_text(encoding="utf-8")
    for word in ("{app}", "{slot}", "{release}", "{address}", "{port}", "{version}", '"auto"', '"alias"'):
        assert word in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SMALL + "[drain]\nwithn = '5s'", "unknown key 'drain.withn' (did you mean 'within'?)"),
        (SMALL + "[drian]\n", "unknown key 'drian' (did you mean 'drain'?)"),
        (SMALL + "[drain]\nwithin = '5 parsecs'", "'drain.within' is \"5 parsecs\"; must be a time"),
        (SMALL + "[drain]\nwithin = 5", "'drain.within' must be a text in quotes"),
        (SMALL + "[switch]\nby = 'sate'", "'switch.by' is 'sate'; must be one of"),
        (SMALL + "[safety]\nfloor = true", "'safety.floor' must be a whole number"),
        (SMALL + "[hooks]\nbefore_swich = ['x']", "is no moment of a run (did you mean 'before_switch'?)"),
        (SMALL.replace('name = "green"', 'name = "Blue"'), "two slots of the same name"),
        (SMALL.replace('"b"', '"A"'), "'A' is in two members"),
        ("[app]\nname = 'x'", "a pair needs two [[slots.slot]], there are 0"),
        (SMALL.replace('name = "shop"', ""), "'app.name' is missing"),
        (SMALL + "[durable]\nby = 'health-file'", "needs 'health_file' in every member"),
        (SMALL + "[switch]\nby = 'enabled'\n[drain]\nsessions = 'keep'", "moves the sessions of a server that is"),
        (SMALL + "[gate]\nversion_header = 'a'\nversion_text = 'b'", "is enough"),
        (SMALL + "[content]\nsource = 'shop-{release}.zip'", "{release}, which nothing fills in; there: {version}"),
        (SMALL.replace('"a"', '"a"\nsite = "{app}-{slot}"'), "in a pair every name is meant as written"),
        (SMALL.replace('"blue"', '"shop-{release}"'), "{release}, which nothing fills in"),
        (PATTERN.replace("{slot}", "{slots}"), "{slots}, which nothing fills in; there: {app}, {slot}, {release}"),
        (PATTERN.replace("{app}-{release}", "{slot}"), "{slot}, which nothing fills in; there: {app}, {release}"),
        ("schema = 2", "must be 1; this file is of a newer"),
        ("= 3", "not TOML"),
    ],
)
def test_a_wrong_description_is_named_with_its_key(text: str, says: str) -> None:
    with pytest.raises(DescriptionError) as caught:
        parse_description(text)
    assert says in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


def test_a_missing_file_points_to_init(tmp_path: Path) -> None:
    with pytest.raises(DescriptionError, match="cannot read") as caught:
        read_description(tmp_path / "deployment.toml")
    assert "deploy init" in caught.value.one_line()


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1h30m", 5400), ("250ms", 0.25), ("0", 0), ("1.5s", 1.5)])
def test_durations_add_up(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_a_description_is_one_value() -> None:
    assert isinstance(parse_description(SMALL), Deployment)
    assert parse_description(SMALL) == parse_description(SMALL + "# a remark\n")


def test_retiring_can_wait_for_an_approval() -> None:
    """The way back is gone after it: no other phase deserves one more."""
    (found,) = parse_description(SMALL + '[[approval]]\nbefore = "retire"\n').approvals
    assert found.before == "retire"


def test_a_machine_that_cannot_be_reached_is_refused_or_excluded() -> None:
    assert parse_description(SMALL).arr.missing == "refuse"
    assert parse_description(SMALL + '[arr]\nmissing = "exclude"\n').arr.missing == "exclude"
    with pytest.raises(DescriptionError, match=r"arr\.missing"):
        parse_description(SMALL + '[arr]\nmissing = "ignore"\n')
