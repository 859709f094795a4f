"""A new instance of the application: its pool, its site and its farm server, as changes for one commit.

The farm server comes with ``enabled=False`` (a server that becomes enabled gets traffic at once, arr.md 5.6), what is
live is never edited, and what is there already is adopted: pointed to the new content, and otherwise left as it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.aliases import is_loopback
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
    WebFarm,
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
    SetVirtualDirectory,
    settings,
)

NOT_REPEATED = (
    "not repeated on a clone, where they are set: the pool's CPU limits, the site's own log settings, "
    "passwords of folders"
)
"""What of a site and its pool is no word here; everything else of them, and their location blocks, is repeated."""


@dataclass(frozen=True, slots=True)
class InstanceWish:
    """What an instance shall be. ``path`` is the root folder, "" to leave an existing site's as it is.

    ``hosts`` are public host names the bindings name each (none: one binding that takes any host).
    ``like`` names a site whose applications, settings and pool the new one repeats, the identity only with
    ``copy_identity``; ``runtime`` is the pool's managedRuntimeVersion (None: as ``like`` has it, else No Managed Code).
    """

    farm: str
    slot: str
    site: str
    pool: str
    address: str
    http_port: int
    path: str = ""
    release: str = ""
    hosts: tuple[str, ...] = ()
    like: str = ""
    copy_identity: bool = False
    runtime: str | None = None
    alias: str = ""


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

    ``live`` are the addresses in service: an instance among them is refused, as is a binding another site has.
    Raises ``RefusedError``, ``DescriptionError`` (a name that breaks a rule).
    """
    check_site_name(wish.site)
    check_pool_name(wish.pool)
    _refuse_live(wish, configuration, live)
    site = find_site(configuration, wish.site)
    wish, notes = _as_adopted(wish, site, configuration, owned)
    _refuse_taken_binding(wish, configuration)
    instance = _record(wish, site, configuration, owned, now)
    changes = (
        *_pool_changes(wish, configuration, instance),
        *_site_changes(wish, site, configuration, instance),
        *server_changes(wish.farm, wish.address, wish.http_port, configuration),
    )
    cloned = wish.like and site is None
    return InstancePlan(changes, instance, (*notes, NOT_REPEATED) if cloned else notes)


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


def slot_bindings(address: str, port: int, hosts: Collection[str] = ()) -> tuple[Binding, ...]:
    """The http bindings of a slot's site: on the loopback address where the farm uses one, else on every address.

    Without ``hosts`` one binding takes every Host header, so also the public one that ARR passes on (arr.md 5.9).
    """
    where = address if is_loopback(address) else "*"
    return tuple(Binding("http", f"{where}:{port}:{host}") for host in (tuple(hosts) or ("",)))


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


def find_farm(configuration: Configuration, name: str) -> WebFarm | None:
    """The farm of this name (without case), None when there is none."""
    return next((one for one in configuration.farms if one.name.casefold() == name.casefold()), None)


def find_site(configuration: Configuration, name: str) -> Site | None:
    """The site of this name (without case), None when there is none."""
    return next((one for one in configuration.sites if one.name.casefold() == name.casefold()), None)


def find_pool(configuration: Configuration, name: str) -> ApplicationPool | None:
    """The pool of this name (without case), None when there is none."""
    return next((one for one in configuration.pools if one.name.casefold() == name.casefold()), None)


def sites_of_pool(configuration: Configuration, pool: str) -> tuple[str, ...]:
    """The sites with an application in this pool, in the file's order."""
    name = pool.casefold()
    return tuple(s.name for s in configuration.sites if any(a.pool.casefold() == name for a in s.applications))


def reroot(path: str, old_root: str, new_root: str) -> str:
    """``path`` below ``old_root`` as it is below ``new_root``; a path that lies elsewhere stays as it is."""
    old = old_root.rstrip("\\/")
    inside = path.casefold() == old.casefold() or path.casefold().startswith((old + "\\").casefold())
    return new_root.rstrip("\\/") + path[len(old) :] if old and inside else path


# -- private -------------------------------------------------------------------------------------------


def _refuse_live(wish: InstanceWish, configuration: Configuration, live: Collection[str]) -> None:
    if wish.address.casefold() in {one.casefold() for one in live}:
        raise RefusedError(
            f"slot '{wish.slot}' ({wish.address}) is live in farm '{wish.farm}', and what is live is never edited",
            hint="Deploy to the idle slot.",
        )
    farm = find_farm(configuration, wish.farm)
    servers = farm.servers if farm is not None else ()
    ports = {one.http_port for one in servers if one.address.casefold() in _folded(live)}
    site = find_site(configuration, wish.site)
    bound = {one.port for one in site.bindings} if site else set()
    shared = sorted(port for port in ports & bound if port is not None and port != wish.http_port)
    if shared:
        raise RefusedError(f"site '{wish.site}' listens on port {shared[0]} of a live server of farm '{wish.farm}'")


def _folded(names: Collection[str]) -> set[str]:
    return {one.casefold() for one in names}


