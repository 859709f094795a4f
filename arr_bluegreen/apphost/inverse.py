"""The inverse of a change in words, read from the configuration as it is before the change."""

from __future__ import annotations

from typing import Any, assert_never

from arr_bluegreen.apphost.edit import Place, Step
from arr_bluegreen.apphost.places import application_place, farm_place, pool_place, rule_place, server_place, site_place
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.sections import PROXY, WEB_FARMS, location_of, rules_section
from arr_bluegreen.apphost.values import read_value
from arr_bluegreen.apphost.words import written
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.webfarm import change as c
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.proxy import Proxy
from arr_bluegreen.webfarm.rule import FIRST, Position, Rule, Where
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Site, VirtualDirectory
from arr_bluegreen.webfarm.webfarms import WebFarms


def inverse(change: c.ConfigChange, before: Reading) -> tuple[c.ConfigChange, ...]:
    """The changes that undo ``change``, () when nothing would change or words cannot say it (a removed location,
    a password): the patches of ``Undo`` can."""
    try:
        return _inverse(change, before)
    except NoSuchObject:
        return ()


# -- private ---------------------------------------------------------------------------------------------


def _inverse(change: c.ConfigChange, before: Reading) -> tuple[c.ConfigChange, ...]:
    match change:
        case c.AddFarm() | c.AddServer() | c.AddRule() | c.AddRewriteMap():
            return _undo_add(change)
        case c.AddSite() | c.AddBinding() | c.AddApplication() | c.AddPool():
            return _undo_add(change)
        case c.RemoveFarm() | c.RemoveServer() | c.RemoveRule() | c.RemoveRewriteMap():
            return _undo_remove(change, before)
        case c.RemoveSite() | c.RemoveBinding() | c.RemoveApplication() | c.RemovePool():
            return _undo_remove(change, before)
        case c.SetMapEntry(name, key, _, location):
            entries = dict(before.rewrite_map(name, location).entries)
            return (c.SetMapEntry(name, key, entries.get(key), location),)
        case c.MoveRule(name, _, location):
            return (c.MoveRule(name, _position(name, location, before), location),)
        case c.SetConditions(name, _, location):
            return (c.SetConditions(name, before.rule(name, location).conditions, location),)
        case c.SetServerVariables(name, _, location):
            return (c.SetServerVariables(name, before.rule(name, location).server_variables, location),)
        case c.CopyIdentity(_, target):
            settings: c.Settings = (("process_model.identity_type", None), ("process_model.user_name", None))
            return (c.SetPool(target, _now(ApplicationPool, pool_place(target), settings, before)),)
        case c.CopyLocation(_, target):
            return () if before.find.locations(target) else (c.RemoveLocation(target),)
        case c.RemoveLocation():
            return ()
        case c.Undo(_, changes):
            return tuple(one for each in reversed(changes) for one in inverse(each, before))
        case _:
            return _undo_set(change, before)


def _undo_add(
    change: c.AddFarm
    | c.AddServer
    | c.AddRule
    | c.AddRewriteMap
    | c.AddSite
    | c.AddBinding
    | c.AddApplication
    | c.AddPool,
) -> tuple[c.ConfigChange, ...]:
    match change:
        case c.AddFarm(farm):
            return (c.RemoveFarm(farm.name),)
        case c.AddServer(name, server):
            return (c.RemoveServer(name, server.address),)
        case c.AddRule(rule, _, location):
            return (c.RemoveRule(rule.name, location),)
        case c.AddRewriteMap(new):
            return (c.RemoveRewriteMap(new.name, new.location),)
        case c.AddSite(site):
            return (c.RemoveSite(site.name),)
        case c.AddBinding(name, binding):
            return (c.RemoveBinding(name, binding),)
        case c.AddApplication(name, application):
            return (c.RemoveApplication(name, application.path),)
        case c.AddPool(pool):
            return (c.RemovePool(pool.name),)
        case _:
            assert_never(change)


