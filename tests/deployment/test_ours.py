"""What is another's stays: pools, sites and addresses that were neither made nor adopted by us, and the front."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arr_bluegreen.deployment.first import plan_first, unmake
from arr_bluegreen.deployment.first_run import run_first
from arr_bluegreen.deployment.instance import InstanceWish, plan_instance
from arr_bluegreen.deployment.ownership import Instance, Origin, Owned, read_owned
from arr_bluegreen.deployment.retire import Remove, Retention, Stop, plan_retire
from arr_bluegreen.errors import OldSlotServesError, RefusedError
from arr_bluegreen.webfarm import Action, Application, ApplicationPool, Condition, Match, Rule, RuleList, Site
from arr_bluegreen.webfarm.change import AddPool, AddSite, RemovePool, SetPool, SetVirtualDirectory

from .machine import Scene, first_wish
from .words import NOW, Words, pair, site


def with_api(front: Site, pool: str = "api") -> Site:
    """The site with a further application below its root, in a pool of its own, and a folder elsewhere."""
    root = front.applications[0].virtual_directories[0]
    api = Application(
        "/api",
        pool,
        virtual_directories=(
            replace(root, physical_path=rf"{root.physical_path}\api"),
            replace(root, path="/docs", physical_path=r"D:\docs"),
        ),
    )
    return replace(front, applications=(*front.applications, api))


def plain(*, api: bool = False) -> Words:
    """A public site, perhaps with a further application."""
    front = site("Front", 1, 80, host="shop.example")
    pools = (ApplicationPool("Front"), ApplicationPool("api"), ApplicationPool("DefaultAppPool"))
    return Words(sites=(with_api(front) if api else front,), pools=pools)


def rule_to_shop() -> RuleList:
    """The public rule of shop.example:80."""
    conditions = (Condition("{SERVER_PORT}", "^80$"), Condition("{HTTP_HOST}", r"^shop\.example$"))
    action = Action("Rewrite", "http://shop/{R:0}")
    return RuleList("", (Rule("to shop", True, "ECMAScript", True, Match(".*"), conditions, action=action),))


# -- pools ---------------------------------------------------------------------------------------------------


def test_a_failed_first_run_leaves_another_sites_pool() -> None:
    """It is called like a clone's second pool and serves site Admin: it stays, whatever is cleared away."""
    scene = Scene()
    scene.machine.config.apply(
        [AddPool(ApplicationPool("shop-blue-2")), AddSite(site("Admin", 9, 9000, "shop-blue-2"))]
    )
    before = scene.host.config.data()
    with pytest.raises(OldSlotServesError):
        run_first(first_wish(), scene.hands(status="418"))
    assert scene.host.config.data() == before


def test_a_clones_pool_that_is_there_already_is_refused() -> None:
    """The further ones too, before anything is made."""
    words = plain(api=True)
    words = replace(words, pools=(*words.pools, ApplicationPool("shop-green-2")))
    with pytest.raises(RefusedError, match="shop-green-2"):
        plan_first(first_wish(), words, Owned(), None, NOW)


def test_every_pool_of_a_clone_is_its_own_and_recorded() -> None:
    """Two pools of the site become two of each slot; clearing away takes those, and none that serves others since."""
    words = plain(api=True)
    plan = plan_first(first_wish(), words, Owned(), None, NOW)
    made = {one.site.name: [a.pool for a in one.site.applications] for one in plan.make if isinstance(one, AddSite)}
    assert made == {"shop-blue": ["shop-blue", "shop-blue-2"], "shop-green": ["shop-green", "shop-green-2"]}
    assert [one.more_pools for one in plan.instances] == [("shop-blue-2",), ("shop-green-2",)]
    pools = tuple(one.pool for one in plan.make if isinstance(one, AddPool))
    sites = tuple(one.site for one in plan.make if isinstance(one, AddSite))
    lodger = site("Lodger", 9, 99, "shop-green-2")
    there = replace(words, pools=(*words.pools, *pools), sites=(*words.sites, *sites, lodger))
    gone = [one.name for one in unmake("shop", plan.instances, there) if isinstance(one, RemovePool)]
    assert gone == ["shop-blue", "shop-blue-2", "shop-green"]


