"""The rewrite rule that chooses the farm (``[switch] by = "rule"``): which one it names, the change to another."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.description import Switch
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.webfarm.change import SetRule, settings
from arr_bluegreen.webfarm.rule import Rule


def find_rule(config: Configuration, switch: Switch) -> Rule:
    """The rule; raises ``NoSuchObject`` naming the ones there."""
    lists = [one for one in config.rule_lists if one.location.casefold() == switch.location.casefold()]
    rules = [rule for one in lists for rule in one.rules]
    for rule in rules:
        if rule.name == switch.rule:
            return rule
    raise NoSuchObject("rule", switch.rule, tuple(rule.name for rule in rules), where=switch.location or "globalRules")


def target_farm(config: Configuration, switch: Switch) -> str:
    """The farm (the host of the action's url) in lower case: ``http://shop/{R:0}`` sends to ``shop`` (arr.md 2.3)."""
    return (urlsplit(find_rule(config, switch).action.url).netloc).casefold()


def retarget(config: Configuration, switch: Switch, farm: str) -> SetRule:
    """The change after which the rule sends to ``farm``."""
    parts = urlsplit(find_rule(config, switch).action.url)
    url = urlunsplit(parts._replace(netloc=farm))
    return SetRule(switch.rule, settings({"action.url": url}), switch.location)
