"""Hazards of sites, bindings and application pools, seen from the farm that stands on them."""

from __future__ import annotations

import re
from datetime import timedelta

from arr_bluegreen.apphost.lint_model import (
    ERROR,
    INFO,
    WARNING,
    FarmSeen,
    Hazard,
    Hit,
    PoolSeen,
    RuleSeen,
    Seen,
    SiteSeen,
    front_ports,
    is_web,
)
from arr_bluegreen.webfarm.farm import Server


def _refuses_the_host(seen: Seen) -> list[Hit]:
    hits = []
    for farm in seen.farms:
        for one in farm.servers:
            sites = seen.sites_of(one.word)
            for host in _hosts_sent(seen, farm, one.word) if sites else []:
                if not any(_accepts(site, one.word.http_port, host) for site in sites):
                    who = f"site '{sites[0].word.name}' (server '{one.word.address}')"
                    hits.append(Hit(sites[0].element, f"{who} has no binding for the host '{host}' that ARR sends"))
    return hits


def _hosts_sent(seen: Seen, farm: FarmSeen, server: Server) -> list[str]:
    """The Host headers a server gets, as far as the rules tell (arr.md 5.9)."""
    if server.host_name:
        return [server.host_name]
    if farm.word.protocol.alternate_host_name:
        return [farm.word.protocol.alternate_host_name]
    if not farm.word.protocol.preserve_host_header:
        return []  # the sources do not agree on what is sent then
    return list(dict.fromkeys(host for rule in seen.rules_of(farm) for host in _plain_hosts(rule)))


def _plain_hosts(rule: RuleSeen) -> list[str]:
    hosts = []
    for one in rule.conditions_on("{HTTP_HOST}"):
        bare = re.sub(r"\(:\d+\)\?$", "", one.pattern.strip("^$")).replace("\\.", ".")
        hosts += [part for part in bare.strip("()").split("|") if re.fullmatch(r"[\w.-]+", part) and not one.negate]
    return hosts


def _accepts(site: SiteSeen, port: int, host: str) -> bool:
    return any(
        is_web(one) and one.port == port and one.host.casefold() in ("", host.casefold()) for one in site.word.bindings
    )


def _slot_idles(seen: Seen) -> list[Hit]:
    return [
        Hit(
            pool.element,
            f"pool '{pool.word.name}' of a slot stops after {_minutes(pool)}",
        )
        for pool in seen.pools_of(seen.slot_sites)
        if pool.word.process_model.idle_timeout > timedelta(0)
    ]


def _slot_recycles(seen: Seen) -> list[Hit]:
    return [
        Hit(
            pool.element,
            f"pool '{pool.word.name}' of a slot recycles every {_hours(pool)}",
        )
        for pool in seen.pools_of(seen.slot_sites)
        if pool.word.recycling.periodic_restart_time > timedelta(0)
    ]


def _no_runtime_said(seen: Seen) -> list[Hit]:
    return [
        Hit(pool.element, f"pool '{pool.word.name}' of a slot does not say managedRuntimeVersion")
        for pool in seen.pools_of(seen.slot_sites)
        if not pool.states_runtime
    ]


def _shared_pool(seen: Seen) -> list[Hit]:
    hits = []
    users: dict[str, list[SiteSeen]] = {}
    for site in seen.sites:
        for name in dict.fromkeys(app.pool.casefold() for app in site.word.applications if app.pool):
            users.setdefault(name, []).append(site)
    slots = {id(one.element) for one in seen.slot_sites}
    for sharing in users.values():
        if len(sharing) > 1 and any(id(one.element) in slots for one in sharing):
            names = ", ".join(f"'{one.word.name}'" for one in sharing)
            pool = sharing[0].word.pool or "?"
            hits += [Hit(one.element, f"pool '{pool}' serves several sites: {names}") for one in sharing[:1]]
    return hits


def _no_autostart(seen: Seen) -> list[Hit]:
    ours = seen.slot_sites + seen.front_sites
    hits = [
        Hit(one.element, f"site '{one.word.name}' does not start by itself")
        for one in ours
        if not one.word.server_auto_start
    ]
    return hits + [
        Hit(one.element, f"pool '{one.word.name}' does not start by itself")
        for one in seen.pools_of(ours)
        if not one.word.auto_start
    ]


