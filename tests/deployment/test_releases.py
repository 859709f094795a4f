"""Five releases on a machine that had one plain site, under load: none lost, and only what retention allows is left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import ApplicationFacts
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.ensure import ensure_new, in_service
from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.first import unmake
from arr_bluegreen.deployment.first_run import run_first
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.retire import Retention, plan_retire
from arr_bluegreen.deployment.retire_run import RetireHands, perform_retire
from arr_bluegreen.deployment.run import Run
from arr_bluegreen.errors import AmbiguousError, ArrBlueGreenError, RefusedError
from arr_bluegreen.webfarm import Application, Binding, RunState, Site, VirtualDirectory
from arr_bluegreen.webfarm.change import AddPool, AddSite, RemoveRule, SetPool, settings

from .machine import Scene, described, first_wish, plain_config

PAIR = r"""
[config]
writes = "always"
[[slots.slot]]
name = "blue"
[[slots.slot.member]]
address = "127.0.0.2"
http_port = 8001
site = "shop-blue"
pool = "shop-blue"
path = 'C:\apps\blue'
[[slots.slot]]
name = "green"
[[slots.slot.member]]
address = "127.0.0.3"
http_port = 8002
site = "shop-green"
pool = "shop-green"
path = 'C:\apps\green'
"""
PER_RELEASE = r"""
[slots]
naming = "per-release"
[[slots.slot]]
name = "{app}-{release}"
[[slots.slot.member]]
address = "auto"
http_port = "auto"
path = 'C:\apps\{slot}'
"""
DROP = "[content]\nsource = 'C:\\\\drop\\\\{version}'\n"


class Releases:
    """A scene that releases again and again."""

    def __init__(self, folder: Path, text: str) -> None:
        self.scene, self.folder, self.text = Scene(), folder, text
        self.traffic = self.scene.traffic()
        run_first(first_wish(), self.scene.hands())

    def release(self, version: str, *, content: bool = True) -> RunEnded:
        """One ordinary run: the new slot made or found, then the sequence."""
        scene = self.scene
        if content:
            scene.content(rf"C:\drop\{version}", version)
        deployment = described(self.text.replace("{version}", version))
        deployment = ensure_new(deployment, scene.controls, release=version).deployment
        plan = plan_run(deployment, scene.controls, version=version)
        journal = Journals(self.folder).of(f"run-{version}")
        identity = Identity(f"run-{version}", "tester", "here")
        run = Run(deployment, scene.controls, journal, identity, plan.roles, plan.durable)
        return run.start(plan)

    def retire(self, keep: int = 2, named: str = "", fixed: tuple[str, ...] = ()) -> None:
        """What ``deploy retire`` does."""
        scene = self.scene
        owned = read_owned(scene.records)
        retention = retention_now(scene, keep, fixed)
        deployment = described(self.text.replace("{version}", "0"))
        plan = plan_retire("shop", owned, scene.config, retention, in_service(deployment, scene.controls), named)
        hands = RetireHands(
            "shop",
            scene.machine,
            (scene.machine.farm("shop", ("Front",)),),
            scene.records,
            scene.port_records,
            scene.clock,
        )
        perform_retire(plan, hands)

    def over(self) -> None:
        """Clients stop; none lost a request."""
        self.traffic.stop()
        self.scene.clock.sleep(10)
        assert self.traffic.lost == []


def retention_now(scene: Scene, keep: int, fixed: tuple[str, ...] = ()) -> Retention:
    """Live and previous from the wanted record."""
    record = wanted.newest([scene.records])
    assert record is not None
    owned = read_owned(scene.records)
    previous = next((one.slot for one in owned.instances if one.address in record.out), "")
    return Retention(record.slot, previous, keep, fixed=fixed)


def test_five_releases_as_a_pair(tmp_path: Path) -> None:
    """Content comes from a drop folder into a folder of its own each time; old ones go."""
    releases = Releases(tmp_path, PAIR + DROP)
    for version in "23456":
        assert releases.release(version).outcome == "done"
        releases.retire(fixed=("blue", "green"))
    releases.over()
    scene = releases.scene
    assert set(releases.traffic.by_version) == set("123456")
    assert {one.name for one in scene.config.sites} == {"Front", "shop-blue", "shop-green"}
    assert {one.path for one in read_owned(scene.records).folders} == {r"C:\apps\green\6", r"C:\apps\blue\5"}
    assert scene.host.files.read_text(r"C:\apps\green\2\simulated-app.json") is None
    assert {one.physical_path for one in scene.config.sites} >= {r"C:\apps\green\6", r"C:\apps\blue\5"}


def test_five_releases_of_an_instance_each(tmp_path: Path) -> None:
    """Live, previous and one older that is stopped are left; all else is gone without a trace."""
    releases = Releases(tmp_path, PER_RELEASE + DROP)
    for version in "23456":
        assert releases.release(version).outcome == "done"
        releases.retire(keep=2)
    releases.over()
    scene = releases.scene
    assert set(releases.traffic.by_version) == set("123456")
    assert {one.name for one in scene.config.sites} == {"Front", "shop-4", "shop-5", "shop-6"}
    assert {one.name for one in scene.config.pools} == {"DefaultAppPool", "Front", "shop-4", "shop-5", "shop-6"}
    assert {one.slot for one in read_owned(scene.records).instances} == {"shop-4", "shop-5", "shop-6"}
    assert len(scene.config.farm("shop").servers) == 3
    states = {one.name: one.state for one in scene.machine.sites.sites()}
    assert (states["shop-4"], states["shop-5"]) == (RunState.STOPPED, RunState.STARTED)
    assert not scene.config.site("shop-4").server_auto_start
    assert not scene.config.pool("shop-4").auto_start
    assert not scene.host.files.folder_exists(r"C:\apps\shop-3")
    assert scene.host.files.folder_exists(r"C:\apps\shop-4\4")
    for gone in ("shop-blue", "shop-green", "shop-2", "shop-3"):
        assert gone.encode() not in scene.host.config.data()


def test_only_what_we_own_differs_from_the_first_file(tmp_path: Path) -> None:
    """The rule, the farm, sites and pools taken away again, the file is the very one we found."""
    releases = Releases(tmp_path, PER_RELEASE + DROP)
    releases.release("2")
    releases.retire(keep=1)
    releases.over()
    scene = releases.scene
    instances = read_owned(scene.records).instances
    scene.machine.config.apply([RemoveRule("arr-bluegreen shop http 80")])
    scene.machine.config.apply(unmake("shop", instances, scene.config))
    assert scene.host.config.data() == plain_config()


def test_sites_made_by_octopus_beforehand_are_adopted_and_retired(tmp_path: Path) -> None:
    """A stand-in for its IIS step makes site and pool of each release with its own settings; they stay as they are."""
    releases = Releases(tmp_path, PER_RELEASE)
    scene = releases.scene
    for at, version in enumerate("23456"):
        name = f"shop-{version}"
        scene.content(rf"C:\apps\{name}", version)
        pool = replace(scene.config.default_pool, name=name, managed_runtime_version="v4.0")
        root = Application("/", name, virtual_directories=(VirtualDirectory("/", rf"C:\apps\{name}"),))
        made = Site(name, 100 + at, True, (Binding("http", f"*:{8080 + at}:"),), (root,))
        scene.machine.config.apply([AddPool(pool), AddSite(made)])
        assert releases.release(version, content=False).outcome == "done"
        assert scene.config.site(name) == made
        assert scene.config.pool(name).managed_runtime_version == "v4.0"
        releases.retire(keep=1)
    releases.over()
    assert {one.name for one in scene.config.sites} == {"Front", "shop-5", "shop-6"}
    assert scene.config.farm("shop").servers[-1].http_port == 8084


def test_an_adopted_site_keeps_its_folder(tmp_path: Path) -> None:
    """Where no content is put: what the member's path says is for sites that we make."""
    releases = Releases(tmp_path, PER_RELEASE)
    scene = releases.scene
    scene.content(r"C:\octo\2", "2")
    scene.content(r"C:\apps\shop-2", "stale")
    root = Application("/", "shop-2", virtual_directories=(VirtualDirectory("/", r"C:\octo\2"),))
    made = Site("shop-2", 100, True, (Binding("http", "*:8080:"),), (root,))
    scene.machine.config.apply([AddPool(replace(scene.config.default_pool, name="shop-2")), AddSite(made)])
    assert releases.release("2", content=False).outcome == "done"
    assert scene.config.site("shop-2") == made
    releases.over()