def test_a_release_shares_no_pool_with_the_live_one() -> None:
    """Its further applications run in pools of its own too, which retire stops and removes with it."""
    words = pair()
    blue = with_api(words.sites[1], "shop-blue-2")
    words = replace(
        words,
        sites=(words.sites[0], blue, words.sites[2]),
        pools=(*words.pools, ApplicationPool("shop-blue-2")),
    )
    asked = InstanceWish("shop", "shop-3", "shop-3", "shop-3", "127.0.0.4", 8003, r"C:\3", "3", like="shop-blue")
    plan = plan_instance(asked, words, Owned(), ["127.0.0.2"], NOW)
    made = next(one.site for one in plan.changes if isinstance(one, AddSite))
    assert [one.pool for one in made.applications] == ["shop-3", "shop-3-2"]
    assert [one.pool.name for one in plan.changes if isinstance(one, AddPool)] == ["shop-3", "shop-3-2"]
    there = replace(
        words,
        sites=(*words.sites, made),
        pools=(*words.pools, ApplicationPool("shop-3"), ApplicationPool("shop-3-2")),
    )
    owned = Owned((plan.instance,))
    (act,) = plan_retire("shop", owned, there, Retention("blue"), ["127.0.0.2"], "shop-3").acts
    assert isinstance(act, Remove)
    assert [one.name for one in act.changes if isinstance(one, RemovePool)] == ["shop-3", "shop-3-2"]


def test_a_pool_that_others_use_is_no_slots_own() -> None:
    """A new site is not put in a pool that serves another one."""
    words = pair()
    words = replace(words, sites=(*words.sites, site("Admin", 9, 9000, "shop-3")))
    words = replace(words, pools=(*words.pools, ApplicationPool("shop-3")))
    asked = InstanceWish("shop", "shop-3", "shop-3", "shop-3", "127.0.0.4", 8003, r"C:\3", "3")
    with pytest.raises(RefusedError, match="Admin"):
        plan_instance(asked, words, Owned(), ["127.0.0.2"], NOW)


def adopted(pool: str) -> tuple[Words, Instance]:
    """A site of Octopus's in this pool, adopted as shop-3."""
    words = pair()
    theirs = site("shop-3", 9, 8003, pool)
    words = replace(words, sites=(*words.sites, theirs), pools=(*words.pools, ApplicationPool(pool)))
    asked = InstanceWish("shop", "shop-3", "shop-3", "shop-3", "127.0.0.4", 8003, "", "3")
    return words, plan_instance(asked, words, Owned(), ["127.0.0.2"], NOW).instance


@pytest.mark.parametrize("pool", ["DefaultAppPool", "Team"])
def test_an_adopted_pool_of_another_name_is_neither_stopped_nor_removed(pool: str) -> None:
    """Even when the instance is the last to use it; that it stays is said. One that the pattern names goes."""
    words, one = adopted(pool)
    assert one.pool_origin is Origin.NONE
    for served, kind in ((True, Stop), (False, Remove)):
        (act,) = plan_retire("shop", Owned((replace(one, served=served),)), words, Retention("blue"), []).acts
        assert isinstance(act, kind)
        assert not any(isinstance(change, (RemovePool, SetPool)) for change in act.changes)
        assert pool in act.left[0]
    words, one = adopted("shop-3")
    (act,) = plan_retire("shop", Owned((one,)), words, Retention("blue"), [], "shop-3").acts
    assert isinstance(act, Remove)
    assert RemovePool("shop-3") in act.changes


