"""Primitive edits carried out on a ledger: finds the places, makes missing parents where IIS would put them."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import assert_never

from arr_bluegreen.apphost import edit as e
from arr_bluegreen.apphost.find import Finder
from arr_bluegreen.apphost.ledger import Ledger, Settle
from arr_bluegreen.apphost.reading import Reading
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm.rule import LAST, Position, Where


class Performer:
    """Carries edits out on one reading through one ledger. An edit that raised ``Settle`` can be tried again whole."""

    def __init__(self, reading: Reading, ledger: Ledger) -> None:
        self._reading, self._ledger = reading, ledger
        self._find: Finder = reading.find

    def perform(self, edit: e.Edit) -> None:
        """One edit; what holds already changes nothing. Raises ``NoSuchObject``, ``ConfigurationError``, ``Settle``."""
        match edit:
            case e.SetAttributes():
                self._set(edit)
            case e.AddElement():
                self._add(edit)
            case e.RemoveElement(place):
                found = self._find.find(place)
                if found is not None:
                    self._ledger.remove(found)
            case e.MoveElement(place, position):
                self._move(self._need(place), position)
            case e.CopyAttributes():
                self._copy(edit)
            case e.CopyLocation(source, target):
                self._copy_location(source, target)
            case e.RemoveLocation(path):
                for one in self._locations(path):
                    self._ledger.remove(one)
            case _:
                assert_never(edit)

    # -- private -----------------------------------------------------------------------------------------

    def _set(self, edit: e.SetAttributes) -> None:
        element = self._find.find(edit.place)
        if element is None:
            if all(text is None for _, text in edit.values):
                return
            element = self._made(edit.place)
        for name, text in edit.values:
            self._ledger.set_attribute(element, name, text)

    def _add(self, edit: e.AddElement) -> None:
        beside = self._beside(edit)
        parent = self._made(edit.place) if beside is None else beside
        self._ledger.insert(parent, self._previous(parent, edit.element.tag, edit.position), edit.element)

    def _beside(self, edit: e.AddElement) -> Element | None:
        """The parent of the named neighbour: a section may be there twice, in two blocks of one location path."""
        if edit.position.where not in (Where.BEFORE, Where.AFTER):
            return None
        step = e.Step(edit.element.tag, (("name", edit.position.name),))
        neighbour = self._find.find(replace(edit.place, steps=(*edit.place.steps, step)))
        return None if neighbour is None else neighbour.getparent()

    def _move(self, element: Element, position: Position) -> None:
        parent = element.getparent()
        assert parent is not None
        tag = str(element.tag)
        if position.where in (Where.BEFORE, Where.AFTER) and self._sibling(parent, tag, position.name) is element:
            raise ConfigurationError(f"{tag} '{position.name}' cannot stand before or after itself")
        if not self._stands(element, position):
            previous = self._previous(parent, tag, position)
            if previous is element:
                previous = next(element.itersiblings("*", preceding=True), None)
            self._ledger.move(element, previous)

    def _stands(self, element: Element, position: Position) -> bool:
        before = next(element.itersiblings(str(element.tag), preceding=True), None)
        after = next(element.itersiblings(str(element.tag)), None)
        match position.where:
            case Where.FIRST:
                return before is None
            case Where.LAST:
                return after is None
            case Where.BEFORE:
                return after is not None and after.get("name", "").casefold() == position.name.casefold()
            case Where.AFTER:
                return before is not None and before.get("name", "").casefold() == position.name.casefold()
            case _:
                assert_never(position.where)

    def _copy(self, edit: e.CopyAttributes) -> None:
        source = self._find.find(edit.source)
        values = {name: None if source is None else source.get(name) for name in edit.names}
        self._set(e.SetAttributes(edit.place, tuple(values.items())))

    def _copy_location(self, source: str, target: str) -> None:
        if self._locations(target):
            return
        if self._ledger.touched:
            raise Settle  # a copy is made of the text, which must have what was changed in the block before
        found = self._locations(source)
        after = found[-1] if found else None
        for one in reversed(found):
            path = target + one.get("path", "")[len(source) :]
            copy = deepcopy(one)
            copy.tail = None
            copy.set("path", path)
            assert after is not None
            parent = after.getparent()
            assert parent is not None
            self._ledger.insert_text(parent, after, copy, self._reading.text_of(one, "path", path))

    def _locations(self, path: str) -> list[Element]:
        wanted = path.casefold()
        found = self._reading.root.iterchildren("location")
        return [one for one in found if f"{one.get('path', '').casefold()}/".startswith(f"{wanted}/")]

    # -- private: places ---------------------------------------------------------------------------------

    def _need(self, place: e.Place) -> Element:
        found = self._find.find(place)
        if found is None:
            last = place.steps[-1]
            raise NoSuchObject(last.tag, last.key[0][1] if last.key else "", ())
        return found

    def _made(self, place: e.Place) -> Element:
        """The element at a place; what is missing on the way and has no key is made."""
        here = self._find.find(place)
        if here is not None:
            return here
        here = self._holder(place)
        for step in place.steps:
            below = self._find.step(here, step)
            if below is None and step.key:
                there = tuple(one.get(step.key[0][0], "") for one in here.iterchildren(step.tag))
                raise NoSuchObject(step.tag, step.key[0][1], there)
            here = self._child(here, step.tag) if below is None else below
        return here

    def _holder(self, place: e.Place) -> Element:
        """The section, made when its declaration is there."""
        depth = next((n for n in range(len(place.steps), -1, -1) if self._partly(place, n) is not None), None)
        if depth is not None:
            return self._best(place, depth)
        require_declaration(self._reading, place.section)
        here = self._location(place.location) if place.location else self._reading.root
        for tag in place.section.split("/"):
            below = next(here.iterchildren(tag), None)
            here = self._child(here, tag) if below is None else below
        return here

    def _partly(self, place: e.Place, depth: int) -> Element | None:
        return self._find.find(e.Place(place.section, place.steps[:depth], place.location))

    def _best(self, place: e.Place, depth: int) -> Element:
        """Of several elements of one section, the one in which most of the steps lead somewhere."""
        sections = self._find.sections(place.section, place.location)
        return next(one for one in sections if self._find.walk(one, place.steps[:depth]) is not None)

    def _location(self, path: str) -> Element:
        found = next(iter(self._find.locations(path)), None)
        if found is not None:
            return found
        root = self._reading.root
        last = next(root.iterchildren("*", reversed=True), None)
        return self._ledger.insert(root, last, e.NewElement("location", (("path", path),)))

    def _child(self, parent: Element, tag: str) -> Element:
        return self._ledger.insert(parent, self._previous(parent, tag, LAST), e.NewElement(tag))

    def _sibling(self, parent: Element, tag: str, name: str) -> Element:
        found = self._find.step(parent, e.Step(tag, (("name", name),)))
        if found is None:
            raise NoSuchObject(tag, name, tuple(one.get("name", "") for one in parent.iterchildren(tag)))
        return found

    def _previous(self, parent: Element, tag: str, position: Position) -> Element | None:
        """The element a new one goes behind, None for the front of its parent."""
        match position.where:
            case Where.AFTER:
                return self._sibling(parent, tag, position.name)
            case Where.BEFORE:
                return next(self._sibling(parent, tag, position.name).itersiblings("*", preceding=True), None)
            case Where.FIRST:
                first = next(parent.iterchildren(tag), None)
                if first is not None:
                    return next(first.itersiblings("*", preceding=True), None)
                return _last(parent, tag)
            case Where.LAST:
                return _last(parent, tag)
            case _:
                assert_never(position.where)


def require_declaration(reading: Reading, section: str) -> None:
    """Raises ``ConfigurationError`` when ``configSections`` does not declare a section (arr.md 1.0)."""
    *groups, name = section.split("/")
    holders = list(reading.root.iterchildren("configSections"))
    for group in groups:
        holders = [one for each in holders for one in each.iterchildren("sectionGroup") if one.get("name") == group]
    if not any(one.get("name") == name for each in holders for one in each.iterchildren("section")):
        product = next(value for key, value in _PRODUCTS if section.startswith(key))
        raise ConfigurationError(
            f"the section '{section}' is not declared in configSections",
            file=reading.source.file,
            hint=f"Install {product} on this machine; it declares the section.",
        )


# -- private ---------------------------------------------------------------------------------------------

_PRODUCTS = (
    ("webFarms", "Application Request Routing 3.0 (with Web Farm Framework 1.1)"),
    ("system.webServer/proxy", "Application Request Routing 3.0"),
    ("system.webServer/rewrite", "URL Rewrite 2"),
    ("", "IIS (Web Server role)"),
)
# Children in IIS's order; what is not named here comes after these (arr.md 1.0, 5.14).
_ORDER: dict[str, tuple[str, ...]] = {
    "configuration": (
        "configSections",
        "configProtectedData",
        "system.applicationHost",
        "system.webServer",
        "webFarms",
    ),
    "webFarms": ("webFarm",),
    "webFarm": ("server",),
    "sites": ("site",),
    "site": ("application", "bindings"),
    "applicationPools": ("add",),
    "rule": ("match", "conditions", "serverVariables", "action"),
    "rewrite": ("globalRules", "rules"),
}


def _last(parent: Element, tag: str) -> Element | None:
    """The last child that comes before an element of this tag; None when it is the first."""
    order = _ORDER.get(str(parent.tag), ())
    rank = order.index(tag) if tag in order else len(order)
    for one in parent.iterchildren("*", reversed=True):
        if (order.index(str(one.tag)) if str(one.tag) in order else len(order)) <= rank:
            return one
    return None
