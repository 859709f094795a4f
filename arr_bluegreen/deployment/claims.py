"""What a new instance may not take: what is live, what the public reaches, what bears the name and is another's."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.aliases import is_loopback
from arr_bluegreen.deployment.front_rule import public_sites
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site, others_in_pool, sites_of_pool
from arr_bluegreen.deployment.ownership import Owned
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import Binding


def why_front(site: str, farm: str, fronts: Iterable[str], configuration: Configuration) -> str:
    """Why a site is the front and so never a slot's; "" when it is none.

    ``fronts`` are the described ones; a site whose binding a rule to the farm matches is one whatever is described:
    its worker process holds ARR's run-time state (arr.md 5.6), and a slot there would be sent round in a loop.
    """
    if site.casefold() in {one.casefold() for one in fronts}:
        return f"site '{site}' is the front by which the public reaches ARR"
    if site.casefold() in public_sites(farm, configuration):
        return f"a rule sends what reaches site '{site}' to farm '{farm}': it is a front"
    return ""


def refuse_front(site: str, farm: str, fronts: Iterable[str], configuration: Configuration) -> None:
    """Raises ``RefusedError`` for a front site as a slot's."""
    reason = why_front(site, farm, fronts, configuration) if site else ""
    if reason:
        raise RefusedError(f"{reason}, and never a slot's", hint="Name another site for the slot.")


def refuse_live(
    farm: str, slot: str, site: str, at: tuple[str, int], configuration: Configuration, live: Collection[str]
) -> None:
    """Raises ``RefusedError`` where the address is in service, or the site listens on a live server's port."""
    address, port = at
    serving = {one.casefold() for one in live}
    if address.casefold() in serving:
        raise RefusedError(
            f"slot '{slot}' ({address}) is live in farm '{farm}', and what is live is never edited",
            hint="Deploy to the idle slot.",
        )
    there = find_farm(configuration, farm)
    servers = there.servers if there is not None else ()
    ports = {one.http_port for one in servers if one.address.casefold() in serving}
    found = find_site(configuration, site)
    bound = {one.port for one in found.bindings} if found else set()
    shared = sorted(one for one in ports & bound if one is not None and one != port)
    if shared:
        raise RefusedError(f"site '{site}' listens on port {shared[0]} of a live server of farm '{farm}'")


def refuse_taken_address(slot: str, site: str, address: str, owned: Owned) -> None:
    """Raises ``RefusedError`` for an address recorded for another instance: its farm server would become this one's.

    Two releases may make one alias (``1.0-rc.1`` and ``1.0-rc-1``), and a farm knows a server by its address alone.
    """
    mine = (slot.casefold(), site.casefold())
    for one in owned.instances:
        if one.address.casefold() == address.casefold() and (one.slot.casefold(), one.site.casefold()) != mine:
            raise RefusedError(
                f"the address {address} of slot '{slot}' is that of '{one.slot}' already",
                hint="Name the release otherwise, or retire the other one first.",
            )


def refuse_taken_binding(
    slot: str, site: str, address: str, bindings: Iterable[Binding], configuration: Configuration
) -> None:
    """Raises ``RefusedError`` where another site has a binding the slot needs: only one of them starts (hazard 35)."""
    wanted = {(one.port, one.host.casefold()) for one in bindings}
    for other in configuration.sites:
        if other.name.casefold() == site.casefold():
            continue
        for one in other.bindings:
            meets = one.address in ("*", "0.0.0.0", "", "[::]", address) or not is_loopback(address)
            if meets and (one.port, one.host.casefold()) in wanted:
                raise RefusedError(
                    f"site '{other.name}' has the binding {one.protocol}/{one.information} that slot '{slot}' needs",
                    hint="Take another port: arr-bluegreen port next finds one.",
                )


def refuse_taken_pools(
    slot: str, site: str, pools: Iterable[str], ours: Collection[str], configuration: Configuration
) -> None:
    """Raises ``RefusedError`` where a pool of a clone's further applications is there and none that we made."""
    known = {one.casefold() for one in ours}
    for pool in pools:
        if find_pool(configuration, pool) is not None and pool.casefold() not in known:
            raise _taken_pool(pool, slot, others_in_pool(configuration, pool, site))


def refuse_shared_pool(slot: str, sites: Collection[str], pool: str, configuration: Configuration) -> None:
    """Raises ``RefusedError`` where the pool a new site would get serves others than the slot's ``sites``."""
    mine = {one.casefold() for one in sites}
    others = [one for one in sites_of_pool(configuration, pool) if one.casefold() not in mine]
    if others:
        raise _taken_pool(pool, slot, others)


# -- private -------------------------------------------------------------------------------------------


def _taken_pool(pool: str, slot: str, others: Collection[str]) -> RefusedError:
    serves = f" and serves {', '.join(others)}" if others else ""
    return RefusedError(f"there is a pool '{pool}' already{serves}", hint=f"Name the pool of slot '{slot}' otherwise.")
