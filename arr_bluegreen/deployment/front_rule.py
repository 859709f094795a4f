"""The rewrite rules that send a front site's public traffic to a farm: the first deployment's switch (arr.md 2.3, 2.4).

One rule per protocol, address and port of the site's public bindings, each with the host and port as conditions: a
slot's own requests come on other ports, so nothing can loop. The names are our own: IIS Manager overwrites ``ARR_*``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import LAST, Action, Binding, Condition, Match, Position, Rule, ServerVariable, Site, Where

PREFIX = "arr-bluegreen"


def rule_names(farm: str, rules: Iterable[Rule]) -> tuple[str, ...]:
    """Those of the rules that are ours for this farm, by name."""
    start = f"{PREFIX} {farm} ".casefold()
    return tuple(one.name for one in rules if one.name.casefold().startswith(start))


def front_rules(farm: str, site: Site, configuration: Configuration) -> tuple[Rule, ...]:
    """The rules for every public http and https binding of the site, in the order of its bindings.

    A binding without host name takes what no other site's binding on that port takes. Raises ``RefusedError`` when
    the site has no such binding.
    """
    groups: dict[tuple[str, str, int], list[Binding]] = {}
    for one in site.bindings:
        if one.protocol in ("http", "https") and one.port is not None:
            groups.setdefault((one.protocol, one.address or "*", one.port), []).append(one)
    if not groups:
        raise RefusedError(f"site '{site.name}' has no http or https binding", hint="Name the site the public reaches.")
    return tuple(_rule(farm, key, bindings, site, configuration) for key, bindings in groups.items())


def rule_position(rules: Sequence[Rule], hosts: Sequence[str]) -> Position:
    """Before the first enabled rule that would take the traffic for good, else last.

    Redirects and other rules stay ahead of ours: what they did before, they do after (arr.md 2.2).
    """
    for one in rules:
        if one.enabled and one.stop_processing and one.action.type == "Rewrite" and _takes_all(one, hosts):
            return Position(Where.BEFORE, one.name)
    return LAST


def public_hosts(site: Site) -> tuple[str, ...]:
    """The host names of the site's http and https bindings, each once; "" stands for any."""
    return tuple(dict.fromkeys(one.host for one in site.bindings if one.protocol in ("http", "https")))


def public_sites(farm: str, configuration: Configuration) -> frozenset[str]:
    """The sites (casefolded) with a binding whose requests a rule of the machine sends to the farm.

    Only what a rule asks for by port or host counts: a rule without either takes every site's requests, slots' too.
    """
    rules = [one for found in configuration.rule_lists if found.is_global and not found.location for one in found.rules]
    leading = [one for one in rules if one.enabled and f"//{farm.casefold()}/" in one.action.url.casefold() + "/"]
    return frozenset(
        site.name.casefold()
        for site in configuration.sites
        if any(_asks_for(rule, one) for rule in leading for one in site.bindings)
    )


def blind_redirects(site: str, configuration: Configuration) -> tuple[str, ...]:
    """The redirect rules in the site's location blocks that ask for {HTTPS} or {SERVER_PORT}, by quoted name.

    Cloned to a slot they see the connection ARR makes: http, to the slot's port, whatever the client used.
    """
    start = site.casefold() + "/"
    found = [one for one in configuration.rule_lists if (one.location.casefold() + "/").startswith(start)]
    return tuple(
        f"'{rule.name}'"
        for one in found
        for rule in one.rules
        if rule.enabled
        and rule.action.type == "Redirect"
        and any(c.input.upper() in ("{HTTPS}", "{SERVER_PORT}", "{SERVER_PORT_SECURE}") for c in rule.conditions)
    )


# -- private -------------------------------------------------------------------------------------------

_ANYTHING = ("*", ".*", "(.*)", "^(.*)$", "^.*$", "^(.*)", "(.*)$", "")


def _rule(
    farm: str, key: tuple[str, str, int], bindings: Sequence[Binding], site: Site, configuration: Configuration
) -> Rule:
    protocol, address, port = key
    where = "" if address == "*" else f" {address}"
    conditions = [
        Condition("{SERVER_PORT}", f"^{port}$"),
        Condition("{HTTPS}", "^ON$" if protocol == "https" else "^OFF$"),
    ]
    if address != "*":
        conditions.append(Condition("{LOCAL_ADDR}", f"^{re.escape(address.strip('[]'))}$"))
    hosts = [one.host for one in bindings]
    if all(hosts):
        conditions.append(Condition("{HTTP_HOST}", _any_of(hosts)))
    elif others := _hosts_of_others(site, port, configuration):
        conditions.append(Condition("{HTTP_HOST}", _any_of(others), negate=True))
    return Rule(
        name=f"{PREFIX} {farm} {protocol} {port}{where}",
        stop_processing=True,
        match=Match(".*"),
        conditions=tuple(conditions),
        server_variables=(ServerVariable("HTTP_X_FORWARDED_PROTO", protocol),),
        action=Action("Rewrite", f"http://{farm}/{{R:0}}"),
    )


def _any_of(hosts: Sequence[str]) -> str:
    """A pattern for {HTTP_HOST}, which carries ``:port`` when that is not the default one (arr.md 2.2)."""
    return f"^({'|'.join(_host_pattern(one) for one in hosts)})(:\\d+)?$"


def _host_pattern(host: str) -> str:
    name = re.escape(host.removeprefix("*.")).replace("\\-", "-")
    return rf"[^.:]+\.{name}" if host.startswith("*.") else name  # a wildcard binding takes one label (IIS 10)


def _hosts_of_others(site: Site, port: int, configuration: Configuration) -> list[str]:
    others = (one for one in configuration.sites if one.name.casefold() != site.name.casefold())
    bindings = (b for one in others for b in one.bindings if b.port == port and b.host)
    return list(dict.fromkeys(one.host for one in bindings))


def _asks_for(rule: Rule, binding: Binding) -> bool:
    """Whether the rule names the binding's port or host, and no condition that can be judged speaks against it."""
    if binding.protocol not in ("http", "https") or binding.port is None:
        return False
    values = {
        "{server_port}": str(binding.port),
        "{https}": "on" if binding.protocol == "https" else "off",
        "{http_host}": binding.host,
    }
    named = False
    for one in rule.conditions:
        value = values.get(one.input.casefold(), "")
        found = _matches(rule, one, value) if value else None
        if found is not None and found is one.negate:
            return False
        named |= found is True and not one.negate and one.input.casefold() != "{https}"
    return named


def _matches(rule: Rule, condition: Condition, value: str) -> bool | None:
    if rule.pattern_syntax != "ECMAScript" or condition.match_type != "Pattern":
        return None
    try:
        return re.search(condition.pattern, value, re.IGNORECASE) is not None
    except re.error:
        return None


def _takes_all(rule: Rule, hosts: Sequence[str]) -> bool:
    if rule.match.url not in _ANYTHING or rule.match.negate:
        return False
    return all(_may_hold(one, rule, hosts) for one in rule.conditions)


def _may_hold(condition: Condition, rule: Rule, hosts: Sequence[str]) -> bool:
    if condition.input.casefold() != "{http_host}" or condition.match_type != "Pattern" or not all(hosts):
        return True  # what cannot be judged here may hold; then ours goes first
    if rule.pattern_syntax != "ECMAScript":
        found = [condition.pattern in ("*", one) for one in hosts]
    else:
        try:
            found = [re.search(condition.pattern, one, re.IGNORECASE) is not None for one in hosts]
        except re.error:
            return True
    return any(one is not condition.negate for one in found)
