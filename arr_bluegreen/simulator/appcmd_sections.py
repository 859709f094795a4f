"""set, clear, list and search config (arr.md 4.1, 4.2)."""

from __future__ import annotations

import copy
import ntpath
from collections.abc import Iterator
from fnmatch import fnmatch
from xml.sax.saxutils import quoteattr

from lxml import etree

from arr_bluegreen.simulator.appcmd_arguments import parse_path
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, syntax, unknown_section
from arr_bluegreen.simulator.appcmd_objects import change
from arr_bluegreen.simulator.appcmd_run import TOP, Run
from arr_bluegreen.simulator.config_errors import NoItem, UnknownName
from arr_bluegreen.simulator.config_tree import Indexer, Place, declarations, insert, section_place
from arr_bluegreen.simulator.schema import Node
from arr_bluegreen.simulator.schema_sections import SECTIONS


def set_config(run: Run) -> int:
    """Any number of settings of one section, one commit."""
    section, location = _section(run), _location_to_write(run)
    place = section_place(run.root, section, location)
    for name, value in run.command.without("section", "commit"):
        change(place, name, value)
    run.applied(section, location)
    run.commit()
    return 0


def clear_config(run: Run) -> int:
    """The whole section goes, everybody's part of it (arr.md 4.1)."""
    section, location = _section(run), _location_to_write(run)
    section_place(run.root, section, location).remove()
    run.applied(section, location)
    run.commit()
    return 0


def list_config(run: Run) -> int:
    """A section, or all that are written, in their groups: what is explicit, or with ``/config:*`` everything.

    ``/section:?`` (or ``?system.webServer/*``) names the sections there are.
    """
    asked = run.command.value("section") or ""
    declared = declarations(run.root)
    if asked.startswith("?"):
        for one in declared:
            if fnmatch(one.casefold(), asked[1:].casefold() or "*"):
                run.say(one)
        return 0
    location = _location(run)
    for section in [_section(run)] if asked else declared:
        shown = _shown(run, section, location)
        if shown is not None:
            _print(run, section, location, shown)
        elif asked:
            _print(run, section, location, etree.Element(section.rpartition("/")[2]))
    return 0


def search_config(run: Run) -> int:
    """Where configuration is set: all levels, or those with a section, a property, a value of it (arr.md 4.1)."""
    asked = run.command.value("section")
    section = _section(run) if asked else None
    wanted = run.command.without("section", "xml", "config", "text")
    below = f"{TOP}/{_location(run)}".rstrip("/").casefold()
    found = 0
    for path, root in _levels(run):
        if (path.casefold() + "/").startswith(below + "/") and _sets(root, section, wanted):
            run.say(f'CONFIGSEARCH "{path}"')
            found += 1
    return 0 if found else 1


CONFIG_VERBS = {"set": set_config, "clear": clear_config, "list": list_config, "search": search_config}


# -- private: which section, where ---------------------------------------------------------------------------


def _section(run: Run) -> str:
    asked = run.command.value("section")
    if asked is None:
        raise AppcmdError('Must specify "section" parameter.', 87)
    section = next((one for one in declarations(run.root) if one.casefold() == asked.casefold()), None)
    if section is None:
        raise unknown_section(asked)
    return section


def _location(run: Run) -> str:
    return (run.command.identifier or "").removeprefix(TOP).strip("/")


def _location_to_write(run: Run) -> str:
    location = _location(run)
    if location and (run.command.value("commit") or "").casefold() != "apphost":
        raise syntax("This simulated host writes applicationHost.config only: give /commit:apphost.")
    return location


# -- private: search -------------------------------------------------------------------------------------------


def _levels(run: Run) -> Iterator[tuple[str, etree._Element]]:
    """Every level that may hold configuration: the top, each location, each site's web.config."""
    yield TOP, run.root
    for one in run.root.iterchildren("location"):
        path = one.get("path", "").strip("/")
        if path and path != ".":
            yield f"{TOP}/{path}", one
    for site in run.machine.config.reading.sites:
        data = run.machine.files.read_bytes(ntpath.join(site.physical_path, "web.config"))
        if data is not None:
            yield f"{TOP}/{site.name}", etree.fromstring(data, etree.XMLParser(resolve_entities=False, recover=True))


