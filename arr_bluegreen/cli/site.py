"""``site``: the sites of IIS. add and remove are configuration; start, stop and recycle are run time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from arr_bluegreen.cli.acting import act_on_each
from arr_bluegreen.cli.changing import carry_out
from arr_bluegreen.cli.options import Parser, Run, verb, verbs_of
from arr_bluegreen.cli.origins import add_effective, record_lines, with_origins
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.serving import add_force, pool_of, refuse_serving, site_of
from arr_bluegreen.cli.target import has_run_time, machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment.instance import free_site_id
from arr_bluegreen.deployment.names import check_site_name
from arr_bluegreen.deployment.ownership import Owned
from arr_bluegreen.errors import ExitCode, UsageError
from arr_bluegreen.webfarm import Application, Binding, Site, VirtualDirectory
from arr_bluegreen.webfarm.change import AddSite, ConfigChange, RemoveLocation, RemoveSite, SetSite, settings


def add(parser: Parser) -> None:
    """The verbs of ``site``."""
    verbs = verbs_of(parser)
    verb(verbs, "list", "sites with bindings, pool and folder; on a machine, their state", _list, target=True)
    add_effective(_named(verbs, "show", "one site, everything", _show))
    _adding(verbs)
    one = _named(verbs, "remove", "the site and its <location> blocks go; its pool stays", _remove, changes=True)
    add_force(one)
    _named(verbs, "start", "run time: start it", _start, changes=True)
    one = _named(verbs, "stop", "run time: close its listeners; running requests go on", _stop, changes=True)
    one.add_argument("--for-good", action="store_true", help="also after a reboot: serverAutoStart = false")
    add_force(one)
    one = _named(verbs, "recycle", "run time: a new worker process for its pool", _recycle, changes=True)


# -- private -------------------------------------------------------------------------------------------


def _named(verbs: Any, name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=changes)
    one.add_argument("name", metavar="SITE")
    return one


def _adding(verbs: Any) -> None:
    one = _named(verbs, "add", "a new site with one application", _add, changes=True)
    one.add_argument("--path", required=True, metavar="FOLDER", help="its root folder")
    one.add_argument("--pool", metavar="POOL", help="its application pool (default: the pool of its name)")
    one.add_argument(
        "--binding",
        action="append",
        metavar="PROTOCOL/IP:PORT:HOST",
        help="such as http/*:8001: (may be given several times)",
    )
    one.add_argument("--id", type=int, default=0, metavar="N", help="its id (default: above all there are)")


def seen_sites(machine: Machine) -> list[dict[str, Any]]:
    """The sites of a machine as plain values; ``state`` only where it has a run time."""
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
    ]


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        seen = [one for machine in found for one in seen_sites(machine)]
        several = len(found) > 1
    columns = [*(["machine"] if several else []), "name", "id", "state", "auto start", "pool", "bindings", "path"]
    rows = [
        [
            *([one["machine"]] if several else []),
            one["name"],
            one["id"],
            one["state"] or "-",
            one["server_auto_start"],
            one["pool"],
            " ".join(one["bindings"]),
            one["path"],
        ]
        for one in seen
    ]
    out.table(seen, columns, rows)
    return ExitCode.DONE


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        shown = []
        for machine in found:
            configuration = machine.config.read()
            name = site_of(configuration, arguments.name).name
            seen = [one for one in seen_sites(machine) if one["name"] == name]
            shown += with_origins(seen, configuration, Site, (name,)) if arguments.effective else seen
    lines = [line for one in shown for line in record_lines(one)]
    out.result(shown[0] if len(shown) == 1 else shown, lines)
    return ExitCode.DONE


def _add(arguments: argparse.Namespace, out: Output) -> ExitCode:
    name = check_site_name(arguments.name)
    bindings = tuple(_binding(one) for one in arguments.binding or ())
    if not bindings:
        raise UsageError("a site needs a binding", hint="Say --binding http/*:8001: or the like.")

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
    protocol, slash, information = text.partition("/")
    binding = Binding(protocol, information)
    if not slash or protocol not in ("http", "https") or binding.port is None or information.count(":") < 2:
        raise UsageError(f"'{text}' is no binding", hint="Write http/*:8001: or http/127.0.0.2:8001:www.example.com.")
    return binding


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        site = site_of(configuration, arguments.name)
        refuse_serving(arguments, configuration, site)
        return [RemoveSite(site.name), RemoveLocation(site.name)]

    return carry_out(arguments, out, decide)


def _start(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        site = site_of(machine.config.read(), arguments.name)
        if not dry_run:
            machine.sites.start_site(site.name)
        return f"start site '{site.name}'"

    return act_on_each(arguments, out, act)


def _stop(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        configuration = machine.config.read()
        site = site_of(configuration, arguments.name)
        refuse_serving(arguments, configuration, site)
        if not dry_run:
            machine.sites.stop_site(site.name)
            if arguments.for_good and site.server_auto_start:
                machine.config.apply([SetSite(site.name, settings(server_auto_start=False))])
        return f"stop site '{site.name}'" + (" for good" if arguments.for_good else "")

    return act_on_each(arguments, out, act)


def _recycle(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        site = site_of(machine.config.read(), arguments.name)
        if not dry_run:
            machine.sites.recycle_pool(site.pool)
        return f"recycle pool '{site.pool}' of site '{site.name}'"

    return act_on_each(arguments, out, act)