def test_the_identity_is_copied_only_where_asked(tmp_path: Path) -> None:
    """It is the admin's: ``identity = "copy"`` says that the new pool runs as the other slot's does."""
    for more, expected in (("", "ApplicationPoolIdentity"), ('identity = "copy"\n', "NetworkService")):
        releases = Releases(tmp_path / expected, PER_RELEASE.replace("[slots]\n", f"[slots]\n{more}"))
        scene = releases.scene
        service = settings({"process_model.identity_type": "NetworkService"})
        scene.machine.config.apply([SetPool("shop-blue", service)])
        ensure_new(described(releases.text), scene.controls, release="2")
        assert scene.config.pool("shop-2").process_model.identity_type == expected


def test_a_crash_anywhere_in_making_and_retiring_leaves_nothing_unnamed(tmp_path: Path) -> None:
    """Killed after every control call in turn: each site, pool and server is recorded; the next try completes."""
    calls, finished = 0, False
    while not finished:
        releases = Releases(tmp_path / str(calls), PER_RELEASE)
        scene = releases.scene
        scene.content(r"C:\apps\shop-2", "2")

        def work(releases: Releases = releases) -> None:
            ensure_new(described(PER_RELEASE), releases.scene.controls, release="2")
            releases_retire(releases, "shop-2")

        killed = _killed_at(scene, calls, work)
        finished = not killed
        _all_named(scene)
        if killed and read_owned(scene.records).of("shop-2") is not None:
            releases_retire(releases, "shop-2")
        _all_named(scene)
        assert read_owned(scene.records).of("shop-2") is None
        assert {one.name for one in scene.config.sites} == {"Front", "shop-blue", "shop-green"}
        releases.over()
        calls += 1
    assert calls > 15


