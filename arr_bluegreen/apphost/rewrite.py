"""URL Rewrite rules and maps as words (arr.md 2.1, 2.6)."""

from __future__ import annotations

from arr_bluegreen.apphost.find import below
from arr_bluegreen.apphost.sections import GLOBAL_RULES as GLOBAL_RULES
from arr_bluegreen.apphost.sections import RULES as RULES
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.words import Faults, read_word
from arr_bluegreen.webfarm.rule import Condition, RewriteMap, Rule, RuleList, ServerVariable


def read_rules(element: Element, location: str, faults: Faults) -> RuleList:
    """The rules of one ``globalRules`` or ``rules`` element; ``remove`` and ``clear`` items are no rules."""
    rules = tuple(read_rule(one, faults) for one in element.iterchildren("rule"))
    return RuleList(location, rules, is_global=element.tag == "globalRules")


def read_rule(element: Element, faults: Faults) -> Rule:
    """One rule."""
    _need(element, "name", faults)
    conditions = tuple(
        read_word(Condition, one, faults, _absent(one, "input")) for one in below(element, ("conditions", "add"))
    )
    variables = tuple(
        read_word(ServerVariable, one, faults, _absent(one, "name"))
        for one in below(element, ("serverVariables", "set"))
    )
    return read_word(Rule, element, faults, {"conditions": conditions, "server_variables": variables})


def read_map(element: Element, location: str, faults: Faults) -> RewriteMap:
    """One rewrite map with its entries in order."""
    _need(element, "name", faults)
    entries = tuple((one.get("key", ""), one.get("value", "")) for one in element.iterchildren("add"))
    return read_word(RewriteMap, element, faults, {"entries": entries, "location": location})


# -- private ---------------------------------------------------------------------------------------------


def _absent(element: Element, key: str) -> dict[str, str]:
    return {} if key in element.attrib else {key: ""}


def _need(element: Element, key: str, faults: Faults) -> None:
    if key not in element.attrib:
        raise faults.fault(element, f"has no {key}, its key", hint="IIS refuses the whole file for that.")
