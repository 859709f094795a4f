"""What a user types and must not lose by: the farm after its rules went, the slot of an unfinished run, what serves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arr_bluegreen.control.interface import ApplicationFacts
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.webfarm import Application, ApplicationPool, VirtualDirectory
from arr_bluegreen.webfarm.change import AddApplication, AddPool, RemoveRule, RemoveServer
from tests.cli.user import User
from tests.deployment.machine import plain_config

HEAD = (
    'schema = 1\n[app]\nname = "shop"\nfront = ["Front"]\nhosts = ["shop.example"]\n[config]\nwrites = "WRITES"\n'
    '[gate]\nversion_url = "/"\nversion_header = "X-App-Version"\nwithin = "5s"\n'
    '[slots]\nnaming = "per-release"\n[[slots.slot]]\nname = "{app}-{release}"\n[[slots.slot.member]]\n'
    'address = "ADDRESS"\nhttp_port = "auto"\npath = \'C:\\apps\\{slot}\'\n'
    "[content]\nsource = 'C:\\drop\\{version}'\n"
)


def describe(user: User, writes: str = "always", address: str = "auto", more: str = "") -> None:
    """One slot per release."""
    user.file.write_text(HEAD.replace("WRITES", writes).replace("ADDRESS", address) + more)


def as_pair(user: User) -> None:
    """The description of the first run, with content and a version to prove."""
    text = user.file.read_text().replace("hosts = []", 'hosts = ["shop.example"]')
    more = 'passes = 3\nversion_header = "X-App-Version"\n[config]\nwrites = "always"\n'
    user.file.write_text(text.replace("passes = 3", more + "[content]\nsource = 'C:\\drop\\{version}'\n"))


def release(user: User, version: str, *more: str, code: int = 0, content: str = "") -> str:
    """A run of this version; what was said."""
    user.scene.content(rf"C:\drop\{version}", content or version)
    ran = user.types("run", "--version", version, *more)
    assert ran.code == code, ran
    return ran.out + ran.err


def restarts(user: User) -> None:
    """Every application is ASP.NET Core that a write to webFarms restarts."""
    core = ApplicationFacts("", asp_net_core=True, in_process=True)
    machine = user.scene.machine
    machine.applications = lambda paths: tuple(core for _ in paths)  # type: ignore[method-assign]  # one answer for all


# -- the first deployment ------------------------------------------------------------------------------------


def test_check_and_plan_before_the_first_run_tell_what_it_does(user: User) -> None:
    """As README says to type them; nothing is changed, and what a run would refuse they refuse."""
    assert user.types("init", "--from-site", "Front", "--farm", "shop").code == 0
    for verb in ("check", "plan"):
        ran = user.types(verb)
        assert (ran.code, "the way back" in ran.out) == (0, True)
    user.scene.machine.config.apply([AddPool(ApplicationPool("shop-green"))])
    for verb in ("check", "plan", "run"):
        assert user.types(verb).code == 3
    assert read_owned(user.scene.records).instances == ()


def test_rules_taken_away_by_hand_are_put_back_and_the_release_goes_live(user: User) -> None:
    """Never the first deployment again: the slot now live keeps its place, and abort has nothing to unmake."""
    user.first()
    as_pair(user)
    release(user, "2")
    user.scene.machine.config.apply([RemoveRule("arr-bluegreen shop http 80")])
    before = user.scene.host.config.data()
    assert "'deploy run' puts them back" in user.types("status").out
    assert "nothing to abort" in user.types("abort").out
    assert "would put back" in user.types("run", "--version", "3", "--dry-run").err
    assert user.scene.host.config.data() == before
    assert "putting back" in release(user, "3")
    assert [one.name for one in user.scene.config.rule_lists[0].rules][-1] == "arr-bluegreen shop http 80"
    assert user.scene.host.arr.in_service("shop") == ("127.0.0.2",)
    assert user.scene.config.site("shop-blue").physical_path.endswith(r"\3")


def test_rules_are_put_back_per_release_too(user: User) -> None:
    """A description that was a pair's when its first run was made: the site is still named in it."""
    user.first()
    describe(user)
    user.file.write_text(user.file.read_text().replace("[app]\n", '[app]\nfrom_site = "Front"\n'))
    assert user.types("status").code == 0
    user.scene.machine.config.apply([RemoveRule("arr-bluegreen shop http 80")])
    assert "putting back" in release(user, "2")
    assert user.scene.host.arr.in_service("shop") == ("127.0.0.4",)


def test_the_names_that_init_writes_are_taken_by_run(user: User) -> None:
    """Whatever the farm is called: pools may not bear what a farm may."""
    assert user.types("init", "--from-site", "Front", "--farm", "R & D " + "x" * 60).code == 0
    assert user.types("run", "--dry-run").code == 0


