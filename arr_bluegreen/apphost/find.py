"""Finding elements in the tree: sections, locations, items of collections by key; and paths that name them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from arr_bluegreen.apphost.steps import Place, Step
from arr_bluegreen.apphost.tree import Element

Key = tuple[tuple[str, str], ...]
CASE_SENSITIVE = {"rewriteMap"}
"""Parents whose items' keys are told apart by case (arr.md 2.6)."""
KEY_DEFAULTS = {"conditions": {"matchType": "Pattern", "ignoreCase": "true", "negate": "false"}}
"""Key attributes that need not be written, by the parent's tag (arr.md 2.1)."""


class Finder:
    """Looks elements up in one tree, remembering each collection's keys; told of every item that comes or goes."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self._items: dict[tuple[Element | None, str], dict[tuple[str, ...], dict[tuple[str, ...], Element]]] = {}

    def locations(self, path: str) -> list[Element]:
        """The elements that hold settings for a path: for "" the root and ``<location path="">`` or ``"."``."""
        wanted = path.casefold()
        if not wanted:
            here = [one for one in self.root.iterchildren("location") if one.get("path", "") in ("", ".")]
            return [self.root, *here]
        return [one for one in self.root.iterchildren("location") if one.get("path", "").casefold() == wanted]

    def paths(self) -> list[str]:
        """The path of every location but the root's, in file order, each once however its case (IIS compares so)."""
        first: dict[str, str] = {}
        for one in self.root.iterchildren("location"):
            path = one.get("path", "")
            if path not in ("", "."):
                first.setdefault(path.casefold(), path)
        return list(first.values())

    def sections(self, section: str, location: str = "") -> Iterator[Element]:
        """Every element of this section (``"system.webServer/rewrite/globalRules"``) for a location, in file order."""
        for holder in self.locations(location):
            yield from below(holder, tuple(section.split("/")))

    def section(self, section: str, location: str = "") -> Element | None:
        """The first element of this section, None when the file has none."""
        return next(self.sections(section, location), None)

    def find(self, place: Place) -> Element | None:
        """The element at a place, None when it is not there."""
        for section in self.sections(place.section, place.location):
            found = self.walk(section, place.steps)
            if found is not None:
                return found
        return None

    def walk(self, start: Element, steps: tuple[Step, ...]) -> Element | None:
        """The element that the steps lead to from ``start``, None when one of them leads nowhere."""
        here: Element | None = start
        for step in steps:
            if here is None:
                return None
            here = self.step(here, step)
        return here

    def step(self, parent: Element, step: Step) -> Element | None:
        """The child a step means: the first of its tag, or the one whose key attributes read so."""
        if not step.key:
            return next(parent.iterchildren(step.tag), None)
        names = tuple(name for name, _ in step.key)
        return self._collection(parent, step.tag, names).get(folded(parent, tuple(value for _, value in step.key)))

    def came(self, element: Element) -> None:
        """An element was put into the tree."""
        parent = element.getparent()
        for names, known in self._items.get((parent, str(element.tag)), {}).items():
            known.setdefault(_key(parent, element, names), element)

    def goes(self, element: Element) -> None:
        """An element is about to leave the tree (of two items of one key, the other is found again)."""
        parent, tag = element.getparent(), str(element.tag)
        known = self._items.get((parent, tag), {})
        for names, items in list(known.items()):
            key = _key(parent, element, names)
            if items.get(key) is not element:
                continue
            del items[key]
            for one in element.itersiblings(tag):
                if _key(parent, one, names) == key:
                    items[key] = one
                    break

    def path_of(self, element: Element) -> str:
        """``configuration/webFarms/webFarm[@name='shop']``; ``[2]`` after the key when several read the same."""
        parts: list[str] = []
        here: Element | None = element
        while here is not None:
            parts.append(self._part(here))
            here = here.getparent()
        return "/".join(reversed(parts))

    def by_path(self, path: str) -> Element | None:
        """The element a path names, None when there is none (or the path cannot be taken apart)."""
        here: Element | None = self.root
        for number, found in enumerate(_parts(path)):
            if found is None or here is None:
                return None
            if number:
                here = self._nth(here, Step(found[1], tuple(re.findall(_KEY, found[2], re.S))), int(found[3] or 1))
        return here

    # -- private -----------------------------------------------------------------------------------------

    def _collection(self, parent: Element, tag: str, names: tuple[str, ...]) -> dict[tuple[str, ...], Element]:
        of_tag = self._items.setdefault((parent, tag), {})
        known = of_tag.get(names)
        if known is None:
            known = of_tag[names] = {}
            for one in parent.iterchildren(tag):
                known.setdefault(_key(parent, one, names), one)
        return known

    def _nth(self, parent: Element, step: Step, number: int) -> Element | None:
        first = self.step(parent, step)
        if number == 1 or first is None:
            return first
        twins = [one for one in parent.iterchildren(step.tag) if _reads(one, step.key)]
        return twins[number - 1] if number <= len(twins) else None

    def _part(self, element: Element) -> str:
        tag = str(element.tag)
        key = tuple((name, element.get(name, "")) for name in key_names(element))
        text = tag + "".join(f"[@{name}='{value}']" for name, value in key)
        parent = element.getparent()
        if parent is None or self.step(parent, Step(tag, key)) is element:
            return text
        twins = [one for one in parent.iterchildren(tag) if _reads(one, key)]
        return f"{text}[{twins.index(element) + 1}]"


