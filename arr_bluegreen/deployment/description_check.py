"""What no single key of deployment.toml gets wrong: parts that contradict each other."""

from __future__ import annotations

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.placeholders import check_placeholders
from arr_bluegreen.errors import DescriptionError


def check(found: Deployment) -> None:
    """Raises ``DescriptionError`` for what contradicts itself."""
    check_placeholders(found)
    slots = found.slots.slots
    if found.slots.naming == "pair" and len(slots) != 2:
        raise DescriptionError(f"a pair needs two [[slots.slot]], there are {len(slots)}", where="slots.slot")
    names = [one.name.casefold() for one in slots]
    if len(set(names)) != len(names):
        raise DescriptionError("two slots of the same name", where="slots.slot")
    seen: set[tuple[str, str]] = set()
    for slot in slots:
        for member in slot.members:
            key = ((slot.farm or found.app.farm).casefold(), member.address.casefold())
            if key in seen:
                raise DescriptionError(
                    f"the farm server '{member.address}' is in two members; a server's key is its address without case",
                    where="slots.slot.member.address",
                )
            seen.add(key)
    _check_axes(found)


# -- private -------------------------------------------------------------------------------------------------


def _check_axes(found: Deployment) -> None:
    members = [member for slot in found.slots.slots for member in slot.members]
    if "health-file" in (found.switch.by, found.durable.by) and not all(one.health_file for one in members):
        raise DescriptionError("by = \"health-file\" needs 'health_file' in every member", where="slots.slot.member")
    if found.durable.by == "health-file" and found.switch.by != "health-file":
        raise DescriptionError('[durable] by = "health-file" needs [switch] by = "health-file"', where="durable.by")
    if found.switch.by == "rule" and not (found.switch.rule and all(one.farm for one in found.slots.slots)):
        raise DescriptionError("by = \"rule\" needs [switch] rule and a 'farm' in every slot", where="switch.rule")
    if found.switch.by == "weights" and not found.switch.stages:
        raise DescriptionError('by = "weights" needs [[switch.stages]]', where="switch.stages")
    if found.drain.sessions == "keep" and found.switch.by in ("health-file", "enabled", "rule"):
        raise DescriptionError(
            f'sessions = "keep" cannot be had with [switch] by = "{found.switch.by}": ARR moves the sessions of a '
            "server that is unhealthy, disabled or in no rule's farm at once (arr.md 5.4)",
            where="drain.sessions",
            hint='Use sessions = "move", or by = "state".',
        )
    percents = [one.percent for one in found.switch.stages]
    if percents != sorted(set(percents)):
        raise DescriptionError(f"the stages must rise: {percents}", where="switch.stages")
    proofs = [found.gate.version_header, found.gate.version_json, found.gate.version_text]
    if sum(1 for one in proofs if one) > 1:
        raise DescriptionError("one of version_header, version_json, version_text is enough", where="gate")
