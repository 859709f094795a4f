"""Hazards of bindings: who answers for which host at which port, seen from the rules and farms (arr.md 2.4, 5.9)."""

from __future__ import annotations

import re

from arr_bluegreen.apphost.lint_model import (
    ERROR,
    INFO,
    FarmSeen,
    Hazard,
    Hit,
    RuleSeen,
    Seen,
    ServerSeen,
    SiteSeen,
    front_ports,
    is_web,
)
from arr_bluegreen.apphost.lint_requests import binding_takes, port_of, request_to


def _refuses_the_host(seen: Seen) -> list[Hit]:
    hits = []
    for farm in seen.farms:
        for one in farm.servers:
            for scheme in seen.schemes(farm):
                hits += _refused(seen, farm, one, scheme)
    return list({(id(one.element), one.what): one for one in hits}.values())


def _refused(seen: Seen, farm: FarmSeen, server: ServerSeen, scheme: str) -> list[Hit]:
    sites = seen.sites_at(server.word, scheme)
    if not sites:
        return []
    port = port_of(server.word, scheme)
    at = [one for site in sites for one in site.word.bindings if is_web(one) and one.port == port]
    who = f"site '{sites[0].word.name}' (server '{server.word.address}')"
    hosts, anyhow = _hosts_sent(seen, farm, server, scheme)
    hits = [
        Hit(sites[0].element, f"{who} has no binding for the host '{host}' that ARR sends")
        for host in hosts
        if not any(binding_takes(one, host) for one in at)
    ]
    if anyhow and not hits and all(one.host for one in at):
        own = ", ".join(f"'{one.host}'" for one in at)
        hits.append(Hit(sites[0].element, f"{who} answers for {own} only, and rule '{anyhow}' sends it any host"))
    return hits


def _hosts_sent(seen: Seen, farm: FarmSeen, server: ServerSeen, scheme: str) -> tuple[list[str], str]:
    """The Host headers a server gets, as far as the rules tell (arr.md 5.9), and a rule that lets every host through.

    A front that is itself bound to hosts lets only those through.
    """
    if server.word.host_name or farm.word.protocol.alternate_host_name:
        return [request_to(farm.word, server.word, scheme).host or ""], ""
    if not farm.word.protocol.preserve_host_header:
        return [], ""  # the sources do not agree on what is sent then
    rules = seen.rules_of(farm)
    hosts = dict.fromkeys(host for rule in rules for host in _plain_hosts(rule))
    free = next((rule.word.name for rule in rules if not rule.conditions_on("{HTTP_HOST}", "{SERVER_NAME}")), "")
    fronts = [one for site in seen.front_sites for one in site.word.bindings if is_web(one)]
    if free and fronts and all(one.host for one in fronts):
        return [*hosts, *(one.host for one in fronts if not one.host.startswith("*"))], ""
    return list(hosts), free


def _plain_hosts(rule: RuleSeen) -> list[str]:
    hosts = []
    for one in rule.conditions_on("{HTTP_HOST}"):
        bare = re.sub(r"\(:\d+\)\?$", "", one.pattern.strip("^$")).replace("\\.", ".")
        hosts += [part for part in bare.strip("()").split("|") if re.fullmatch(r"[\w.-]+", part) and not one.negate]
    return hosts


def _nobody_listens(seen: Seen) -> list[Hit]:
    farms = {farm.word.name.casefold() for farm in seen.farms}
    return [
        Hit(rule.element, f"rule '{rule.word.name}' waits for '{host}', and no site has a binding for it")
        for rule in seen.rules
        if rule.word.enabled and seen.sites and any(one.host in farms for one in rule.targets)
        for host in _plain_hosts(rule)
        if not any(_listens(site, host, front_ports([rule])) for site in seen.sites)
    ]


def _listens(site: SiteSeen, host: str, ports: set[int]) -> bool:
    return any(is_web(one) and one.port in ports and binding_takes(one, host) for one in site.word.bindings)


def _same_binding(seen: Seen) -> list[Hit]:
    hits = []
    first: dict[tuple[str, str], SiteSeen] = {}
    for site in seen.sites:
        for one in site.word.bindings:
            other = first.setdefault(one.key, site)
            if other is not site and is_web(one):
                what = f"sites '{other.word.name}' and '{site.word.name}' both have the binding {one.protocol}"
                hits.append(Hit(site.element, f"{what} {one.information}"))
    return hits


def _orphaned_location(seen: Seen) -> list[Hit]:
    names = {site.word.name.casefold() for site in seen.sites}
    return [
        Hit(one, f'<location path="{path}"> belongs to no site')
        for one in seen.root.iterchildren("location")
        if (path := one.get("path", "")) not in ("", ".") and path.split("/")[0].casefold() not in names
    ]


HAZARDS = (
    Hazard(
        "ARR040", ERROR, "a slot that refuses the host ARR sends",
        "With preserveHostHeader slots get the public host; a binding for another host refuses it (arr.md 5.9).",
        "Add a binding without host name, or one with the public host, on the slot's port.",
        _refuses_the_host,
    ),
    Hazard(
        "ARR052", ERROR, "a host that no site listens for",
        "http.sys answers before URL Rewrite runs unless a site is bound to the public host (arr.md 2.4).",
        "Add the binding to the front site.",
        _nobody_listens,
    ),
    Hazard(
        "ARR053", ERROR, "one binding at two sites",
        "IIS starts only one of them (arr.md hazard 35).",
        "Give one another port or host.",
        _same_binding,
    ),
    Hazard(
        "ARR055", INFO, "a location of no site",
        "Removing a site leaves its <location> blocks behind; a new site of that name inherits them (arr.md 3.3).",
        "Remove the block if the site is gone for good.",
        _orphaned_location,
    ),
)  # fmt: skip
