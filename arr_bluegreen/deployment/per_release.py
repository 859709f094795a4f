"""One slot per release: the description's one slot is a pattern, and each run is given the two slots it is about. Pure.

The live one is read off the machines and our records, never off a variable (octopus.md 0.7); the new one bears the
release's name. What comes out is an ordinary pair, told in full in its ``text``, so that a journal needs nothing else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.names import check_folder_name, instance_name
from arr_bluegreen.deployment.ownership import Instance, Owned
from arr_bluegreen.deployment.toml_write import to_toml
from arr_bluegreen.errors import AmbiguousError, DescriptionError, RefusedError

AUTO = "auto"
"""As a member's address: the next free loopback address of the farm."""

ALIAS = "alias"
"""As a member's address: a name of our own in the hosts file."""


def is_per_release(deployment: Deployment) -> bool:
    """Whether the description names a pattern rather than a pair."""
    return deployment.slots.naming == "per-release"


def new_slot(deployment: Deployment, release: str) -> Slot:
    """The slot of this release by the description's pattern; ports and addresses may still be ``auto``.

    Raises ``DescriptionError`` when no release is named or the description has not exactly one slot.
    """
    if not release:
        raise DescriptionError(
            "one slot per release needs a release", where="content.version", hint="Give --version V."
        )
    if len(deployment.slots.slots) != 1:
        raise DescriptionError("per-release naming has one [[slots.slot]], the pattern", where="slots.slot")
    check_folder_name(release, "content.version")
    pattern = deployment.slots.slots[0]
    name = _filled(pattern.name, deployment, "", release)
    return replace(
        pattern, name=name, members=tuple(_member(one, deployment, name, release) for one in pattern.members)
    )


def live_instance(owned: Owned, in_service: Collection[str], named: str = "") -> Instance:
    """The recorded instance that is in service; ``named`` (``--live``) chooses where several are.

    Raises ``AmbiguousError`` when none or several are.
    """
    addresses = {one.casefold() for one in in_service}
    found = [one for one in owned.instances if one.address.casefold() in addresses]
    if named:
        found = [one for one in found if one.slot.casefold() == named.casefold()]
    if len(found) == 1:
        return found[0]
    slots = ", ".join(one.slot for one in found) or "none"
    raise AmbiguousError(
        f"which instance is live cannot be told: recorded and in service are {slots} (in service: "
        f"{', '.join(sorted(in_service)) or 'nothing'})",
        hint="Say so with --live SLOT, or make the first one with 'deploy init --from-site'.",
    )


def as_slot(instance: Instance, machine: str = "") -> Slot:
    """A recorded instance as a slot of one member."""
    member = Member(
        instance.address, instance.http_port, machine, instance.site, instance.pool, instance.path, health_file=""
    )
    return Slot(instance.slot, (member,))


def as_pair(deployment: Deployment, new: Slot, live: Slot) -> Deployment:
    """The description with these two slots, as an ordinary pair; its ``text`` says the same."""
    if new.name.casefold() == live.name.casefold():
        raise RefusedError(f"'{live.name}' is live already", hint="Name another release.")
    data: dict[str, Any] = tomllib.loads(deployment.text) if deployment.text else {}
    copied = {"identity": deployment.slots.identity} if deployment.slots.identity != "own" else {}
    data["slots"] = {"naming": "pair", **copied, "slot": [_table(live), _table(new)]}
    slots = replace(deployment.slots, naming="pair", slots=(live, new))
    return replace(deployment, slots=slots, text=to_toml(data) if deployment.text else "")


# -- private -------------------------------------------------------------------------------------------


def _filled(pattern: str, deployment: Deployment, slot: str, release: str) -> str:
    return instance_name(pattern, app=deployment.app.name, slot=slot, release=release) if pattern else ""


def _member(member: Member, deployment: Deployment, slot: str, release: str) -> Member:
    def filled(pattern: str) -> str:
        return _filled(pattern, deployment, slot, release)

    return replace(
        member,
        site=filled(member.site or "{slot}"),
        pool=filled(member.pool or "{slot}"),
        path=filled(member.path),
        health_file=filled(member.health_file),
    )


def _table(slot: Slot) -> dict[str, Any]:
    members = []
    for one in slot.members:
        row: dict[str, Any] = {"address": one.address, "http_port": one.http_port}
        row |= {
            key: value for key in ("machine", "site", "pool", "path", "health_file") if (value := getattr(one, key))
        }
        members.append(row)
    return {"name": slot.name, "member": members}
