"""A described state (TOML): farms, servers, rules, in the words of ``webfarm``. What is not named in it stays as it is.

Keys are the fields of the words: ``[[farm]] name``, ``[farm.health_check] url``, ``[[farm.server]] address``,
``[[rule]] name``, ``[rule.match] url``, ``[[rule.conditions]] input``. Besides: ``absent = true`` (farm, server, rule),
``exactly = true`` (farm: other servers go), ``position`` (rule: "first", "last", "before NAME", "after NAME").
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from arr_bluegreen.apphost.schema import attribute
from arr_bluegreen.apphost.values import read_value, write_value
from arr_bluegreen.errors import DescriptionError, UsageError
from arr_bluegreen.webfarm.change import Value
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.rule import LAST, Condition, Position, Rule, ServerVariable, Where

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class DescribedServer:
    """A server: its address and the settings to hold, by field."""

    address: str
    absent: bool
    settings: Mapping[str, Value]

    def new(self) -> Server:
        """The server to add when there is none."""
        return build(Server(self.address), self.settings)


@dataclass(frozen=True, slots=True)
class DescribedFarm:
    """A farm: its name, the settings to hold by dotted field, its servers."""

    name: str
    absent: bool
    exactly: bool
    settings: Mapping[str, Value]
    servers: tuple[DescribedServer, ...]

    def new(self) -> WebFarm:
        """The farm to add when there is none."""
        servers = tuple(one.new() for one in self.servers if not one.absent)
        return replace(build(WebFarm(self.name), self.settings), servers=servers)


@dataclass(frozen=True, slots=True)
class DescribedRule:
    """A rule: its name and location, the settings to hold, and its collections (None: not named, left alone)."""

    name: str
    location: str
    absent: bool
    position: Position | None
    settings: Mapping[str, Value]
    conditions: tuple[Condition, ...] | None
    server_variables: tuple[ServerVariable, ...] | None

    def new(self) -> Rule:
        """The rule to add when there is none; raises ``DescriptionError`` when it would match or do nothing."""
        rule = self.applied(Rule(self.name))
        if not rule.match.url:
            raise DescriptionError(
                f"rule '{self.name}' is new and needs match = {{url = \"...\"}}", hint='".*" is all.'
            )
        if rule.action.type in ("Rewrite", "Redirect") and not rule.action.url.strip():
            raise DescriptionError(f"rule '{self.name}' is new and needs a url in its action", hint="http://FARM/{R:0}")
        return rule

    def applied(self, rule: Rule) -> Rule:
        """The rule with what is described."""
        changed = build(rule, self.settings)
        if self.conditions is not None:
            changed = replace(changed, conditions=self.conditions)
        if self.server_variables is not None:
            changed = replace(changed, server_variables=self.server_variables)
        return changed


@dataclass(frozen=True, slots=True)
class DescribedState:
    """The whole file."""

    farms: tuple[DescribedFarm, ...]
    rules: tuple[DescribedRule, ...]


def read_described(path: str) -> DescribedState:
    """The file at ``path``; raises ``UsageError`` (cannot be read) or ``DescriptionError`` (what is wrong, where)."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", hint="Give a TOML file in UTF-8.") from error
    try:
        return described(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"{path} is not TOML: {error}") from error
    except DescriptionError as error:
        raise DescriptionError(f"{path}: {error}", where=error.where, hint=error.hint) from error


def described(values: Mapping[str, Any]) -> DescribedState:
    """The state that a parsed TOML document describes."""
    _known(values, {"schema", "farm", "rule"}, "")
    if values.get("schema", 1) != 1:
        raise DescriptionError("schema must be 1", where="schema")
    farms = tuple(_farm(one, where) for one, where in _tables(values, "farm", ""))
    rules = tuple(_rule(one, where) for one, where in _tables(values, "rule", ""))
    _once([one.name for one in farms], "farm")
    _once([f"{one.location}|{one.name}" for one in rules], "rule")
    return DescribedState(farms, rules)


def build(word: W, settings: Mapping[str, Value]) -> W:
    """The word with these dotted fields set."""
    for name, value in settings.items():
        word = _set(word, name.split("."), value)
    return word


def current(word: object, name: str) -> Value:
    """The value of a dotted field."""
    here: Any = word
    for part in name.split("."):
        here = getattr(here, part)
    value: Value = here
    return value


# -- private -------------------------------------------------------------------------------------------


def _farm(table: Mapping[str, Any], where: str) -> DescribedFarm:
    where = _named(table, "name", where)
    servers = tuple(_server(one, place) for one, place in _tables(table, "server", where))
    _once([one.address for one in servers], f"{where}.server")
    settings = _settings(table, WebFarm, where, {"name", "server", "absent", "exactly"})
    return DescribedFarm(
        _key(table, "name", where), _flag(table, "absent", where), _flag(table, "exactly", where), settings, servers
    )


def _server(table: Mapping[str, Any], where: str) -> DescribedServer:
    where = _named(table, "address", where)
    settings = _settings(table, Server, where, {"address", "absent"})
    return DescribedServer(_key(table, "address", where), _flag(table, "absent", where), settings)


