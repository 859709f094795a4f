"""``server``: the servers of a farm. online and offline are configuration; available, drain, healthy are run time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from arr_bluegreen.cli.changing import carry_out, gone_already, judged, warn_of_redirection
from arr_bluegreen.cli.floor import add_floor, keep_floor, server_of
from arr_bluegreen.cli.options import Parser, Run, verb, verbs_of
from arr_bluegreen.cli.origins import add_effective, origin_lines, with_origins
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.server_state import add_state_verbs
from arr_bluegreen.cli.servers_seen import columns, rows, seen_servers
from arr_bluegreen.cli.target import each, has_run_time, machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import ExitCode, UsageError
from arr_bluegreen.webfarm.change import AddServer, ConfigChange, RemoveServer, SetServer, settings
from arr_bluegreen.webfarm.farm import Server
from arr_bluegreen.webfarm.state import ServerState


def add(parser: Parser) -> None:
    """The verbs of ``server``."""
    verbs = verbs_of(parser)
    one = verb(verbs, "list", "servers with configuration and, on a machine, run time", _list, target=True)
    one.add_argument("farm", nargs="?", metavar="FARM", help="only this farm")
    add_effective(_named(verbs, "show", "one server, everything", _show))
    _adding(verbs)
    one = _named(verbs, "remove", "take a server out of its farm's list", _remove, changes=True)
    add_floor(one)
    _several(verbs, "online", "configuration: enabled = true, one write for all named", _online)
    add_floor(_several(verbs, "offline", "configuration: enabled = false, one write for all named", _offline))
    one = _named(verbs, "weight", "configuration: the server's share in WeightedRoundRobin", _weight, changes=True)
    one.add_argument("weight", type=int, metavar="N", help="at least 1")
    add_state_verbs(verbs)


# -- private -------------------------------------------------------------------------------------------


def _adding(verbs: object) -> None:
    one = _named(verbs, "add", "a new server; it gets requests at once unless --offline", _add, changes=True)
    one.add_argument("--http-port", type=int, default=80, metavar="N")
    one.add_argument("--https-port", type=int, default=443, metavar="N")
    one.add_argument("--weight", type=int, default=100, metavar="N")
    one.add_argument("--host-name", default="", metavar="HOST", help="the Host header this server gets")
    one.add_argument("--offline", action="store_true", help="enabled = false: it gets no request until 'server online'")
    judged(one)


def _named(verbs: object, name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=changes)
    one.add_argument("farm", metavar="FARM")
    one.add_argument("address", metavar="ADDRESS")
    return one


def _several(verbs: object, name: str, text: str, run: Run) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=True)
    one.add_argument("farm", metavar="FARM")
    one.add_argument("addresses", metavar="ADDRESS", nargs="+")
    return one


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        some = each(found, lambda one: seen_servers(one, one.config.read(), arguments.farm))
        seen = [one for records in some for one in records]
        shape = {"run_time": any(has_run_time(machine) for machine in found), "several": len(found) > 1}
        out.table(seen, columns(**shape), rows(seen, **shape))
        if not seen:
            out.say("no servers: this configuration has no web farm with one")
    return ExitCode.DONE


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        shown = [one for records in each(found, lambda one: _shown(arguments, one)) for one in records]
    lines = [line for one in shown for line in _lines(one)]
    out.result(shown[0] if len(shown) == 1 else shown, lines)
    return ExitCode.DONE


def _shown(arguments: argparse.Namespace, machine: Machine) -> list[dict[str, Any]]:
    configuration = machine.config.read()
    name = server_of(configuration.farm(arguments.farm), arguments.address).address
    seen = [one for one in seen_servers(machine, configuration, arguments.farm) if one["address"] == name]
    return with_origins(seen, configuration, Server, (arguments.farm, name)) if arguments.effective else seen


def _lines(one: dict[str, Any]) -> list[str]:
    plain = {key: value for key, value in one.items() if value is not None and key != "settings"}
    lines = [f"{key:32} {_said(value)}".rstrip() for key, value in plain.items()]
    return [*lines, "", *origin_lines(one["settings"])] if "settings" in one else lines


def _add(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if arguments.weight < 1:
        raise UsageError("--weight must be at least 1", hint="Take the server offline to give it no requests.")
    server = Server(
        arguments.address,
        enabled=not arguments.offline,
        host_name=arguments.host_name,
        weight=arguments.weight,
        http_port=arguments.http_port,
        https_port=arguments.https_port,
    )

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        farm = configuration.farm(arguments.farm)
        there = farm.server(arguments.address)
        if there is None:
            return [AddServer(farm.name, server)]
        if there == server:
            return []
        raise UsageError(
            f"farm '{farm.name}' has the server '{there.address}' already, with other settings",
            hint="Change it with 'server weight' or 'config apply', or remove it first.",
        )

    return carry_out(arguments, out, decide)


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        farm = configuration.farm(arguments.farm)
        with gone_already():
            server = server_of(farm, arguments.address)
        keep_floor(arguments, machine, configuration, arguments.farm, [server.address])
        return [RemoveServer(arguments.farm, server.address)]

    return carry_out(arguments, out, decide)


def _online(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        return _enable(arguments, configuration, True)

    return carry_out(arguments, out, decide, lambda machine: _held_back(arguments, machine))


def _offline(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        changes = _enable(arguments, configuration, False)
        if changes:
            keep_floor(arguments, machine, configuration, arguments.farm, arguments.addresses)
        return changes

    return carry_out(arguments, out, decide)


def _enable(arguments: argparse.Namespace, configuration: Configuration, enabled: bool) -> list[ConfigChange]:
    farm = configuration.farm(arguments.farm)
    servers = dict.fromkeys(server_of(farm, address) for address in arguments.addresses)
    return [SetServer(farm.name, one.address, settings(enabled=enabled)) for one in servers if one.enabled != enabled]


def _weight(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if arguments.weight < 1:
        raise UsageError("a weight is at least 1", hint="Take the server offline to give it no requests.")

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        farm = configuration.farm(arguments.farm)
        server = server_of(farm, arguments.address)
        if server.weight == arguments.weight:
            return []
        return [SetServer(farm.name, server.address, settings(weight=arguments.weight))]

    return carry_out(arguments, out, decide)


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _held_back(arguments: argparse.Namespace, machine: Machine) -> list[str]:
    """A Drain or Stop left from last time outlives 'online' in ARR's memory (arr.md hazard 36)."""
    if not has_run_time(machine):
        return []
    status = machine.farm(arguments.farm).status()
    states = [(one, status.server(one).state) for one in arguments.addresses]
    return [
        f"{one} is online and still {state.value}: arr-bluegreen server available {arguments.farm} {one}"
        for one, state in states
        if state not in (ServerState.ACTIVE, None)
    ]
