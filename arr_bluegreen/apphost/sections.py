"""The sections we read and write, by their paths in the file."""

from __future__ import annotations

WEB_FARMS = "webFarms"
PROXY = "system.webServer/proxy"
GLOBAL_RULES = "system.webServer/rewrite/globalRules"
RULES = "system.webServer/rewrite/rules"
MAPS = "system.webServer/rewrite/rewriteMaps"
SITES = "system.applicationHost/sites"
POOLS = "system.applicationHost/applicationPools"


def rules_section(location: str) -> str:
    """The section that holds the rules of a location: ``globalRules`` for "", ``rules`` for ``.`` and every path."""
    return RULES if location else GLOBAL_RULES


def location_of(location: str) -> str:
    """The ``<location>`` path that the rules of a location lie in: none ("") for globalRules and for ``.``."""
    return "" if location == "." else location
