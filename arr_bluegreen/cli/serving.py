"""Which sites and pools carry live traffic: their verbs refuse to take it away unless told to."""

from __future__ import annotations

import argparse
import re

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import ApplicationPool, Binding, Rule, Site


def site_of(configuration: Configuration, name: str) -> Site:
    """The site of this name (without case); raises ``NoSuchObject`` naming the ones there."""
    for one in configuration.sites:
        if one.name.casefold() == name.casefold():
            return one
    raise NoSuchObject("site", name, tuple(one.name for one in configuration.sites))


def pool_of(configuration: Configuration, name: str) -> ApplicationPool:
    """The pool of this name (without case); raises ``NoSuchObject`` naming the ones there."""
    for one in configuration.pools:
        if one.name.casefold() == name.casefold():
            return one
    raise NoSuchObject("pool", name, tuple(one.name for one in configuration.pools))


def pool_sites(configuration: Configuration, pool: str) -> tuple[Site, ...]:
    """The sites with an application in this pool."""
    name = pool.casefold()
    return tuple(one for one in configuration.sites if any(a.pool.casefold() == name for a in one.applications))


def add_force(parser: argparse.ArgumentParser) -> None:
    """--force."""
    text = "also when a farm server that is enabled stands behind it, or the public reaches a farm through it"
    parser.add_argument("--force", action="store_true", help=text)


def refuse_serving(arguments: argparse.Namespace, configuration: Configuration, *sites: Site) -> None:
    """Raises ``RefusedError`` when an enabled farm server's port is bound by one of the sites, or when one of them is a
    front: the public reaches a farm through it, and its pool's process holds ARR's run-time state. --force says yes.

    A farm server of another machine on the same port counts too: here nobody can tell whose address it is.
    """
    if arguments.force:
        return
    for site in sites:
        farm_name = farm_behind(configuration, site)
        if farm_name:
            raise RefusedError(
                f"site '{site.name}' is the front of farm '{farm_name}': a rule sends its requests there",
                hint="Without it nobody reaches the farm, whichever slot is live. Insist with --force.",
            )
        ports = {one.port for one in site.bindings if one.protocol in ("http", "https")}
        for farm in configuration.farms:
            for server in farm.servers:
                if server.enabled and farm.enabled and ports & {server.http_port}:
                    raise RefusedError(
                        f"site '{site.name}' listens on port {server.http_port} of server {server.address}, which is "
                        f"enabled in farm '{farm.name}'",
                        hint="Take the server offline first, or insist with --force.",
                    )


def farm_behind(configuration: Configuration, site: Site) -> str:
    """The farm that a rule sends requests of this site to, "" when none does or the site is itself a farm's server.

    A global rule is asked for the requests of every site (arr.md 2.1); its host and port conditions are held against
    the site's bindings, anything else is taken for a yes.
    """
    farms = {one.name.casefold(): one for one in configuration.farms}
    slots = {port for one in farms.values() for server in one.servers for port in (server.http_port, server.https_port)}
    public = [one for one in site.bindings if one.protocol in ("http", "https")]
    ports = {one.port for one in public}
    own = slots - {80, 443}  # what a server has by default says nothing of where it is
    if ports & own:
        return ""
    for rules in configuration.rule_lists:
        for rule in rules.rules:
            name = re.sub(r"^\w+://", "", rule.action.url).partition("/")[0].partition(":")[0].casefold()
            here = rules.is_global or rules.location.casefold() == site.name.casefold()
            leads = rule.enabled and rule.action.type == "Rewrite" and name in farms
            if here and leads and any(_may_match(rule, one) for one in public):
                return farms[name].name
    return ""


# -- private -------------------------------------------------------------------------------------------


def _may_match(rule: Rule, binding: Binding) -> bool:
    asked = {"{SERVER_PORT}": str(binding.port or ""), "{HTTP_HOST}": binding.host.lstrip("*.")}
    answers = []
    for one in rule.conditions:
        text = asked.get(one.input.upper(), "")
        try:
            found = re.search(one.pattern, text, re.IGNORECASE) is not None
        except re.error:
            continue  # a wildcard, or another tongue's expression
        if text and one.match_type == "Pattern" and rule.pattern_syntax == "ECMAScript":
            answers.append(found != one.negate)
    unknown = len(answers) < len(rule.conditions)
    return any(answers) or unknown if rule.logical_grouping == "MatchAny" else all(answers)
