"""One member of a slot made or found on its machine: what is wished of it, what that takes, and the making."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment.aliases import (
    add_alias,
    free_loopback,
    host_alias,
    refuse_elsewhere,
    refuse_foreign,
)
from arr_bluegreen.deployment.clone import moved
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.instance import InstancePlan, InstanceWish, plan_instance, server_changes
from arr_bluegreen.deployment.lookup import find_farm, find_site
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ownership import Origin, Owned, change_owned, read_owned
from arr_bluegreen.deployment.per_release import ALIAS, AUTO
from arr_bluegreen.deployment.ports import PortRange, PortWish, give_port, owner_of
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True, slots=True)
class Making:
    """What all members of a slot are made with: ``live`` are the addresses in service, ``ports`` the range to take."""

    deployment: Deployment
    controls: Controls
    release: str
    live: Collection[str]
    ports: PortRange

    @property
    def farm(self) -> str:
        """The farm's name."""
        return self.deployment.app.farm


@dataclass(frozen=True, slots=True)
class Place:
    """A member of a slot, and the site it shall be like ("" for none)."""

    slot: Slot
    member: Member
    like: str = ""


def plan_member(making: Making, place: Place, *, claim: bool) -> InstancePlan:
    """What the member takes now; with ``claim`` its port is recorded for it. Raises what ``plan_instance`` raises."""
    machine = making.controls.machine(place.member.machine)
    owned, configuration = read_owned(machine.records(making.farm)), machine.config.read()
    _refuse_address(making, place, machine, owned, configuration)
    wish, told = _wish(making, place, owned, configuration, claim=claim)
    plan = plan_instance(wish, configuration, owned, making.live, machine.facts().now)
    return replace(plan, notes=(*plan.notes, *told))


def make_member(making: Making, place: Place) -> tuple[Member, tuple[str, ...]]:
    """The member with its address, port, pool and folder, made where it is not there; and what was done, in words.

    With content to come, a site that is not there is made with it (``in_place``): it never starts on an empty folder.
    """
    slot, member, farm = place.slot, place.member, making.farm
    machine = making.controls.machine(member.machine)
    records = machine.records(farm)
    plan = plan_member(making, place, claim=True)
    made = plan.instance
    change_owned(records, lambda before: before.with_instance(replace(made, making=True)))
    for arr in making.controls.arr if member.address == ALIAS else ():
        add_alias(arr.files, farm, made.address)
    heard: list[str] = []
    commits = Commits(making.controls, farm, making.deployment.app.front, heard.append)
    commits.apply(machine, plan.changes)
    for arr in making.controls.arr:
        if arr is not machine:
            commits.apply(arr, server_changes(farm, made.address, made.http_port, arr.config.read()))
    change_owned(records, lambda before: before.with_instance(made))
    path = member.path if making.deployment.content.source or made.site_origin is Origin.MADE else made.path
    found = replace(member, address=made.address, http_port=made.http_port, pool=made.pool, path=path)
    said = f"'{slot.name}' on {machine.name}: site '{made.site}', pool '{made.pool}', {made.address}:{made.http_port}"
    if member.address == ALIAS:  # IIS binds addresses, and a name is none
        port = made.http_port
        heard.append(f"its site listens on every address of {machine.name}: let a firewall keep port {port} to itself")
    return found, (said, *plan.notes, *heard)


def in_place(making: Making, place: Place, path: str) -> tuple[ConfigChange, ...]:
    """The changes, for one commit, after which the member's site serves from ``path``: all its folders moved along, or
    the site made where it is not there yet."""
    machine = making.controls.machine(place.member.machine)
    configuration = machine.config.read()
    site = find_site(configuration, place.member.site)
    if site is not None:
        return moved(site, path)
    owned = read_owned(machine.records(making.farm))
    wish, _ = _wish(making, place, owned, configuration, claim=False)
    wish = replace(wish, path=path, content_first=False)
    return plan_instance(wish, configuration, owned, making.live, machine.facts().now).changes


# -- private -------------------------------------------------------------------------------------------


def _refuse_address(making: Making, place: Place, machine: Machine, owned: Owned, configuration: Configuration) -> None:
    wanted, arr = place.member.address, making.controls.arr
    if wanted in (AUTO, ALIAS):
        refuse_elsewhere(wanted, machine.name, [one.name for one in arr])
    for one in arr if wanted == ALIAS else ():
        refuse_foreign(one.files, making.farm, _address(making, place, owned, configuration))


def _wish(
    making: Making, place: Place, owned: Owned, configuration: Configuration, *, claim: bool
) -> tuple[InstanceWish, tuple[str, ...]]:
    deployment, member = making.deployment, place.member
    machine = making.controls.machine(member.machine)
    site, had = find_site(configuration, member.site), owned.owner_of_site(member.site)
    theirs = site is not None and (had is None or had.site_origin is not Origin.MADE)
    address = _address(making, place, owned, configuration)
    port, told = _port(making, place, machine, configuration, claim=claim)
    app = deployment.app
    wish = InstanceWish(
        farm=making.farm,
        slot=place.slot.name,
        site=member.site,
        pool=member.pool,
        address=address,
        http_port=port,
        path="" if site is not None and (theirs or deployment.content.source) else member.path,
        release=making.release,
        like=place.like if find_site(configuration, place.like) else "",
        copy_identity=deployment.slots.identity == "copy",
        alias=address if member.address == ALIAS else "",
        fronts=(*app.front, *([app.from_site] if app.from_site else [])),
        content_first=bool(deployment.content.source),
    )
    return wish, (told,) if told else ()


def _address(making: Making, place: Place, owned: Owned, configuration: Configuration) -> str:
    if place.member.address == ALIAS:
        return host_alias(making.farm, place.slot.name)
    if place.member.address != AUTO:
        return place.member.address
    had = owned.of(place.slot.name, place.member.site)
    if had is not None:
        return had.address
    farm = find_farm(configuration, making.farm)
    taken = [one.address for one in farm.servers] if farm is not None else []
    return free_loopback([*taken, *(one.address for one in owned.instances)])


def _port(
    making: Making, place: Place, machine: Machine, configuration: Configuration, *, claim: bool
) -> tuple[int, str]:
    """The port, and in words why it is not the recorded one ("" when it is, or none was)."""
    site = place.member.site
    if place.member.http_port:
        return place.member.http_port, ""
    there = find_site(configuration, site)
    if there is not None:  # made elsewhere, or by us before: its own port it is
        own = next((one.port for one in there.bindings if one.protocol == "http" and one.port is not None), None)
        if own is not None:
            return own, ""
    wish = PortWish(owner_of(making.farm, place.slot.name), making.ports, site)
    return give_port(machine, wish, configuration, record=claim)
