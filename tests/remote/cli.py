"""The command line as a process of its own, against simulated hosts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.remote.host import PASSWORD, USER, description


@dataclass(frozen=True)
class Ended:
    """Exit code, stdout, stderr."""

    code: int
    out: str
    err: str


class Cli:
    """``arr-bluegreen`` with a state folder and a description of its own; the password comes by the environment."""

    def __init__(self, folder: Path, text: str = "", password: str = PASSWORD) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.state, self.file = folder, folder / "state", folder / "deployment.toml"
        self.file.write_text(text or description(), encoding="utf-8")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ARR_BLUEGREEN")},
            "ARR_BLUEGREEN_USER": USER,
            "ARR_BLUEGREEN_PASSWORD": password,
            "ARR_BLUEGREEN_STATE_DIR": str(self.state),
            "PYTHONUNBUFFERED": "1",
        }

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Begin; ``FILE`` stands for the description."""
        command = [str(self.file) if one == "FILE" else one for one in argv]
        return subprocess.Popen(
            [sys.executable, "-m", "arr_bluegreen", *command],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that starts the suite in the background hands down an ignored SIGINT, which would stay ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
        )

    def run(self, *argv: str) -> Ended:
        """From start to end."""
        return ended(self.start(*argv))

    @property
    def journals(self) -> list[Path]:
        """The journals it has written."""
        return sorted(self.state.rglob("*.jsonl"))


def ended(process: subprocess.Popen[str]) -> Ended:
    """Wait for it."""
    out, err = process.communicate(timeout=60)
    return Ended(process.returncode, out, err)
