"""What may be retired, and why the rest may not. Pure: records and what was seen in, a plan of acts with reasons out.

Never: what is live, the previous instance (the way back), a pool that also serves others, and anything that was neither
made nor adopted by us. The next older ones are stopped and kept for N releases, those beyond are removed.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.claims import why_front
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site, is_default_pool, others_in_pool
from arr_bluegreen.deployment.ownership import Folder, Instance, Owned
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import ApplicationPool, WebFarm
from arr_bluegreen.webfarm.change import (
    ConfigChange,
    RemoveLocation,
    RemovePool,
    RemoveServer,
    RemoveSite,
    SetPool,
    SetServer,
    SetSite,
    settings,
)

# -- acts --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """Site and ``pools`` stop for good, over a reboot too (arr.md hazard 15), and the server is ``enabled=false``."""

    instance: Instance
    changes: tuple[ConfigChange, ...]
    pools: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """The instance goes, in one commit; then the folders we made for it, its alias, port and record.

    ``pools`` stop before they go; ``left`` says what of it stays on the machine, and why.
    """

    instance: Instance
    changes: tuple[ConfigChange, ...]
    folders: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RemoveFolder:
    """A release folder that nothing serves from any more goes."""

    folder: Folder


Act = Stop | Remove | RemoveFolder


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on the machine: what is done with it (None: it is left alone) and why."""

    name: str
    act: Act | None
    reason: str

    @property
    def verb(self) -> str:
        """``stop``, ``remove``, ``remove folder`` or ``leave``."""
        match self.act:
            case None:
                return "leave"
            case Stop():
                return "stop"
            case Remove():
                return "remove"
            case RemoveFolder():
                return "remove folder"


@dataclass(frozen=True, slots=True)
class RetirePlan:
    """Everything looked at, in the order of acting; ``acts`` are those that do something."""

    items: tuple[Item, ...]

    @property
    def acts(self) -> tuple[Act, ...]:
        """What is to be done, in order."""
        return tuple(one.act for one in self.items if one.act is not None)


@dataclass(frozen=True, slots=True)
class Retention:
    """What stays: ``live`` and ``previous`` slots, and ``keep`` older releases in all, the previous one among them.

    ``stop`` says whether kept ones beyond the previous are stopped. A slot of ``fixed`` is part of a pair and stays.
    Nothing goes or stops before it was out of service for ``after`` at ``now`` (UTC; None: it is due at once).
    ``busy`` are the slots of unfinished runs, with the run's name; ``fronts`` the sites that are never a slot's.
    """

    live: str
    previous: str = ""
    keep: int = 1
    stop: bool = True
    fixed: tuple[str, ...] = ()
    after: timedelta = timedelta(0)
    now: datetime | None = None
    busy: tuple[tuple[str, str], ...] = ()
    fronts: tuple[str, ...] = ()

    def run_of(self, slot: str) -> str:
        """The unfinished run that is about this slot, "" when none is."""
        return next((run for name, run in self.busy if name.casefold() == slot.casefold()), "")

    def warm_until(self, left: datetime) -> str:
        """Until when (UTC, in words) what left service then is kept warm; "" when it is due."""
        due = left + self.after
        return f"{due:%Y-%m-%d %H:%M:%S} UTC" if self.now is not None and due > self.now else ""


# -- the plan ------------------------------------------------------------------------------------------------


