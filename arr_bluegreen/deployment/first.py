"""The first deployment on a machine that has ARR and one plain site: a farm and two slots beside it, the rule last.

The site stays as it is: before the rule it serves, and after the rule is gone it serves again. Blue is its clone on a
port of its own; green too, and idle. All of it lies idle until the rules, which are one commit, send the traffic over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from arr_bluegreen.control.interface import Configuration, MachineFacts
from arr_bluegreen.deployment.clone import NOT_REPEATED, pools_of_clone
from arr_bluegreen.deployment.front_rule import (
    blind_redirects,
    front_rules,
    public_hosts,
    rule_names,
    rule_position,
)
from arr_bluegreen.deployment.instance import InstancePlan, InstanceWish, plan_instance
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site, is_default_pool, others_in_pool
from arr_bluegreen.deployment.names import check_pool_name, check_site_name
from arr_bluegreen.deployment.ownership import Instance, Origin, Owned
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import Cache, FarmProtocol, Position, Rule, Server, Site, WebFarm, Where
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddRule,
    ConfigChange,
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
    """What shall come of the site: the farm, the slot that takes over (``slots[0]``) and the idle one; without slots
    only its rules are meant."""

    site: str
    farm: str
    slots: tuple[NewSlot, ...] = ()
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
    clones = _clones(wish, site, configuration, owned, now)
    instances = tuple(one.instance for one in clones)
    rules = front_rules(wish.farm, site, configuration)
    return FirstDeployment(
        make=(*(change for one in clones for change in one.changes), *_farm_changes(wish, configuration)),
        enable=_enable(wish, configuration),
        switch=rules_to_add(wish, configuration),
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
    if find_farm(configuration, farm) is not None:
        changes.append(RemoveFarm(farm))
    for one in instances:
        if one.site_origin is Origin.MADE and find_site(configuration, one.site) is not None:
            changes += [RemoveSite(one.site), RemoveLocation(one.site)]
        changes += [RemovePool(pool) for pool in _made_pools(one, configuration)]
    return tuple(changes)


def rules_to_add(wish: FirstWish, configuration: Configuration) -> tuple[ConfigChange, ...]:
    """The public rules that are missing, each at its place; they are the switch. Raises what ``front_rules`` raises."""
    site = find_site(configuration, wish.site)
    if site is None:
        raise NoSuchObject("site", wish.site, tuple(one.name for one in configuration.sites))
    rules = front_rules(wish.farm, site, configuration)
    there = next((one.rules for one in configuration.rule_lists if one.is_global and not one.location), ())
    names = {one.name.casefold() for one in there}
    position = rule_position([one for one in there if one.name not in {r.name for r in rules}], public_hosts(site))
    changes: list[ConfigChange] = []
    for one in rules:
        if one.name.casefold() not in names:
            changes.append(AddRule(one, position))
        position = Position(Where.AFTER, one.name)
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
        if slot.http_port in public:
            raise RefusedError(f"port {slot.http_port} is public: a slot there would be sent round in a loop")
        _refuse_taken(slot, site, configuration, owned)


def _refuse_taken(slot: NewSlot, site: Site, configuration: Configuration, owned: Owned) -> None:
    """Raises ``RefusedError`` where a site or one of the clone's pools is there and not recorded as made by us."""
    if find_site(configuration, slot.site) is not None and owned.owner_of_site(slot.site) is None:
        raise RefusedError(f"there is a site '{slot.site}' already", hint="Name the slots otherwise.")
    had = owned.of(slot.name, slot.site)
    ours = {one.casefold() for one in (had.pool, *had.more_pools)} if had is not None else set()
    for pool in pools_of_clone(site, slot.pool).values():
        check_pool_name(pool)
        if find_pool(configuration, pool) is not None and pool.casefold() not in ours:
            raise RefusedError(f"there is a pool '{pool}' already", hint="Name the slots otherwise.")


def _clones(
    wish: FirstWish, site: Site, configuration: Configuration, owned: Owned, now: datetime
) -> tuple[InstancePlan, ...]:
    """Each slot as an instance like the site. Both are made from one look, so each knows the records of the one before.

    An address in service is none of theirs: at a first deployment nothing leads to the farm yet.
    """
    plans: list[InstancePlan] = []
    for slot in wish.slots:
        one = InstanceWish(
            farm=wish.farm,
            slot=slot.name,
            site=slot.site,
            pool=slot.pool,
            address=slot.address,
            http_port=slot.http_port,
            path="" if find_site(configuration, slot.site) else site.physical_path,
            like=site.name,
            copy_identity=wish.copy_identity,
            alias=slot.alias,
            fronts=(site.name,),
        )
        plans.append(plan_instance(one, configuration, owned, (), now))
        owned = owned.with_instance(plans[-1].instance)
    return tuple(plans)


def _made_pools(one: Instance, configuration: Configuration) -> tuple[str, ...]:
    """The instance's pools that are there, were made by us, and that nobody else took up since."""
    made = (*((one.pool,) if one.pool_origin is Origin.MADE else ()), *one.more_pools)
    return tuple(
        pool
        for pool in made
        if find_pool(configuration, pool) is not None
        and not others_in_pool(configuration, pool, one.site)
        and not is_default_pool(configuration, pool)
    )


def _farm_changes(wish: FirstWish, configuration: Configuration) -> tuple[ConfigChange, ...]:
    servers = [Server(slot.address, enabled=False, http_port=slot.http_port) for slot in wish.slots]
    there = find_farm(configuration, wish.farm)
    if there is None:
        # ARR's response cache would serve the old slot's files after a switch (arr.md 5.9)
        protocol = FarmProtocol(preserve_host_header=True, cache=Cache(enabled=False))
        return (AddFarm(WebFarm(wish.farm, servers=tuple(servers), protocol=protocol)),)
    return ()  # the clones' own changes add what is missing


def _enable(wish: FirstWish, configuration: Configuration) -> tuple[ConfigChange, ...]:
    farm = find_farm(configuration, wish.farm)
    server = farm.server(wish.slots[0].address) if farm else None
    if server is not None and server.enabled:
        return ()
    return (SetServer(wish.farm, wish.slots[0].address, settings(enabled=True)),)


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
    if blind := blind_redirects(site.name, configuration):
        notes.append(
            f"rule {', '.join(blind)} of site '{site.name}' redirects by what the connection is; on a clone that is "
            "ARR's own, plain http on the slot's port: let it ask for {HTTP_X_FORWARDED_PROTO} instead, "
            "or it redirects for ever, which the gate refuses"
        )
    root = find_pool(configuration, site.pool)
    if root is not None and root.process_model.identity_type == "ApplicationPoolIdentity":
        notes.append(
            f"pool '{site.pool}' runs as its own account: give IIS AppPool\\{first.pool} and "
            f"IIS AppPool\\{second.pool} the same rights to files"
        )
    elif not wish.copy_identity:
        notes.append(f"the clones' pools run as their own identity, not as that of '{site.pool}'")
    return tuple(notes)
