"""From a described state and what is there to the changes between them; none when it holds already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from arr_bluegreen.cli.described import DescribedFarm, DescribedRule, DescribedState, current
from arr_bluegreen.cli.referring import rules_to, told
from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddRule,
    AddServer,
    ConfigChange,
    MoveRule,
    RemoveFarm,
    RemoveRule,
    RemoveServer,
    SetFarm,
    SetRule,
    SetServer,
    Settings,
    Value,
)
from arr_bluegreen.webfarm.farm import WebFarm
from arr_bluegreen.webfarm.rule import LAST, Position, Rule, Where


def changes_to(state: DescribedState, configuration: Configuration) -> list[ConfigChange]:
    """The changes: rules that go, farms, rules that come. Raises ``RefusedError`` and ``NoSuchObject``."""
    gone = [change for rule in state.rules if rule.absent for change in _rule_changes(rule, configuration)]
    farms = [change for farm in state.farms for change in _farm_changes(farm, configuration, state)]
    come = [change for rule in state.rules if not rule.absent for change in _rule_changes(rule, configuration)]
    return [*gone, *farms, *come]


def servers_going(changes: Sequence[ConfigChange], farm: str) -> list[str]:
    """The addresses of this farm's servers that the changes take out of service by configuration."""
    going = []
    for one in changes:
        match one:
            case RemoveServer(name, address) if name == farm:
                going.append(address)
            case SetServer(name, address, settings) if name == farm and ("enabled", False) in settings:
                going.append(address)
            case _:
                pass
    return going


def servers_coming(changes: Sequence[ConfigChange], farm: str) -> list[str]:
    """The addresses of this farm's servers that the changes enable or add enabled."""
    coming = []
    for one in changes:
        match one:
            case AddServer(name, server) if name == farm and server.enabled:
                coming.append(server.address)
            case SetServer(name, address, settings) if name == farm and ("enabled", True) in settings:
                coming.append(address)
            case _:
                pass
    return coming


# -- private -------------------------------------------------------------------------------------------


def _farm_changes(farm: DescribedFarm, configuration: Configuration, state: DescribedState) -> list[ConfigChange]:
    there = next((one for one in configuration.farms if one.name.casefold() == farm.name.casefold()), None)
    if farm.absent:
        return [] if there is None else _remove_farm(there, configuration, state)
    if there is None:
        return [AddFarm(farm.new())]
    differing = _differing(there, farm.settings)
    changes: list[ConfigChange] = [SetFarm(there.name, differing)] if differing else []
    return changes + _server_changes(farm, there)


def _remove_farm(there: WebFarm, configuration: Configuration, state: DescribedState) -> list[ConfigChange]:
    going = {(one.location.casefold(), one.name.casefold()) for one in state.rules if one.absent}
    staying = [
        one
        for one in rules_to(configuration, there.name)
        if (one.location.casefold(), one.rule.name.casefold()) not in going
    ]
    if staying:
        raise RefusedError(
            f"rules still point to farm '{there.name}': {told(staying)}",
            hint="Describe them with absent = true too.",
        )
    return [RemoveFarm(there.name)]


def _server_changes(farm: DescribedFarm, there: WebFarm) -> list[ConfigChange]:
    changes: list[ConfigChange] = []
    for one in farm.servers:
        server = there.server(one.address)
        if one.absent:
            changes += [RemoveServer(there.name, server.address)] if server else []
        elif server is None:
            changes.append(AddServer(there.name, one.new()))
        elif differing := _differing(server, one.settings):
            changes.append(SetServer(there.name, server.address, differing))
    if farm.exactly:
        named = {one.address.casefold() for one in farm.servers}
        others = [one for one in there.servers if one.address.casefold() not in named]
        changes += [RemoveServer(there.name, one.address) for one in others]
    return changes


def _rule_changes(wanted: DescribedRule, configuration: Configuration) -> list[ConfigChange]:
    rules = [
        rule
        for group in configuration.rule_lists
        if group.location.casefold() == wanted.location.casefold() and (group.is_global or wanted.location)
        for rule in group.rules
    ]
    there = next((one for one in rules if one.name.casefold() == wanted.name.casefold()), None)
    if wanted.absent:
        return [RemoveRule(there.name, wanted.location)] if there else []
    if there is None:
        return [AddRule(wanted.applied(Rule(wanted.name)), wanted.position or LAST, wanted.location)]
    return _changed_rule(wanted, there, rules)


def _changed_rule(wanted: DescribedRule, there: Rule, rules: Sequence[Rule]) -> list[ConfigChange]:
    changed = wanted.applied(there)
    names = [one.name for one in rules]
    at = names.index(there.name)
    if (changed.conditions, changed.server_variables) != (there.conditions, there.server_variables):
        behind = Position(Where.BEFORE, names[at + 1]) if at + 1 < len(names) else LAST
        position = wanted.position if _misplaced(names, at, wanted.position) and wanted.position else behind
        return [RemoveRule(there.name, wanted.location), AddRule(changed, position, wanted.location)]
    differing = _differing(there, wanted.settings)
    changes: list[ConfigChange] = [SetRule(there.name, differing, wanted.location)] if differing else []
    if wanted.position is not None and _misplaced(names, at, wanted.position):
        changes.append(MoveRule(there.name, wanted.position, wanted.location))
    return changes


def _misplaced(names: Sequence[str], at: int, position: Position | None) -> bool:
    """Whether the rule does not stand where it shall: anywhere before or after the named one will do."""
    if position is None:
        return False
    match position.where:
        case Where.FIRST:
            return at != 0
        case Where.LAST:
            return at != len(names) - 1
        case Where.BEFORE:
            return at > _index(names, position.name)
        case Where.AFTER:
            return at < _index(names, position.name)


def _index(names: Sequence[str], name: str) -> int:
    found = next((at for at, one in enumerate(names) if one.casefold() == name.casefold()), None)
    if found is None:
        raise NoSuchObject("rule", name, tuple(names))
    return found


def _differing(word: object, settings: Mapping[str, Value]) -> Settings:
    return tuple((name, value) for name, value in settings.items() if current(word, name) != value)
