"""A ConfigChange in words, one line, for plans and dry runs. No change carries a secret, so none can be told."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from datetime import timedelta

from arr_bluegreen.webfarm import change as c
from arr_bluegreen.webfarm.rule import SERVER, Position, Where


def tell(change: c.ConfigChange) -> str:
    """``server shop/10.0.0.1: enabled = false``, and its like for every kind of change."""
    match change:
        case c.AddFarm(farm):
            names = ", ".join(one.address for one in farm.servers)
            return f"farm {farm.name}: add, with {names or 'no servers'}"
        case c.RemoveFarm(name):
            return f"farm {name}: remove, with its servers"
        case c.SetFarm(name, settings):
            return f"farm {name}: {tell_settings(settings)}"
        case c.AddServer(farm, server):
            state = "online" if server.enabled else "offline"
            return f"server {farm}/{server.address}: add, {state}, http port {server.http_port}, weight {server.weight}"
        case c.RemoveServer(farm, address):
            return f"server {farm}/{address}: remove"
        case c.SetServer(farm, address, settings):
            return f"server {farm}/{address}: {tell_settings(settings)}"
        case c.SetProxy(settings):
            return f"proxy: {tell_settings(settings)}"
        case c.SetWebFarms(settings):
            return f"all web farms: {tell_settings(settings)}"
        case c.AddRule(rule, position, location):
            return (
                f"rule {rule.name}{_in(location)}: add {_at(position)}, {rule.action.type} {rule.action.url}".rstrip()
            )
        case c.RemoveRule(name, location):
            return f"rule {name}{_in(location)}: remove"
        case c.MoveRule(name, position, location):
            return f"rule {name}{_in(location)}: move {_at(position)}"
        case c.SetRule(name, settings, location):
            return f"rule {name}{_in(location)}: {tell_settings(settings)}"
        case c.SetConditions(name, conditions, location):
            told = ", ".join(f"{'not ' if one.negate else ''}{one.input} {one.pattern}" for one in conditions)
            return f"rule {name}{_in(location)}: conditions = {told or 'none'}"
        case c.SetServerVariables(name, variables, location):
            told = ", ".join(f"{one.name}={one.value}" for one in variables)
            return f"rule {name}{_in(location)}: server variables = {told or 'none'}"
        case c.Undo(patches, changes):
            return "undo: " + ("; ".join(tell(one) for one in changes) or f"{len(patches)} pieces of text put back")
        case _:
            return _tell_plainly(change)


def tell_settings(settings: c.Settings) -> str:
    """``enabled = false, weight = 50``; a setting of None is ``(default)``."""
    return ", ".join(f"{name} = {tell_value(value)}" for name, value in settings)


def tell_value(value: c.Value) -> str:
    """A value as the file would write it."""
    match value:
        case None:
            return "(default)"
        case bool():
            return str(value).lower()
        case timedelta():
            return str(value)
        case str():
            return f'"{value}"'
        case int():
            return str(value)


# -- private -------------------------------------------------------------------------------------------


def _in(location: str) -> str:
    return " in the server's own rules" if location == SERVER else f" in {location}" if location else ""


def _at(position: Position) -> str:
    named = position.where in (Where.BEFORE, Where.AFTER)
    return f"{position.where.value} '{position.name}'" if named else position.where.value


def _tell_plainly(change: c.ConfigChange) -> str:
    """``add site: shop-blue`` out of the class's and the fields' names."""
    words = "".join(f" {one.lower()}" if one.isupper() else one for one in type(change).__name__).strip()
    parts = [_plain(getattr(change, one.name)) for one in fields(change)]
    return f"{words}: {', '.join(part for part in parts if part)}"


def _plain(value: object) -> str:
    if is_dataclass(value):
        return str(getattr(value, "name", None) or getattr(value, "information", None) or getattr(value, "path", ""))
    if isinstance(value, tuple):
        return tell_settings(value)
    return "" if value is None else str(value)