def test_sub_applications_go_live_with_each_release(user: User) -> None:
    """As a pair and per release, in pools of their own: none is left at an older folder, none at one never made."""
    scene = user.scene
    scene.content(r"C:\inetpub\front\api", "1")
    root = VirtualDirectory("/", r"C:\inetpub\front\api")
    api = Application("/api", "api", virtual_directories=(root, replace(root, path="/d", physical_path=r"D:\d")))
    scene.machine.config.apply([AddPool(ApplicationPool("api")), AddApplication("Front", api)])
    user.first()
    as_pair(user)
    scene.content(r"C:\drop\2\api", "2")
    release(user, "2")
    folders = {
        one.path: one.virtual_directories[0].physical_path for one in scene.config.site("shop-green").applications
    }
    base = folders["/"]
    assert base.endswith(r"\2")
    assert folders == {"/": base, "/api": base + r"\api"}
    describe(user, more="[retire]\nkeep = 1\n")
    for version in "34":
        scene.content(rf"C:\drop\{version}\api", version)
        assert r"in every release the same: /api/d at D:\d" in release(user, version)
        made = scene.config.site(f"shop-{version}").applications
        assert [one.virtual_directories[0].physical_path for one in made] == [
            rf"C:\apps\shop-{version}\{version}",
            rf"C:\apps\shop-{version}\{version}\api",
        ]
        assert [one.pool for one in made] == [f"shop-{version}", f"shop-{version}-2"]
    pools = {one.name for one in scene.config.pools}
    assert pools == {"DefaultAppPool", "Front", "api", "shop-3", "shop-3-2", "shop-4", "shop-4-2"}


# -- per release -----------------------------------------------------------------------------------------------


def test_a_site_is_made_with_its_content_in_place(user: User) -> None:
    """Killed just before the content is copied, there is no site yet that could start on an empty folder."""
    user.first()
    describe(user)
    user.scene.content(r"C:\drop\2", "2")

    def kill(number: int, name: str) -> None:
        if name == "files.copy_folder":
            user.scene.machine.before_call = None
            raise KeyboardInterrupt

    user.scene.machine.before_call = kill
    assert user.types("run", "--version", "2").code == 130
    assert "shop-2" not in {one.name for one in user.scene.config.sites}
    assert user.types("resume").code == 0
    assert user.scene.config.site("shop-2").physical_path == r"C:\apps\shop-2\2"


def test_the_slot_of_an_unfinished_run_is_kept(user: User) -> None:
    """It is the newest, and waits for its approval; also for someone who has no journal of it but the machine's."""
    user.first()
    describe(user)
    for version in "23":
        release(user, version)
    release(user, "4", "--until", "enable")
    for more in ((), ("--state-dir", str(user.file.parent / "elsewhere"))):
        told = {one["name"]: one for one in user.types("retire", "--json", *more).json["items"]}
        assert told["shop-4"]["act"] == "leave"
        assert "not finished" in told["shop-4"]["reason"]
    assert user.types("retire", "--instance", "shop-4").code == 3
    assert user.types("resume").code == 0
    assert user.scene.host.arr.in_service("shop") == ("127.0.0.6",)


def test_abort_takes_the_instance_it_made_away(user: User) -> None:
    """Per release nothing else would: no site, pool, server, folder, port or record of it is left."""
    user.first()
    describe(user)
    release(user, "2")
    before = user.scene.host.config.data()
    release(user, "3", "--until", "enable")
    ran = user.types("abort")
    assert (ran.code, "'shop-3'" in ran.err) == (0, True)
    assert user.scene.host.config.data() == before
    assert not user.scene.host.files.folder_exists(r"C:\apps\shop-3")
    assert read_owned(user.scene.records).of("shop-3") is None


def test_a_run_whose_slot_is_gone_can_be_aborted(user: User) -> None:
    """Somebody took its server away: it can neither go on nor be cleared, and the next release is not held up."""
    user.first()
    describe(user)
    release(user, "2")
    release(user, "3", "--until", "enable")
    user.scene.machine.config.apply([RemoveServer("shop", "127.0.0.5")])
    assert user.types("abort").code == 0
    assert user.types("abort").out.count("nothing to abort") == 1
    release(user, "4")


def test_a_release_that_never_served_takes_no_good_ones_place(user: User) -> None:
    """Its gate failed, and that is what is said; of the kept ones it is none."""
    user.first()
    describe(user, more="[retire]\nkeep = 2\n")
    for version in "234":
        release(user, version)
    said = release(user, "5", code=7, content="4")
    assert "not switched: shop-4 is live as before" in said
    told = {one["name"]: one["act"] for one in user.types("retire", "--json").json["items"]}
    assert (told["shop-5"], told["shop-3"], told["shop-2"]) == ("remove", "leave", "leave")


def test_settings_that_cannot_be_made_are_refused_before_anything_is(user: User) -> None:
    """A token that is in no file: check says it, and run makes no slot for it."""
    user.first()
    describe(user, more='[[content.settings]]\nfile = "simulated-app.json"\ntokens = { "__NOT_THERE__" = "{slot}" }\n')
    user.scene.content(r"C:\drop\2", "2")
    before = user.scene.host.config.data()
    for verb in ("check", "run"):
        ran = user.types(verb, "--version", "2")
        assert (ran.code, "__NOT_THERE__" in ran.err) == (2, True)
    assert user.scene.host.config.data() == before