def plan_retire(
    farm: str,
    owned: Owned,
    configuration: Configuration,
    retention: Retention,
    in_service: Collection[str],
    named: str = "",
    arr: Configuration | None = None,
) -> RetirePlan:
    """What is stopped, removed and left alone, with the reason for each.

    ``in_service`` are the farm addresses that get requests on any ARR machine. ``named`` retires that one slot at
    once, whatever ``keep`` says. ``arr`` is an ARR machine's configuration, where the instances are on another machine
    (None: this one has the farm). Raises ``NoSuchObject`` for a name nothing is recorded of, ``RefusedError`` with
    the reason when the named one must stay.
    """
    if named and owned.of(named) is None:
        raise NoSuchObject("instance", named, tuple(one.slot for one in owned.instances), where="our records")
    # of two made at once, the one that served is the newer one
    older = sorted(owned.instances, key=lambda one: (one.since, one.left is not None), reverse=True)
    room = max(1, retention.keep) - (1 if retention.previous else 0)
    web_farm = find_farm(arr or configuration, farm)
    items: list[Item] = []
    for one in older:
        reason = _must_stay(one, farm, retention, in_service, configuration)
        if named:
            items += _named(one, named, reason, web_farm, configuration, owned)
        elif reason:
            items.append(Item(one.slot, None, reason))
        elif one.making:
            items.append(Item(one.slot, _remove(one, web_farm, configuration, owned), "its making was cut off"))
        elif room > 0 and one.served:
            room -= 1
            items.append(_kept(one, retention, web_farm, configuration, owned))
        elif warm := retention.warm_until(left_service(one, owned)):
            items.append(Item(one.slot, None, f"kept warm until {warm}"))
        else:
            reason = f"older than the {retention.keep} kept" if one.served else "it never served"
            items.append(Item(one.slot, _remove(one, web_farm, configuration, owned), reason))
    removals = [item.act for item in items if isinstance(item.act, Remove)]
    gone = {_slashed(path) for act in removals for path in act.folders}
    left = [one for one in owned.folders if _slashed(one.path) not in gone]
    items += [] if named else [_folder(one, configuration, retention, owned) for one in left]
    return RetirePlan((*sorted(items, key=_acting_order), *_others(web_farm, owned)))


def left_service(one: Instance, owned: Owned) -> datetime:
    """When the instance left service (UTC): as recorded, else when the next newer one was made, else its making."""
    newer = [other.since for other in owned.instances if other.since > one.since]
    return one.left or min(newer, default=one.since)


# -- private -------------------------------------------------------------------------------------------


def _must_stay(
    one: Instance, farm: str, retention: Retention, in_service: Collection[str], configuration: Configuration
) -> str:
    slot = one.slot.casefold()
    if slot == retention.live.casefold():
        return "it is live"
    if one.address.casefold() in {address.casefold() for address in in_service}:
        return f"{one.address} is in service"
    if slot == retention.previous.casefold():
        return "it is the previous one, the way back"
    if slot in {name.casefold() for name in retention.fixed} and not one.making:
        return "it is one of the fixed pair"
    if run := retention.run_of(one.slot):
        return f"run {run} is about it and not finished"
    if reason := why_front(one.site, farm, retention.fronts, configuration):
        return reason
    site = find_site(configuration, one.site)
    if site is not None and one.site_id and site.id != one.site_id:
        return f"site '{one.site}' has id {site.id} and not {one.site_id} as recorded: somebody made it anew"
    return ""


def _named(
    one: Instance, named: str, reason: str, farm: WebFarm | None, configuration: Configuration, owned: Owned
) -> list[Item]:
    if one.slot.casefold() != named.casefold():
        return []
    if reason:
        raise RefusedError(f"'{one.slot}' is not retired: {reason}")
    return [Item(one.slot, _remove(one, farm, configuration, owned), "it was named")]


def _kept(
    one: Instance, retention: Retention, farm: WebFarm | None, configuration: Configuration, owned: Owned
) -> Item:
    if not retention.stop:
        return Item(one.slot, None, f"one of the {retention.keep} kept")
    if warm := retention.warm_until(left_service(one, owned)):
        return Item(one.slot, None, f"one of the {retention.keep} kept, warm until {warm}")
    act = _stop(one, farm, configuration)
    if one.stopped is not None and not act.changes:
        return Item(one.slot, None, f"one of the {retention.keep} kept; stopped since {one.stopped:%Y-%m-%d %H:%M}")
    return Item(one.slot, act, f"one of the {retention.keep} kept, and no longer needed running")


def _stop(one: Instance, farm: WebFarm | None, configuration: Configuration) -> Stop:
    changes: list[ConfigChange] = []
    server = farm.server(one.address) if farm is not None else None
    if farm is not None and server is not None and server.enabled:
        changes.append(SetServer(farm.name, server.address, settings(enabled=False)))
    site = find_site(configuration, one.site)
    if site is not None and site.server_auto_start:
        changes.append(SetSite(site.name, settings(server_auto_start=False)))
    pools = _own_pools(one, configuration)
    changes += [SetPool(pool.name, settings(auto_start=False)) for pool in pools if pool.auto_start]
    return Stop(one, tuple(changes), tuple(pool.name for pool in pools), _left_pools(one, configuration))


