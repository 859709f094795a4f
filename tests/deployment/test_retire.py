"""What may be retired, and why the rest stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from arr_bluegreen.deployment.ownership import Folder, Instance, Owned
from arr_bluegreen.deployment.retire import Remove, RemoveFolder, Retention, Stop, plan_retire
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import ApplicationPool, Server, WebFarm
from arr_bluegreen.webfarm.change import (
    RemoveLocation,
    RemovePool,
    RemoveServer,
    RemoveSite,
    SetPool,
    SetServer,
    SetSite,
)

from .words import NOW, Words, at, site


def releases(count: int) -> tuple[Words, Owned]:
    """So many releases side by side, the last one live at 127.0.0.(count + 1)."""
    words, owned = Words(sites=(site("Front", 1, 80),), pools=(ApplicationPool("Front"),)), Owned()
    servers = []
    for n in range(1, count + 1):
        name = f"shop-{n}"
        servers.append(Server(f"127.0.0.{n + 1}", enabled=n == count, http_port=8000 + n))
        words = replace(
            words,
            sites=(*words.sites, site(name, n + 1, 8000 + n, path=rf"C:\rel\{n}")),
            pools=(*words.pools, ApplicationPool(name)),
        )
        owned = owned.with_instance(
            Instance(name, name, name, f"127.0.0.{n + 1}", 8000 + n, at(n), str(n), n + 1, rf"C:\rel\{n}")
        )
    return replace(words, farms=(WebFarm("shop", servers=tuple(servers)),)), owned


def verbs(words: Words, owned: Owned, retention: Retention, live: str, named: str = "") -> dict[str, str]:
    """What is done with each."""
    plan = plan_retire("shop", owned, words, retention, [live], named)
    return {one.name: one.verb for one in plan.items}


def test_live_and_previous_stay_the_next_are_stopped_the_rest_go() -> None:
    """keep counts the previous one: it is the way back."""
    words, owned = releases(5)
    found = verbs(words, owned, Retention("shop-5", "shop-4", keep=3), "127.0.0.6")
    assert found == {"shop-5": "leave", "shop-4": "leave", "shop-3": "stop", "shop-2": "stop", "shop-1": "remove"}
    found = verbs(words, owned, Retention("shop-5", "shop-4", keep=0), "127.0.0.6")
    assert found == {"shop-5": "leave", "shop-4": "leave", "shop-3": "remove", "shop-2": "remove", "shop-1": "remove"}


def test_a_stop_lasts_over_a_reboot_and_a_removal_leaves_no_trace() -> None:
    """serverAutoStart and autoStart false; the location blocks, the farm server and the pool go with the site."""
    words, owned = releases(5)
    plan = plan_retire("shop", owned, words, Retention("shop-5", "shop-4", keep=3), ["127.0.0.6"])
    stop = next(one for one in plan.acts if isinstance(one, Stop))
    remove = next(one for one in plan.acts if isinstance(one, Remove))
    assert [type(one) for one in stop.changes] == [SetSite, SetPool]
    assert [type(one) for one in remove.changes] == [RemoveServer, RemoveSite, RemoveLocation, RemovePool]


def test_a_server_left_enabled_is_disabled_with_its_stop() -> None:
    """A strategy by state leaves it so; after a restart of ARR it would get requests again (arr.md 5.6)."""
    words, owned = releases(3)
    farm = words.farms[0]
    words = replace(words, farms=(replace(farm, servers=tuple(replace(one, enabled=True) for one in farm.servers)),))
    plan = plan_retire("shop", owned, words, Retention("shop-3", "shop-2", keep=2), ["127.0.0.4"])
    (stop,) = plan.acts
    assert isinstance(stop, Stop)
    assert isinstance(stop.changes[0], SetServer)


def test_what_is_in_service_stays_whatever_the_records_say() -> None:
    """The machine decides, never a variable."""
    words, owned = releases(4)
    plan = plan_retire("shop", owned, words, Retention("shop-4", "shop-3", keep=1), ["127.0.0.5", "127.0.0.2"])
    reasons = {one.name: one.reason for one in plan.items}
    assert reasons["shop-1"] == "127.0.0.2 is in service"


def test_a_shared_pool_is_never_stopped_or_removed() -> None:
    """Another site's application runs in it."""
    words, owned = releases(4)
    lodger = site("Lodger", 9, 99, pool="shop-1")
    words = replace(words, sites=(*words.sites, lodger))
    plan = plan_retire("shop", owned, words, Retention("shop-4", "shop-3", keep=1), ["127.0.0.5"])
    removed = {one.instance.slot: one for one in plan.acts if isinstance(one, Remove)}
    assert not any(isinstance(one, RemovePool) for one in removed["shop-1"].changes)
    assert any(isinstance(one, RemovePool) for one in removed["shop-2"].changes)


