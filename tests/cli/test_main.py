"""The command line's frame: what is imported, how errors look, how a reader that leaves is taken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from arr_bluegreen import __version__
from arr_bluegreen.cli.main import NOUNS, run
from arr_bluegreen.cli.output import Output
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode, NoSuchObject

DEAR = ("requests", "winrm", "aiohttp", "rich", "lxml", "argparse", "importlib.metadata", "spnego", "typing", "enum")


def command(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """``python -m arr_bluegreen`` in a process of its own, or the code."""
    start = ["-c", code] if code else ["-m", "arr_bluegreen"]
    return subprocess.run([sys.executable, *start, *arguments], capture_output=True, text=True, check=False)


def test_version_imports_nothing_dear() -> None:
    """It costs what Python costs."""
    code = (
        "import sys; before = set(sys.modules); sys.argv[1:] = ['--version']\n"
        "from arr_bluegreen.__main__ import main\n"
        "assert main() == 0\n"
        f"print([name for name in {DEAR!r} if name in set(sys.modules) - before])"
    )
    assert command(code=code).stdout.splitlines() == [f"arr-bluegreen {__version__}", "[]"]


def test_the_overview_imports_nothing_dear() -> None:
    """Nor does an unknown noun; argparse comes with a noun."""
    code = (
        "import sys; from arr_bluegreen.cli.main import run\n"
        "run(['--help']); run(['frob'])\n"
        f"print([name for name in {DEAR[:5]!r} if name in sys.modules])"
    )
    assert command(code=code).stdout.splitlines()[-1] == "[]"


def test_help_ends_well_and_no_argument_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Both print every noun; without an argument it is a wrong use, exit code 2."""
    assert run(["--help"]) is ExitCode.DONE
    assert run([]) is ExitCode.USAGE
    said = capsys.readouterr().out
    assert [said.count(f"\n  {noun:<10} {text}\n") for noun, text in NOUNS.items()] == [2] * len(NOUNS)


def test_an_unknown_noun_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, nothing on stdout."""
    assert run(["sever", "list"]) is ExitCode.USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "arr-bluegreen: no such noun 'sever'. Did you mean 'server'?\n"


def test_an_error_is_one_object_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """On stdout, with the hint and the exit code; the line on stderr stays."""
    assert run(["frobnicate", "--json"]) is ExitCode.USAGE
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found == {"error": "no such noun 'frobnicate'", "hint": f"Nouns: {', '.join(NOUNS)}.", "exit_code": 2}
    assert len(said.err.splitlines()) == 1


def test_an_error_of_several_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a machine answers."""
    Output().error(ArrBlueGreenError("first\r\nsecond\tthird.", hint="Look there."))
    assert capsys.readouterr().err == "arr-bluegreen: first second third. Look there.\n"


def test_what_is_there_is_named_but_not_without_end() -> None:
    """Twenty names at most."""
    error = NoSuchObject("web farm", "shop", tuple(f"farm{number}" for number in range(30)), where="WEB01")
    assert "farm19, ..." in error.one_line()
    assert "farm20" not in error.one_line()


@pytest.mark.parametrize("arguments", [["demo", "--help"], ["demo", "-h"]])
def test_help_of_a_noun_ends_well(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """argparse would leave; ``run`` answers a code."""
    assert run(arguments) is ExitCode.DONE
    assert capsys.readouterr().out.startswith("usage: arr-bluegreen demo")


def test_a_wrong_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """No usage block, exit code 2."""
    assert run(["demo", "--frob"]) is ExitCode.USAGE
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 1
    assert "--frob" in said.err


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe that is closed early is told otherwise there")
def test_a_reader_that_leaves_is_no_error() -> None:
    """``arr-bluegreen --help | head -0``: no traceback, exit code 0."""
    code = (
        "import os, subprocess, sys\n"
        "read, write = os.pipe(); os.close(read)\n"
        "command = [sys.executable, '-m', 'arr_bluegreen', '--help']\n"
        "done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)\n"
        "print(done.returncode, done.stderr)"
    )
    assert command(code=code).stdout.strip() == "0 b''"


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And one word on stderr."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("arr_bluegreen.cli.main._dispatch", interrupted)
    assert run(["farm", "list"]) is ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


def test_a_table_is_aligned_text_for_a_pipe_and_json_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    """ASCII, ``?`` for what is not known, no colour."""
    rows = [("127.0.0.2", True, None), ("\u00e4", False, 12)]
    Output().table([{"a": 1}], ("address", "enabled", "requests"), rows)
    Output(json=True).table([{"a": 1}], ("address", "enabled", "requests"), rows)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "address    enabled  requests"
    assert lines[1] == "127.0.0.2  yes      ?"
    assert lines[2].startswith("\\xe4 ")
    assert json.loads(lines[3]) == [{"a": 1}]
