"""``farm``: web farms as configured, and what runs of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from arr_bluegreen.cli.changing import carry_out, gone_already, judged, warn_of_redirection
from arr_bluegreen.cli.options import Parser, seconds, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import each, has_run_time, machines, need_run_time
from arr_bluegreen.errors import ExitCode, NoSuchObject, RefusedError, UsageError
from arr_bluegreen.webfarm.farm import HealthCheck, Server, WebFarm
from arr_bluegreen.webfarm.routing import references

if TYPE_CHECKING:  # and what only some verbs need is imported by them: a list must be there at once
    from arr_bluegreen.control.interface import Configuration, Machine
    from arr_bluegreen.webfarm.change import ConfigChange
    from arr_bluegreen.webfarm.routing import Reference


def add(parser: Parser) -> None:
    """The verbs of ``farm``."""
    verbs = verbs_of(parser)
    verb(verbs, "list", "the web farms", _list, target=True)
    one = verb(verbs, "show", "one farm: settings, servers, the rules that point to it", _show, target=True)
    one.add_argument("farm", metavar="FARM")
    _creating(verbs)
    one = verb(verbs, "remove", "the farm with its servers", _remove, target=True, changes=True)
    one.add_argument("farm", metavar="FARM")
    one.add_argument("--with-rules", action="store_true", help="the rules that point to it go too, in the same write")
    one.add_argument("--force", action="store_true", help="remove it although rules point to it (they stay)")
    _reconciling(verbs)


# -- private -------------------------------------------------------------------------------------------


def _creating(verbs: Any) -> None:
    one = verb(verbs, "create", "a new farm (no rule is made: see 'rule route')", _create, target=True, changes=True)
    one.add_argument("farm", metavar="FARM")
    one.add_argument(
        "--server", action="append", default=[], metavar="ADDRESS[:PORT]", help="a server; the port is httpPort (80)"
    )
    one.add_argument("--health-url", default="", metavar="URL", help="ARR's health test; without it ARR tests nothing")
    one.add_argument("--health-status", default="200-399", metavar="LIST", help="statuses that are healthy (200-399)")
    one.add_argument("--health-text", default="", metavar="TEXT", help="text that a healthy answer holds")
    one.add_argument("--health-interval", type=seconds, default=seconds("30"), metavar="SECONDS")
    one.add_argument(
        "--timeout", type=seconds, default=seconds("30"), metavar="SECONDS", help="how long a server may take to answer"
    )
    one.add_argument("--no-cache", action="store_true", help="ARR's own response cache off")
    judged(one)


def _reconciling(verbs: Any) -> None:
    one = verb(
        verbs, "reconcile", "after an ARR restart: the wanted slot live again", _reconcile, target=True, changes=True
    )
    one.add_argument("farm", metavar="FARM")
    group = one.add_mutually_exclusive_group()
    group.add_argument("--pause", action="store_true", help="leave the farm alone until --unpause: an admin is at work")
    group.add_argument("--unpause", action="store_true", help="go on reconciling")


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    listed: list[dict[str, Any]] = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        for machine, configuration in zip(found, each(found, lambda one: one.config.read()), strict=True):
            pointing = references(configuration.rule_lists, configuration.rewrite_maps)
            listed += [_summary(machine, one, pointing.get(one.name.casefold(), [])) for one in configuration.farms]
        names = ["machine", "farm", "enabled", "servers", "online", "health test", "rules"]
        keys = ["machine", "farm", "enabled", "servers", "online", "health_url", "rules"]
        start = 0 if len(found) > 1 else 1
    cells = [["(none)" if one[key] == "" else one[key] for key in keys[start:]] for one in listed]
    if listed or out.json:
        out.table(listed, names[start:], cells)
    else:
        out.say("no web farms")
    return ExitCode.DONE


def _summary(machine: Machine, farm: WebFarm, pointing: Sequence[Reference]) -> dict[str, Any]:
    return {
        "machine": machine.name,
        "farm": farm.name,
        "enabled": farm.enabled,
        "servers": len(farm.servers),
        "online": sum(one.enabled for one in farm.servers),
        "health_url": farm.health_check.url,
        "rules": len(pointing),
    }


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.cli.referring import rules_to
    from arr_bluegreen.cli.servers_seen import seen_servers

    shown: list[dict[str, Any]] = []
    lines: list[str] = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
            configuration = machine.config.read()
            farm = configuration.farm(arguments.farm)
            servers = seen_servers(machine, configuration, farm.name)
            record = _plain(asdict(farm)) | {"machine": machine.name, "servers": servers}
            record["rules"] = [
                {"name": one.rule.name, "location": one.location, "enabled": one.rule.enabled, "map": one.map}
                for one in rules_to(configuration, farm.name)
            ]
            shown.append(record)
            lines += _lines(farm, record, run_time=has_run_time(machine))
    out.result(shown[0] if len(shown) == 1 else shown, lines)
    return ExitCode.DONE


def _lines(farm: WebFarm, record: dict[str, Any], *, run_time: bool) -> list[str]:
    from arr_bluegreen.cli.servers_seen import columns, rows

    lines = [f"farm {farm.name} on {record['machine']}: {'enabled' if farm.enabled else 'disabled'}", ""]
    shape = {"run_time": run_time, "several": False}
    table: list[list[Any]] = [list(columns(**shape)), *rows(record["servers"], **shape)]
    cells = [[_cell(one) for one in row] for row in table]
    widths = [max(len(row[at]) for row in cells) for at in range(len(cells[0]))]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines += [
        "",
        "rules: " + (", ".join(one["name"] for one in record["rules"]) or "none points here (rule route)"),
        "",
    ]
    plain = WebFarm(farm.name, servers=farm.servers, enabled=farm.enabled)
    changed = _differing(asdict(farm), asdict(plain))
    lines += ["settings that are not ARR's defaults:"] + [f"  {name} = {_told(value)}" for name, value in changed]
    return lines if changed else [*lines[:-1], "all settings are ARR's defaults"]


def _told(value: object) -> str:
    """A value as the file has it: times with their unit, switches as true and false."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g} s"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else "?" if value is None else str(value)


