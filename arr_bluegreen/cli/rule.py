"""``rule``: URL Rewrite rules, the server's own (globalRules) or those of a ``--location``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arr_bluegreen.cli.changing import carry_out, gone_already, judged, warn_of_redirection
from arr_bluegreen.cli.options import Parser, Run, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.referring import place_of, rule_at, rules_at
from arr_bluegreen.cli.target import each, machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import ExitCode, NoSuchObject, RefusedError, UsageError
from arr_bluegreen.webfarm.change import AddRule, ConfigChange, MoveRule, RemoveRule
from arr_bluegreen.webfarm.routing import ends, managers_farm, takes_everything, targets
from arr_bluegreen.webfarm.rule import SERVER, Action, Condition, Match, Position, Rule, Where

_LOCATION = "rules of this <location>; '.' for the server's own <rules> (default: globalRules)"


def add(parser: Parser) -> None:
    """The verbs of ``rule``."""
    verbs = verbs_of(parser)
    one = verb(verbs, "list", "the rules, in the order they run", _list, target=True)
    one.add_argument("--location", metavar="PATH", help=_LOCATION.replace("default: globalRules", "default: all"))
    one = verb(verbs, "show", "one rule, everything", _show, target=True)
    _name(one)
    one = _placed(verbs, "add", "a new rule", _add)
    _name(one)
    one.add_argument("--match", default=".*", metavar="PATTERN", help="the path without its leading slash (.*)")
    one.add_argument("--wildcard", action="store_true", help="patterns are wildcards, not regular expressions")
    one.add_argument(
        "--condition", action="append", default=[], metavar="INPUT=PATTERN", help="such as {HTTP_HOST}=^shop\\.example$"
    )
    one.add_argument("--to", required=True, metavar="URL", help="where it rewrites to: http://FARM/{R:0}")
    one.add_argument("--no-stop", action="store_true", help="stopProcessing = false")
    one = verb(verbs, "remove", "a rule goes", _remove, target=True, changes=True)
    _name(one)
    one.add_argument("--force", action="store_true", help="also a rule that IIS Manager takes for its own")
    one = _placed(verbs, "move", "another place among the rules", _move, required=True)
    _name(one)
    one.add_argument("--force", action="store_true", help="also a rule that IIS Manager takes for its own")
    one = _placed(verbs, "route", "a host and port to a farm: the safe rule of blue-green", _route)
    one.add_argument("farm", metavar="FARM")
    one.add_argument("--host", required=True, metavar="HOST", help="the public host name")
    one.add_argument("--port", type=int, default=80, metavar="PORT", help="the public port (80); 443 means TLS")
    one.add_argument("--name", default="", help="the rule's name (arr-bluegreen FARM HOST PORT)")


# -- private -------------------------------------------------------------------------------------------


def _name(one: Parser) -> None:
    one.add_argument("name", metavar="NAME")
    one.add_argument("--location", default="", metavar="PATH", help=_LOCATION)


def _placed(verbs: Any, name: str, text: str, run: Run, *, required: bool = False) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=True)
    judged(one)
    group = one.add_mutually_exclusive_group(required=required)
    group.add_argument("--first", action="store_true", help="before all others")
    group.add_argument("--last", action="store_true", help="after all others")
    group.add_argument("--before", metavar="RULE")
    group.add_argument("--after", metavar="RULE")
    return one


def _position(arguments: argparse.Namespace) -> Position | None:
    if arguments.before is not None:
        return Position(Where.BEFORE, arguments.before)
    if arguments.after is not None:
        return Position(Where.AFTER, arguments.after)
    if arguments.first or arguments.last:
        return Position(Where.FIRST if arguments.first else Where.LAST)
    return None


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    listed = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        for machine, configuration in zip(found, each(found, lambda one: one.config.read()), strict=True):
            for location in dict.fromkeys(one.location for one in configuration.rule_lists):
                if arguments.location is None or location.casefold() == arguments.location.casefold():
                    rules = enumerate(rules_at(configuration, location), 1)
                    listed += [_record(machine, configuration, location, at, rule) for at, rule in rules]
    keys = ["location", "position", "name", "enabled", "stop_processing", "matches", "to"]
    heads = ["location", "#", "name", "enabled", "stops", "matches", "to"]
    if len(found) > 1:
        keys, heads = ["machine", *keys], ["machine", *heads]
    if listed or out.json:
        out.table(listed, heads, [["(global)" if one[key] == "" else one[key] for key in keys] for one in listed])
    else:
        out.say("no rules" if arguments.location is None else f"no rules in {place_of(arguments.location)}")
    return ExitCode.DONE


def _record(machine: Machine, configuration: Configuration, location: str, at: int, rule: Rule) -> dict[str, Any]:
    tests = [f"{'not ' if one.negate else ''}{one.input} {one.pattern}" for one in rule.conditions]
    return {
        "machine": machine.name,
        "location": location,
        "position": at,
        "name": rule.name,
        "enabled": rule.enabled,
        "stop_processing": rule.stop_processing,
        "matches": ", ".join([f"{'not ' if rule.match.negate else ''}{rule.match.url}", *tests]),
        "to": f"{rule.action.type} {rule.action.url}".strip(),
        "target": ", ".join(dict.fromkeys(one.host for one in targets(rule, configuration.rewrite_maps))),
    }


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    shown: list[dict[str, Any]] = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
            rule = rule_at(machine.config.read(), arguments.name, arguments.location)
            shown.append({"machine": machine.name, "location": arguments.location, **asdict(rule)})
    out.result(shown[0] if len(shown) == 1 else shown, [line for one in shown for line in _lines(one)])
    return ExitCode.DONE


def _lines(value: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for key, one in value.items():
        if isinstance(one, dict):
            lines += [f"{indent}{key}:", *_lines(one, indent + "  ")]
        elif isinstance(one, (tuple, list)):
            lines += [f"{indent}{key}: {'none' if not one else ''}".rstrip()]
            lines += [indent + "  " + ", ".join(f"{name}={text}" for name, text in item.items()) for item in one]
        else:
            lines.append(f"{indent}{key}: {one}")
    return lines


def _add(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if not arguments.match:
        raise UsageError("--match '' matches nothing", hint="Leave it out for every path (.*).")
    if not arguments.to.strip():
        raise UsageError("--to '' leads nowhere", hint="Such as --to http://FARM/{R:0}.")
    rule = Rule(
        arguments.name,
        pattern_syntax="Wildcard" if arguments.wildcard else "ECMAScript",
        stop_processing=not arguments.no_stop,
        match=Match("*" if arguments.wildcard and arguments.match == ".*" else arguments.match),
        conditions=tuple(_condition(text) for text in arguments.condition),
        action=Action("Rewrite", arguments.to),
    )
    return _add_rule(arguments, out, rule, arguments.location, "take another name")


def _condition(text: str) -> Condition:
    name, equals, pattern = text.partition("=")
    if not equals or not re.fullmatch(r"\{[^{}]+\}", name):
        raise UsageError(f"--condition {text}: not INPUT=PATTERN", hint="Such as --condition '{SERVER_PORT}=^80$'.")
    return Condition(name, pattern)


def _route(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if not 0 < arguments.port < 65536:
        raise UsageError(f"--port {arguments.port} is no port", hint="80, 443, or whatever the public uses.")
    if not re.fullmatch(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?", arguments.host):
        hint = "Only the name, such as shop.example (xn--... for others than ASCII); the port goes to --port."
        raise UsageError(f"--host '{arguments.host}' is no host name", hint=hint)
    return _add_rule(arguments, out, _routing_rule(arguments), "", "say --name", farm=arguments.farm)


def _routing_rule(arguments: argparse.Namespace) -> Rule:
    """The rule of arr.md 2.4: the port condition keeps out what ARR itself sends to the slots of this machine."""
    host, port = re.escape(arguments.host).replace(r"\-", "-"), arguments.port
    named = "" if port in (80, 443) else f"(:{port})?"  # {HTTP_HOST} holds the port when it is not the default one
    conditions = [Condition("{HTTP_HOST}", f"^{host}{named}$"), Condition("{SERVER_PORT}", f"^{port}$")]
    if port == 443:
        conditions.append(Condition("{HTTPS}", "^ON$"))
    return Rule(
        arguments.name or f"arr-bluegreen {arguments.farm} {arguments.host} {port}",
        stop_processing=True,
        match=Match(".*"),
        conditions=tuple(conditions),
        action=Action("Rewrite", f"http://{arguments.farm}/{{R:0}}"),
    )


def _add_rule(
    arguments: argparse.Namespace, out: Output, rule: Rule, location: str, else_: str, *, farm: str | None = None
) -> ExitCode:
    if managers_farm(rule.name):
        raise UsageError(
            f"'{rule.name}' is a name IIS Manager takes for its own", hint="It overwrites such rules (ARR026)."
        )

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        if farm is not None:
            configuration.farm(farm)
        _need_location(configuration, location)
        rules = rules_at(configuration, location)
        there = next((one for one in rules if one.name.casefold() == rule.name.casefold()), None)
        position = _position(arguments)
        if there is None:
            return [AddRule(rule, position or _before_what_swallows(rules), location)]
        if there == rule:
            return []
        raise UsageError(f"there is a rule '{there.name}' already, and it is another", hint=f"Remove it, or {else_}.")

    return carry_out(arguments, out, decide)


def _need_location(configuration: Configuration, location: str) -> None:
    """A new ``<location>`` is made only for a site that is there: IIS takes any path and says nothing."""
    if location in ("", SERVER) or rules_at(configuration, location):
        return
    site, sites = location.split("/")[0], tuple(one.name for one in configuration.sites)
    if site.casefold() not in [one.casefold() for one in sites]:
        raise NoSuchObject("site", site, sites, where=f"this file, for --location {location}")


def _before_what_swallows(rules: Sequence[Rule]) -> Position:
    """Before the first rule that takes every request for good, else last (arr.md 2.2)."""
    for one in rules:
        if one.enabled and ends(one) and takes_everything(one):
            return Position(Where.BEFORE, one.name)
    return Position()


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        with gone_already():
            rule = rule_at(configuration, arguments.name, arguments.location)
        _not_the_managers(rule, force=arguments.force)
        return [RemoveRule(rule.name, arguments.location)]

    return carry_out(arguments, out, decide)


def _not_the_managers(rule: Rule, *, force: bool) -> None:
    if managers_farm(rule.name) and not force:
        raise RefusedError(
            f"rule '{rule.name}' belongs to IIS Manager, which may undo this", hint="Insist with --force."
        )


def _move(arguments: argparse.Namespace, out: Output) -> ExitCode:
    position = _position(arguments) or Position()

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        rule = rule_at(configuration, arguments.name, arguments.location)
        _not_the_managers(rule, force=arguments.force)
        if position.name:
            rule_at(configuration, position.name, arguments.location)
        names = [one.name.casefold() for one in rules_at(configuration, arguments.location)]
        if _already(names, rule.name.casefold(), position):
            return []
        return [MoveRule(rule.name, position, arguments.location)]

    return carry_out(arguments, out, decide)


def _already(names: Sequence[str], name: str, position: Position) -> bool:
    at = names.index(name)
    match position.where:
        case Where.FIRST:
            return at == 0
        case Where.LAST:
            return at == len(names) - 1
        case Where.BEFORE:
            return names[at + 1 : at + 2] == [position.name.casefold()]
        case Where.AFTER:
            return at > 0 and names[at - 1] == position.name.casefold()