def below(parent: Element, tags: tuple[str, ...]) -> Iterator[Element]:
    """Every element that a chain of tags leads to."""
    if not tags:
        yield parent
        return
    for child in parent.iterchildren(tags[0]):
        yield from below(child, tags[1:])


def folded(parent: Element, values: tuple[str, ...]) -> tuple[str, ...]:
    """Key values as they are compared: without case, but in rewrite maps."""
    return values if parent.tag in CASE_SENSITIVE else tuple(one.casefold() for one in values)


def path_of(element: Element) -> str:
    """The path that names an element, for people; ``Finder.path_of`` is quicker for many."""
    return Finder(element.getroottree().getroot()).path_of(element)


def key_names(element: Element) -> tuple[str, ...]:
    """The attributes that tell an element from its like in a path; () for one that is told by its tag alone."""
    if element.tag == "add":
        return next((one for one in _KEYS_OF_ADD if all(name in element.attrib for name in one)), ())
    return _KEYS.get(str(element.tag), ())


# -- private ---------------------------------------------------------------------------------------------

_KEYS: dict[str, tuple[str, ...]] = {
    "webFarm": ("name",),
    "server": ("address",),
    "site": ("name",),
    "application": ("path",),
    "virtualDirectory": ("path",),
    "binding": ("protocol", "bindingInformation"),
    "rule": ("name",),
    "rewriteMap": ("name",),
    "location": ("path",),
    "host": ("name",),
    "section": ("name",),
    "sectionGroup": ("name",),
}
_KEYS_OF_ADD = (("name",), ("key",), ("value",), ("input", "pattern"))
_PART = r"([^\[\]/]+)((?:\[@[^=]+='.*?'\](?=\[@|\[\d|/|$))*)(?:\[(\d+)\])?(?:/|$)"
_KEY = r"\[@([^=]+)='(.*?)'\](?=\[@|$)"


def _parts(path: str) -> Iterator[re.Match[str] | None]:
    at = 0
    while at < len(path):
        found = re.compile(_PART, re.S).match(path, at)
        yield found
        at = found.end() if found else len(path)


def _reads(element: Element, key: Key) -> bool:
    parent = element.getparent()
    return _key(parent, element, tuple(name for name, _ in key)) == _fold(parent, tuple(value for _, value in key))


def _key(parent: Element | None, element: Element, names: tuple[str, ...]) -> tuple[str, ...]:
    unsaid = KEY_DEFAULTS.get(str(parent.tag), {}) if parent is not None else {}
    return _fold(parent, tuple(element.get(name, unsaid.get(name, "")) for name in names))


def _fold(parent: Element | None, values: tuple[str, ...]) -> tuple[str, ...]:
    return values if parent is None else folded(parent, values)