def _slow_start(seen: Seen) -> list[Hit]:
    return [
        Hit(pool.element, f"pool '{pool.word.name}' of a slot starts on the first request only")
        for pool in seen.pools_of(seen.slot_sites)
        if pool.word.start_mode != "AlwaysRunning"
    ]


def _several_fronts(seen: Seen) -> list[Hit]:
    pools = seen.pools_of(seen.front_sites)
    if len(pools) < 2:
        return []
    names = ", ".join(f"'{one.word.name}'" for one in pools)
    return [Hit(pools[1].element, f"the front's sites run in several pools: {names}")]


def _front_garden(seen: Seen) -> list[Hit]:
    return [
        Hit(
            pool.element,
            f"pool '{pool.word.name}' of the front may run {pool.word.process_model.max_processes} processes",
        )
        for pool in seen.pools_of(seen.front_sites)
        if pool.word.process_model.max_processes != 1
    ]


def _front_recycles(seen: Seen) -> list[Hit]:
    hits = []
    for pool in seen.pools_of(seen.front_sites):
        recycling = pool.word.recycling
        whens = [f"every {_hours(pool)}"] if recycling.periodic_restart_time else []
        whens += ["at set times"] if recycling.schedule else []
        whens += ["by count of requests"] if recycling.periodic_restart_requests else []
        memory = recycling.periodic_restart_memory or recycling.periodic_restart_private_memory
        whens += ["by memory"] if memory else []
        if whens:
            hits.append(Hit(pool.element, f"pool '{pool.word.name}' of the front recycles {' and '.join(whens)}"))
    return hits


def _front_idles(seen: Seen) -> list[Hit]:
    return [
        Hit(
            pool.element,
            f"pool '{pool.word.name}' of the front stops after {_minutes(pool)}",
        )
        for pool in seen.pools_of(seen.front_sites)
        if pool.word.process_model.idle_timeout > timedelta(0)
    ]


def _front_in_slot_pool(seen: Seen) -> list[Hit]:
    slots = {pool.word.name for pool in seen.pools_of(seen.slot_sites)}
    return [
        Hit(pool.element, f"pool '{pool.word.name}' serves the front and a slot")
        for pool in seen.pools_of(seen.front_sites)
        if pool.word.name in slots
    ]


def _nobody_listens(seen: Seen) -> list[Hit]:
    farms = {farm.word.name.casefold() for farm in seen.farms}
    return [
        Hit(rule.element, f"rule '{rule.word.name}' waits for '{host}', and no site has a binding for it")
        for rule in seen.rules
        if rule.target in farms and rule.word.enabled and seen.sites
        for host in _plain_hosts(rule)
        if not any(_listens(site, host, front_ports([rule])) for site in seen.sites)
    ]


def _listens(site: SiteSeen, host: str, ports: set[int]) -> bool:
    bindings = [one for one in site.word.bindings if is_web(one) and one.port in ports]
    return any(one.host.casefold() in ("", host.casefold()) for one in bindings)


def _same_binding(seen: Seen) -> list[Hit]:
    hits = []
    first: dict[tuple[str, str], SiteSeen] = {}
    for site in seen.sites:
        for one in site.word.bindings:
            other = first.setdefault((one.protocol.casefold(), one.information.casefold()), site)
            if other is not site and is_web(one):
                what = f"sites '{other.word.name}' and '{site.word.name}' both have the binding {one.protocol}"
                hits.append(Hit(site.element, f"{what} {one.information}"))
    return hits


def _no_such_pool(seen: Seen) -> list[Hit]:
    return [
        Hit(site.element, f"site '{site.word.name}' runs in pool '{app.pool}', and there is no such pool")
        for site in seen.sites
        for app in site.word.applications
        if app.pool and seen.pool(app.pool) is None
    ]


def _orphaned_location(seen: Seen) -> list[Hit]:
    names = {site.word.name.casefold() for site in seen.sites}
    return [
        Hit(one, f'<location path="{path}"> belongs to no site')
        for one in seen.root.iterchildren("location")
        if (path := one.get("path", "")) not in ("", ".") and path.split("/")[0].casefold() not in names
    ]


def _minutes(pool: PoolSeen) -> str:
    return f"{pool.word.process_model.idle_timeout.total_seconds() / 60:g} min without requests"


