"""The new slot made or found before a run: port, address, pool, site, farm server out of service.

Each piece is recorded before it is made, so that after a crash the next run finds it and ``deploy retire`` can name it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import partial

from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.aliases import (
    add_alias,
    free_loopback,
    host_alias,
    refuse_elsewhere,
    refuse_foreign,
)
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.instance import (
    InstanceWish,
    find_farm,
    find_pool,
    find_site,
    plan_instance,
    server_changes,
)
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ownership import Instance, Owned, change_owned, read_owned
from arr_bluegreen.deployment.per_release import (
    ALIAS,
    AUTO,
    as_pair,
    as_slot,
    is_per_release,
    live_instance,
    new_slot,
)
from arr_bluegreen.deployment.ports import PortRange, PortWish, give_port
from arr_bluegreen.deployment.writes import judge_writes
from arr_bluegreen.errors import AmbiguousError, RefusedError
from arr_bluegreen.webfarm import receives_new


@dataclass(frozen=True, slots=True)
class Ensured:
    """The description with concrete slots, and what was done, in words."""

    deployment: Deployment
    notes: tuple[str, ...] = ()


def ensure_new(
    deployment: Deployment,
    controls: Controls,
    *,
    release: str = "",
    live: str = "",
    accept_gap: bool = False,
    ports: PortRange | None = None,
) -> Ensured:
    """The slot that a run will make live, made where it is not there; what is live stays untouched.

    For a pair: the idle slot's missing pieces. Per release: the new instance. Raises what ``plan_instance`` raises,
    ``AmbiguousError``, and ``RefusedError`` where farm writes per release would restart ASP.NET Core slots.
    """
    release = release or deployment.content.version
    serving = in_service(deployment, controls)
    if not is_per_release(deployment):
        return _ensure_pair(deployment, controls, release, serving, ports or PortRange())
    owned = read_owned(controls.arr[0].records(deployment.app.farm))
    old = as_slot(live_instance(owned, serving, live))
    template = new_slot(deployment, release)
    if not accept_gap:
        _refuse_restarts(as_pair(deployment, template, old), controls)
    new, notes = ensure_slot(deployment, controls, template, release, serving, old, ports or PortRange())
    return Ensured(as_pair(deployment, new, old), notes)


def known_pair(
    deployment: Deployment, controls: Controls, live: str = "", *, newest_other: bool = False
) -> Deployment:
    """Per release: the live instance and the previous one (which the wanted record took out) as an ordinary pair.

    ``newest_other``, for verbs that only look: where there is no previous one, the newest other instance.
    A description of a pair comes back as it is. Raises ``AmbiguousError`` when either cannot be told.
    """
    if not is_per_release(deployment):
        return deployment
    store = controls.arr[0].records(deployment.app.farm)
    owned, record = read_owned(store), wanted.newest([one.records(deployment.app.farm) for one in controls.arr])
    current = live_instance(owned, in_service(deployment, controls), live)
    previous = previous_slot(owned, record, current.slot)
    if previous is None and newest_other:
        farm = find_farm(controls.arr[0].config.read(), deployment.app.farm)
        there = (one for one in owned.instances if farm is not None and farm.server(one.address) is not None)
        others = [one for one in there if one.slot != current.slot and not one.making]
        previous = max(others, key=lambda one: one.since, default=None)
    if previous is None:
        raise AmbiguousError(
            f"'{current.slot}' is live, and no other instance is known that was live before it",
            hint="'deploy run' makes the next one.",
        )
    return as_pair(deployment, as_slot(previous), as_slot(current))


def previous_slot(owned: Owned, record: wanted.Wanted | None, live: str) -> Instance | None:
    """The instance that was live before ``live``: the one whose address the wanted record took out of service."""
    out = {one.casefold() for one in record.out} if record is not None else set()
    others = (one for one in owned.instances if one.slot.casefold() != live.casefold() and one.served)
    return next((one for one in others if one.address.casefold() in out), None)


def in_service(deployment: Deployment, controls: Controls) -> frozenset[str]:
    """The farm's addresses that may get requests on any ARR machine; none when there is no farm yet."""
    found: set[str] = set()
    for machine in controls.arr:
        if find_farm(machine.config.read(), deployment.app.farm) is not None:
            status = machine.farm(deployment.app.farm, deployment.app.front).status()
            found |= {one.address for one in status.farm.servers if receives_new(one, status)}
    return frozenset(found)


def ensure_slot(
    deployment: Deployment,
    controls: Controls,
    slot: Slot,
    release: str,
    live: Collection[str],
    like: Slot | None,
    ports: PortRange,
) -> tuple[Slot, tuple[str, ...]]:
    """Every member of the slot made or found on its machine and in the farm of every ARR machine."""
    members: list[Member] = []
    notes: list[str] = []
    for at, member in enumerate(slot.members):
        model = like.members[at].site if like is not None and at < len(like.members) else ""
        made, said = _ensure_member(deployment, controls, (slot, member), release, live, model, ports)
        members.append(made)
        notes += said
    return replace(slot, members=tuple(members)), tuple(notes)


# -- private -------------------------------------------------------------------------------------------


