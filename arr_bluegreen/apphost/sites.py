"""Sites and application pools as words, with effective values (arr.md 3.1 to 3.3)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arr_bluegreen.apphost.find import below
from arr_bluegreen.apphost.schema_site import SCHEDULE
from arr_bluegreen.apphost.sections import POOLS as POOLS
from arr_bluegreen.apphost.sections import SITES as SITES
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.values import read_value
from arr_bluegreen.apphost.words import Faults, read_word, values_of
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Binding, Site, VirtualDirectory

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Value

    Values = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the defaults elements of a section say (arr.md 3.3). Read once: it may have thousands of items."""

    site: Values
    application: Values
    folder: Values
    pool: Values
    schedule: tuple[timedelta, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()


def read_defaults(section: Element | None, faults: Faults) -> Defaults:
    """The defaults of ``sites`` or of ``applicationPools``; raises ``ConfigurationError``."""
    pool = defaults_of(section, "applicationPoolDefaults")
    return Defaults(
        _values(section, "siteDefaults", Site, faults),
        _values(section, "applicationDefaults", Application, faults),
        _values(section, "virtualDirectoryDefaults", VirtualDirectory, faults),
        _values(section, "applicationPoolDefaults", ApplicationPool, faults),
        () if pool is None else _schedule(pool, faults),
        () if pool is None else _variables(pool),
    )


def read_site(element: Element, defaults: Defaults, faults: Faults) -> Site:
    """A site with the values that the defaults elements of its section, and its own, add."""
    bindings = tuple(
        read_word(Binding, one, faults, _keys(one, "protocol", bindingInformation="information"))
        for one in below(element, ("bindings", "binding"))
    )
    own = own_defaults(element, defaults, faults)
    applications = tuple(_read_application(one, own, faults) for one in element.iterchildren("application"))
    collections = {**_keys(element, "name"), "bindings": bindings, "applications": applications}
    return read_word(Site, element, faults, collections, defaults.site)


def own_defaults(site: Element, defaults: Defaults, faults: Faults) -> Defaults:
    """What applications and folders of this site start from: its own defaults elements go before its section's."""
    application = _values(site, "applicationDefaults", Application, faults)
    folder = _values(site, "virtualDirectoryDefaults", VirtualDirectory, faults)
    if not application and not folder:
        return defaults
    return replace(defaults, application=defaults.application | application, folder=defaults.folder | folder)


def bare_application(defaults: Defaults) -> Application:
    """An application with one folder, as it is when nothing is written on either."""
    folder: dict[str, Any] = dict(defaults.folder)
    application: dict[str, Any] = dict(defaults.application)
    return Application(**{**application, "virtual_directories": (VirtualDirectory(**folder),)})


def read_pool(element: Element, defaults: Defaults, faults: Faults) -> ApplicationPool:
    """A pool with the values of ``applicationPoolDefaults``. Its password is not read."""
    more: dict[str, tuple[timedelta, ...]] = {}
    schedule = _schedule(element, faults) or defaults.schedule
    if schedule:
        more["recycling.schedule"] = schedule
    collections = {**_keys(element, "name"), "environment_variables": _variables(element) or defaults.variables, **more}
    return read_word(ApplicationPool, element, faults, collections, defaults.pool)


def defaults_of(section: Element | None, tag: str) -> Element | None:
    """The defaults element of a section, None when there is none."""
    return next(section.iterchildren(tag), None) if section is not None else None


# -- private ---------------------------------------------------------------------------------------------


def _values(parent: Element | None, tag: str, word: type[Any], faults: Faults) -> Values:
    found = defaults_of(parent, tag)
    return {} if found is None else values_of(found, word, faults)


def _read_application(element: Element, defaults: Defaults, faults: Faults) -> Application:
    folder = defaults.folder | _values(element, "virtualDirectoryDefaults", VirtualDirectory, faults)
    folders = tuple(
        read_word(VirtualDirectory, one, faults, {}, folder) for one in element.iterchildren("virtualDirectory")
    )
    return read_word(Application, element, faults, {"virtual_directories": folders}, defaults.application)


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
