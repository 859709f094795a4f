"""A new instance: named by rule, idle, fit for blue-green, and the live one never edited."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arr_bluegreen.deployment.clone import reroot
from arr_bluegreen.deployment.instance import InstanceWish, free_site_id, plan_instance
from arr_bluegreen.deployment.names import check_folder_name, check_pool_name, check_site_name, instance_name
from arr_bluegreen.deployment.ownership import Instance, Origin, Owned, change_owned, read_owned
from arr_bluegreen.errors import ArrBlueGreenError, DescriptionError, RefusedError
from arr_bluegreen.webfarm import Application, ApplicationPool, Binding, ProcessModel, VirtualDirectory
from arr_bluegreen.webfarm.change import (
    AddPool,
    AddServer,
    AddSite,
    ConfigChange,
    CopyIdentity,
    CopyLocation,
    SetPool,
    SetSite,
    SetVirtualDirectory,
)

from .words import NOW, MemoryRecords, Words, pair, site


def wish(release: str = "3", **more: object) -> InstanceWish:
    """An instance of its own per release, on 127.0.0.4:8003."""
    name = f"shop-{release}"
    base = InstanceWish("shop", name, name, name, "127.0.0.4", 8003, rf"C:\sites\{name}", release)
    return replace(base, **more)  # type: ignore[arg-type]  # a test's shorthand


def planned(asked: InstanceWish, words: Words | None = None, owned: Owned | None = None) -> tuple[ConfigChange, ...]:
    """The changes, with blue (127.0.0.2) live."""
    return plan_instance(asked, words or pair(), owned or Owned(), ["127.0.0.2"], NOW).changes


def test_a_new_instance_is_a_pool_a_site_and_a_server_out_of_service() -> None:
    """One list for one commit; the pool always running, never recycled by time, its runtime written down."""
    pool, made, server = planned(wish())
    assert isinstance(pool, AddPool)
    assert isinstance(made, AddSite)
    assert isinstance(server, AddServer)
    assert pool.pool.start_mode == "AlwaysRunning"
    assert pool.pool.process_model.idle_timeout == timedelta(0)
    assert pool.pool.recycling.periodic_restart_time == timedelta(0)
    assert pool.pool.managed_runtime_version == ""
    assert made.site.bindings == (Binding("http", "127.0.0.4:8003:"),)
    assert made.site.pool == "shop-3"
    assert not server.server.enabled
    assert server.server.http_port == 8003


def test_what_is_there_is_not_made_again() -> None:
    """A retry after everything was done changes nothing."""
    first = plan_instance(wish(), pair(), Owned(), ["127.0.0.2"], NOW)
    words = pair()
    changed = replace(
        words,
        pools=(*words.pools, next(one.pool for one in first.changes if isinstance(one, AddPool))),
        sites=(*words.sites, next(one.site for one in first.changes if isinstance(one, AddSite))),
        farms=(
            replace(
                words.farms[0],
                servers=(
                    *words.farms[0].servers,
                    *(one.server for one in first.changes if isinstance(one, AddServer)),
                ),
            ),
        ),
    )
    again = plan_instance(wish(), changed, Owned((first.instance,)), ["127.0.0.2"], NOW)
    assert again.changes == ()
    assert again.instance.site_origin is Origin.MADE


def test_the_live_slot_is_never_edited() -> None:
    """Whatever is asked of it."""
    with pytest.raises(RefusedError, match="live"):
        planned(wish(address="127.0.0.2", http_port=8001, site="shop-blue", pool="shop-blue"))
    with pytest.raises(RefusedError, match="live server"):
        planned(wish(site="shop-blue"))


def test_a_port_another_site_listens_on_is_refused() -> None:
    """A binding conflict keeps the site from starting (arr.md hazard 35)."""
    with pytest.raises(RefusedError, match="shop-green"):
        planned(wish(http_port=8002))


def test_a_site_made_by_octopus_is_adopted_and_its_settings_stay() -> None:
    """Only the path is pointed to the new content; the pool's settings are not fought over."""
    words = pair()
    theirs = site("shop-3", 9, 8003)
    words = replace(words, sites=(*words.sites, theirs), pools=(*words.pools, ApplicationPool("shop-3")))
    plan = plan_instance(wish(path=r"D:\drop\3"), words, Owned(), ["127.0.0.2"], NOW)
    assert [type(one) for one in plan.changes] == [SetVirtualDirectory, AddServer]
    assert (plan.instance.site_origin, plan.instance.pool_origin) == (Origin.ADOPTED, Origin.ADOPTED)
    assert plan.instance.site_id == 9
    assert "adopted" in plan.notes[0]
    with pytest.raises(RefusedError, match="8004"):
        plan_instance(wish(http_port=8004), words, Owned(), ["127.0.0.2"], NOW)


def test_a_retired_instance_starts_again_by_itself() -> None:
    """serverAutoStart and autoStart, which retire took away, come back (arr.md hazard 15)."""
    words = pair()
    stopped = (
        *words.sites[:2],
        replace(words.sites[2], server_auto_start=False),
    )
    pools = (*words.pools[:2], replace(words.pools[2], auto_start=False))
    words = replace(words, sites=stopped, pools=pools)
    had = Instance("green", "shop-green", "shop-green", "127.0.0.3", 8002, NOW)
    asked = InstanceWish("shop", "green", "shop-green", "shop-green", "127.0.0.3", 8002)
    changes = plan_instance(asked, words, Owned((had,)), ["127.0.0.2"], NOW).changes
    assert [type(one) for one in changes] == [SetPool, SetSite]


