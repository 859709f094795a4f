"""deployment.toml: the fixture is manual, sample and input; what is wrong is named with its key."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description, read_description
from arr_bluegreen.deployment.toml_table import parse_duration
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


def test_the_manual_names_every_key() -> None:
    """A key the reader knows and the manual does not mention would be a secret."""
    text = MANUAL.read_text(encoding="utf-8")
    assert isinstance(tomllib.loads(text), dict)
    for key in ("version_json", "version_text", "command", "before", "within", "otherwise", "stop", "location"):
        assert key in text


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
        (SMALL + "[gate]\nversion_header = 'a'\nversion_text = 'b'", "is enough"),
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