def _sets(level: etree._Element, section: str | None, wanted: list[tuple[str, str | None]]) -> bool:
    if section is None:
        return any(one.tag not in ("location", "configSections") for one in level.iterchildren(etree.Element))
    element = level.find(section)
    if element is None:
        return False
    return all(_holds(element, section, name, value) for name, value in wanted)


def _holds(element: etree._Element, section: str, name: str, value: str | None) -> bool:
    """Whether this is written in the section: an item, or an attribute (with this value)."""
    node = SECTIONS.get(section)
    if node is None:
        return value is not None and element.get(name, "").casefold() == value.casefold()
    *above, last = parse_path(name) or ("",)
    try:
        place = Place(node, element, lambda: element).walk(above)
        if isinstance(last, Indexer):
            return place.item(last).element is not None
        if last in place.node.children:
            return place.child(last).element is not None
    except (NoItem, UnknownName):
        return False
    written = None if place.element is None else place.element.get(last)
    return written is not None and (value is None or written.casefold() == value.casefold())


# -- private: list ---------------------------------------------------------------------------------------------


def _shown(run: Run, section: str, location: str) -> etree._Element | None:
    level = run.root
    if location:
        blocks = run.root.iterchildren("location")
        found = next((one for one in blocks if one.get("path", "").casefold() == location.casefold()), None)
        if found is None:
            return None
        level = found
    element = level.find(section)
    if run.command.value("config") != "*" or element is None:
        shown = copy.deepcopy(element)
    elif section in SECTIONS:
        shown = _effective(SECTIONS[section], element, [])
    else:
        raise syntax(f"This simulated host knows no defaults of the section {section}.")
    if shown is not None:
        shown.tail = None
    return shown


_DEFAULTS_OF = {
    "site": "siteDefaults",
    "application": "applicationDefaults",
    "virtualDirectory": "virtualDirectoryDefaults",
    "add": "applicationPoolDefaults",
}


def _effective(node: Node, element: etree._Element | None, defaults: list[etree._Element]) -> etree._Element:
    """The element with every attribute: as written, else by the collection's defaults element, else by the schema
    (arr.md 3.3)."""
    made = etree.Element(node.tag)
    sources = [one for one in (element, *defaults) if one is not None]
    for name, attribute in node.attributes.items():
        by_schema = "" if attribute.kind in ("string", "exact") and not attribute.required else None
        by_schema = by_schema if attribute.default is None else attribute.default.replace(",", ", ")
        value = next((one.get(name) for one in sources if one.get(name) is not None), by_schema)
        if value is not None:
            made.set(name, value)
    for tag, child in node.children.items():
        if not child.open or tag in ("logFile", *_DEFAULTS_OF.values()):
            below = [found for one in sources if (found := one.find(tag)) is not None]
            own = below[:1] if element is not None and element.find(tag) is not None else []
            insert(made, _effective(child, own[0] if own else None, below[len(own) :]))
    if node.item is not None and element is not None:
        tag = _DEFAULTS_OF.get(node.item.tag, "")
        above = [found for one in (element, *element.iterancestors()) if tag and (found := one.find(tag)) is not None]
        for one in element.iterchildren(node.item.tag):
            insert(made, _effective(node.item, one, above))
    return made


def _print(run: Run, section: str, location: str, shown: etree._Element) -> None:
    if run.command.value("xml") is not None:
        where = f"{TOP}/{location}" if location else TOP
        head = f'CONFIG.SECTION={quoteattr(section)} path={quoteattr(where)} overrideMode="Inherit" locked="false"'
        run.say('<?xml version="1.0" encoding="UTF-8"?>')
        run.say(f"<appcmd><CONFIG {head}>{etree.tostring(shown, encoding='unicode')}</CONFIG></appcmd>")
        return
    for tag in reversed(section.split("/")[:-1]):
        outer = etree.Element(tag)
        outer.append(shown)
        shown = outer
    etree.indent(shown, "  ")
    run.say(etree.tostring(shown, encoding="unicode"))