def test_an_instance_like_another_repeats_its_applications_and_settings() -> None:
    """Folders below the old root move along, others stay; the identity is copied only where asked."""
    words = pair()
    blue = replace(
        words.sites[1],
        applications=(
            *words.sites[1].applications,
            Application("/api", "shop-blue", virtual_directories=(VirtualDirectory("/", r"C:\sites\shop-blue\api"),)),
            Application("/img", "shop-blue", virtual_directories=(VirtualDirectory("/", r"D:\images"),)),
        ),
    )
    as_user = replace(words.pools[1], process_model=ProcessModel("SpecificUser", r"CORP\shop"))
    words = replace(
        words, sites=(words.sites[0], blue, words.sites[2]), pools=(words.pools[0], as_user, words.pools[2])
    )
    changes = planned(wish(like="shop-blue", copy_identity=True), words)
    made = next(one.site for one in changes if isinstance(one, AddSite))
    pool = next(one.pool for one in changes if isinstance(one, AddPool))
    assert [one.virtual_directories[0].physical_path for one in made.applications] == [
        r"C:\sites\shop-3",
        r"C:\sites\shop-3\api",
        r"D:\images",
    ]
    assert {one.pool for one in made.applications} == {"shop-3"}
    assert CopyLocation("shop-blue", "shop-3") in changes
    assert CopyIdentity("shop-blue", "shop-3") in changes
    assert pool.process_model.user_name == ""
    assert not any(isinstance(one, CopyIdentity) for one in planned(wish(like="shop-blue"), words))


def test_site_ids_are_stable_and_never_given_again() -> None:
    """Logs and sessions go by the id (arr.md 3.1)."""
    words = pair()
    assert free_site_id(words, Owned(), "SHOP-Blue") == 2
    assert free_site_id(words, Owned(), "new") == 4
    assert free_site_id(words, Owned(highest_site_id=7), "new") == 8
    had = Instance("shop-1", "shop-1", "shop-1", "127.0.0.9", 8009, NOW, site_id=5)
    assert free_site_id(words, Owned((had,), highest_site_id=7), "shop-1") == 5


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("shop & co", "&"),
        ('shop "blue"', '"'),
        ("shop/blue", "/"),
        (r"shop\blue", r"\\"),
        ("shop,blue", ","),
        ("shop<b>", "<"),
        ("shop*", r"\*"),
        ("a" * 65, "65 characters"),
        ("", "empty"),
        (" shop", "space"),
        ("shop.", "dot"),
        ("shop\nblue", "control"),
    ],
)
def test_a_pool_name_that_breaks_a_rule_is_refused_with_it(name: str, rule: str) -> None:
    """One line that names the rule (arr.md 3.1)."""
    with pytest.raises(DescriptionError, match=rule):
        check_pool_name(name)


@pytest.mark.parametrize(
    "name", ["a" * 64, "shop.example", "my shop", "Überladen-größe", "o'brien", "shop (blue)", "100%"]
)
def test_odd_names_that_keep_the_rules_work(name: str) -> None:
    """As pools and as sites."""
    assert check_pool_name(name) == check_site_name(name) == name
    made = next(one for one in planned(wish(site=name, pool=name)) if isinstance(one, AddSite))
    assert made.site.name == name


def test_a_site_may_be_called_what_a_pool_may_not() -> None:
    """Sites refuse slashes only, so the admin's names are adopted as they are."""
    assert check_site_name('R & D "live"' + "x" * 70)
    with pytest.raises(DescriptionError):
        check_site_name("a/b")
    with pytest.raises(DescriptionError):
        check_folder_name("NUL.txt")


def test_names_come_of_a_pattern() -> None:
    """An unknown field or a missing release is told, not left in the name."""
    assert instance_name("{app}-{slot}", app="shop", slot="blue") == "shop-blue"
    assert instance_name("{app}-{release}", app="shop", slot="x", release="1.2.3-rc.1") == "shop-1.2.3-rc.1"
    for pattern in ("{app}-{colour}", "{app}-{release}"):
        with pytest.raises(DescriptionError):
            instance_name(pattern, app="shop", slot="blue")


def test_folders_below_a_root_move_with_it() -> None:
    """Without case, and only whole names."""
    assert reroot(r"c:\SITES\blue\api", r"C:\sites\blue", r"D:\new") == r"D:\new\api"
    assert reroot(r"C:\sites\blue2", r"C:\sites\blue", r"D:\new") == r"C:\sites\blue2"
    assert reroot(r"C:\sites\blue", "C:\\sites\\blue\\", r"D:\new") == r"D:\new"


def test_the_record_reads_back_as_written() -> None:
    """With every field."""
    records = MemoryRecords()
    one = Instance("b", "s", "p", "127.0.0.2", 1, NOW, "1", 4, "C:\\x", "alias", Origin.ADOPTED, stopped=NOW)
    change_owned(records, lambda owned: owned.with_instance(one))
    assert read_owned(records) == Owned((one,), highest_site_id=4)
    records.texts["owned.json"] = "{}"
    with pytest.raises(ArrBlueGreenError, match=r"owned\.json"):
        read_owned(records)
