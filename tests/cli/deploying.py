"""``deploy`` as it is typed, against a simulated machine in virtual time: several controllers, each with its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.cli import deploy_world
from arr_bluegreen.cli.main import run
from arr_bluegreen.control.interface import Machine
from tests.deployment.world import World


class Typed:
    """One world; each command names the controller that types it (a state folder and a host name of its own)."""

    def __init__(self, world: World, folder: Path, patch: pytest.MonkeyPatch, said: pytest.CaptureFixture[str]) -> None:
        self.world, self._folder, self._patch, self._said = world, folder, patch, said
        self.machines: tuple[Machine, ...] = (world.machine,)
        self.file = folder / "deployment.toml"
        self.file.write_text(world.deployment.text, encoding="utf-8")
        patch.setattr(deploy_world, "connect", lambda target, settings: self.machines)
        patch.setattr(deploy_world, "SystemClock", lambda: world.clock)
        patch.setenv("ARR_BLUEGREEN_USER", "someone")
        patch.setenv("ARR_BLUEGREEN_PASSWORD", "not used")

    def deploy(self, verb: str, *more: str, on: str = "one") -> tuple[int, str]:
        """Exit code and all that was said, by the controller ``on``."""
        self._patch.setattr("socket.gethostname", lambda: on)
        where = ["--on", "winrm:127.0.0.1", "--state-dir", str(self._folder / on)]
        code = int(run(["deploy", verb, str(self.file), *where, *more]))
        told = self._said.readouterr()
        return code, told.out + told.err

    def value(self, verb: str, *more: str, on: str = "one") -> dict[str, Any]:
        """The ``--json`` result."""
        self._patch.setattr("socket.gethostname", lambda: on)
        where = ["--on", "winrm:127.0.0.1", "--state-dir", str(self._folder / on)]
        run(["deploy", verb, str(self.file), *where, *more, "--json"])
        found: dict[str, Any] = json.loads(self._said.readouterr().out)
        return found