def _rule(table: Mapping[str, Any], where: str) -> DescribedRule:
    where = _named(table, "name", where)
    own = {"name", "location", "absent", "position", "conditions", "server_variables"}
    return DescribedRule(
        _key(table, "name", where),
        str(_value(table.get("location", ""), str, f"{where}.location")),
        _flag(table, "absent", where),
        _position(table, where),
        _settings(table, Rule, where, own),
        _items(table, "conditions", where, Condition, "input"),
        _items(table, "server_variables", where, ServerVariable, "name"),
    )


def _items(table: Mapping[str, Any], key: str, where: str, word: type[W], first: str) -> tuple[W, ...] | None:
    if key not in table:
        return None
    return tuple(
        build(word(_key(one, first, place)), _settings(one, word, place, {first}))  # type: ignore[call-arg]  # each of the two words has one required field
        for one, place in _tables(table, key, where)
    )


def _position(table: Mapping[str, Any], where: str) -> Position | None:
    if "position" not in table:
        return None
    kind, _, name = str(_value(table["position"], str, f"{where}.position")).partition(" ")
    named = kind in ("before", "after")
    if kind not in [one.value for one in Where] or named != bool(name):
        raise DescriptionError(
            f"'{where}.position' is '{table['position']}'",
            where=where,
            hint='"first", "last", "before NAME" or "after NAME".',
        )
    return Position(Where(kind), name) if kind != "last" else LAST


def _settings(table: Mapping[str, Any], word: type, where: str, own: set[str], prefix: str = "") -> dict[str, Value]:
    kinds = get_type_hints(word)
    simple = {one.name for one in fields(word) if get_origin(kinds[one.name]) is not tuple} - own
    _known(table, simple | own, where)
    found: dict[str, Value] = {}
    for key in (key for key in table if key in simple):
        value, place = table[key], f"{where}.{key}"
        if is_dataclass(kinds[key]):
            if not isinstance(value, dict):
                raise DescriptionError(f"'{place}' must be a table", where=place)
            found |= _settings(value, kinds[key], place, set(), f"{prefix}{key}.")
        else:
            found[prefix + key] = _allowed(word, key, _value(value, kinds[key], place), place)
    return found


def _allowed(word: type, field: str, value: Value, where: str) -> Value:
    """The value as the schema spells it; raises ``DescriptionError`` saying what is allowed."""
    one = attribute(word, field)
    try:
        return value if one is None else read_value(write_value(value, one.type), one.type)
    except ValueError as error:
        raise DescriptionError(f"'{where}': {error}", where=where) from error


def _value(value: Any, kind: Any, where: str) -> Value:
    if kind is timedelta:
        return _time(value, where)
    if type(value) is not kind:
        wanted = {bool: "true or false", int: "a whole number", str: "a text in quotes"}[kind]
        raise DescriptionError(f"'{where}' must be {wanted}, not {value!r}", where=where)
    result: Value = value
    return result


def _time(value: Any, where: str) -> timedelta:
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|m|h)", value) if isinstance(value, str) else None
    clock = re.fullmatch(r"([0-9]+):([0-5][0-9]):([0-5][0-9])", value) if isinstance(value, str) else None
    try:
        if found:
            return timedelta(seconds=float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]])
        if clock:
            return timedelta(hours=int(clock[1]), minutes=int(clock[2]), seconds=int(clock[3]))
    except OverflowError as error:
        raise DescriptionError(f"'{where}' is longer than any time can be", where=where) from error
    raise DescriptionError(f'\'{where}\' must be a time such as "30s", "5m" or "00:00:30"', where=where)


def _set(word: Any, path: list[str], value: Value) -> Any:
    first, *rest = path
    return replace(word, **{first: _set(getattr(word, first), rest, value) if rest else value})


def _tables(values: Mapping[str, Any], key: str, where: str) -> Iterable[tuple[Mapping[str, Any], str]]:
    found = values.get(key, [])
    place = f"{where}.{key}" if where else key
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise DescriptionError(f"'{place}' must be an array of tables: [[{place}]]", where=place)
    return [(one, f"{place}[{at}]") for at, one in enumerate(found)]


def _named(table: Mapping[str, Any], key: str, where: str) -> str:
    """``farm[shop]`` for ``farm[0]``: a name is found again in the file, a number is counted."""
    name = table.get(key)
    return f"{where.rpartition('[')[0]}[{name}]" if isinstance(name, str) and name else where


def _key(table: Mapping[str, Any], name: str, where: str) -> str:
    value = table.get(name)
    if not isinstance(value, str) or not value:
        raise DescriptionError(f"'{where}' needs {name} = \"...\"", where=where)
    return value


def _flag(table: Mapping[str, Any], name: str, where: str) -> bool:
    return bool(_value(table.get(name, False), bool, f"{where}.{name}"))


def _known(table: Mapping[str, Any], names: set[str], where: str) -> None:
    for key in table:
        if key not in names:
            near = get_close_matches(key, sorted(names), n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Keys here: {', '.join(sorted(names))}."
            place = f"{where}.{key}" if where else key
            raise DescriptionError(f"unknown key '{place}'", where=place, hint=hint)


def _once(names: list[str], where: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise DescriptionError(f"'{where}' names '{name.rpartition('|')[2]}' twice", where=where)
        seen.add(name.casefold())
