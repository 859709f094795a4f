"""``site``: the sites of IIS. add and remove are configuration; start, stop and recycle are run time."""

from __future__ import annotations

import argparse
import ipaddress
import re
from collections.abc import Sequence
from typing import Any

from arr_bluegreen.cli.changing import carry_out
from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.origins import add_effective
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.serving import add_force, pool_of, refuse_serving, site_of
from arr_bluegreen.cli.site_or_pool import Kind, add_acts, named, tell_list, tell_one
from arr_bluegreen.cli.target import has_run_time
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment.instance import free_site_id
from arr_bluegreen.deployment.names import check_site_name
from arr_bluegreen.deployment.ownership import Owned
from arr_bluegreen.errors import ExitCode, UsageError
from arr_bluegreen.webfarm import Application, Binding, Site, VirtualDirectory
from arr_bluegreen.webfarm.change import AddSite, ConfigChange, RemoveLocation, RemoveSite, SetSite, settings

SITE = Kind(
    "site",
    Site,
    site_of,
    lambda configuration, site: (site,),
    lambda machine, site: machine.sites.start_site(site.name),
    lambda machine, site: machine.sites.stop_site(site.name),
    lambda machine, site: machine.sites.recycle_pool(site.pool),
    lambda site: site.server_auto_start,
    lambda site, value: SetSite(site.name, settings(server_auto_start=value)),
)


def add(parser: Parser) -> None:
    """The verbs of ``site``."""
    verbs = verbs_of(parser)
    verb(verbs, "list", "sites with bindings, pool and folder; on a machine, their state", _list, target=True)
    add_effective(named(verbs, SITE, "show", "one site, everything", _show))
    _adding(verbs)
    text = "the site and its <location> blocks go; its pool stays"
    add_force(named(verbs, SITE, "remove", text, _remove, changes=True))
    add_acts(
        verbs,
        SITE,
        "close its listeners; running requests go on",
        "a new worker process for its pool",
        "serverAutoStart",
    )


def seen_sites(machine: Machine, name: str = "") -> list[dict[str, Any]]:
    """The sites of a machine (the one of this name, if given) as plain values; ``state`` only where it runs."""
    states = {one.name.casefold(): one.state.value for one in machine.sites.sites()} if has_run_time(machine) else {}
    return [
        {
            "machine": machine.name,
            "name": one.name,
            "id": one.id,
            "state": states.get(one.name.casefold()),
            "server_auto_start": one.server_auto_start,
            "bindings": [f"{b.protocol}/{b.information}" for b in one.bindings],
            "pool": one.pool,
            "path": one.physical_path,
            "applications": [{"path": a.path, "pool": a.pool} for a in one.applications],
        }
        for one in machine.config.read().sites
        if not name or one.name == name
    ]


# -- private -------------------------------------------------------------------------------------------

_FOLDER = re.compile(r"([A-Za-z]:[\\/]|\\\\[^\\/]+\\[^\\/]|%\w+(\(\w+\))?%)[^\x00-\x1f\"<>|?*]*")
_BINDING = re.compile(r"(?P<protocol>https?)/(?P<address>.*):(?P<port>[0-9]{1,9}):(?P<host>[^:]*)")
_HOST = re.compile(r"(\*\.)?[\w-]+(\.[\w-]+)*|\*|")


def _adding(verbs: Any) -> None:
    one = named(verbs, SITE, "add", "a new site with one application", _add, changes=True)
    one.add_argument("--path", required=True, metavar="FOLDER", help="its root folder")
    one.add_argument("--pool", metavar="POOL", help="its application pool (default: the pool of its name)")
    one.add_argument(
        "--binding",
        action="append",
        metavar="PROTOCOL/IP:PORT:HOST",
        help="such as http/*:8001: (may be given several times)",
    )
    one.add_argument("--id", type=int, default=0, metavar="N", help="its id (default: above all there are)")


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    columns = {
        "name": lambda one: one["name"],
        "id": lambda one: one["id"],
        "state": lambda one: one["state"] or "-",
        "auto start": lambda one: one["server_auto_start"],
        "pool": lambda one: one["pool"],
        "bindings": lambda one: " ".join(one["bindings"]),
        "path": lambda one: one["path"],
    }
    return tell_list(arguments, out, seen_sites, columns)


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return tell_one(arguments, out, SITE, seen_sites)


def _add(arguments: argparse.Namespace, out: Output) -> ExitCode:
    name = check_site_name(arguments.name)
    bindings = tuple(_binding(one) for one in arguments.binding or ())
    if not bindings:
        raise UsageError("a site needs a binding", hint="Say --binding http/*:8001: or the like.")
    if not _FOLDER.fullmatch(arguments.path):
        raise UsageError(f"{arguments.path!a} is no folder's whole path", hint=r"Write C:\apps\shop or the like.")
    if arguments.id < 0:
        raise UsageError("a site's id is a positive number", hint="Leave --id out.")

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        pool = pool_of(configuration, arguments.pool or name).name
        root = Application("/", pool, virtual_directories=(VirtualDirectory("/", arguments.path),))
        _refuse_taken(configuration, name, bindings, arguments.id)
        number = arguments.id or free_site_id(configuration, Owned(), name)
        return [AddSite(Site(name, number, True, bindings, (root,)))]

    return carry_out(arguments, out, decide)


def _refuse_taken(configuration: Configuration, name: str, bindings: Sequence[Binding], number: int) -> None:
    for one in configuration.sites:
        if one.name.casefold() == name.casefold():
            raise UsageError(f"there is a site '{one.name}' already", hint="See 'site show'.")
        if number and one.id == number:
            raise UsageError(f"site '{one.name}' has the id {number}", hint="Leave --id out.")
        taken = {(b.protocol, b.information.casefold()) for b in one.bindings}
        both = next((b for b in bindings if (b.protocol, b.information.casefold()) in taken), None)
        if both is not None:
            raise UsageError(
                f"site '{one.name}' has the binding {both.protocol}/{both.information}", hint="Take another."
            )


def _binding(text: str) -> Binding:
    found = _BINDING.fullmatch(text)
    if found is None:
        raise UsageError(f"'{text}' is no binding", hint="Write http/*:8001: or http/127.0.0.2:8001:www.example.com.")
    if not 1 <= int(found["port"]) <= 65535:
        raise UsageError(f"'{text}' names port {found['port']}", hint="Ports go from 1 to 65535.")
    if not _is_address(found["address"]) or not _HOST.fullmatch(found["host"]):
        raise UsageError(f"'{text}' names no IP address and host name", hint="Write * for every address.")
    return Binding(found["protocol"], f"{found['address']}:{found['port']}:{found['host']}")


def _is_address(text: str) -> bool:
    try:
        return text in ("", "*") or bool(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return False


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        site = site_of(configuration, arguments.name)
        refuse_serving(arguments, configuration, site)
        return [RemoveSite(site.name), RemoveLocation(site.name)]

    return carry_out(arguments, out, decide)
