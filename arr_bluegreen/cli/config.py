"""``config``: the whole applicationHost.config: what is in it, what is wrong with it, a described state, copies."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.cli.changing import carry_out, judged, warn_of_redirection
from arr_bluegreen.cli.config_copies import add_copies
from arr_bluegreen.cli.floor import add_floor, keep_floor
from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.referring import rules_to
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import CapabilityMissing, ExitCode
from arr_bluegreen.webfarm.change import ConfigChange, SetFarm
from arr_bluegreen.webfarm.farm import WebFarm


def add(parser: Parser) -> None:
    """The verbs of ``config``."""
    verbs = verbs_of(parser)
    verb(verbs, "show", "farms, rules, sites and pools, in short", _show, target=True)
    one = verb(
        verbs, "check", "the hazards of a file, each with its place, why it hurts, and the fix", _check, target=True
    )
    one.add_argument(
        "--severity", choices=["error", "warning", "info"], default="info", help="only what is at least so bad (info)"
    )
    one.add_argument("--exit-code", action="store_true", help="exit 10 when something was found")
    one = verb(verbs, "apply", "bring farms, servers and rules to a described state", _apply, target=True, changes=True)
    one.add_argument("file", metavar="FILE.toml")
    add_floor(one)
    judged(one)
    add_copies(verbs)


# -- private -------------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    shown: list[dict[str, Any]] = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
            shown.append(_summary(machine.name, machine.config.read()))
    out.result(shown[0] if len(shown) == 1 else shown, [line for one in shown for line in _lines(one)])
    return ExitCode.DONE


def _summary(machine: str, configuration: Configuration) -> dict[str, Any]:
    return {
        "machine": machine,
        "digest": configuration.digest,
        "farms": [
            {
                "name": farm.name,
                "enabled": farm.enabled,
                "servers": [
                    {"address": one.address, "enabled": one.enabled, "http_port": one.http_port, "weight": one.weight}
                    for one in farm.servers
                ],
            }
            for farm in configuration.farms
        ],
        "rules": [
            {"location": group.location, "name": rule.name, "enabled": rule.enabled, "to": rule.action.url}
            for group in configuration.rule_lists
            for rule in group.rules
        ],
        "sites": [
            {
                "name": one.name,
                "id": one.id,
                "pool": one.pool,
                "bindings": [f"{binding.protocol} {binding.information}" for binding in one.bindings],
            }
            for one in configuration.sites
        ],
        "pools": [
            {"name": one.name, "managed_runtime_version": one.managed_runtime_version, "start_mode": one.start_mode}
            for one in configuration.pools
        ],
    }


def _lines(one: dict[str, Any]) -> list[str]:
    lines = [one["machine"], f"sha256 {one['digest']}", "", f"farms: {len(one['farms'])}"]
    for farm in one["farms"]:
        lines.append(f"  {farm['name']}{'' if farm['enabled'] else ' (disabled)'}")
        for server in farm["servers"]:
            state = "online" if server["enabled"] else "offline"
            lines.append(f"    {server['address']}:{server['http_port']} {state}, weight {server['weight']}")
    lines.append(f"rules: {len(one['rules'])}")
    for rule in one["rules"]:
        place = f" in {rule['location']}" if rule["location"] else ""
        lines.append(f"  {rule['name']}{place}{'' if rule['enabled'] else ' (disabled)'} -> {rule['to'] or '-'}")
    lines.append(f"sites: {len(one['sites'])}")
    for site in one["sites"]:
        lines.append(
            f"  {site['name']} (id {site['id']}, pool {site['pool'] or '-'}): {', '.join(site['bindings']) or '-'}"
        )
    lines.append(f"pools: {len(one['pools'])}")
    return lines + [
        f"  {pool['name']} ({pool['managed_runtime_version'] or 'no managed code'})" for pool in one["pools"]
    ]


def _check(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.apphost.lint import Severity, lint

    least = Severity(arguments.severity).rank
    found: list[tuple[str, Any]] = []
    with machines(arguments, out) as all_:
        for machine in all_:
            warn_of_redirection(machine, out)
            host = _text(machine)
            found += [(machine.name, one) for one in lint(host) if one.severity.rank <= least]
    lines = [line for name, one in found for line in _finding_lines(name, one)]
    counts = ", ".join(_counted(kind.value, sum(one.severity is kind for _, one in found)) for kind in Severity)
    out.result(
        [{"file": name, **asdict(one), "severity": one.severity.value} for name, one in found],
        [*lines, counts if found else "nothing found"],
    )
    return ExitCode.DIFFERENCES if found and arguments.exit_code else ExitCode.DONE


def _counted(kind: str, number: int) -> str:
    return f"{number} {kind}" + ("s" if number != 1 and kind != "info" else "")


def _finding_lines(file: str, one: Any) -> list[str]:
    place = ":".join(str(part) for part in (file, one.line, one.column) if part is not None)
    return [f"{place}: {one.severity.value} {one.code}: {one.what}", f"    why: {one.why}", f"    fix: {one.fix}", ""]


def _text(machine: Machine) -> ApplicationHost:
    configuration = machine.config.read()
    if not isinstance(configuration, ApplicationHost):
        raise CapabilityMissing(
            f"the text of {machine.name}'s configuration cannot be had", hint="Check the file: --on file:PATH."
        )
    return configuration


def _apply(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.cli.described import read_described
    from arr_bluegreen.cli.described_changes import changes_to, servers_coming, servers_going

    state = read_described(arguments.file)

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        changes = changes_to(state, configuration, force=arguments.force)
        for farm in configuration.farms:
            going, coming = servers_going(changes, farm), servers_coming(changes, farm)
            if going and not (_is_switched_off(changes, farm) and not rules_to(configuration, farm.name)):
                keep_floor(arguments, machine, configuration, farm.name, going, coming)
        return changes

    return carry_out(arguments, out, decide)


def _is_switched_off(changes: Sequence[ConfigChange], farm: WebFarm) -> bool:
    return any(
        isinstance(one, SetFarm) and one.name == farm.name and ("enabled", False) in one.settings for one in changes
    )
