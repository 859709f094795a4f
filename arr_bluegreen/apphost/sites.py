"""Sites and application pools as words, with effective values (arr.md 3.1 to 3.3)."""

from __future__ import annotations

from datetime import timedelta

from arr_bluegreen.apphost.find import below
from arr_bluegreen.apphost.schema_site import SCHEDULE
from arr_bluegreen.apphost.sections import POOLS as POOLS
from arr_bluegreen.apphost.sections import SITES as SITES
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import read_value
from arr_bluegreen.apphost.words import Faults, read_word, values_of
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Binding, Site, VirtualDirectory


def read_site(element: Element, section: Element | None, faults: Faults) -> Site:
    """A site with the values that the defaults elements of its section add."""
    bindings = tuple(
        read_word(Binding, one, faults, _keys(one, "protocol", bindingInformation="information"))
        for one in below(element, ("bindings", "binding"))
    )
    applications = tuple(
        _read_application(one, element, section, faults) for one in element.iterchildren("application")
    )
    defaults = defaults_of(section, "siteDefaults")
    collections = {**_keys(element, "name"), "bindings": bindings, "applications": applications}
    return read_word(Site, element, faults, collections, defaults)


def read_pool(element: Element, section: Element | None, faults: Faults) -> ApplicationPool:
    """A pool with the values of ``applicationPoolDefaults``. Its password is not read."""
    defaults = defaults_of(section, "applicationPoolDefaults")
    more: dict[str, tuple[timedelta, ...]] = {}
    schedule = _schedule(element, faults) or (_schedule(defaults, faults) if defaults is not None else ())
    if schedule:
        more["recycling.schedule"] = schedule
    variables = _variables(element) or (_variables(defaults) if defaults is not None else ())
    collections = {**_keys(element, "name"), "environment_variables": variables, **more}
    return read_word(ApplicationPool, element, faults, collections, defaults)


def defaults_of(section: Element | None, tag: str) -> Element | None:
    """The defaults element of a section, None when there is none."""
    return next(section.iterchildren(tag), None) if section is not None else None


# -- private ---------------------------------------------------------------------------------------------


def _read_application(element: Element, site: Element, section: Element | None, faults: Faults) -> Application:
    folders = tuple(
        read_word(VirtualDirectory, one, faults, {}, defaults_of(section, "virtualDirectoryDefaults"))
        for one in element.iterchildren("virtualDirectory")
    )
    server_wide, own = defaults_of(section, "applicationDefaults"), defaults_of(site, "applicationDefaults")
    values = {} if server_wide is None else values_of(server_wide, Application, faults)
    values.update({} if own is None else values_of(own, Application, faults))
    values.update(values_of(element, Application, faults))
    plain: dict[str, object] = {**values, "virtual_directories": folders}
    return Application(**plain)  # type: ignore[arg-type]  # the schema's types are the word's


def _schedule(element: Element, faults: Faults) -> tuple[timedelta, ...]:
    found = []
    for one in below(element, ("recycling", "periodicRestart", "schedule", "add")):
        try:
            found.append(read_value(one.get("value", ""), SCHEDULE))
        except ValueError as error:
            raise faults.fault(one, f"value={error}", "value") from error
    return tuple(one for one in found if isinstance(one, timedelta))


def _variables(element: Element) -> tuple[tuple[str, str], ...]:
    items = below(element, ("environmentVariables", "add"))
    return tuple((one.get("name", ""), one.get("value", "")) for one in items)


def _keys(element: Element, *names: str, **renamed: str) -> dict[str, str]:
    fields = {**{name: name for name in names}, **renamed}
    return {field: "" for name, field in fields.items() if name not in element.attrib}