def _remove(one: Instance, farm: WebFarm | None, configuration: Configuration, owned: Owned) -> Remove:
    changes: list[ConfigChange] = []
    if farm is not None and farm.server(one.address) is not None:
        changes.append(RemoveServer(farm.name, one.address))
    if find_site(configuration, one.site) is not None:
        changes += [RemoveSite(one.site), RemoveLocation(one.site)]
    pools = tuple(pool.name for pool in _own_pools(one, configuration))
    changes += [RemovePool(pool) for pool in pools]
    made = [folder.path for folder in owned.folders if folder.slot.casefold() == one.slot.casefold()]
    used = {path: _serving(path, configuration, besides=one.site) for path in dict.fromkeys(made)}
    left = [f"folder {path} (site '{site}' serves from it)" for path, site in used.items() if site]
    folders = tuple(path for path, site in used.items() if not site)
    return Remove(one, tuple(changes), folders, pools, (*_left_pools(one, configuration), *left))


def _own_pools(one: Instance, configuration: Configuration) -> tuple[ApplicationPool, ...]:
    """The instance's pools that are there and serve nobody else, now or by default."""
    found = (find_pool(configuration, name) for name in one.pools)
    return tuple(pool for pool in found if pool is not None and not _why_left(one, pool.name, configuration))


def _left_pools(one: Instance, configuration: Configuration) -> tuple[str, ...]:
    """The pools it runs in that stay, each with the reason."""
    names = [name for name in (one.pool, *one.more_pools) if find_pool(configuration, name) is not None]
    reasons = ((name, _why_left(one, name, configuration)) for name in dict.fromkeys(names))
    return tuple(f"pool '{name}' ({reason})" for name, reason in reasons if reason)


def _why_left(one: Instance, pool: str, configuration: Configuration) -> str:
    others = others_in_pool(configuration, pool, one.site)
    if others:
        return f"it also serves {', '.join(others)}"
    if is_default_pool(configuration, pool):
        return "applications that name no pool run in it"
    return "" if pool in one.pools else "it was there and is not named by our pattern"


def _serving(path: str, configuration: Configuration, besides: str = "") -> str:
    """The site that serves from this folder or below (or whose folder it lies in), "" when none does."""
    mine = _slashed(path)
    for site in configuration.sites:
        for application in site.applications if site.name.casefold() != besides.casefold() else ():
            for one in application.virtual_directories:
                theirs = _slashed(one.physical_path)
                if one.physical_path and (theirs.startswith(mine) or mine.startswith(theirs)):
                    return site.name
    return ""


def _slashed(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").casefold() + "\\"


def _folder(one: Folder, configuration: Configuration, retention: Retention, owned: Owned) -> Item:
    site = _serving(one.path, configuration)
    if site:
        return Item(one.path, None, f"site '{site}' serves from it")
    newer = [other.since for other in owned.folders if other.slot == one.slot and other.since > one.since]
    if warm := retention.warm_until(min(newer, default=one.since)):
        return Item(one.path, None, f"kept until {warm}")
    return Item(one.path, RemoveFolder(one), f"no site serves from it any more (release {one.release or 'unknown'})")


def _others(farm: WebFarm | None, owned: Owned) -> tuple[Item, ...]:
    """What looks like the farm's and no record names: told, and left alone."""
    if farm is None:
        return ()
    known = {one.address.casefold() for one in owned.instances}
    strangers = (one for one in farm.servers if one.address.casefold() not in known)
    reason = "neither made nor adopted by us"
    return tuple(Item(f"server {one.address} of farm '{farm.name}'", None, reason) for one in strangers)


def _acting_order(item: Item) -> int:
    match item.act:
        case Stop():
            return 0
        case Remove():
            return 1
        case RemoveFolder():
            return 2
        case None:
            return 3
