"""One small configuration on disk and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arr_bluegreen.cli.main import run
from tests.cli.ran import Ran
from tests.cli.user import User
from tests.deployment.machine import Scene

SHOP = (
    b'<?xml version="1.0" encoding="UTF-8"?>\r\n'
    b"<configuration>\r\n"
    b"    <configSections>\r\n"
    b'        <section name="webFarms" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />\r\n'
    b'        <sectionGroup name="system.webServer">\r\n'
    b'            <sectionGroup name="rewrite">\r\n'
    b'                <section name="globalRules" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />\r\n'
    b"            </sectionGroup>\r\n"
    b"        </sectionGroup>\r\n"
    b"    </configSections>\r\n"
    b"    <system.webServer>\r\n"
    b"        <rewrite>\r\n"
    b"            <globalRules>\r\n"
    b'                <rule name="To shop" stopProcessing="true">\r\n'
    b'                    <match url=".*" />\r\n'
    b'                    <action type="Rewrite" url="http://shop/{R:0}" />\r\n'
    b"                </rule>\r\n"
    b"            </globalRules>\r\n"
    b"        </rewrite>\r\n"
    b"    </system.webServer>\r\n"
    b"    <webFarms>\r\n"
    b'        <webFarm name="shop" enabled="true">\r\n'
    b'            <server address="10.0.0.1" enabled="true" />\r\n'
    b"            <server address='10.0.0.2'   enabled='false'/>\r\n"
    b'            <server address="10.0.0.3" />\r\n'
    b"        </webFarm>\r\n"
    b"    </webFarms>\r\n"
    b"</configuration>\r\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The configuration on disk."""
    file = tmp_path / "applicationHost.config"
    file.write_bytes(SHOP)
    return file


@pytest.fixture
def cli(path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run a command on the configuration: ``cli("server", "list")``."""

    def call(*argv: str, on: str | None = None) -> Ran:
        code = run([*argv, "--on", on or f"file:{path}"])
        said = capsys.readouterr()
        return Ran(int(code), said.out, said.err)

    return call


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> User:
    """At a machine with one plain site."""
    scene = Scene()
    monkeypatch.setenv("ARR_BLUEGREEN_STATE_DIR", str(tmp_path / "state"))
    for name in ("target", "deploy_world"):
        monkeypatch.setattr(f"arr_bluegreen.cli.{name}.connect", lambda target, settings: (scene.machine,))
    monkeypatch.setattr("arr_bluegreen.cli.deploy_world.SystemClock", lambda: scene.clock)
    return User(scene, tmp_path, capsys)
