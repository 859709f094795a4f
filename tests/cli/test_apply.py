"""``config apply`` in detail: the described is reached inside the elements there are, in whatever order it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Apply = Callable[..., Ran]
ACTION = 'action = {type = "Rewrite", url = "http://shop/{R:0}"}\nmatch = {url = "x"}\n'


@pytest.fixture
def apply(cli: Callable[..., Ran], tmp_path: Path) -> Apply:
    """Apply this description: ``apply(text, "--dry-run")``."""

    def call(text: str, *flags: str) -> Ran:
        file = tmp_path / "state.toml"
        file.write_text(text, encoding="utf-8")
        return cli("config", "apply", str(file), *flags)

    return call


def names(cli: Callable[..., Ran]) -> list[str]:
    return [one["name"] for one in cli("rule", "list", "--json").json]


# -- lossless --------------------------------------------------------------------------------------------

RICH = (
    b'                <rule name="To shop" odd="1" enabled="true" stopProcessing="true">\r\n'
    b'                    <match url=".*" />\r\n'
    b"                    <conditions>\r\n"
    b"                        <!-- the public name -->\r\n"
    b'                        <add input="{HTTP_HOST}" pattern="^shop$" negate="false" odd="2" />\r\n'
    b'                        <add input="{SERVER_PORT}" pattern="^80$" /> <!-- the public port -->\r\n'
    b"                    </conditions>\r\n"
    b"                    <serverVariables>\r\n"
    b'                        <set name="HTTP_A" value="1" odd="3" />\r\n'
    b"                    </serverVariables>\r\n"
    b'                    <action type="Rewrite" url="http://shop/{R:0}" useOriginalURLEncoding="false" />\r\n'
    b"                </rule>\r\n"
)
START = SHOP.index(b'                <rule name="To shop"')
END = SHOP.index(b"            </globalRules>")


def rich(path: Path) -> bytes:
    path.write_bytes(SHOP[:START] + RICH + SHOP[END:])
    return path.read_bytes()


HOST = '{input = "{HTTP_HOST}", pattern = "^shop$"}'
PORT = '{input = "{SERVER_PORT}", pattern = "^80$"}'


@pytest.mark.parametrize(
    ("said", "old", "new"),
    [
        (f"conditions = [{HOST.replace('^shop$', '^new$')}, {PORT}]", b'pattern="^shop$"', b'pattern="^new$"'),
        (f"conditions = [{HOST[:-1]}, negate = true}}, {PORT}]", b'negate="false"', b'negate="true"'),
        (
            f"conditions = [{HOST}]",
            b'\r\n                        <add input="{SERVER_PORT}" pattern="^80$" />',
            b"",
        ),
        (
            f'conditions = [{HOST}, {PORT}, {{input = "{{HTTPS}}", pattern = "ON"}}]',
            b"<!-- the public port -->",
            b'<!-- the public port -->\r\n                        <add input="{HTTPS}" pattern="ON" />',
        ),
        ('server_variables = [{name = "HTTP_A", value = "2"}]', b'value="1"', b'value="2"'),
        ("stop_processing = false", b'stopProcessing="true"', b'stopProcessing="false"'),
    ],
    ids=["a pattern", "a flag", "one goes", "one comes", "a variable", "a setting"],
)
def test_what_is_written_beside_the_change_stays(apply: Apply, path: Path, said: str, old: bytes, new: bytes) -> None:
    before = rich(path)
    text = f'[[rule]]\nname = "To shop"\n{said}\n'
    assert apply(text).code == 0
    if said == f"conditions = [{HOST}]":  # the comment spoke of the line it stood on, and keeps it
        assert b'odd="2" />' in path.read_bytes()
        assert b"<!-- the public port -->" in path.read_bytes()
        assert b"{SERVER_PORT}" not in path.read_bytes()
    else:
        assert path.read_bytes() == before.replace(old, new)
    assert apply(text).out == "nothing to do\n"


def test_a_condition_in_the_middle_is_in_its_place_afterwards(
    apply: Apply, cli: Callable[..., Ran], path: Path
) -> None:
    rich(path)
    https = '{input = "{HTTPS}", pattern = "ON"}'
    assert apply(f'[[rule]]\nname = "To shop"\nconditions = [{HOST}, {https}, {PORT}]\n').code == 0
    shown = cli("rule", "show", "To shop", "--json").json["conditions"]
    assert [one["input"] for one in shown] == ["{HTTP_HOST}", "{HTTPS}", "{SERVER_PORT}"]
    assert b'odd="2"' in path.read_bytes()


def test_conditions_that_change_places_do(apply: Apply, cli: Callable[..., Ran], path: Path) -> None:
    rich(path)
    assert apply(f'[[rule]]\nname = "To shop"\nconditions = [{PORT}, {HOST}]\n').code == 0
    shown = cli("rule", "show", "To shop", "--json").json["conditions"]
    assert [one["input"] for one in shown] == ["{SERVER_PORT}", "{HTTP_HOST}"]


# -- order -----------------------------------------------------------------------------------------------


def test_a_rule_may_stand_beside_one_that_is_described_later(apply: Apply, cli: Callable[..., Ran]) -> None:
    text = f'[[rule]]\nname = "r1"\nposition = "after r2"\n{ACTION}[[rule]]\nname = "r2"\nposition = "first"\n{ACTION}'
    assert apply(text).code == 0
    assert names(cli) == ["r2", "r1", "To shop"]
    assert apply(text).out == "nothing to do\n"


def test_a_rule_that_is_there_moves_before_a_new_one(apply: Apply, cli: Callable[..., Ran]) -> None:
    text = f'[[rule]]\nname = "To shop"\nposition = "before r2"\n[[rule]]\nname = "r2"\nposition = "first"\n{ACTION}'
    assert apply(text).code == 0
    assert names(cli) == ["To shop", "r2"]
    assert apply(text.replace('"r2"\nposition = "first"', '"r2"')).out == "nothing to do\n"


def test_a_neighbour_that_nobody_brings_is_an_error(apply: Apply, path: Path) -> None:
    ran = apply(f'[[rule]]\nname = "r1"\nposition = "after r3"\n{ACTION}')
    assert ran.code == 2
    assert "no rule 'r3'" in ran.err
    assert path.read_bytes() == SHOP


# -- what is guarded -------------------------------------------------------------------------------------


def test_a_farm_that_a_rule_points_to_is_not_switched_off_below_the_floor(apply: Apply, path: Path) -> None:
    off = '[[farm]]\nname = "shop"\nenabled = false\n'
    assert apply(off).code == 3
    assert apply(off + '[[farm.server]]\naddress = "10.0.0.2"\nenabled = true\n').code == 3
    assert apply(off, "--force", "--dry-run").code == 0
    path.write_bytes(SHOP.replace(b"http://shop/", b"http://other.example/"))
    assert apply(off).code == 0


@pytest.mark.parametrize(
    "said",
    ["absent = true", "enabled = false", 'position = "last"', "conditions = []", 'server_variables = [{name = "A"}]'],
)
def test_a_rule_of_iis_manager_is_not_touched_unasked(apply: Apply, path: Path, said: str) -> None:
    name = b"ARR_shop_loadbalance"
    start = SHOP.replace(b"To shop", name)
    other = start[START:].split(b"            </globalRules>")[0].replace(name, b"other")
    condition = b'<conditions><add input="{A}" pattern="b" /></conditions><action'
    path.write_bytes(
        start.replace(b"<action", condition).replace(b"            </globalRules>", other + b"</globalRules>")
    )
    text = f'[[rule]]\nname = "ARR_shop_loadbalance"\n{said}\n'
    assert apply(text).code == 3
    assert apply(text, "--force").code == 0


def test_a_rule_with_a_name_of_iis_manager_is_not_made_and_not_removed(
    apply: Apply, cli: Callable[..., Ran], path: Path
) -> None:
    assert apply(f'[[rule]]\nname = "ARR_x_loadbalance"\n{ACTION}').code == 3
    path.write_bytes(SHOP.replace(b"To shop", b"ARR_shop_loadbalance"))
    assert cli("rule", "remove", "ARR_shop_loadbalance").code == 3
    assert cli("rule", "remove", "ARR_shop_loadbalance", "--force").code == 0


# -- what is said ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[[farm]]\nname = "shop"\n[[farm.server]]\naddress = "10.0.0.1"\nweight = 0',
            "'farm[shop].server[10.0.0.1].weight': '0' is not allowed; allowed: a whole number from 1 to 4294967295",
        ),
        (
            '[[farm]]\nname = "shop"\nhealth_check = {interval = "90000s"}',
            "'farm[shop].health_check.interval': '90000 s'",
        ),
        ('[[farm]]\nname = "shop"\nhealth_check = {interval = "99999999999999999999s"}', "longer than any time"),
        ('[[farm]]\nname = "shop"\nhealth_check = {url = "foo"}', "a url such as"),
        ('[[rule]]\nname = "x"\nlocation = 5', "must be a text in quotes"),
        ('[[rule]]\nname = "x"\nposition = 5', "must be a text in quotes"),
        ('[[rule]]\nname = "x"\naction = {type = "Rewrit"}', "one of None, Rewrite"),
        ('[[rule]]\nname = "x"\n', "needs match"),
        ('[[rule]]\nname = "x"\nmatch = {url = "x"}\naction = {type = "Rewrite"}', "needs a url"),
        ('[[farm]]\nname = "new"\n[[farm.server]]\naddress = "a:80"', "more than an address"),
    ],
)
def test_what_is_not_allowed_names_the_thing_and_what_is(apply: Apply, path: Path, text: str, words: str) -> None:
    ran = apply(text)
    assert ran.code == 2
    assert words in ran.err
    assert path.read_bytes() == SHOP
