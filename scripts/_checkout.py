"""The checkout's own virtual environment: made on first use, found ready in milliseconds ever after.

Standard library only. This file must be *read* by any Python 3, however old, so that it can say that it is too old:
keep to the syntax of 3.6 (no match, no walrus, no annotations from the future).
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the check is the point: an older Python must get one clear line
    sys.exit(f"This needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

CHECKOUT = Path(__file__).resolve().parent.parent
VENV = CHECKOUT / ".venv"
HOLDS = {"demo": ("demo", "test"), "test": ("test",)}  # which sets of requirements hold what is asked for


def run_in_checkout(
    requirements: str, command: Sequence[str], environment: "Mapping[str, str] | None" = None
) -> NoReturn:
    """Run ``python *command`` with ``scripts/requirements-<requirements>.txt`` installed; end as it ends."""
    try:
        python = ready(requirements)
    except (SetUpError, OSError) as error:
        hint = "" if isinstance(error, SetUpError) else f"; see that {CHECKOUT} can be written"
        sys.exit(f"Set-up failed: {error}{hint}")
    except KeyboardInterrupt:
        sys.exit(130)
    become([str(python), *command], {**os.environ, **(environment or {})})


class SetUpError(Exception):
    """One line for the user: what failed, and what to do."""


def ready(requirements: str) -> Path:
    """The virtual environment's Python, after installing whatever is missing; raises ``SetUpError``."""
    if not _is_ready(requirements):
        with _only_one():
            if not _is_ready(requirements):  # another start may have done it meanwhile
                _install(requirements)
    return python_of(VENV)


def python_of(venv: Path) -> Path:
    """Where a virtual environment keeps its Python, on Windows and elsewhere."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replace this process by the command; on Windows, which cannot, wait for it and end as it ended."""
    if os.name != "nt":
        os.execve(command[0], list(command), dict(environment))
    process = subprocess.Popen(command, env=dict(environment))
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue  # the child got the same Ctrl+C and says how it ends


# -- private ------------------------------------------------------------------------------------------------


def _is_ready(requirements: str) -> bool:
    return python_of(VENV).exists() and any(_stamped(name) for name in HOLDS[requirements])


def _stamped(name: str) -> bool:
    try:
        return _stamp_file(name).read_text(encoding="utf-8") == _stamp(name)
    except OSError:
        return False


def _stamp_file(name: str) -> Path:
    return VENV / f"ready-{name}.json"


def _stamp(name: str) -> str:
    """What the environment was made from: it is made anew when any of it differs."""
    made_from = {
        "requirements": hashlib.sha256(_requirements_file(name).read_bytes()).hexdigest(),
        "set-up": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
        "python": sys.version,
        "checkout": str(CHECKOUT),
    }
    return json.dumps(made_from, indent=1)


def _requirements_file(name: str) -> Path:
    return CHECKOUT / "scripts" / f"requirements-{name}.txt"


def _install(requirements: str) -> None:
    """The stamp goes first and comes last: what is interrupted in between never looks ready."""
    started_from = [name for name in HOLDS if _stamped(name)]
    for name in HOLDS:
        if name not in started_from:
            with contextlib.suppress(NotADirectoryError):  # a file of that name stands there
                _stamp_file(name).unlink(missing_ok=True)
    _say(f"Setting up .venv for '{requirements}' (once; about half a minute) ...")
    if not (started_from and python_of(VENV).exists()):
        _make_venv()
    _pip_install(requirements)
    _put_package_in()
    temporary = VENV / "ready.new"
    temporary.write_text(_stamp(requirements), encoding="utf-8")
    temporary.replace(_stamp_file(requirements))


def _make_venv() -> None:
    try:
        import ensurepip
        import venv
    except ImportError:
        hint = f"On Debian and Ubuntu: apt install python3.{sys.version_info[1]}-venv."
        raise SetUpError(f"this Python has no venv module (or no ensurepip). {hint}") from None
    del ensurepip  # only asked whether it is there
    try:
        if VENV.is_dir() and not VENV.is_symlink():
            shutil.rmtree(str(VENV))
        else:
            VENV.unlink(missing_ok=True)
        venv.EnvBuilder(with_pip=True, symlinks=os.name != "nt").create(str(VENV))
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetUpError(f"no virtual environment could be made in {VENV}: {_last_line(error)}") from None


def _pip_install(requirements: str) -> None:
    command = [str(python_of(VENV)), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
    command += ["--require-hashes", "--only-binary", ":all:", "--retries", "2"]
    command += ["-r", str(_requirements_file(requirements))]
    plain = {key: value for key, value in os.environ.items() if key not in ("PIP_USER", "PIP_TARGET", "PIP_PREFIX")}
    done = subprocess.run(command, env=plain, capture_output=True, text=True, errors="replace")
    if done.returncode:
        errors = [line[len("ERROR: ") :] for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1] if errors else f"it ended with {done.returncode}"
        raise SetUpError(f"pip could not install scripts/requirements-{requirements}.txt (no network?): {reason}")


def _put_package_in() -> None:
    """The package is used where it lies: a .pth file (relative, so in any encoding) and the command's own script."""
    places = sysconfig.get_paths("venv", {"base": str(VENV), "platbase": str(VENV), "installed_base": str(VENV)})
    site_packages, scripts = Path(places["purelib"]), Path(places["scripts"])
    back = os.path.relpath(str(CHECKOUT), str(site_packages))
    (site_packages / "arr-bluegreen.pth").write_text(back + "\n", encoding="utf-8")
    if os.name == "nt":
        command = '@"%~dp0python.exe" -m arr_bluegreen %*\r\n'
        (scripts / "arr-bluegreen.cmd").write_text(command, encoding="utf-8", newline="")
        return
    script = scripts / "arr-bluegreen"
    # sh starts Python, so that spaces and any length of the path do (a #! line takes neither)
    head = f"#!/bin/sh\n'''exec' \"{python_of(VENV)}\" \"$0\" \"$@\"\n' '''\n"
    body = "import sys\nfrom arr_bluegreen.__main__ import main\nsys.exit(main())\n"
    script.write_text(head + body, encoding="utf-8")
    script.chmod(0o755)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Two first starts at once (demo and test in two windows): the second waits for the first."""
    with (CHECKOUT / ".venv.lock").open("a+b") as file:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        yield


def _last_line(error: Exception) -> str:
    output = getattr(error, "output", None)
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(output or error)
    return (text.strip().splitlines() or [repr(error)])[-1]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
