"""Which rules point to a farm, and which rules there are at a place, for the verbs that name or remove them."""

from __future__ import annotations

from collections.abc import Sequence

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm.change import ConfigChange, RemoveRule
from arr_bluegreen.webfarm.routing import Reference, references
from arr_bluegreen.webfarm.rule import SERVER, Rule


def rules_to(configuration: Configuration, farm: str) -> list[Reference]:
    """Every rule that rewrites to this farm, enabled or not, by its url or by a rewrite map (arr.md 2.3, 2.5, 2.6)."""
    return references(configuration.rule_lists, configuration.rewrite_maps).get(farm.casefold(), [])


def rules_at(configuration: Configuration, location: str) -> list[Rule]:
    """The rules of a location ("" = globalRules, "." = the server's own rules), in the order they run."""
    wanted = [one for one in configuration.rule_lists if one.location.casefold() == location.casefold()]
    return [rule for one in wanted for rule in one.rules]


def rule_at(configuration: Configuration, name: str, location: str) -> Rule:
    """The rule of this name (without case); raises ``NoSuchObject`` naming the ones there, and where else it is."""
    rules = rules_at(configuration, location)
    found = next((one for one in rules if one.name.casefold() == name.casefold()), None)
    if found is None:
        raise NoSuchObject("rule", name, tuple(one.name for one in rules), where=place_of(location))
    return found


def place_of(location: str) -> str:
    """A location in words."""
    return {"": "globalRules", SERVER: "the server's own rules"}.get(location, location)


def told(found: Sequence[Reference]) -> str:
    """``'To shop', 'dist' in the server's own rules, 'by host' (by the rewrite map 'Farms')``."""
    return ", ".join(
        f"'{one.rule.name}'"
        + (f" in {place_of(one.location)}" if one.location else "")
        + (f" (by the rewrite map '{one.map}')" if one.map else "")
        for one in found
    )


def removals(configuration: Configuration, found: Sequence[Reference]) -> list[ConfigChange]:
    """The changes that remove these rules, each of which must be there for the taking.

    Raises ``RefusedError`` for a rule that finds its farm in a rewrite map (it serves others too), and where a removal
    would find nothing: a farm must not go while a rule to it stays.
    """
    mapped = [one for one in found if one.map]
    if mapped:
        raise RefusedError(
            f"rules find this farm in a rewrite map and may serve others: {told(mapped)}",
            hint="Take the farm out of the map first, or insist with --force.",
        )
    for one in found:
        if one.rule not in rules_at(configuration, one.location):
            raise RefusedError(
                f"rule {told([one])} cannot be removed: it is not found again", hint="Nothing was changed."
            )
    return [RemoveRule(one.rule.name, one.location) for one in found]