def test_the_pool_of_applicationdefaults_stays_whatever_is_recorded() -> None:
    """An older record calls it adopted: without it, applications that name no pool would not start."""
    words, one = adopted("DefaultAppPool")
    for origin in (Origin.ADOPTED, Origin.MADE):
        owned = Owned((replace(one, pool_origin=origin),))
        (act,) = plan_retire("shop", owned, words, Retention("blue"), [], "shop-3").acts
        assert isinstance(act, Remove)
        assert not any(isinstance(change, RemovePool) for change in act.changes)


# -- the front, addresses, folders -----------------------------------------------------------------------------


def test_the_front_is_never_a_slot() -> None:
    """Neither as described, nor where a rule leads from it to the farm; what an older record says is not retired."""
    words = replace(pair(), rule_lists=(rule_to_shop(),))
    words = replace(words, sites=(site("Front", 1, 80, host="shop.example"), *words.sites[1:]))
    asked = InstanceWish("shop", "shop-3", "Front", "Front", "127.0.0.4", 80, r"C:\3", "3")
    with pytest.raises(RefusedError, match="a rule sends"):
        plan_instance(asked, words, Owned(), ["127.0.0.2"], NOW)
    with pytest.raises(RefusedError, match="the front"):
        plan_instance(replace(asked, fronts=("front",)), pair(), Owned(), ["127.0.0.2"], NOW)
    plan_instance(replace(asked, site="shop-3", pool="shop-3", http_port=8003), words, Owned(), ["127.0.0.2"], NOW)

    owned = Owned((Instance("shop-3", "Front", "Front", "127.0.0.4", 80, NOW, site_id=1),))
    for retention, where in ((Retention("blue"), words), (Retention("blue", fronts=("Front",)), pair())):
        assert plan_retire("shop", owned, where, retention, ["127.0.0.2"]).acts == ()
        with pytest.raises(RefusedError, match="front"):
            plan_retire("shop", owned, where, retention, ["127.0.0.2"], "shop-3")


def test_an_address_recorded_for_another_release_is_refused() -> None:
    """Two releases make one alias; the kept one's farm server would be pointed to the new one's port."""
    had = Instance("shop-1.0-rc.1", "shop-1.0-rc.1", "p", "shop-1-0-rc-1", 8009, NOW)
    asked = InstanceWish("shop", "shop-1.0-rc-1", "shop-1.0-rc-1", "q", "shop-1-0-rc-1", 8010, r"C:\x")
    with pytest.raises(RefusedError, match=r"shop-1\.0-rc\.1"):
        plan_instance(asked, pair(), Owned((had,)), ["127.0.0.2"], NOW)


def test_all_folders_of_a_site_move_in_one_commit_and_those_elsewhere_stay() -> None:
    """What lies below the slot's own root goes along; what does not is told."""
    words = pair()
    green = with_api(words.sites[2], "shop-green")
    words = replace(words, sites=(*words.sites[:2], green))
    had = Instance("green", "shop-green", "shop-green", "127.0.0.3", 8002, NOW, site_id=3)
    asked = InstanceWish("shop", "green", "shop-green", "shop-green", "127.0.0.3", 8002, r"D:\rel\4")
    plan = plan_instance(asked, words, Owned((had,)), ["127.0.0.2"], NOW)
    moved = [
        (one.application, one.path, dict(one.settings)) for one in plan.changes if isinstance(one, SetVirtualDirectory)
    ]
    assert moved == [
        ("/", "/", {"physical_path": r"D:\rel\4"}),
        ("/api", "/", {"physical_path": r"D:\rel\4\api"}),
    ]
    assert any(r"/api/docs at D:\docs" in one for one in plan.notes)


def test_the_record_knows_the_first_deployment_and_every_pool() -> None:
    """Read back as written; keys of an older version are passed over."""
    scene = Scene()
    run_first(first_wish(), scene.hands())
    owned = read_owned(scene.records)
    assert owned.first_done
    assert [one.slot for one in owned.instances if one.served] == ["blue"]
    text = scene.records.read("owned.json") or ""
    scene.records.write("owned.json", text.replace('"making"', '"folder_origin": "none", "making"'))
    assert read_owned(scene.records) == owned
