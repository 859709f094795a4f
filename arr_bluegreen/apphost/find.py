"""Finding elements in the tree: sections, locations, items of collections by key; and paths that name them."""

from __future__ import annotations

from collections.abc import Iterator

from arr_bluegreen.apphost.edit import Place, Step
from arr_bluegreen.apphost.tree import Element

Key = tuple[tuple[str, str], ...]
CASE_SENSITIVE = {"rewriteMap"}
"""Parents whose items' keys are told apart by case (arr.md 2.6)."""


class Finder:
    """Looks elements up in one tree, remembering each collection's keys; told of every item that comes or goes."""

    def __init__(self, root: Element) -> None:
        self.root = root
        self._items: dict[tuple[Element, str, tuple[str, ...]], dict[tuple[str, ...], Element]] = {}

    def locations(self, path: str) -> list[Element]:
        """The elements that hold settings for a path: for "" the root and ``<location path="">`` or ``"."``."""
        wanted = path.casefold()
        if not wanted:
            here = [one for one in self.root.iterchildren("location") if one.get("path", "") in ("", ".")]
            return [self.root, *here]
        return [one for one in self.root.iterchildren("location") if one.get("path", "").casefold() == wanted]

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
        for parent, _tag, names, known in self._known(element):
            known.setdefault(_key(parent, element, names), element)

    def goes(self, element: Element) -> None:
        """An element is about to leave the tree (two items of one key: the other is looked for again)."""
        for parent, tag, names, known in list(self._known(element)):
            if known.get(_key(parent, element, names)) is element:
                del self._items[parent, tag, names]

    # -- private -----------------------------------------------------------------------------------------

    def _collection(self, parent: Element, tag: str, names: tuple[str, ...]) -> dict[tuple[str, ...], Element]:
        known = self._items.get((parent, tag, names))
        if known is None:
            known = self._items[parent, tag, names] = {}
            for one in parent.iterchildren(tag):
                known.setdefault(_key(parent, one, names), one)
        return known

    def _known(
        self, element: Element
    ) -> Iterator[tuple[Element, str, tuple[str, ...], dict[tuple[str, ...], Element]]]:
        for (parent, tag, names), known in self._items.items():
            if parent is element.getparent() and tag == element.tag:
                yield parent, tag, names, known


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
    """``configuration/webFarms/webFarm[@name='shop']``; ``[2]`` after the key when several read the same."""
    parts: list[str] = []
    here: Element | None = element
    while here is not None:
        parts.append(_part(here))
        here = here.getparent()
    return "/".join(reversed(parts))


# -- private ---------------------------------------------------------------------------------------------

KEYS: dict[str, tuple[str, ...]] = {
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


def _key(parent: Element, element: Element, names: tuple[str, ...]) -> tuple[str, ...]:
    return folded(parent, tuple(element.get(name, "") for name in names))


def _part(element: Element) -> str:
    tag = str(element.tag)
    names = KEYS.get(tag, ())
    if tag == "add":
        names = next((one for one in _KEYS_OF_ADD if all(name in element.attrib for name in one)), ())
    key = "".join(f"[@{name}='{element.get(name, '')}']" for name in names)
    twins = [
        one
        for one in element.itersiblings(tag, preceding=True)
        if all(one.get(name, "") == element.get(name, "") for name in names)
    ]
    return f"{tag}{key}[{len(twins) + 1}]" if twins else f"{tag}{key}"
