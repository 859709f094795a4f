"""Which slot is live: read off the machines, never off a variable. Two in service, or a part of one, is refused."""

from __future__ import annotations

from dataclasses import dataclass

from arr_bluegreen.deployment.description import Deployment, Slot
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import AmbiguousError, NoSuchObject
from arr_bluegreen.webfarm import receives_new


@dataclass(frozen=True, slots=True)
class Roles:
    """The live slot and the idle one; ``split`` says that both are in service and the wanted record chose."""

    live: Slot
    idle: Slot
    split: bool = False


def find_roles(now: Now, deployment: Deployment, record: Wanted | None, named: str = "") -> Roles:
    """The roles as the machines show them. ``named`` (``--live``) decides what they leave open, never against them.

    Both in service and a wanted record: the record's slot (``split``: reconcile first). Raises ``AmbiguousError``,
    ``NoSuchObject`` for a name that is no slot's.
    """
    slots = deployment.slots.slots
    if named and named.casefold() not in [one.name.casefold() for one in slots]:
        raise NoSuchObject("slot", named, tuple(one.name for one in slots))
    shares = {slot.name: _share(now, slot) for slot in slots}
    whole = [slot for slot in slots if shares[slot.name] == 1.0]
    partial = [slot for slot in slots if 0.0 < shares[slot.name] < 1.0]
    if len(whole) == 1 and not partial:
        live = whole[0]
        if named and named.casefold() != live.name.casefold():
            raise AmbiguousError(f"--live {named}: the machines show '{live.name}' in service, and '{named}' not")
        return Roles(live, _other(slots, live))
    chosen = named or (record.slot if record else "")
    for slot in slots:
        if chosen.casefold() == slot.name.casefold() and shares[slot.name] > 0:
            return Roles(slot, _other(slots, slot), split=True)
    alarm = nothing_serves(now, deployment)
    if alarm:
        farm, first = slots[0].farm or deployment.app.farm, slots[0].addresses[0]
        raise AmbiguousError(
            f"{alarm}: which slot is live cannot be told",
            hint=f"Bring the good one in service first, such as 'server available {farm} {first}'.",
        )
    raise AmbiguousError(
        f"which slot is live cannot be told: {describe(now, deployment)}"
        + ("" if record else "; there is no wanted record"),
        hint=f"Say so with --live {' or --live '.join(slot.name for slot in slots)}.",
    )


def nothing_serves(now: Now, deployment: Deployment) -> str:
    """That no slot gets any request, in words; "" while one does."""
    if any(_share(now, slot) > 0 for slot in deployment.slots.slots):
        return ""
    return f"ALARM: no slot of '{deployment.app.farm}' is in service: new requests are not served"


def describe(now: Now, deployment: Deployment) -> str:
    """How much of each slot is in service, in words."""
    words = {0.0: "not in service", 1.0: "in service"}
    return ", ".join(
        f"{slot.name} is {words.get(_share(now, slot), 'partly in service')}" for slot in deployment.slots.slots
    )


# -- private -------------------------------------------------------------------------------------------------


def _share(now: Now, slot: Slot) -> float:
    if now.deployment.switch.by == "rule":
        return 1.0 if _ruled(now, slot) else 0.0
    seen = [receives_new(one, status) for status in now.of(slot) for one in now.servers(slot, status)]
    return sum(seen) / len(seen) if seen else 0.0


def _ruled(now: Now, slot: Slot) -> bool:
    """Whether the rule sends requests to the slot's farm, on every ARR machine."""
    from arr_bluegreen.deployment.rule_target import target_farm

    return all(target_farm(config, now.deployment.switch) == slot.farm.casefold() for config in now.configs())


def _other(slots: tuple[Slot, ...], live: Slot) -> Slot:
    return next(slot for slot in slots if slot.name != live.name)