def _undo_remove(
    change: c.RemoveFarm
    | c.RemoveServer
    | c.RemoveRule
    | c.RemoveRewriteMap
    | c.RemoveSite
    | c.RemoveBinding
    | c.RemoveApplication
    | c.RemovePool,
    before: Reading,
) -> tuple[c.ConfigChange, ...]:
    match change:
        case c.RemoveFarm(name):
            return (c.AddFarm(before.farm(name)),)
        case c.RemoveServer(name, address):
            server = before.farm(name).server(address)
            return (c.AddServer(name, server),) if server else ()
        case c.RemoveRule(name, location):
            return (c.AddRule(before.rule(name, location), _position(name, location, before), location),)
        case c.RemoveRewriteMap(name, location):
            return (c.AddRewriteMap(before.rewrite_map(name, location)),)
        case c.RemoveSite(name):
            return (c.AddSite(before.site(name)),)
        case c.RemoveBinding(name, binding):
            found = [one for one in before.site(name).bindings if one.key == binding.key]
            return tuple(c.AddBinding(name, one) for one in found[:1])
        case c.RemoveApplication(name, path):
            there = [one for one in before.site(name).applications if one.path.casefold() == path.casefold()]
            return tuple(c.AddApplication(name, one) for one in there)
        case c.RemovePool(name):
            return (c.AddPool(before.pool(name)),)
        case _:
            assert_never(change)


_Set = (
    c.SetFarm
    | c.SetServer
    | c.SetProxy
    | c.SetWebFarms
    | c.SetRule
    | c.SetSite
    | c.SetApplication
    | c.SetVirtualDirectory
    | c.SetPool
)


def _undo_set(change: _Set, before: Reading) -> tuple[c.ConfigChange, ...]:
    match change:
        case c.SetFarm(name, settings):
            return (c.SetFarm(name, _now(WebFarm, farm_place(name), settings, before)),)
        case c.SetServer(farm, address, settings):
            return (c.SetServer(farm, address, _now(Server, server_place(farm, address), settings, before)),)
        case c.SetProxy(settings):
            return (c.SetProxy(_now(Proxy, Place(PROXY), settings, before)),)
        case c.SetWebFarms(settings):
            return (c.SetWebFarms(_now(WebFarms, Place(WEB_FARMS), settings, before)),)
        case c.SetRule(name, settings, location):
            return (c.SetRule(name, _now(Rule, rule_place(name, location), settings, before), location),)
        case c.SetSite(name, settings):
            return (c.SetSite(name, _now(Site, site_place(name), settings, before)),)
        case c.SetApplication(name, path, settings):
            return (c.SetApplication(name, path, _now(Application, application_place(name, path), settings, before)),)
        case c.SetVirtualDirectory(name, application, path, settings):
            place = application_place(name, application, Step("virtualDirectory", (("path", path),)))
            return (c.SetVirtualDirectory(name, application, path, _now(VirtualDirectory, place, settings, before)),)
        case c.SetPool(name, settings):
            return (c.SetPool(name, _now(ApplicationPool, pool_place(name), settings, before)),)
        case _:
            assert_never(change)


def _now(word: type[Any], place: Place, settings: c.Settings, before: Reading) -> c.Settings:
    """The same settings as they are written now; None where they are not."""
    element = before.find.find(place)
    there = {} if element is None else written(element, word)
    values: list[tuple[str, c.Value]] = []
    for field, _ in settings:
        one = there.get(field)
        try:
            values.append((field, None if one is None else read_value(one.text, one.attribute.type)))
        except ValueError:
            values.append((field, None))  # what was there was not allowed; words cannot say it again
    return tuple(values)


def _position(name: str, location: str, before: Reading) -> Position:
    rule = before.item("rule", rule_place(name, location))
    previous = next(rule.itersiblings("rule", preceding=True), None)
    if previous is not None:
        return Position(Where.AFTER, previous.get("name", ""))
    following = next(rule.itersiblings("rule"), None)
    first = before.find.section(rules_section(location), location_of(location))
    if following is None or rule.getparent() is first:
        return FIRST
    return Position(Where.BEFORE, following.get("name", ""))  # in the second of two blocks of one path
