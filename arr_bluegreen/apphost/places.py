"""Where the named things lie: farms, servers, rules, maps, sites, applications, pools as ``Place``."""

from __future__ import annotations

from arr_bluegreen.apphost import sections
from arr_bluegreen.apphost.steps import Place, Step


def farm_place(name: str, *steps: Step) -> Place:
    """A farm, or what lies below it."""
    return Place(sections.WEB_FARMS, (Step("webFarm", (("name", name),)), *steps))


def server_place(farm: str, address: str, *steps: Step) -> Place:
    """A server of a farm, or what lies below it."""
    return farm_place(farm, Step("server", (("address", address),)), *steps)


def rules_place(location: str = "", *steps: Step) -> Place:
    """The rules of a location ("" = globalRules, ``.`` = the server's own), or what lies below them."""
    return Place(sections.rules_section(location), steps, sections.location_of(location))


def rule_place(name: str, location: str = "", *steps: Step) -> Place:
    """A rule, or what lies below it."""
    return rules_place(location, Step("rule", (("name", name),)), *steps)


def map_place(name: str, location: str = "", *steps: Step) -> Place:
    """A rewrite map, or what lies below it."""
    return Place(sections.MAPS, (Step("rewriteMap", (("name", name),)), *steps), sections.location_of(location))


def site_place(name: str, *steps: Step) -> Place:
    """A site, or what lies below it."""
    return Place(sections.SITES, (Step("site", (("name", name),)), *steps))


def application_place(site: str, path: str, *steps: Step) -> Place:
    """An application of a site, or what lies below it."""
    return site_place(site, Step("application", (("path", path),)), *steps)


def pool_place(name: str, *steps: Step) -> Place:
    """A pool, or what lies below it."""
    return Place(sections.POOLS, (Step("add", (("name", name),)), *steps))