def test_two_releases_of_one_alias_do_not_share_a_server(user: User) -> None:
    """An alias that loses something of the name carries a digest of it."""
    user.first()
    describe(user, address="alias", more="[retire]\nkeep = 2\n")
    for version in ("1.0-rc.1", "1.0-rc-1"):
        release(user, version)
    owned = read_owned(user.scene.records)
    first, second = owned.of("shop-1.0-rc.1"), owned.of("shop-1.0-rc-1")
    assert first is not None
    assert second is not None
    assert first.address != second.address
    assert user.types("switch-back").code == 0


# -- writes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writes", ["never", "when-safe"])
def test_writes_that_may_not_be_made_are_refused_before_anything_is(user: User, writes: str) -> None:
    """Per release: check says what run refuses; no site, pool, server, port or record comes of it."""
    user.first()
    describe(user, writes)
    restarts(user)
    user.scene.content(r"C:\drop\2", "2")
    before, ports = user.scene.host.config.data(), user.scene.port_records.read("ports.json")
    assert user.types("check", "--version", "2").code == 3
    release(user, "2", code=3)
    assert user.scene.host.config.data() == before
    assert user.scene.port_records.read("ports.json") == ports
    assert read_owned(user.scene.records).of("shop-2") is None


def test_a_pairs_missing_server_is_not_added_where_that_restarts_what_serves(user: User) -> None:
    """The live worker lives on."""
    user.first()
    as_pair(user)
    user.file.write_text(user.file.read_text().replace('writes = "always"', 'writes = "when-safe"'))
    user.scene.machine.config.apply([RemoveServer("shop", "127.0.0.3")])
    restarts(user)
    before = user.scene.host.config.data()
    assert "127.0.0.3 is missing" in release(user, "2", code=3)
    assert user.types("check", "--version", "2").code == 3
    assert user.scene.host.config.data() == before


def test_retire_restarts_nothing_without_consent(user: User) -> None:
    """Its farm writes are judged like a run's; --accept-gap says yes, this once."""
    user.first()
    describe(user, "when-safe")
    for version in "23":
        release(user, version)
    restarts(user)
    before = user.scene.host.config.data()
    ran = user.types("retire")
    assert (ran.code, "--accept-gap" in ran.err) == (3, True)
    assert user.scene.host.config.data() == before
    assert user.types("retire", "--accept-gap").code == 0
    assert {one.slot for one in read_owned(user.scene.records).instances} == {"shop-2", "shop-3"}


# -- what is told ------------------------------------------------------------------------------------------------


def test_a_dry_retire_names_every_piece(user: User) -> None:
    """Changes, folders, alias and port, in text and as JSON; and a number of releases is none below zero."""
    user.first()
    describe(user, address="alias")
    for version in "234":
        release(user, version)
    out = user.types("retire", "--dry-run").out
    for piece in (
        "would remove   shop-2",
        "remove site: shop-2",
        r"folder C:\apps\shop-2\2: remove",
        "name shop-shop-2",
    ):
        assert piece in out, out
    told = next(one for one in user.types("retire", "--dry-run", "--json").json["items"] if one["name"] == "shop-2")
    assert (told["folders"], told["alias"]) == ([r"C:\apps\shop-2\2"], "shop-shop-2")
    assert told["port"] >= 8000
    assert user.types("retire", "--keep", "-1").code == 2


def test_what_was_cut_off_is_told_with_the_commands_that_help(user: User) -> None:
    """A lock left behind: unlock; a retiring cut off after its commit: retire."""
    user.first()
    describe(user)
    user.scene.content(r"C:\drop\2", "2")

    def kill(number: int, name: str) -> None:
        if user.scene.machine.journal.count("config.apply") > commits:
            raise KeyboardInterrupt

    commits = user.scene.machine.journal.count("config.apply")
    user.scene.machine.before_call = kill  # from then on each call: its lock is not given back either
    assert user.types("run", "--version", "2").code == 130
    user.scene.machine.before_call = None
    assert "deploy unlock" in user.types("status").out
    assert user.types("unlock").code == 0
    for version in "23":
        release(user, version)

    def cut(number: int, name: str) -> None:
        if "shop-green" not in {one.name for one in user.scene.config.sites}:
            raise KeyboardInterrupt

    user.scene.machine.after_call = cut
    assert user.types("retire").code == 130
    user.scene.machine.after_call = None
    user.types("unlock")
    out = user.types("status").out
    assert "its site is gone" in out
    assert "deploy retire" in out
    assert user.types("retire").code == 0


def test_the_plain_file_comes_back_after_a_first_run_that_cannot_be_good(user: User) -> None:
    """[warm_up] and [gate] of the description are what it is measured by."""
    assert user.types("init", "--from-site", "Front", "--farm", "shop").code == 0
    user.file.write_text(user.file.read_text().replace("passes = 3", 'passes = 1\nstatus = "404"\nwithin = "2s"'))
    ran = user.types("run")
    assert (ran.code, "status 200" in ran.err) == (7, True)
    assert user.scene.host.config.data() == plain_config()