def _hours(pool: PoolSeen) -> str:
    return f"{pool.word.recycling.periodic_restart_time.total_seconds() / 3600:g} h"


HAZARDS = (
    Hazard(
        "ARR040", ERROR, "a slot that refuses the host ARR sends",
        "With preserveHostHeader slots get the public host; a binding for another host refuses it (arr.md 5.9).",
        "Add a binding without host name, or one with the public host, on the slot's port.",
        _refuses_the_host,
    ),
    Hazard(
        "ARR041", WARNING, "a slot whose pool idles out",
        "The slot you may go back to is cold when you need it, and the first requests wait (arr.md 3.2).",
        "Set processModel/@idleTimeout to 00:00:00.",
        _slot_idles,
    ),
    Hazard(
        "ARR042", WARNING, "a slot whose pool recycles by the clock",
        "The default of 29 h recycles a live slot at an hour nobody chose (arr.md 3.2).",
        "Set recycling/periodicRestart/@time to 00:00:00, or recycle at set times.",
        _slot_recycles,
    ),
    Hazard(
        "ARR043", WARNING, "a pool without managedRuntimeVersion",
        "What is not said comes from applicationPoolDefaults, which may load .NET 4 into it (arr.md hazard 32).",
        "Write it: managedRuntimeVersion=\"\" for No Managed Code, or \"v4.0\".",
        _no_runtime_said,
    ),
    Hazard(
        "ARR044", WARNING, "a pool shared with a slot",
        "Recycling or stopping one slot takes the other sites of its pool along.",
        "Give each slot a pool of its own.",
        _shared_pool,
    ),
    Hazard(
        "ARR045", WARNING, "no autostart",
        "After a restart of IIS or the machine it stays down (arr.md hazard 15).",
        "Set serverAutoStart (site) or autoStart (pool) to true.",
        _no_autostart,
    ),
    Hazard(
        "ARR046", INFO, "a slot that starts on the first request",
        "After a recycle the first client waits for the start.",
        "Set the pool's startMode to AlwaysRunning.",
        _slow_start,
    ),
    Hazard(
        "ARR047", WARNING, "several pools at the front",
        "Run-time state lives in each worker process that runs ARR; SetState may reach one of them only (arr.md 5.6).",
        "Let the front's sites (80 and 443) run in one pool.",
        _several_fronts,
    ),
    Hazard(
        "ARR048", WARNING, "a front pool of several processes",
        "Run-time state lives in each worker process that runs ARR; SetState may reach one of them only (arr.md 5.6).",
        "Set processModel/@maxProcesses to 1.",
        _front_garden,
    ),
    Hazard(
        "ARR049", WARNING, "a front pool that recycles",
        "With its process go drained and stopped states and health: both slots are live again (arr.md 5.6).",
        "Set periodicRestart/@time to 00:00:00 and take the other limits away (arr.md 5.10).",
        _front_recycles,
    ),
    Hazard(
        "ARR050", WARNING, "a front pool that idles out",
        "With its process go drained and stopped states and health: both slots are live again (arr.md 5.6).",
        "Set processModel/@idleTimeout to 00:00:00 and startMode to AlwaysRunning.",
        _front_idles,
    ),
    Hazard(
        "ARR051", WARNING, "front and slot in one pool",
        "Every recycle of the slot is a restart of ARR, and loses its run-time state (arr.md 5.10).",
        "Give the front's site a pool of its own.",
        _front_in_slot_pool,
    ),
    Hazard(
        "ARR052", ERROR, "a host that no site listens for",
        "http.sys answers before URL Rewrite runs unless a site is bound to the public host (arr.md 2.4).",
        "Add the binding to the front site.",
        _nobody_listens,
    ),
    Hazard(
        "ARR053", ERROR, "one binding at two sites",
        "IIS starts only one of them (arr.md hazard 35).",
        "Give one another port or host.",
        _same_binding,
    ),
    Hazard(
        "ARR054", ERROR, "a pool that is gone",
        "The application answers 503 (arr.md 5.7).",
        "Create the pool, or choose another.",
        _no_such_pool,
    ),
    Hazard(
        "ARR055", INFO, "a location of no site",
        "Removing a site leaves its <location> blocks behind; a new site of that name inherits them (arr.md 3.3).",
        "Remove the block if the site is gone for good.",
        _orphaned_location,
    ),
)  # fmt: skip