def releases_retire(releases: Releases, named: str) -> None:
    """``deploy retire --instance`` before any run, when no wanted record is there yet."""
    scene = releases.scene
    plan = plan_retire("shop", read_owned(scene.records), scene.config, Retention("blue"), ["127.0.0.2"], named)
    fronts = (scene.machine.farm("shop", ("Front",)),)
    perform_retire(plan, RetireHands("shop", scene.machine, fronts, scene.records, scene.port_records, scene.clock))


def _killed_at(scene: Scene, number: int, work: object) -> bool:
    begun = len(scene.machine.journal)

    def kill(at: int, name: str) -> None:
        if at == begun + number:
            raise KeyboardInterrupt

    scene.machine.after_call = kill
    try:
        assert callable(work)
        work()
    except KeyboardInterrupt:
        return True
    finally:
        scene.machine.after_call = None
    return False


def _all_named(scene: Scene) -> None:
    owned = read_owned(scene.records)
    assert {one.name for one in scene.config.sites} <= {one.site for one in owned.instances} | {"Front"}
    assert {one.address for one in scene.config.farm("shop").servers} <= {one.address for one in owned.instances}


def test_per_release_is_refused_where_a_farm_write_restarts_what_serves(tmp_path: Path) -> None:
    """ASP.NET Core without a working opt-out (arr.md 5.8); --accept-gap says yes."""
    releases = Releases(tmp_path, PER_RELEASE)
    text, machine = described(PER_RELEASE), releases.scene.machine
    core = ApplicationFacts("", asp_net_core=True, in_process=True)
    machine.applications = lambda paths: tuple(core for _ in paths)  # type: ignore[method-assign]  # one answer for all
    before = releases.scene.host.config.data()
    with pytest.raises(RefusedError, match=r"ASP\.NET Core"):
        ensure_new(text, releases.scene.controls, release="2")
    assert releases.scene.host.config.data() == before
    assert ensure_new(text, releases.scene.controls, release="2", accept_gap=True).notes


def test_the_live_release_is_not_made_again(tmp_path: Path) -> None:
    """Nor can it be retired; and which is live must be told when nobody is in service."""
    releases = Releases(tmp_path, PER_RELEASE + DROP)
    releases.release("2")
    with pytest.raises(RefusedError, match="live"):
        ensure_new(described(PER_RELEASE), releases.scene.controls, release="2")
    with pytest.raises(ArrBlueGreenError):
        releases.retire(named="shop-2")
    with pytest.raises(AmbiguousError, match="none"):
        ensure_new(described(PER_RELEASE), releases.scene.controls, release="3", live="shop-9")
    releases.over()
