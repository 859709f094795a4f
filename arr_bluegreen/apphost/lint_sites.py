"""Hazards of sites and application pools, seen from the farm that stands on them."""

from __future__ import annotations

from datetime import timedelta

from arr_bluegreen.apphost.lint_model import ERROR, INFO, WARNING, Hazard, Hit, PoolSeen, Seen, SiteSeen


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


def _front_of_several(seen: Seen) -> list[Hit]:
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


def _no_such_pool(seen: Seen) -> list[Hit]:
    return [
        Hit(site.element, f"site '{site.word.name}' runs in pool '{app.pool}', and there is no such pool")
        for site in seen.sites
        for app in site.word.applications
        if app.pool and seen.pool(app.pool) is None
    ]


def _minutes(pool: PoolSeen) -> str:
    return f"{pool.word.process_model.idle_timeout.total_seconds() / 60:g} min without requests"


def _hours(pool: PoolSeen) -> str:
    return f"{pool.word.recycling.periodic_restart_time.total_seconds() / 3600:g} h"


HAZARDS = (
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
        _front_of_several,
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
        "ARR054", ERROR, "a pool that is gone",
        "The application answers 503 (arr.md 5.7).",
        "Create the pool, or choose another.",
        _no_such_pool,
    ),
)  # fmt: skip
