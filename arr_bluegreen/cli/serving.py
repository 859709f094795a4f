"""Which sites and pools carry live traffic: their verbs refuse to take it away unless told to."""

from __future__ import annotations

import argparse

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import ApplicationPool, Site


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
    parser.add_argument("--force", action="store_true", help="also when a farm server that is enabled stands behind it")


def refuse_serving(arguments: argparse.Namespace, configuration: Configuration, *sites: Site) -> None:
    """Raises ``RefusedError`` when an enabled farm server's port is bound by one of the sites; --force says yes.

    A farm server of another machine on the same port counts too: here nobody can tell whose address it is.
    """
    if arguments.force:
        return
    for site in sites:
        ports = {one.port for one in site.bindings if one.protocol in ("http", "https")}
        for farm in configuration.farms:
            for server in farm.servers:
                if server.enabled and farm.enabled and ports & {server.http_port}:
                    raise RefusedError(
                        f"site '{site.name}' listens on port {server.http_port} of server {server.address}, which is "
                        f"enabled in farm '{farm.name}'",
                        hint="Take the server offline first, or insist with --force.",
                    )
