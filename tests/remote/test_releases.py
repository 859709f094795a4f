"""From one plain IIS site to a blue-green pair and through releases, as typed, over WinRM, under load: none lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.cli.main import run
from arr_bluegreen.deployment.first import unmake
from arr_bluegreen.deployment.ownership import Instance, Origin
from arr_bluegreen.simulator.appcmd import run_appcmd
from arr_bluegreen.simulator.running import Wanted, run_machine
from tests.deployment.machine import plain_config
from tests.deployment.words import NOW
from tests.remote.host import AT_ONCE, PASSWORD, PUBLIC, USER, Host, Loop

QUICK = """
[warm_up]
every = "50ms"
within = "20s"
[drain]
within = "10s"
quiet = "100ms"
every = "50ms"
"""
HEAD = f"""schema = 1
[app]
name = "shop"
front = ["Front"]
hosts = ["{PUBLIC}"]
[config]
writes = "always"
[gate]
version_url = "/"
version_header = "X-App-Version"
passes = 2
every = "20ms"
{QUICK}"""
PER_RELEASE = HEAD + r"""
[slots]
naming = "per-release"
[[slots.slot]]
name = "{app}-{release}"
[[slots.slot.member]]
address = "auto"
http_port = "auto"
path = 'C:\apps\{slot}'
"""
DROP = "[content]\nsource = 'C:\\drop\\{version}'\n"
RETIRE = '[retire]\nkeep = 2\nafter = "0s"\n'


@dataclass
class Typed:
    """Someone who types at a controller: ``deploy VERB`` on one host."""

    host: Host
    file: Path

    def __call__(self, *argv: str, code: int = 0) -> None:
        """One command of ``deploy``, which ends with this exit code."""
        on = ("--on", f"winrm:{self.host.target}", "--transport", "basic", "--allow-basic-over-http")
        ended = run(["deploy", argv[0], str(self.file), *argv[1:], *on])
        assert ended == code, argv

    def content(self, folder: str, version: str) -> None:
        """A release that starts at once, put there by an agent of somebody else."""
        text = json.dumps({"version": version, "start_seconds": 0.02})
        files = self.host.machine.served.host.files
        self.host.own.call(lambda: files.write_text(folder + r"\simulated-app.json", text))

    def appcmd(self, line: str) -> None:
        """What another tool types on the machine."""
        machine = self.host.machine.served.host
        answer = self.host.own.call(lambda: run_appcmd(machine, line.split(" ")))
        assert answer.exit_code == 0, answer

    @property
    def config(self) -> ApplicationHost:
        """What is in the file now."""
        return ApplicationHost.parse((self.host.folder / "applicationHost.config").read_bytes())


@contextmanager
def plain_host(folder: Path) -> Iterator[Host]:
    """A machine with ARR and nothing but one plain site, version 1 of the shop."""
    folder.mkdir(parents=True)
    config = folder / "applicationHost.config"
    config.write_bytes(plain_config())
    front = folder / "root" / "C" / "inetpub" / "front"
    front.mkdir(parents=True)
    (front / "simulated-app.json").write_text(json.dumps({"version": "1", "start_seconds": 0.02}))
    own = Loop()
    with ExitStack() as stack:
        stack.callback(own.close)
        wanted = Wanted(config, folder / "root", users={USER: PASSWORD}, basic=True, settings=AT_ONCE)
        machine = own.run(lambda: run_machine(wanted))
        stack.callback(own.run, machine.close)
        yield Host(folder, own, machine, folder / "ca.pem")


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typed]:
    """At the keyboard, the credential in the environment."""
    monkeypatch.setenv("ARR_BLUEGREEN_USER", USER)
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", PASSWORD)
    monkeypatch.setenv("ARR_BLUEGREEN_STATE_DIR", str(tmp_path / "state"))
    with plain_host(tmp_path / "host") as one:
        yield Typed(one, tmp_path / "deployment.toml")


def first(typed: Typed) -> None:
    """``deploy init --from-site`` and the first run; then times that suit a test."""
    typed("init", "--from-site", "Front", "--farm", "shop")
    typed("run")


def as_pair(typed: Typed) -> None:
    """The description as it was written by init, with the quick times, a version to prove, content and retention."""
    text = typed.file.read_text(encoding="utf-8").replace("passes = 3", 'version_header = "X-App-Version"\npasses = 2')
    text = text.replace("hosts = []", f'hosts = ["{PUBLIC}"]')
    typed.file.write_text(text + '[config]\nwrites = "always"\n' + QUICK + DROP + RETIRE, encoding="utf-8")


def release_by_drop(typed: Typed, version: str) -> None:
    """Content lies in a drop folder."""
    typed.content(rf"C:\drop\{version}", version)
    typed("run", "--version", version)


def release_by_octopus(typed: Typed, version: str) -> None:
    """Its IIS step makes pool, site and folder of the release beforehand."""
    name, port = f"shop-{version}", 8100 + int(version)
    typed.content(rf"C:\apps\{name}", version)
    typed.appcmd(f"add apppool /name:{name} /managedRuntimeVersion:v4.0")
    typed.appcmd(rf"add site /name:{name} /bindings:http/*:{port}: /physicalPath:C:\apps\{name}")
    typed.appcmd(f"set app {name}/ /applicationPool:{name}")
    typed("run", "--version", version)


def only_ours_differs(typed: Typed) -> None:
    """Rule, farm, sites and pools of ours taken away again, the file is the first one byte for byte."""
    config = typed.config
    names = [one.name for one in config.sites if one.name != "Front"]
    instances = [Instance(n, n, n, "", 0, NOW, site_origin=Origin.MADE, pool_origin=Origin.MADE) for n in names]
    assert config.apply(unmake("shop", instances, config)).host.to_bytes() == plain_config()


KINDS: dict[str, tuple[Callable[[Typed], None], Callable[[Typed, str], None]]] = {
    "pair": (as_pair, release_by_drop),
    "per-release": (lambda typed: _write(typed, PER_RELEASE + DROP + RETIRE), release_by_drop),
    "octopus": (lambda typed: _write(typed, PER_RELEASE + RETIRE), release_by_octopus),
}


def through(typed: Typed, kind: str, versions: str, rate: float) -> None:
    """The first deployment and these releases under load; then what must be true of the machine."""
    describe, release = KINDS[kind]
    with typed.host.load(rate) as report:
        first(typed)
        describe(typed)
        for version in versions:
            release(typed, version)
    assert (report.failed, dict(report.reasons)) == (0, {})
    assert set(report.by_version) == {"1", *versions}
    print(f"{kind}: {report.requests} requests, {report.failed} failed, {json.dumps(report.by_version)}")
    sites = {one.name for one in typed.config.sites}
    if kind == "pair":
        assert sites == {"Front", "shop-blue", "shop-green"}
    else:
        kept = ["shop-green", "shop-blue", *(f"shop-{one}" for one in versions)][-3:]
        assert sites == {"Front", *kept}
        assert {one.name for one in typed.config.pools} == {"DefaultAppPool", "Front", *kept}
        assert len(typed.config.farm("shop").servers) == 3
    only_ours_differs(typed)
    assert typed.host.shells == 0


def _write(typed: Typed, text: str) -> None:
    typed.file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("kind", "versions"), [("pair", "2"), ("octopus", "23")])
def test_from_one_plain_site(typed: Typed, kind: str, versions: str) -> None:
    """A pair once, and an instance per release twice: the older one is retired by the run itself."""
    through(typed, kind, versions, 40)


@pytest.mark.long
@pytest.mark.parametrize("kind", list(KINDS))
def test_five_releases_from_one_plain_site(typed: Typed, kind: str) -> None:
    """Exactly the instances that retention allows are left: live, previous, one older."""
    through(typed, kind, "23456", 100)