def _as_adopted(
    wish: InstanceWish, site: Site | None, configuration: Configuration, owned: Owned
) -> tuple[InstanceWish, tuple[str, ...]]:
    """An existing site keeps its pool, and one that we did not make its bindings too."""
    if site is None or owned.owner_of_site(site.name) is not None:
        return wish, ()
    notes = [f"site '{site.name}' is there already and is adopted: its settings stay"]
    if site.pool and site.pool.casefold() != wish.pool.casefold():
        notes.append(f"it keeps its pool '{site.pool}'")
        wish = replace(wish, pool=site.pool)
    others = [one for one in sites_of_pool(configuration, wish.pool) if one.casefold() != site.name.casefold()]
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


def _refuse_taken_binding(wish: InstanceWish, configuration: Configuration) -> None:
    wanted = {(one.port, one.host.casefold()) for one in slot_bindings(wish.address, wish.http_port, wish.hosts)}
    for site in configuration.sites:
        if site.name.casefold() == wish.site.casefold():
            continue
        for one in site.bindings:
            meets = one.address in ("*", "0.0.0.0", "", "[::]", wish.address) or not is_loopback(wish.address)
            if meets and (one.port, one.host.casefold()) in wanted:
                text = f"{one.protocol}/{one.information}"
                hint = "Take another port: arr-bluegreen port next finds one."
                raise RefusedError(
                    f"site '{site.name}' has the binding {text} that slot '{wish.slot}' needs", hint=hint
                )


def _record(
    wish: InstanceWish, site: Site | None, configuration: Configuration, owned: Owned, now: datetime
) -> Instance:
    same = owned.of(wish.slot, wish.site)

    def origin(recorded: Origin | None, there: bool) -> Origin:
        return recorded or (Origin.ADOPTED if there else Origin.MADE)

    pool = find_pool(configuration, wish.pool)
    farm = find_farm(configuration, wish.farm)
    server = farm.server(wish.address) if farm is not None else None
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
        site_origin=origin(same.site_origin if same else None, site is not None),
        pool_origin=origin(same.pool_origin if same else None, pool is not None),
        server_origin=origin(same.server_origin if same else None, server is not None),
        folder_origin=same.folder_origin if same and same.path == wish.path else Origin.NONE,
        served=same.served if same else False,
    )


def _pool_changes(wish: InstanceWish, configuration: Configuration, instance: Instance) -> tuple[ConfigChange, ...]:
    pool = find_pool(configuration, wish.pool)
    like_site = find_site(configuration, wish.like) if wish.like else None
    like = find_pool(configuration, like_site.pool) if like_site else None
    changes: list[ConfigChange] = []
    if pool is None:
        changes.append(AddPool(slot_pool(wish.pool, like, wish.runtime)))
    elif not pool.auto_start:
        changes.append(SetPool(pool.name, settings(auto_start=True)))
    if wish.copy_identity and like is not None and like.name.casefold() != wish.pool.casefold():
        there = pool.process_model if pool else ProcessModel()
        mine, theirs = ((p.identity_type, p.user_name) for p in (there, like.process_model))
        if mine != theirs and instance.pool_origin is not Origin.ADOPTED:
            changes.append(CopyIdentity(like.name, wish.pool))
    return tuple(changes)


def _site_changes(
    wish: InstanceWish, site: Site | None, configuration: Configuration, instance: Instance
) -> tuple[ConfigChange, ...]:
    if site is None:
        return _new_site(wish, configuration, instance)
    changes: list[ConfigChange] = []
    if not site.server_auto_start:
        changes.append(SetSite(site.name, settings(server_auto_start=True)))
    have = {(one.port, one.host.casefold()) for one in site.bindings if one.protocol == "http"}
    for binding in slot_bindings(wish.address, wish.http_port, wish.hosts):
        if instance.site_origin is Origin.MADE and (binding.port, binding.host.casefold()) not in have:
            changes.append(AddBinding(site.name, binding))
    if wish.path and site.physical_path != wish.path:
        changes.append(SetVirtualDirectory(site.name, "/", "/", settings(physical_path=wish.path)))
    return tuple(changes)


def _new_site(wish: InstanceWish, configuration: Configuration, instance: Instance) -> tuple[ConfigChange, ...]:
    like = find_site(configuration, wish.like) if wish.like else None
    path = wish.path or (like.physical_path if like else "")
    if not path:
        raise RefusedError(f"site '{wish.site}' is new and no folder is named for it", hint="Name the member's path.")
    applications = repeated(like, wish.pool, path) if like else (_root(wish.pool, path),)
    bindings = slot_bindings(wish.address, wish.http_port, wish.hosts)
    made = AddSite(Site(wish.site, instance.site_id, True, bindings, applications))
    return (made, CopyLocation(like.name, wish.site)) if like else (made,)


def repeated(like: Site, pool: str, path: str) -> tuple[Application, ...]:
    """The applications of ``like`` again: those of its root pool in ``pool``, folders below its root below ``path``."""
    old = like.physical_path
    return tuple(
        replace(
            one,
            pool=pool if one.pool.casefold() == like.pool.casefold() else one.pool,
            virtual_directories=tuple(
                replace(v, physical_path=reroot(v.physical_path, old, path)) for v in one.virtual_directories
            ),
        )
        for one in like.applications
    )


def _root(pool: str, path: str) -> Application:
    return Application("/", pool, virtual_directories=(VirtualDirectory("/", path),))
