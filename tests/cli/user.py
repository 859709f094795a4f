"""Someone who types ``deploy`` at a simulated machine in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.cli.main import run
from tests.cli.ran import Ran
from tests.deployment.machine import Scene

ON = ["--on", "winrm:x"]


class User:
    """Someone at a keyboard, a scene, and a folder."""

    def __init__(self, scene: Scene, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.scene, self.file, self._capsys = scene, folder / "deployment.toml", capsys

    def types(self, verb: str, *more: str) -> Ran:
        """``deploy VERB FILE ...``."""
        code = run(["deploy", verb, str(self.file), *more, *ON])
        said = self._capsys.readouterr()
        return Ran(int(code), said.out, said.err)

    def first(self) -> None:
        """The first deployment."""
        assert self.types("init", "--from-site", "Front", "--farm", "shop").code == 0
        assert self.types("run").code == 0

    def dies_at(self, call: str) -> None:
        """The next command dies after its first call of this name, and only that one."""

        def kill(number: int, name: str) -> None:
            if name == call:
                self.scene.machine.after_call = None
                raise KeyboardInterrupt

        self.scene.machine.after_call = kill
