"""Text from outside comes back as itself or is refused, judged by other eyes (the simulator's CommandLineToArgvW)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arr_bluegreen.apphost.edit import Place, SetAttributes, Step
from arr_bluegreen.control.appcmd import set_config
from arr_bluegreen.control.quoting import Unquotable, indexer_value, quote_argument
from arr_bluegreen.simulator.appcmd_arguments import parse_command, parse_path
from arr_bluegreen.simulator.argv import split_arguments

NASTY = st.text(st.sampled_from("ab '\"[]\\%^&|<>/:,.@=\t\n!;()é\u2028") | st.characters(), max_size=20)


@given(NASTY, NASTY)
@example("a b\\", "\\\\")
@example("", "x")
def test_a_quoted_argument_comes_back_as_itself(one: str, other: str) -> None:
    try:
        line = f"appcmd.exe {quote_argument(one)} {quote_argument(other)}"
    except Unquotable:
        assert '"' in one + other or not (one + other).isprintable()
        return
    assert split_arguments(line)[1:] == [one, other]


@given(NASTY)
@example("a'].[x")
@example("x'] /commit:site")
def test_a_name_cannot_leave_its_indexer(name: str) -> None:
    place = Place("webFarms", (Step("webFarm", (("name", name),)),))
    line = set_config([SetAttributes(place, (("enabled", "true"),))])
    if line is None:
        return
    command = parse_command(split_arguments("appcmd.exe " + " ".join(line))[1:])
    (path,) = [key for key, _ in command.parameters if key.startswith("[")]
    (indexer, attribute) = parse_path(path)
    assert not isinstance(indexer, str)
    assert indexer.pairs == (("name", name),)
    assert attribute == "enabled"


@pytest.mark.parametrize("name", ["a'b", 'a"b', "a]b", "[a", "", "a\nb", "a\x00"])
def test_what_could_end_an_indexer_is_refused(name: str) -> None:
    with pytest.raises(Unquotable):
        indexer_value(name)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("plain", "plain"), ("two words", '"two words"'), ("", '""'), ("C:\\my folder\\", '"C:\\my folder\\\\"')],
)
def test_only_what_needs_quotes_gets_them(text: str, quoted: str) -> None:
    assert quote_argument(text) == quoted
