"""A new instance of the application: its pools, its site and its farm server, as changes for one commit.

The farm server comes with ``enabled=False`` (a server that becomes enabled gets traffic at once, arr.md 5.6), what is
live is never edited, and what is there already is adopted: pointed to the new content, and otherwise left as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.aliases import is_loopback
from arr_bluegreen.deployment.claims import (
    refuse_front,
    refuse_live,
    refuse_shared_pool,
    refuse_taken_address,
    refuse_taken_binding,
    refuse_taken_pools,
)
from arr_bluegreen.deployment.clone import NOT_REPEATED, moved, pools_of_clone, repeated, stays_behind
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site, others_in_pool
from arr_bluegreen.deployment.names import check_pool_name, check_site_name
from arr_bluegreen.deployment.ownership import Instance, Origin, Owned
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import (
    Application,
    ApplicationPool,
    Binding,
    ProcessModel,
    Recycling,
    Server,
    Site,
    VirtualDirectory,
)
from arr_bluegreen.webfarm.change import (
    AddBinding,
    AddPool,
    AddServer,
    AddSite,
    ConfigChange,
    CopyIdentity,
    CopyLocation,
    SetPool,
    SetServer,
    SetSite,
    settings,
)


@dataclass(frozen=True, slots=True)
class InstanceWish:
    """What an instance shall be. ``path`` is the root folder, "" to leave an existing site's as it is.

    ``like`` names a site whose applications, settings and pools the new one repeats, the identities only with
    ``copy_identity``; ``runtime`` is the pool's managedRuntimeVersion (None: as ``like`` has it, else No Managed Code).
    ``fronts`` are sites that are never a slot's. ``content_first``: a site that is not there is left for later, to be
    made with its content in place.
    """

    farm: str
    slot: str
    site: str
    pool: str
    address: str
    http_port: int
    path: str = ""
    release: str = ""
    like: str = ""
    copy_identity: bool = False
    runtime: str | None = None
    alias: str = ""
    fronts: tuple[str, ...] = ()
    content_first: bool = False


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """The changes (for one ``apply``), the record to write before them, and what people should know."""

    changes: tuple[ConfigChange, ...]
    instance: Instance
    notes: tuple[str, ...] = ()


def plan_instance(
    wish: InstanceWish, configuration: Configuration, owned: Owned, live: Collection[str], now: datetime
) -> InstancePlan:
    """The changes that make the instance what is wished; none when it is.

    ``live`` are the addresses in service: an instance among them is refused, as is whatever another one has.
    Raises ``RefusedError``, ``DescriptionError`` (a name that breaks a rule).
    """
    check_site_name(wish.site)
    check_pool_name(wish.pool)
    refuse_front(wish.site, wish.farm, wish.fronts, configuration)
    refuse_live(wish.farm, wish.slot, wish.site, (wish.address, wish.http_port), configuration, live)
    refuse_taken_address(wish.slot, wish.site, wish.address, owned)
    site = find_site(configuration, wish.site)
    asked, (wish, notes) = wish.pool, _as_adopted(wish, site, configuration, owned)
    bindings = slot_bindings(wish.address, wish.http_port)
    refuse_taken_binding(wish.slot, wish.site, wish.address, bindings, configuration)
    pools = _pools(wish, site, configuration, owned)
    instance = _record(wish, site, configuration, owned, now)
    by_pattern = wish.pool.casefold() == asked.casefold() or instance.pool_origin is Origin.MADE
    instance = replace(
        instance,
        pool_origin=instance.pool_origin if by_pattern else Origin.NONE,
        more_pools=tuple(list(pools.values())[1:]) if site is None else instance.more_pools,
    )
    later = site is None and wish.content_first
    changes = (
        *_pool_changes(wish, pools, configuration, instance),
        *(() if later else _site_changes(wish, site, pools, configuration, instance)),
        *server_changes(wish.farm, wish.address, wish.http_port, configuration),
    )
    return InstancePlan(changes, instance, (*notes, *_clone_notes(wish, site, configuration)))


def server_changes(farm: str, address: str, http_port: int, configuration: Configuration) -> tuple[ConfigChange, ...]:
    """The farm server, out of service, where it is not there; nothing on a machine that has no such farm."""
    there = find_farm(configuration, farm)
    if there is None:
        return ()
    server = there.server(address)
    if server is None:
        return (AddServer(there.name, Server(address, enabled=False, http_port=http_port)),)
    if server.http_port != http_port:
        return (SetServer(there.name, server.address, settings(http_port=http_port)),)
    return ()


def slot_bindings(address: str, port: int) -> tuple[Binding, ...]:
    """The http binding of a slot's site: on the loopback address where the farm uses one, else on every address.

    It takes every Host header, so also the public one that ARR passes on (arr.md 5.9).
    """
    where = address if is_loopback(address) else "*"
    return (Binding("http", f"{where}:{port}:"),)


def slot_pool(name: str, like: ApplicationPool | None = None, runtime: str | None = None) -> ApplicationPool:
    """A pool that suits a slot (arr.md 3.2): always running, no idle end, no timed recycle; the rest as ``like``'s.

    The identity is not repeated here: that is ``CopyIdentity``'s, which never shows a password.
    """
    model = like or ApplicationPool(name)
    return replace(
        model,
        name=name,
        auto_start=True,
        start_mode="AlwaysRunning",
        managed_runtime_version=model.managed_runtime_version if runtime is None else runtime,
        process_model=replace(
            model.process_model,
            identity_type=ProcessModel().identity_type,
            user_name="",
            idle_timeout=timedelta(0),
            max_processes=1,
        ),
        recycling=replace(model.recycling, periodic_restart_time=timedelta(0), schedule=Recycling().schedule),
    )


def free_site_id(configuration: Configuration, owned: Owned, name: str) -> int:
    """The id of the site of this name: the one it has or had, else above every id seen so far.

    A removed site's id is not given to another: logs (``W3SVC<id>``) and sessions go by it (arr.md 3.1).
    """
    site = find_site(configuration, name)
    if site is not None:
        return site.id
    used = {one.id for one in configuration.sites}
    had = owned.owner_of_site(name)
    if had is not None and had.site_id and had.site_id not in used:
        return had.site_id
    return max([*used, owned.highest_site_id, *(one.site_id for one in owned.instances)]) + 1


# -- private -------------------------------------------------------------------------------------------


def _as_adopted(
    wish: InstanceWish, site: Site | None, configuration: Configuration, owned: Owned
) -> tuple[InstanceWish, tuple[str, ...]]:
    """An existing site keeps its pool, and one that we did not make its bindings too."""
    if site is None or owned.owner_of_site(site.name) is not None:
        return wish, ()
    notes = [f"site '{site.name}' is there already and is adopted: its settings stay"]
    if site.pool and site.pool.casefold() != wish.pool.casefold():
        notes.append(f"it keeps its pool '{site.pool}', which is not named by the pattern: never stopped or removed")
        wish = replace(wish, pool=site.pool)
    others = others_in_pool(configuration, wish.pool, site.name)
    if others:
        notes.append(f"its pool '{wish.pool}' also serves {', '.join(others)}: it is never stopped or removed")
    ports = sorted({one.port for one in site.bindings if one.protocol == "http" and one.port is not None})
    if wish.http_port not in ports:
        listed = ", ".join(str(one) for one in ports) or "none"
        raise RefusedError(
            f"site '{site.name}' was made elsewhere and has no http binding on port {wish.http_port} (has: {listed})",
            hint="Give it the slot's port, or the slot its port.",
        )
    return wish, tuple(notes)


def _pools(wish: InstanceWish, site: Site | None, configuration: Configuration, owned: Owned) -> Mapping[str, str]:
    """The model's pools and the new ones in their place, root first; only the root's where nothing is cloned.

    Raises ``RefusedError`` where one of them is another's.
    """
    like = find_site(configuration, wish.like) if wish.like else None
    if site is not None:
        return {like.pool.casefold() if like else "": wish.pool}
    mine = [one.site for one in owned.instances if one.slot.casefold() == wish.slot.casefold()]
    refuse_shared_pool(wish.slot, [wish.site, *mine], wish.pool, configuration)
    if like is None:
        return {"": wish.pool}
    found = pools_of_clone(like, wish.pool)
    had = owned.of(wish.slot, wish.site)
    further = list(found.values())[1:]
    for one in further:
        check_pool_name(one)
    refuse_taken_pools(wish.slot, wish.site, further, had.more_pools if had else (), configuration)
    return found


def _record(
    wish: InstanceWish, site: Site | None, configuration: Configuration, owned: Owned, now: datetime
) -> Instance:
    same = owned.of(wish.slot, wish.site)
    pool = find_pool(configuration, wish.pool)
    farm = find_farm(configuration, wish.farm)
    server = farm.server(wish.address) if farm is not None else None
    same_pool = same if same is not None and same.pool.casefold() == wish.pool.casefold() else None
    same_server = same if same is not None and same.address.casefold() == wish.address.casefold() else None
    return Instance(
        slot=wish.slot,
        site=wish.site,
        pool=wish.pool,
        address=wish.address,
        http_port=wish.http_port,
        since=now,
        release=wish.release,
        site_id=free_site_id(configuration, owned, wish.site),
        path=wish.path or (site.physical_path if site else ""),
        alias=wish.alias,
        site_origin=_origin(same.site_origin if same else None, site is not None),
        pool_origin=_origin(same_pool.pool_origin if same_pool else None, pool is not None),
        server_origin=_origin(same_server.server_origin if same_server else None, server is not None),
        served=same.served if same else False,
        more_pools=same.more_pools if same else (),
    )


def _origin(recorded: Origin | None, there: bool) -> Origin:
    return recorded or (Origin.ADOPTED if there else Origin.MADE)


def _pool_changes(
    wish: InstanceWish, pools: Mapping[str, str], configuration: Configuration, instance: Instance
) -> tuple[ConfigChange, ...]:
    changes: list[ConfigChange] = []
    for old, new in pools.items():
        pool, like = find_pool(configuration, new), find_pool(configuration, old)
        if pool is None:
            changes.append(AddPool(slot_pool(new, like, wish.runtime)))
        elif not pool.auto_start:
            changes.append(SetPool(pool.name, settings(auto_start=True)))
        adopted = new == wish.pool and instance.pool_origin is not Origin.MADE
        if wish.copy_identity and like is not None and like.name.casefold() != new.casefold() and not adopted:
            there = pool.process_model if pool else ProcessModel()
            mine, theirs = ((p.identity_type, p.user_name) for p in (there, like.process_model))
            changes += [CopyIdentity(like.name, new)] if mine != theirs else []
    further = [find_pool(configuration, one) for one in instance.more_pools if one not in pools.values()]
    changes += [
        SetPool(one.name, settings(auto_start=True)) for one in further if one is not None and not one.auto_start
    ]
    return tuple(changes)


def _site_changes(
    wish: InstanceWish, site: Site | None, pools: Mapping[str, str], configuration: Configuration, instance: Instance
) -> tuple[ConfigChange, ...]:
    if site is None:
        return _new_site(wish, pools, configuration, instance)
    changes: list[ConfigChange] = []
    if not site.server_auto_start:
        changes.append(SetSite(site.name, settings(server_auto_start=True)))
    have = {(one.port, one.host.casefold()) for one in site.bindings if one.protocol == "http"}
    for binding in slot_bindings(wish.address, wish.http_port):
        if instance.site_origin is Origin.MADE and (binding.port, binding.host.casefold()) not in have:
            changes.append(AddBinding(site.name, binding))
    return (*changes, *(moved(site, wish.path) if wish.path else ()))


def _new_site(
    wish: InstanceWish, pools: Mapping[str, str], configuration: Configuration, instance: Instance
) -> tuple[ConfigChange, ...]:
    like = find_site(configuration, wish.like) if wish.like else None
    path = wish.path or (like.physical_path if like else "")
    if not path:
        raise RefusedError(f"site '{wish.site}' is new and no folder is named for it", hint="Name the member's path.")
    applications = repeated(like, pools, path) if like else (_root(wish.pool, path),)
    bindings = slot_bindings(wish.address, wish.http_port)
    made = AddSite(Site(wish.site, instance.site_id, True, bindings, applications))
    return (made, CopyLocation(like.name, wish.site)) if like else (made,)


def _clone_notes(wish: InstanceWish, site: Site | None, configuration: Configuration) -> tuple[str, ...]:
    like = find_site(configuration, wish.like) if wish.like else None
    model = site or like
    told = (f"in every release the same: {', '.join(stays_behind(model))}",) if model and stays_behind(model) else ()
    return (NOT_REPEATED, *told) if like is not None and site is None else told


def _root(pool: str, path: str) -> Application:
    return Application("/", pool, virtual_directories=(VirtualDirectory("/", path),))
