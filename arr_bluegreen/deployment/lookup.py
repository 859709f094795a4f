"""What a configuration holds under a name (IIS compares names without case), and who uses a pool. Pure."""

from __future__ import annotations

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.webfarm import ApplicationPool, Site, WebFarm


def find_farm(configuration: Configuration, name: str) -> WebFarm | None:
    """The farm of this name (without case), None when there is none."""
    return next((one for one in configuration.farms if one.name.casefold() == name.casefold()), None)


def find_site(configuration: Configuration, name: str) -> Site | None:
    """The site of this name (without case), None when there is none."""
    return next((one for one in configuration.sites if one.name.casefold() == name.casefold()), None)


def find_pool(configuration: Configuration, name: str) -> ApplicationPool | None:
    """The pool of this name (without case), None when there is none."""
    return next((one for one in configuration.pools if one.name.casefold() == name.casefold()), None)


def sites_of_pool(configuration: Configuration, pool: str) -> tuple[str, ...]:
    """The sites with an application in this pool, in the file's order."""
    name = pool.casefold()
    return tuple(s.name for s in configuration.sites if any(a.pool.casefold() == name for a in s.applications))


def others_in_pool(configuration: Configuration, pool: str, site: str) -> tuple[str, ...]:
    """The sites besides this one with an application in the pool."""
    return tuple(one for one in sites_of_pool(configuration, pool) if one.casefold() != site.casefold())


def is_default_pool(configuration: Configuration, pool: str) -> bool:
    """Whether applications that name no pool run in this one (arr.md 3.3): without it they would not start."""
    return pool.casefold() == (configuration.default_site.pool or "DefaultAppPool").casefold()
