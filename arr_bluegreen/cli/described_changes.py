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
    SetConditions,
    SetFarm,
    SetRule,
    SetServer,
    SetServerVariables,
    Settings,
    Value,
)
from arr_bluegreen.webfarm.farm import WebFarm
from arr_bluegreen.webfarm.routing import managers_farm
from arr_bluegreen.webfarm.rule import LAST, Position, Rule, Where


def changes_to(state: DescribedState, configuration: Configuration, *, force: bool = False) -> list[ConfigChange]:
    """The changes: rules that go, farms, rules that come. Raises ``RefusedError`` and ``NoSuchObject``.

    ``force``: also rules that IIS Manager takes for its own.
    """
    lists = _Lists(configuration)
    gone = [change for rule in state.rules if rule.absent for change in lists.remove(rule)]
    farms = [change for farm in state.farms for change in _farm_changes(farm, configuration, state)]
    come = lists.bring(state.rules)
    changes = [*gone, *farms, *come]
    if not force:
        _refuse_the_managers(changes)
    return changes


def servers_going(changes: Sequence[ConfigChange], farm: WebFarm) -> list[str]:
    """The addresses of this farm's servers that the changes take out of service by configuration."""
    going = []
    for one in changes:
        match one:
            case RemoveServer(name, address) if name == farm.name:
                going.append(address)
            case SetServer(name, address, settings) if name == farm.name and ("enabled", False) in settings:
                going.append(address)
            case SetFarm(name, settings) if name == farm.name and ("enabled", False) in settings:
                going += [server.address for server in farm.servers if server.enabled]
            case _:
                pass
    return going


def servers_coming(changes: Sequence[ConfigChange], farm: WebFarm) -> list[str]:
    """The addresses of this farm's servers that the changes enable or add enabled; none of a farm that is off after."""
    coming = []
    for one in changes:
        match one:
            case AddServer(name, server) if name == farm.name and server.enabled:
                coming.append(server.address)
            case SetServer(name, address, settings) if name == farm.name and ("enabled", True) in settings:
                coming.append(address)
            case SetFarm(name, settings) if name == farm.name and ("enabled", False) in settings:
                return []
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


class _Lists:
    """The rules of each place as the changes found so far leave them."""

    def __init__(self, configuration: Configuration) -> None:
        self._rules: dict[str, list[Rule]] = {}
        for group in configuration.rule_lists:
            self._rules.setdefault(group.location.casefold(), []).extend(group.rules)

    def remove(self, wanted: DescribedRule) -> list[ConfigChange]:
        """The rule goes, if it is there."""
        rules, at = self._find(wanted)
        if at is None:
            return []
        return [RemoveRule(rules.pop(at).name, wanted.location)]

    def bring(self, wanted: Sequence[DescribedRule]) -> list[ConfigChange]:
        """The rules that shall be there, in the order described; one placed beside another that is described later
        waits for it. Raises ``NoSuchObject`` when nobody brings that other one."""
        changes: list[ConfigChange] = []
        waiting = [one for one in wanted if not one.absent]
        while waiting:
            ready = next((one for one in waiting if self._has_neighbour(one)), waiting[0])
            waiting.remove(ready)
            changes += self._bring(ready)
        return changes

    # -- private -----------------------------------------------------------------------------------------

    def _find(self, wanted: DescribedRule) -> tuple[list[Rule], int | None]:
        rules = self._rules.setdefault(wanted.location.casefold(), [])
        name = wanted.name.casefold()
        return rules, next((at for at, one in enumerate(rules) if one.name.casefold() == name), None)

    def _has_neighbour(self, wanted: DescribedRule) -> bool:
        if wanted.position is None or not wanted.position.name:
            return True
        neighbour = wanted.position.name.casefold()
        return any(one.name.casefold() == neighbour for one in self._find(wanted)[0])

    def _bring(self, wanted: DescribedRule) -> list[ConfigChange]:
        rules, at = self._find(wanted)
        if at is None:
            rule = wanted.new()
            position = wanted.position or LAST
            _place(rules, rule, position)
            return [AddRule(rule, position, wanted.location)]
        there = rules[at]
        changes = _changed_rule(wanted, there)
        rules[at] = wanted.applied(there)
        if wanted.position is not None and _misplaced([one.name for one in rules], at, wanted.position):
            _place(rules, rules.pop(at), wanted.position)
            changes.append(MoveRule(there.name, wanted.position, wanted.location))
        return changes


def _changed_rule(wanted: DescribedRule, there: Rule) -> list[ConfigChange]:
    """What makes the rule as described, inside its element: whatever else is written there stays."""
    differing = _differing(there, wanted.settings)
    changes: list[ConfigChange] = [SetRule(there.name, differing, wanted.location)] if differing else []
    if wanted.conditions is not None and wanted.conditions != there.conditions:
        changes.append(SetConditions(there.name, wanted.conditions, wanted.location))
    if wanted.server_variables is not None and wanted.server_variables != there.server_variables:
        changes.append(SetServerVariables(there.name, wanted.server_variables, wanted.location))
    return changes


def _place(rules: list[Rule], rule: Rule, position: Position) -> None:
    names = [one.name for one in rules]
    match position.where:
        case Where.FIRST:
            rules.insert(0, rule)
        case Where.LAST:
            rules.append(rule)
        case Where.BEFORE:
            rules.insert(_index(names, position.name), rule)
        case Where.AFTER:
            rules.insert(_index(names, position.name) + 1, rule)


def _refuse_the_managers(changes: Sequence[ConfigChange]) -> None:
    """IIS Manager overwrites hand edits of rules that bear such names (arr.md 2.3)."""
    for one in changes:
        match one:
            case AddRule(rule):
                name = rule.name
            case RemoveRule() | MoveRule() | SetRule() | SetConditions() | SetServerVariables():
                name = one.name
            case _:
                continue
        if managers_farm(name):
            raise RefusedError(
                f"rule '{name}' belongs to IIS Manager, which may undo this", hint="Insist with --force."
            )


def _misplaced(names: Sequence[str], at: int, position: Position) -> bool:
    """Whether the rule does not stand where it shall: anywhere before or after the named one will do."""
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
