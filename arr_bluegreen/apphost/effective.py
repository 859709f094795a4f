"""Where a setting's effective value comes from: the element, a defaults element, or the schema (arr.md 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from arr_bluegreen.apphost import places
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.schema import attribute, attributes
from arr_bluegreen.apphost.sections import PROXY, WEB_FARMS
from arr_bluegreen.apphost.sites import defaults_of
from arr_bluegreen.apphost.steps import Place, Step
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.words import Origin, values_of, written
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.webfarm.change import Value
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.proxy import Proxy
from arr_bluegreen.webfarm.site import Application, ApplicationPool, Site, VirtualDirectory
from arr_bluegreen.webfarm.webfarms import WebFarms


@dataclass(frozen=True, slots=True)
class Effective:
    """A setting's value, where it comes from, and line and column of its attribute (None for the schema's default)."""

    value: Value
    origin: Origin
    position: tuple[int, int] | None = None


def effective(reading: Reading, word: type[Any], names: tuple[str, ...], field: str) -> Effective:
    """The setting ``field`` (dotted) of the thing that ``names`` name: ``(Server, ("shop", "blue"), "weight")``.

    Raises ``NoSuchObject`` for a thing or a field that is not there, ``ConfigurationError`` for a value not allowed.
    """
    known = attribute(word, field)
    if known is None:
        raise NoSuchObject("setting", field, tuple(one.field for one in attributes(word)), where=word.__name__)
    element = _element(reading, word, names)
    for origin, holder in _holders(word, element):
        found = written(holder, word).get(field)
        if found is not None:
            value = values_of(holder, word, reading)[field]
            return Effective(value, origin, reading.position(found.element, found.attribute.name))
    return Effective(known.default, Origin.SCHEMA)


# -- private ---------------------------------------------------------------------------------------------


def _element(reading: Reading, word: type[Any], names: tuple[str, ...]) -> Element | None:
    place = _place(word, names)
    found = reading.find.find(place)
    if found is None and word not in (Proxy, WebFarms):
        raise NoSuchObject(word.__name__, " ".join(names), ())
    return found


def _place(word: type[Any], names: tuple[str, ...]) -> Place:
    if word is WebFarm:
        return places.farm_place(names[0])
    if word is Server:
        return places.server_place(names[0], names[1])
    if word is Site:
        return places.site_place(names[0])
    if word is Application:
        return places.application_place(names[0], names[1])
    if word is VirtualDirectory:
        return places.application_place(names[0], names[1], Step("virtualDirectory", (("path", names[2]),)))
    if word is ApplicationPool:
        return places.pool_place(names[0])
    if word is Proxy:
        return Place(PROXY)
    if word is WebFarms:
        return Place(WEB_FARMS)
    raise NoSuchObject("kind of thing", word.__name__, ())


def _holders(word: type[Any], element: Element | None) -> list[tuple[Origin, Element]]:
    """The elements that may say it, the nearest first."""
    if element is None:
        return []
    tag = _DEFAULTS.get(word)
    parents = element.iterancestors() if tag else ()
    defaults = [one for parent in parents if (one := defaults_of(parent, str(tag))) is not None]
    return [(Origin.ELEMENT, element), *((Origin.DEFAULTS, one) for one in defaults)]


_DEFAULTS: dict[type[Any], str] = {
    Site: "siteDefaults",
    Application: "applicationDefaults",
    VirtualDirectory: "virtualDirectoryDefaults",
    ApplicationPool: "applicationPoolDefaults",
}
