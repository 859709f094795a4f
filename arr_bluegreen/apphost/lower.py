"""ConfigChange to primitive edits: one lowering for the text, for appcmd and for ``commit.ps1``.

With the configuration at hand, what holds already is left out, what is not there is an error that names what is,
and new elements leave out what their defaults element says. Without it every edit is made; only the change is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Protocol, TypeVar, assert_never

from arr_bluegreen.apphost import edit, element, sections
from arr_bluegreen.apphost.edit import AddElement, Edit, NewElement, Place, RemoveElement, SetAttributes, Step
from arr_bluegreen.apphost.lower_items import condition_edits, variable_edits
from arr_bluegreen.apphost.places import (
    application_place,
    farm_place,
    map_place,
    pool_place,
    rule_place,
    rules_place,
    server_place,
    site_place,
)
from arr_bluegreen.apphost.schema import attribute, attributes
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm import change as c
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.proxy import Proxy
from arr_bluegreen.webfarm.rule import LAST, Position, RewriteMap, Rule
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Site, VirtualDirectory
from arr_bluegreen.webfarm.webfarms import WebFarms

W = TypeVar("W")


class View(Protocol):
    """What the lowering asks of a configuration; ``ApplicationHost`` answers it. Lookups raise ``NoSuchObject``."""

    @property
    def proxy(self) -> Proxy: ...
    @property
    def web_farms(self) -> WebFarms: ...
    @property
    def default_pool(self) -> ApplicationPool: ...
    @property
    def default_site(self) -> Site: ...
    def farm(self, name: str) -> WebFarm: ...
    def rule(self, name: str, location: str = "") -> Rule: ...
    def rewrite_map(self, name: str, location: str = "") -> RewriteMap: ...
    def site(self, name: str) -> Site: ...
    def pool(self, name: str) -> ApplicationPool: ...
    def default_application(self, site: str) -> Application: ...
    def site_with_id(self, number: int) -> str | None: ...


def lower(change: c.ConfigChange, configuration: View | None = None) -> tuple[Edit, ...]:
    """The primitive edits of a change, () when it holds already.

    Raises ``ConfigurationError`` (a value or name that is not allowed, something there already and different,
    an unknown setting) and ``NoSuchObject``.
    """
    with element.within(_home(change)):
        return _lower(change, configuration)


# -- private ---------------------------------------------------------------------------------------------


def _home(change: c.ConfigChange) -> str:
    """The element that something new goes into, as errors name it; "" for changes of what is there."""
    match change:
        case c.AddFarm():
            return Place(sections.WEB_FARMS).path
        case c.AddServer(farm):
            return farm_place(farm).path
        case c.AddRule(_, _, location):
            return rules_place(location).path
        case c.SetConditions() | c.SetServerVariables():
            return rule_place(change.name, change.location).path
        case c.AddRewriteMap(new):
            return Place(sections.MAPS, (), sections.location_of(new.location)).path
        case c.AddSite():
            return Place(sections.SITES).path
        case c.AddBinding() | c.AddApplication():
            return site_place(change.site).path
        case c.AddPool():
            return Place(sections.POOLS).path
        case _:
            return ""


def _lower(change: c.ConfigChange, configuration: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddFarm() | c.RemoveFarm() | c.SetFarm() | c.AddServer() | c.RemoveServer() | c.SetServer():
            return _farm_edits(change, configuration)
        case c.SetProxy() | c.SetWebFarms():
            return _farm_edits(change, configuration)
        case c.AddRule() | c.RemoveRule() | c.MoveRule() | c.SetRule() | c.SetConditions() | c.SetServerVariables():
            return _rule_edits(change, configuration)
        case c.AddRewriteMap() | c.RemoveRewriteMap() | c.SetMapEntry():
            return _map_edits(change, configuration)
        case c.AddSite() | c.RemoveSite() | c.SetSite() | c.AddBinding() | c.RemoveBinding():
            return _site_edits(change, configuration)
        case c.AddApplication() | c.RemoveApplication() | c.SetApplication() | c.SetVirtualDirectory():
            return _application_edits(change, configuration)
        case c.AddPool() | c.RemovePool() | c.SetPool() | c.CopyIdentity():
            return _pool_edits(change, configuration)
        case c.CopyLocation():
            return (edit.CopyLocation(change.source, change.target),)
        case c.RemoveLocation():
            return (edit.RemoveLocation(change.path),)
        case c.Undo():
            return tuple(one for each in change.changes for one in lower(each, configuration))
        case _:
            assert_never(change)


def _farm_edits(change: c.FarmChange, view: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddFarm(farm):
            new = element.farm_element(farm)
            there = _there(lambda: view and view.farm(farm.name))
            return _add("web farm", Place(sections.WEB_FARMS), new, farm, there)
        case c.RemoveFarm(name):
            return _remove(farm_place(name), view, lambda: view and view.farm(name))
        case c.SetFarm(name, settings):
            return _set(WebFarm, farm_place(name), settings, view and view.farm(name))
        case c.AddServer(name, server):
            new = element.server_element(server)
            there = view and view.farm(name).server(server.address)
            return _add(f"server of farm '{name}'", farm_place(name), new, server, there, key="address")
        case c.RemoveServer(name, address):
            found = view and view.farm(name).server(address)
            return _remove(server_place(name, address), view, lambda: found)
        case c.SetServer(name, address, settings):
            return _set(Server, server_place(name, address), settings, view and _server(view.farm(name), address))
        case c.SetProxy(settings):
            return _set(Proxy, Place(sections.PROXY), settings, view and view.proxy)
        case c.SetWebFarms(settings):
            return _set(WebFarms, Place(sections.WEB_FARMS), settings, view and view.web_farms)
        case _:
            assert_never(change)


def _rule_edits(change: c.RuleChange, view: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddRule(rule, position, location):
            new = element.rule_element(rule)
            there = _there(lambda: view and view.rule(rule.name, location))
            return _add("rule", rules_place(location), new, rule, there, position=position)
        case c.RemoveRule(name, location):
            return _remove(rule_place(name, location), view, lambda: view and view.rule(name, location))
        case c.MoveRule(name, position, location):
            _ = view and view.rule(name, location)
            return (edit.MoveElement(rule_place(name, location), position),)
        case c.SetRule(name, settings, location):
            return _set(Rule, rule_place(name, location), settings, view and view.rule(name, location))
        case c.SetConditions(name, conditions, location):
            element.check_items(name, conditions, ())
            old = view.rule(name, location).conditions if view else ()
            return condition_edits(rule_place(name, location), old, conditions)
        case c.SetServerVariables(name, variables, location):
            element.check_items(name, (), variables)
            there_are = view.rule(name, location).server_variables if view else ()
            return variable_edits(rule_place(name, location), there_are, variables)
        case _:
            assert_never(change)


def _map_edits(change: c.MapChange, view: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddRewriteMap(new):
            there = _there(lambda: view and view.rewrite_map(new.name, new.location))
            return _add("rewrite map", Place(sections.MAPS, (), new.location), element.map_element(new), new, there)
        case c.RemoveRewriteMap(name, location):
            return _remove(map_place(name, location), view, lambda: view and view.rewrite_map(name, location))
        case c.SetMapEntry(name, key, value, location):
            entries = dict(view.rewrite_map(name, location).entries) if view else {key: None}
            entry = map_place(name, location, Step("add", (("key", key),)))
            if view and entries.get(key) == value:
                return ()
            if value is None:
                return (RemoveElement(entry),)
            if key in entries:
                return (SetAttributes(entry, (("value", element.clean(value)),)),)
            pair = (("key", element.clean(key)), ("value", element.clean(value)))
            return (AddElement(map_place(name, location), NewElement("add", pair)),)
        case _:
            assert_never(change)


def _site_edits(change: c.SiteChange, view: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddSite(site):
            new = element.site_element(site, view.default_site if view else _BARE_SITE)
            there = _there(lambda: view and view.site(site.name))
            holder = view.site_with_id(site.id) if view else None
            if holder and not there:
                raise ConfigurationError(f"id {site.id} is site '{holder}' already", hint="Choose a free id.")
            return _add("site", Place(sections.SITES), new, site, there)
        case c.RemoveSite(name):
            return _remove(site_place(name), view, lambda: view and view.site(name))
        case c.SetSite(name, settings):
            return _set(Site, site_place(name), settings, view and view.site(name))
        case c.AddBinding(name, binding):
            same = [one for one in view.site(name).bindings if one.key == binding.key] if view else []
            place = site_place(name, Step("bindings"))
            return _add("binding", place, element.binding_element(binding), binding, next(iter(same), None), key="")
        case c.RemoveBinding(name, binding):
            found = [one for one in view.site(name).bindings if one.key == binding.key] if view else []
            key = (("protocol", binding.protocol), ("bindingInformation", binding.information))
            place = site_place(name, Step("bindings"), Step("binding", key))
            return _remove(place, view, lambda: next(iter(found), None))
        case _:
            assert_never(change)


def _application_edits(change: c.ApplicationChange, view: View | None) -> tuple[Edit, ...]:
    site = view.site(change.site) if view else None
    match change:
        case c.AddApplication(name, application):
            bare = view.default_application(name) if view else _BARE_SITE.applications[0]
            there = _application(site, application.path) if site else None
            new = element.application_element(application, bare)
            return _add("application", site_place(name), new, application, there, key="path")
        case c.RemoveApplication(name, path):
            return _remove(application_place(name, path), view, lambda: _application(site, path) if site else None)
        case c.SetApplication(name, path, settings):
            current = _need("application", path, _application(site, path), site) if site else None
            return _set(Application, application_place(name, path), settings, current)
        case c.SetVirtualDirectory(name, application_path, path, settings):
            place = application_place(name, application_path, Step("virtualDirectory", (("path", path),)))
            holder = (
                _need("application", application_path, _application(site, application_path), site) if site else None
            )
            folders = holder.virtual_directories if holder else ()
            current_folder = next((one for one in folders if one.path.casefold() == path.casefold()), None)
            if holder and not current_folder:
                raise NoSuchObject("virtual directory", path, tuple(one.path for one in folders))
            return _set(VirtualDirectory, place, settings, current_folder)
        case _:
            assert_never(change)


def _pool_edits(change: c.PoolChange, view: View | None) -> tuple[Edit, ...]:
    match change:
        case c.AddPool(pool):
            new = element.pool_element(pool, view.default_pool if view else ApplicationPool(""))
            there = _there(lambda: view and view.pool(pool.name))
            return _add("application pool", Place(sections.POOLS), new, pool, there)
        case c.RemovePool(name):
            return _remove(pool_place(name), view, lambda: view and view.pool(name))
        case c.SetPool(name, settings):
            return _set(ApplicationPool, pool_place(name), settings, view and view.pool(name))
        case c.CopyIdentity(source, target):
            _ = view and (view.pool(source), view.pool(target))
            model = Step("processModel")
            names = ("identityType", "userName", "password")
            return (edit.CopyAttributes(pool_place(source, model), pool_place(target, model), names),)
        case _:
            assert_never(change)


# -- the parts -----------------------------------------------------------------------------------------------

_BARE_SITE = Site("", applications=(Application(virtual_directories=(VirtualDirectory(),)),))


def _set(word: type[W], place: Place, settings: c.Settings, current: W | None) -> tuple[Edit, ...]:
    grouped: dict[tuple[str, ...], list[tuple[str, str | None]]] = {}
    for field, value in settings:
        one = attribute(word, field)
        if one is None or one.required:
            known = [each.field for each in attributes(word) if not each.required]
            near = get_close_matches(field, known, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else f"Settings: {', '.join(known)}."
            raise ConfigurationError(f"{word.__name__} has no setting '{field}' that can be set", hint=hint)
        with element.within(place.path):
            text = None if value is None else element.text_of(one, value)
        if current is None or value is None or element.value_at(current, field) != value:
            grouped.setdefault(one.path, []).append((one.name, text))
    return tuple(
        SetAttributes(replace(place, steps=(*place.steps, *map(Step, path))), tuple(values))
        for path, values in grouped.items()
    )


def _add(
    kind: str, place: Place, new: NewElement, word: Any, there: Any, *, key: str = "name", position: Position = LAST
) -> tuple[Edit, ...]:
    if there is None:
        return (AddElement(place, new, position),)
    same = replace(there, **{key: getattr(word, key)}) if key else there
    if same == word:
        return ()
    raise ConfigurationError(f"{kind} '{getattr(word, key or 'information')}' is there already, with other settings")


def _remove(place: Place, view: View | None, look: Callable[[], object]) -> tuple[Edit, ...]:
    return (RemoveElement(place),) if view is None or _there(look) is not None else ()


def _there(look: Callable[[], W | None]) -> W | None:
    try:
        return look()
    except NoSuchObject:
        return None


def _need(kind: str, path: str, found: W | None, site: Site) -> W:
    if found is None:
        raise NoSuchObject(kind, path, tuple(one.path for one in site.applications), where=f"site '{site.name}'")
    return found


def _server(farm: WebFarm, address: str) -> Server:
    found = farm.server(address)
    if found is None:
        raise NoSuchObject("server", address, tuple(one.address for one in farm.servers), where=f"farm '{farm.name}'")
    return found


def _application(site: Site, path: str) -> Application | None:
    return next((one for one in site.applications if one.path.casefold() == path.casefold()), None)