def _plain(value: Any) -> Any:
    """Times as seconds, tuples as lists: what JSON can say."""
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case tuple() | list():
            return [_plain(one) for one in value]
        case timedelta():
            return value.total_seconds()
        case _:
            return value


def _differing(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in one.items():
        if isinstance(value, dict):
            found += _differing(value, other[key], f"{prefix}{key}.")
        elif value != other[key]:
            found.append((prefix + key, value))
    return found


def _create(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.webfarm.change import AddFarm

    wanted = _described(arguments)

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        there = next((one for one in configuration.farms if one.name.casefold() == wanted.name.casefold()), None)
        if there is None:
            return [AddFarm(wanted)]
        if there == wanted:
            return []
        raise UsageError(f"there is a farm '{there.name}' already, with other settings", hint="See 'config apply'.")

    return carry_out(arguments, out, decide)


def _described(arguments: argparse.Namespace) -> WebFarm:
    plain = WebFarm(arguments.farm)
    protocol = replace(plain.protocol, timeout=arguments.timeout)
    if arguments.no_cache:
        protocol = replace(protocol, cache=replace(protocol.cache, enabled=False))
    health = HealthCheck(
        url=arguments.health_url,
        interval=arguments.health_interval,
        status_code_match=arguments.health_status,
        response_match=arguments.health_text,
    )
    servers = tuple(_server(text) for text in arguments.server)
    return replace(plain, servers=servers, health_check=health, protocol=protocol)


def _server(text: str) -> Server:
    address, colon, port = text.rpartition(":")
    if not colon or (":" in address and "/" not in address and not address.endswith("]")):  # or a bare IPv6 address
        return Server(text)
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        what = "an address has no scheme and no path" if "/" in text else f"'{port}' is no port"
        raise UsageError(f"--server {text}: {what}", hint="Write ADDRESS or ADDRESS:PORT.")
    return Server(address, http_port=int(port))


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.cli.referring import removals, rules_to, told
    from arr_bluegreen.webfarm.change import RemoveFarm

    arguments.despite = ["ARR023"] if arguments.force else []  # what --force is for: rules that lead nowhere

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        try:
            with gone_already():
                farm = configuration.farm(arguments.farm)
        except NoSuchObject:
            if arguments.force:
                return []
            raise
        rules = rules_to(configuration, farm.name)
        if arguments.force and not arguments.with_rules:
            return [RemoveFarm(farm.name)]
        if rules and not arguments.with_rules:
            raise RefusedError(
                f"rules still point to farm '{farm.name}': {told(rules)}",
                hint="They would send their requests nowhere: say --with-rules to remove them too, or --force.",
            )
        named = [one for one in rules if not (one.map and arguments.force)]
        return [*removals(configuration, named), RemoveFarm(farm.name)]

    return carry_out(arguments, out, decide)


def _reconcile(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        for machine in found:
            need_run_time(machine, "reconcile")
        try:
            reconciling = import_module("arr_bluegreen.cli.reconciling")
        except ModuleNotFoundError as error:
            raise RefusedError(
                "this version cannot reconcile yet", hint="Use 'server available' and 'deploy'."
            ) from error
        return ExitCode(reconciling.run(arguments, out, found))