def _ensure_pair(
    deployment: Deployment, controls: Controls, release: str, live: frozenset[str], ports: PortRange
) -> Ensured:
    serving = {one.casefold() for one in live}
    slots: list[Slot] = []
    notes: list[str] = []
    for slot in deployment.slots.slots:
        if slot.farm or any(one.address.casefold() in serving for one in slot.members):
            slots.append(slot)
            continue
        if _complete(slot, deployment, controls):
            _settle(slot, deployment, controls)
            slots.append(slot)
            continue
        other = next(one for one in deployment.slots.slots if one.name != slot.name)
        made, said = ensure_slot(deployment, controls, slot, release, live, other, ports)
        slots.append(made)
        notes += said
    found = tuple(slots)
    if found == deployment.slots.slots:
        return Ensured(deployment, tuple(notes))
    return Ensured(as_pair(deployment, found[1], found[0]), tuple(notes))


def _settle(slot: Slot, deployment: Deployment, controls: Controls) -> None:
    """A making that was cut off after its last act is whole: say so in the record."""
    for member in slot.members:
        records = controls.machine(member.machine).records(deployment.app.farm)
        had = read_owned(records).of(slot.name, member.site)
        if had is not None and had.making:
            whole = replace(had, making=False)
            change_owned(records, partial(Owned.with_instance, instance=whole))


def _complete(slot: Slot, deployment: Deployment, controls: Controls) -> bool:
    """Whether nothing of the slot is missing: then its making is not ours to touch."""
    for machine in controls.arr:
        farm = find_farm(machine.config.read(), deployment.app.farm)
        if farm is None or any(farm.server(one.address) is None for one in slot.members):
            return False
    for one in slot.members:
        configuration = controls.machine(one.machine).config.read()
        if one.site and find_site(configuration, one.site) is None:
            return False
        if one.pool and find_pool(configuration, one.pool) is None:
            return False
    return True


def _ensure_member(
    deployment: Deployment,
    controls: Controls,
    which: tuple[Slot, Member],
    release: str,
    live: Collection[str],
    like: str,
    ports: PortRange,
) -> tuple[Member, tuple[str, ...]]:
    slot, member = which
    farm = deployment.app.farm
    machine = controls.machine(member.machine)
    records = machine.records(farm)
    owned, configuration = read_owned(records), machine.config.read()
    address = _address(deployment, slot, member, owned, configuration)
    if member.address in (AUTO, ALIAS):
        refuse_elsewhere(member.address, machine.name, [one.name for one in controls.arr])
    for arr in controls.arr if member.address == ALIAS else ():
        refuse_foreign(arr.files, farm, address)
    port, replaced = _port(machine, PortWish(f"{farm}/{slot.name}", ports, member.site), member, configuration)
    wish = InstanceWish(
        farm=farm,
        slot=slot.name,
        site=member.site,
        pool=member.pool,
        address=address,
        http_port=port,
        path="" if deployment.content.source and find_site(configuration, member.site) else member.path,
        release=release,
        like=like if find_site(configuration, like) else "",
        copy_identity=True,
        alias=address if member.address == ALIAS else "",
    )
    plan = plan_instance(wish, configuration, owned, live, machine.facts().now)
    change_owned(records, lambda before: before.with_instance(replace(plan.instance, making=True)))
    for arr in controls.arr:
        if member.address == ALIAS:
            add_alias(arr.files, farm, address)
    heard: list[str] = [replaced] if replaced else []
    commits = Commits(controls, farm, deployment.app.front, heard.append)
    commits.apply(machine, plan.changes)
    for arr in controls.arr:
        if arr is not machine:
            commits.apply(arr, server_changes(farm, address, port, arr.config.read()))
    change_owned(records, lambda before: before.with_instance(plan.instance))
    made = replace(member, address=address, http_port=port, pool=plan.instance.pool)
    said = f"'{slot.name}' on {machine.name}: site '{made.site}', pool '{made.pool}', {address}:{port}"
    if member.address == ALIAS:  # IIS binds addresses, and a name is none
        heard.append(f"its site listens on every address of {machine.name}: let a firewall keep port {port} to itself")
    return made, (said, *plan.notes, *heard)


def _address(deployment: Deployment, slot: Slot, member: Member, owned: Owned, configuration: Configuration) -> str:
    if member.address == ALIAS:
        return host_alias(deployment.app.farm, slot.name)
    if member.address != AUTO:
        return member.address
    had = owned.of(slot.name, member.site)
    if had is not None:
        return had.address
    farm = find_farm(configuration, deployment.app.farm)
    taken = [one.address for one in farm.servers] if farm is not None else []
    return free_loopback([*taken, *(one.address for one in owned.instances)])


def _port(machine: Machine, wish: PortWish, member: Member, configuration: Configuration) -> tuple[int, str]:
    if member.http_port:
        return member.http_port, ""
    there = find_site(configuration, wish.site)
    if there is not None:  # made elsewhere, or by us before: its own port it is
        own = next((one.port for one in there.bindings if one.protocol == "http" and one.port is not None), None)
        if own is not None:
            return own, ""
    return give_port(machine, wish, configuration)


def _refuse_restarts(deployment: Deployment, controls: Controls) -> None:
    safety = judge_writes(controls, deployment)
    if not safety.safe and deployment.writes != "always":
        raise RefusedError(
            f"one slot per release writes to webFarms in every release, and that restarts {', '.join(safety.restarts)}",
            hint="Use a fixed pair, or accept the gap once with --accept-gap.",
        )
