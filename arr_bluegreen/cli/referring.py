"""Which rules point to a farm: the link is only the host in the action's url (arr.md 2.3, 2.5)."""

from __future__ import annotations

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.webfarm.rule import Rule


def target_host(rule: Rule) -> str:
    """The host that a Rewrite rule sends to, lower case and without port; "" when it names none."""
    if rule.action.type != "Rewrite":
        return ""
    rest = rule.action.url.partition("://")[2]
    for mark in "/?#":
        rest = rest.partition(mark)[0]
    return rest.replace("{", "").replace("}", "").rpartition("@")[2].partition(":")[0].casefold()


def rules_to(configuration: Configuration, farm: str) -> list[tuple[str, Rule]]:
    """(location, rule) of every rule that rewrites to this farm, enabled or not; location "" = globalRules."""
    wanted = farm.casefold()
    return [
        (found.location, rule)
        for found in configuration.rule_lists
        for rule in found.rules
        if target_host(rule) == wanted
    ]
