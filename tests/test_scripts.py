"""scripts/: a checkout sets itself up once, says in one line what it lacks, and is never ready by halves."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
SCRIPTS = CHECKOUT / "scripts"
HASHED = re.compile(r"^([a-z0-9.-]+)==(\S+)[^\n]*((?:\n +--hash=sha256:[0-9a-f]{64} ?\\?)+)$", re.MULTILINE)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with nothing but scripts/, in a folder with a blank and an umlaut."""
    folder = tmp_path / "a checkout f\u00fcr tests"
    folder.mkdir()
    shutil.copytree(SCRIPTS, folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def load(folder: Path) -> ModuleType:
    """``_checkout`` of that folder, under a name of its own."""
    spec = importlib.util.spec_from_file_location("_checkout_under_test", folder / "scripts" / "_checkout.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(folder: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python code run with ``scripts`` importable, as the scripts themselves are started."""
    env = {**os.environ, "PYTHONPATH": str(folder / "scripts"), "PYTHONUTF8": "1", **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, encoding="utf-8", check=False)


def make_ready(folder: Path, requirements: str) -> ModuleType:
    """A virtual environment that is this Python, stamped as ready."""
    module = load(folder)
    python = module.python_of(module.VENV)
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    module._stamp_file(requirements).write_text(module._stamp(requirements), encoding="utf-8")
    return module


@pytest.mark.parametrize("name", ["demo.py", "test.py", "bench.py", "_checkout.py"])
def test_an_old_python_can_read_the_scripts(name: str) -> None:
    """3.6 parses them, so that it can say that it is too old."""
    text = (SCRIPTS / name).read_text(encoding="utf-8")
    ast.parse(text, feature_version=(3, 6))
    assert "from __future__ import annotations" not in text


def test_an_old_python_gets_one_line(checkout: Path) -> None:
    """And an exit code that is not 0."""
    done = start(checkout, "import sys; sys.version_info = (3, 10, 2); import demo")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "3.11 or newer" in done.stderr


def test_no_venv_module_is_one_line(checkout: Path) -> None:
    """Debian's python3 without python3-venv lacks ensurepip; nothing is left behind."""
    done = start(checkout, "import sys; sys.modules['ensurepip'] = None; sys.argv[1:] = []; import demo")
    assert done.returncode == 1
    assert "venv module" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not (checkout / ".venv").exists()


def test_no_network_is_one_line_and_leaves_nothing_that_looks_ready(checkout: Path) -> None:
    """pip finds no index: exit code 1, no stamp, no command. A file in the environment's place made way first."""
    (checkout / ".venv").write_text("not a folder")
    nowhere = {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": ""}
    done = start(checkout, "import sys; sys.argv[1:] = ['--json']; import demo", **nowhere)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "pip could not install scripts/requirements-demo.txt (no network?)" in done.stderr.splitlines()[-1]
    assert not load(checkout)._is_ready("demo")


def test_a_checkout_that_cannot_be_written_is_one_line(checkout: Path) -> None:
    """A folder stands where the lock file would be made: root may write anywhere else."""
    (checkout / ".venv.lock").mkdir()
    done = start(checkout, "import sys; sys.argv[1:] = []; import demo")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Set-up failed: " in done.stderr
    assert "can be written" in done.stderr


def test_a_second_start_is_quick_and_calls_no_pip(checkout: Path) -> None:
    """Under a second from start to the command's own first line; pip is not there to be called."""
    make_ready(checkout, "demo")
    began = time.perf_counter()
    done = start(checkout, "import _checkout; _checkout.run_in_checkout('demo', ['-c', 'print(40 + 2)'])")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "42", "")
    assert time.perf_counter() - began < 1.0


def test_the_exit_code_is_the_commands_own(checkout: Path) -> None:
    """``demo --broken`` ends with 7, and so does the script."""
    make_ready(checkout, "demo")
    done = start(checkout, "import _checkout; _checkout.run_in_checkout('demo', ['-c', 'raise SystemExit(7)'])")
    assert done.returncode == 7


def test_what_changed_is_made_anew(checkout: Path) -> None:
    """Other requirements, another checkout, or a stamp cut short: not ready."""
    module = make_ready(checkout, "demo")
    assert module._is_ready("demo")
    assert not module._is_ready("test")
    stamp = module._stamp_file("demo")
    whole = stamp.read_text(encoding="utf-8")
    stamp.write_text(whole[: len(whole) // 2], encoding="utf-8")
    assert not module._is_ready("demo")
    stamp.write_text(whole, encoding="utf-8")
    with module._requirements_file("demo").open("a", encoding="utf-8") as file:
        file.write("# one more\n")
    assert not module._is_ready("demo")


def test_the_suites_requirements_hold_the_demos(checkout: Path) -> None:
    """What is ready for the tests is ready for the demo: every pin of one is a pin of the other."""
    make_ready(checkout, "test")
    assert load(checkout)._is_ready("demo")
    demo, test = (
        dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", _requirements(name), re.MULTILINE)) for name in ("demo", "test")
    )
    assert demo
    assert demo.items() <= test.items()


@pytest.mark.parametrize("name", ["demo", "test"])
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    """And the registry's address is not in the file."""
    text = _requirements(name)
    lines = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(HASHED.findall(text)) == len(lines) > 20
    assert "://" not in text
    assert not any(line.startswith("-") for line in lines)


def test_a_benchmark_that_is_none_names_those_there_are() -> None:
    """Exit code 2."""
    done = start(
        CHECKOUT, "import sys, runpy; sys.argv[1:] = ['nothing']; runpy.run_module('bench', run_name='__main__')"
    )
    assert done.returncode == 2
    assert "no measurement 'nothing'" in done.stderr


def test_a_sample_is_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time and, where the system tells, its peak memory; a command that fails measures nothing."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from bench.measure import alternating, python, run_once

    found = alternating({"small": python("pass"), "big": python("x = bytearray(60_000_000)")}, rounds=1)
    assert found["small"].seconds > 0
    if os.name != "nt":
        assert (found["big"].peak or 0) - (found["small"].peak or 0) > 50_000_000
    with pytest.raises(RuntimeError, match="ended with 3"):
        run_once(python("raise SystemExit(3)"))


# -- private ------------------------------------------------------------------------------------------------


def _requirements(name: str) -> str:
    return (SCRIPTS / f"requirements-{name}.txt").read_text(encoding="utf-8")