def test_what_is_not_ours_is_named_and_left_alone() -> None:
    """A farm server no record names; a site that somebody made anew under our name."""
    words, owned = releases(4)
    farm = words.farms[0]
    stranger = Server("10.0.0.9", enabled=False)
    anew = tuple(replace(one, id=99) if one.name == "shop-1" else one for one in words.sites)
    words = replace(words, sites=anew, farms=(replace(farm, servers=(*farm.servers, stranger)),))
    plan = plan_retire("shop", owned, words, Retention("shop-4", "shop-3", keep=1), ["127.0.0.5"])
    reasons = {one.name: (one.verb, one.reason) for one in plan.items}
    assert reasons["shop-1"][0] == "leave"
    assert "id 99" in reasons["shop-1"][1]
    assert reasons["server 10.0.0.9 of farm 'shop'"] == ("leave", "neither made nor adopted by us")


def test_a_fixed_pair_stays() -> None:
    """Only its old release folders go, and never one that a site serves from."""
    words, owned = releases(2)
    folders = tuple(Folder(rf"C:\rel\{n}", "shop-1", str(n), at(n)) for n in (0, 1, 2))
    owned = replace(owned, folders=folders)
    plan = plan_retire("shop", owned, words, Retention("shop-2", fixed=("shop-1", "shop-2")), ["127.0.0.3"])
    assert plan.acts == (RemoveFolder(folders[0]),)


def test_one_can_be_named() -> None:
    """It goes at once; what must stay is refused with the reason; what nobody recorded is not there."""
    words, owned = releases(4)
    retention = Retention("shop-4", "shop-3", keep=9)
    assert verbs(words, owned, retention, "127.0.0.5", "shop-1") == {"shop-1": "remove"}
    for name in ("shop-4", "shop-3"):
        with pytest.raises(RefusedError, match=r"live|previous"):
            verbs(words, owned, retention, "127.0.0.5", name)
    with pytest.raises(NoSuchObject, match="Front"):
        verbs(words, owned, retention, "127.0.0.5", "Front")


def test_a_folder_goes_only_when_we_made_it_and_nobody_else_serves_from_it() -> None:
    """Octopus's folders are Octopus's retention's."""
    words, owned = releases(3)
    retention = Retention("shop-3", "shop-2", keep=1)

    def folders(made: bool, where: Words) -> tuple[str, ...]:
        mine = owned.with_folder(Folder(r"C:\rel\1", "shop-1", "1", at(1))) if made else owned
        act = next(a for a in plan_retire("shop", mine, where, retention, ["127.0.0.4"]).acts if isinstance(a, Remove))
        return act.folders

    assert folders(True, words) == (r"C:\rel\1",)
    assert folders(False, words) == ()
    inside = replace(words, sites=(*words.sites, site("Docs", 9, 99, path=r"C:\REL\1\docs")))
    assert folders(True, inside) == ()


def test_a_stopped_instance_is_not_stopped_again() -> None:
    """Nothing to do is said."""
    words, owned = releases(3)
    one = owned.of("shop-1")
    assert one is not None
    owned = owned.with_instance(replace(one, stopped=NOW + timedelta(hours=1)))
    words = replace(
        words,
        sites=tuple(replace(s, server_auto_start=s.name != "shop-1") for s in words.sites),
        pools=tuple(replace(p, auto_start=p.name != "shop-1") for p in words.pools),
    )
    assert verbs(words, owned, Retention("shop-3", "shop-2", keep=2), "127.0.0.4")["shop-1"] == "leave"
