"""The new slot made or found before a run: port, address, pool, site, farm server out of service.

Each piece is recorded before it is made, so that after a crash the next run finds it and ``deploy retire`` can name it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.claims import refuse_front
from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.ensure_member import Making, Place, make_member, plan_member
from arr_bluegreen.deployment.lookup import find_farm, find_pool, find_site
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ownership import Instance, Owned, change_owned, read_owned
from arr_bluegreen.deployment.per_release import as_pair, as_slot, is_per_release, live_instance, new_slot
from arr_bluegreen.deployment.ports import PortRange
from arr_bluegreen.deployment.writes import judge_writes, refuse_writes
from arr_bluegreen.errors import AmbiguousError
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
    making = _making(deployment, controls, release, ports or PortRange())
    if not is_per_release(deployment):
        return _ensure_pair(making, accept_gap)
    template, old = _per_release(making, live, accept_gap)
    members, notes = [], list[str]()
    for place in _places(template, old):
        made, said = make_member(making, place)
        members.append(made)
        notes += said
    return Ensured(as_pair(deployment, replace(template, members=tuple(members)), old), tuple(notes))


def check_new(
    deployment: Deployment, controls: Controls, *, release: str = "", live: str = "", accept_gap: bool = False
) -> tuple[str, ...]:
    """What ``ensure_new`` would make, in words, and nothing done. Raises all that it would raise."""
    release = release or deployment.content.version
    making = _making(deployment, controls, release, PortRange())
    if is_per_release(deployment):
        places = _places(*_per_release(making, live, accept_gap))
    else:
        unmade = _unmade(making)
        _refuse_server_writes(making, unmade, accept_gap)
        places = tuple(place for slot in unmade for place in _places(slot, _other(deployment, slot)))
    return tuple(line for place in places for line in _would(making, place))


def known_pair(deployment: Deployment, controls: Controls, live: str = "", *, newest_other: bool = False) -> Deployment:
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


# -- private -------------------------------------------------------------------------------------------


def _making(deployment: Deployment, controls: Controls, release: str, ports: PortRange) -> Making:
    """Raises ``NoSuchObject`` where an ARR machine has no such farm: slots beside it would be nobody's."""
    if not all(one.farm for one in deployment.slots.slots):
        for machine in controls.arr:
            machine.config.read().farm(deployment.app.farm)
    return Making(deployment, controls, release, in_service(deployment, controls), ports)


def _per_release(making: Making, live: str, accept_gap: bool) -> tuple[Slot, Slot]:
    """The slot to make and the live one, when the release may be made at all: its farm server is a write."""
    owned = read_owned(making.controls.arr[0].records(making.farm))
    old = as_slot(live_instance(owned, making.live, live))
    template = new_slot(making.deployment, making.release)
    pair = as_pair(making.deployment, template, old)
    what = "one slot per release writes to webFarms in every release"
    refuse_writes(making.deployment, judge_writes(making.controls, pair), accept_gap, what)
    return template, old


def _places(slot: Slot, like: Slot) -> tuple[Place, ...]:
    """Each member with the site of the other slot's member that it shall be like."""
    sites = [one.site for one in like.members]
    return tuple(Place(slot, one, sites[at] if at < len(sites) else "") for at, one in enumerate(slot.members))


def _other(deployment: Deployment, slot: Slot) -> Slot:
    return next(one for one in deployment.slots.slots if one.name != slot.name)


def _would(making: Making, place: Place) -> tuple[str, ...]:
    member, machine = place.member, making.controls.machine(place.member.machine)
    plan = plan_member(making, place, claim=False)
    made = plan.instance
    verb = "would be made" if find_site(machine.config.read(), made.site) is None else "is there and would be adopted"
    where = f"{made.address}:{made.http_port}{'' if member.http_port else ' (or the next free port)'}"
    slot = f"slot '{place.slot.name}': site '{made.site}' {verb}"
    return (f"{slot}, pool '{made.pool}', farm server {where} (offline)", *plan.notes)


def _ensure_pair(making: Making, accept_gap: bool) -> Ensured:
    deployment = making.deployment
    unmade = _unmade(making)
    _refuse_server_writes(making, unmade, accept_gap)
    slots: list[Slot] = []
    notes: list[str] = []
    for slot in deployment.slots.slots:
        if slot not in unmade:
            if not _serves(making, slot):
                _settle(making, slot)
            slots.append(slot)
            continue
        members: list[Member] = []
        for place in _places(slot, _other(deployment, slot)):
            made, said = make_member(making, place)
            members.append(made)
            notes += said
        slots.append(replace(slot, members=tuple(members)))
    found = tuple(slots)
    if found == deployment.slots.slots:
        return Ensured(deployment, tuple(notes))
    return Ensured(as_pair(deployment, found[1], found[0]), tuple(notes))


def _unmade(making: Making) -> tuple[Slot, ...]:
    """The slots of a pair of which a piece is missing and that do not serve."""
    slots = making.deployment.slots.slots
    return tuple(one for one in slots if not _serves(making, one) and not _complete(making, one))


def _serves(making: Making, slot: Slot) -> bool:
    """Whether it is live, or a farm of its own, whose making is not ours."""
    serving = {one.casefold() for one in making.live}
    return bool(slot.farm) or any(one.address.casefold() in serving for one in slot.members)


def _refuse_server_writes(making: Making, unmade: tuple[Slot, ...], accept_gap: bool) -> None:
    """Raises ``RefusedError`` where a missing farm server may not be added: it would restart what serves."""
    missing = [name for slot in unmade for name in _missing_servers(making, slot)]
    if missing:
        what = f"farm server {', '.join(missing)} is missing, and adding it is a write"
        refuse_writes(making.deployment, judge_writes(making.controls, making.deployment), accept_gap, what)


def _missing_servers(making: Making, slot: Slot) -> list[str]:
    farms = [find_farm(one.config.read(), making.farm) for one in making.controls.arr]
    return [
        one.address
        for one in slot.members
        if any(farm is not None and farm.server(one.address) is None for farm in farms)
    ]


def _settle(making: Making, slot: Slot) -> None:
    """A making that was cut off after its last act is whole: say so in the record."""
    for member in slot.members:
        records = making.controls.machine(member.machine).records(making.farm)
        had = read_owned(records).of(slot.name, member.site)
        if had is not None and had.making:
            whole = replace(had, making=False)
            change_owned(records, partial(Owned.with_instance, instance=whole))


def _complete(making: Making, slot: Slot) -> bool:
    """Whether nothing of the slot is missing: then its making is not ours to touch."""
    app = making.deployment.app
    for machine in making.controls.arr:
        farm = find_farm(machine.config.read(), making.farm)
        if farm is None or any(farm.server(one.address) is None for one in slot.members):
            return False
    for one in slot.members:
        configuration = making.controls.machine(one.machine).config.read()
        refuse_front(one.site, making.farm, (*app.front, app.from_site), configuration)
        if one.site and find_site(configuration, one.site) is None:
            return False
        if one.pool and find_pool(configuration, one.pool) is None:
            return False
    return True
