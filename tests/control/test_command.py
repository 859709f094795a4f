"""Commands on the controller, run for real: their time is theirs alone, whatever they leave running."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from time import monotonic, sleep

import pytest

from arr_bluegreen.control.command import LocalCommands
from arr_bluegreen.control.interface import CommandResult
from arr_bluegreen.errors import UsageError

SLEEPER = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)']{more}); "
DETACHED = ", start_new_session=True"


def run(code: str, *, stdin: str = "", seconds: float = 30.0, **environment: str) -> CommandResult:
    return LocalCommands().run([sys.executable, "-c", code], stdin, environment, timedelta(seconds=seconds))


def test_the_facts_are_on_stdin_and_in_the_environment() -> None:
    found = run("import os, sys; print(sys.stdin.read(), os.environ['FACT'])", stdin='{"new": "green"}', FACT="blue")
    assert found == CommandResult(0, '{"new": "green"} blue\n')


def test_the_output_is_kept_by_its_end_and_both_streams_of_it() -> None:
    found = run("import sys; print('x' * 9000); print('at last', file=sys.stderr); sys.exit(3)")
    assert (found.exit_code, found.output[-8:], len(found.output)) == (3, "at last\n", 4000)


def test_a_command_that_does_not_read_the_facts_is_none_the_worse() -> None:
    assert run("pass", stdin="x" * 1_000_000).exit_code == 0


@pytest.mark.parametrize("more", ["", DETACHED], ids=["child", "detached"])
def test_a_timeout_is_kept_whatever_holds_the_output_open(more: str) -> None:
    began = monotonic()
    found = run(SLEEPER.format(more=more) + "print('begun', flush=True); import time; time.sleep(8)", seconds=1)
    assert (found.exit_code, found.output) == (None, "begun\n")
    assert monotonic() - began < 4


def test_what_a_command_leaves_in_the_background_is_not_waited_for() -> None:
    began = monotonic()
    assert run(SLEEPER.format(more=DETACHED) + "print('started it')") == CommandResult(0, "started it\n")
    assert monotonic() - began < 4


@pytest.mark.skipif(os.name == "nt", reason="there taskkill ends the tree")
def test_what_a_command_started_is_killed_with_it(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    run(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", seconds=1)
    sleep(2)
    assert not mark.exists()


def test_a_command_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot run no-such-command"):
        LocalCommands().run(["no-such-command"], "", {}, timedelta(seconds=1))


def test_the_password_stays_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", "secret")
    assert "secret" not in run("import os; print(os.environ)").output
