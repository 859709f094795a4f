"""The first deployment on a machine that has ARR and one plain site: a farm and two slots beside it, the rule last.

The site stays as it is: before the rule it serves, and after the rule is gone it serves again. Blue is its clone on a
port of its own; green too, and idle. All of it lies idle until the rules, which are one commit, send the traffic over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from arr_bluegreen.control.interface import Configuration, MachineFacts
from arr_bluegreen.deployment.front_rule import front_rules, public_hosts, rule_names, rule_position
from arr_bluegreen.deployment.instance import (
    NOT_REPEATED,
    find_pool,
    find_site,
    free_site_id,
    slot_bindings,
    slot_pool,
)
from arr_bluegreen.deployment.names import check_pool_name, check_site_name
from arr_bluegreen.deployment.ownership import Instance, Origin, Owned
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import Application, Cache, FarmProtocol, Position, Rule, Server, Site, WebFarm, Where
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddPool,
    AddRule,
    AddServer,
    AddSite,
    ConfigChange,
    CopyIdentity,
    CopyLocation,
    RemoveFarm,
    RemoveLocation,
    RemovePool,
    RemoveRule,
    RemoveSite,
    SetServer,
    settings,
)


@dataclass(frozen=True, slots=True)
class NewSlot:
    """A slot to make: its name, the names of its site and pool, its farm address and port."""

    name: str
    site: str
    pool: str
    address: str
    http_port: int
    alias: str = ""


@dataclass(frozen=True, slots=True)
class FirstWish:
    """What shall come of the site: the farm, the slot that takes over (``slots[0]``) and the idle one."""

    site: str
    farm: str
    slots: tuple[NewSlot, NewSlot]
    copy_identity: bool = True


@dataclass(frozen=True, slots=True)
class FirstDeployment:
    """The three commits, each a list of changes, the records to write before them, and the way back.

    ``make`` builds everything idle; ``enable`` lets the farm know its live slot, once it passed the gate (no rule leads
    there yet); ``switch`` is the rules. ``back`` undoes the switch; ``unmake`` clears away all that ``make`` built.
    """

    make: tuple[ConfigChange, ...]
    enable: tuple[ConfigChange, ...]
    switch: tuple[ConfigChange, ...]
    back: tuple[ConfigChange, ...]
    unmake: tuple[ConfigChange, ...]
    instances: tuple[Instance, ...]
    explain: tuple[str, ...]


def plan_first(
    wish: FirstWish, configuration: Configuration, owned: Owned, facts: MachineFacts | None, now: datetime
) -> FirstDeployment:
    """The plan; after a crash the rest of it: what is recorded as ours and there is not made again.

    Raises ``NoSuchObject`` (no such site), ``RefusedError`` (no ARR, a farm or site of that name that is not ours, a
    slot's port that is public), ``DescriptionError`` (a name that breaks a rule).
    """
    site = find_site(configuration, wish.site)
    if site is None:
        raise NoSuchObject("site", wish.site, tuple(one.name for one in configuration.sites))
    _refuse(wish, site, configuration, owned, facts)
    instances = _instances(wish, site, configuration, owned, now)
    rules = front_rules(wish.farm, site, configuration)
    return FirstDeployment(
        make=_make(wish, site, configuration, instances),
        enable=_enable(wish, configuration),
        switch=_switch(wish, site, rules, configuration),
        back=tuple(RemoveRule(one.name) for one in rules),
        unmake=unmake(wish.farm, instances, configuration),
        instances=instances,
        explain=_explain(wish, site, rules, configuration),
    )


def unmake(farm: str, instances: Sequence[Instance], configuration: Configuration) -> tuple[ConfigChange, ...]:
    """The changes that clear away what of a first deployment is there, rules first (arr.md 2.5); made by us only."""
    changes: list[ConfigChange] = []
    for rules in configuration.rule_lists:
        if rules.is_global and not rules.location:
            changes += [RemoveRule(name) for name in rule_names(farm, rules.rules)]
    if any(one.name.casefold() == farm.casefold() for one in configuration.farms):
        changes.append(RemoveFarm(farm))
    for one in instances:
        if one.site_origin is Origin.MADE and find_site(configuration, one.site) is not None:
            changes += [RemoveSite(one.site), RemoveLocation(one.site)]
        for pool in configuration.pools:
            if one.pool_origin is Origin.MADE and _is_pool_of(pool.name, one.pool):
                changes.append(RemovePool(pool.name))
    return tuple(changes)


# -- private -------------------------------------------------------------------------------------------


def _refuse(
    wish: FirstWish, site: Site, configuration: Configuration, owned: Owned, facts: MachineFacts | None
) -> None:
    if facts is not None and facts.arr_installed is False:
        raise RefusedError(f"{facts.name} has no Application Request Routing", hint="Install ARR 3.0 and URL Rewrite.")
    if facts is not None and facts.rewrite_installed is False:
        raise RefusedError(f"{facts.name} has no URL Rewrite", hint="Install URL Rewrite 2.1.")
    if not site.applications:
        raise RefusedError(f"site '{site.name}' has no application, so there is nothing to clone")
    check_site_name(wish.farm, "farm")
    if any(one.name.casefold() == wish.farm.casefold() for one in configuration.farms) and not owned.instances:
        hint = "Its servers can be slots of a deployment.toml as they are: deploy init --farm."
        raise RefusedError(f"there is a farm '{wish.farm}' already", hint=hint)
    public = {one.port for one in site.bindings}
    for slot in wish.slots:
        check_site_name(slot.site)
        check_pool_name(slot.pool)
        if slot.http_port in public:
            raise RefusedError(f"port {slot.http_port} is public: a slot there would be sent round in a loop")
        if find_site(configuration, slot.site) is not None and owned.owner_of_site(slot.site) is None:
            raise RefusedError(f"there is a site '{slot.site}' already", hint="Name the slots otherwise.")
        if find_pool(configuration, slot.pool) is not None and owned.of(slot.name) is None:
            raise RefusedError(f"there is a pool '{slot.pool}' already", hint="Name the slots otherwise.")


def _instances(
    wish: FirstWish, site: Site, configuration: Configuration, owned: Owned, now: datetime
) -> tuple[Instance, ...]:
    made: list[Instance] = []
    for slot in wish.slots:
        had = owned.of(slot.name, slot.site)
        number = had.site_id if had else max(free_site_id(configuration, owned, slot.site), *_next_to(made))
        path = site.physical_path
        new = Instance(slot.name, slot.site, slot.pool, slot.address, slot.http_port, now, "", number, path, slot.alias)
        made.append(had or replace(new, served=slot is wish.slots[0]))
    return tuple(made)


def _next_to(made: Sequence[Instance]) -> tuple[int, ...]:
    return (0, *(one.site_id + 1 for one in made))


def _make(
    wish: FirstWish, site: Site, configuration: Configuration, instances: Sequence[Instance]
) -> tuple[ConfigChange, ...]:
    changes: list[ConfigChange] = []
    for slot, instance in zip(wish.slots, instances, strict=True):
        pools = _pools(site, slot)
        for old, new in pools.items():
            if find_pool(configuration, new) is None:
                changes.append(AddPool(slot_pool(new, find_pool(configuration, old))))
                if wish.copy_identity and find_pool(configuration, old) is not None:
                    changes.append(CopyIdentity(old, new))
        if find_site(configuration, slot.site) is None:
            bindings = slot_bindings(slot.address, slot.http_port)
            applications = tuple(_cloned(one, pools) for one in site.applications)
            changes.append(AddSite(Site(slot.site, instance.site_id, True, bindings, applications)))
            changes.append(CopyLocation(site.name, slot.site))
    return (*changes, *_farm_changes(wish, configuration))


def _pools(site: Site, slot: NewSlot) -> dict[str, str]:
    """Old pool to new pool: the root's becomes the slot's, further ones get a number behind it."""
    old = list(dict.fromkeys([site.pool, *(one.pool for one in site.applications)]))
    return {pool: slot.pool if at == 0 else f"{slot.pool}-{at + 1}" for at, pool in enumerate(old)}


def _is_pool_of(name: str, pool: str) -> bool:
    rest = name.casefold().removeprefix(pool.casefold())
    return rest == "" or (rest != name.casefold() and rest.startswith("-") and rest[1:].isdigit())


def _cloned(application: Application, pools: dict[str, str]) -> Application:
    return replace(application, pool=pools[application.pool])


def _farm_changes(wish: FirstWish, configuration: Configuration) -> tuple[ConfigChange, ...]:
    servers = [Server(slot.address, enabled=False, http_port=slot.http_port) for slot in wish.slots]
    there = next((one for one in configuration.farms if one.name.casefold() == wish.farm.casefold()), None)
    if there is None:
        # ARR's response cache would serve the old slot's files after a switch (arr.md 5.9)
        protocol = FarmProtocol(preserve_host_header=True, cache=Cache(enabled=False))
        return (AddFarm(WebFarm(wish.farm, servers=tuple(servers), protocol=protocol)),)
    return tuple(AddServer(there.name, one) for one in servers if there.server(one.address) is None)


def _enable(wish: FirstWish, configuration: Configuration) -> tuple[ConfigChange, ...]:
    farm = next((one for one in configuration.farms if one.name.casefold() == wish.farm.casefold()), None)
    server = farm.server(wish.slots[0].address) if farm else None
    if server is not None and server.enabled:
        return ()
    return (SetServer(wish.farm, wish.slots[0].address, settings(enabled=True)),)


def _switch(
    wish: FirstWish, site: Site, rules: Sequence[Rule], configuration: Configuration
) -> tuple[ConfigChange, ...]:
    there = next((one.rules for one in configuration.rule_lists if one.is_global and not one.location), ())
    names = {one.name.casefold() for one in there}
    position = rule_position([one for one in there if one.name not in {r.name for r in rules}], public_hosts(site))
    changes: list[ConfigChange] = []
    for one in rules:
        if one.name.casefold() not in names:
            changes.append(AddRule(one, position))
        position = Position(Where.AFTER, one.name)
    return tuple(changes)


def _explain(wish: FirstWish, site: Site, rules: Sequence[Rule], configuration: Configuration) -> tuple[str, ...]:
    first, second = wish.slots
    hosts = ", ".join(one or "any host" for one in public_hosts(site))
    vdirs = [v for a in site.applications for v in a.virtual_directories]
    notes = [
        f"site '{site.name}' stays as it is and keeps its bindings; it serves until the switch",
        f"slot '{first.name}' is a clone of it: site '{first.site}', pool '{first.pool}', port {first.http_port}",
        f"slot '{second.name}' too, idle: site '{second.site}', pool '{second.pool}', port {second.http_port}",
        f"farm '{wish.farm}' with servers {first.address} and {second.address}, both out of service; no cache",
        f"'{first.name}' is enabled when it passed its gate; no rule leads there yet",
        f"the switch: {len(rules)} rule(s) for {hosts} in one commit, X-Forwarded-Proto set to what the client used",
        "the way back: those rules go, and the site serves as before",
    ]
    if any(one.physical_path.startswith("\\\\") for one in vdirs):
        notes.append("a folder lies on a share: its user and password are not cloned; set them on the clones")
    notes.append(NOT_REPEATED)
    root = find_pool(configuration, site.pool)
    if root is not None and root.process_model.identity_type == "ApplicationPoolIdentity":
        notes.append(
            f"pool '{site.pool}' runs as its own account: give IIS AppPool\\{first.pool} and "
            f"IIS AppPool\\{second.pool} the same rights to files"
        )
    elif not wish.copy_identity:
        notes.append(f"the clones' pools run as their own identity, not as that of '{site.pool}'")
    return tuple(notes)
