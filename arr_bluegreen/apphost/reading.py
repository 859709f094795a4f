"""Words out of one parsed text: the reading side of ``ApplicationHost``, also while changes are made.

The files of words (farms, rules, sites) are imported when first asked for: making their classes takes a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from arr_bluegreen.apphost import sections
from arr_bluegreen.apphost.find import Finder
from arr_bluegreen.apphost.places import farm_place, map_place, pool_place, rule_place, site_place
from arr_bluegreen.apphost.source import Source
from arr_bluegreen.apphost.steps import Place
from arr_bluegreen.apphost.tree import Element, parse_tree
from arr_bluegreen.apphost.values import escape
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm.rule import SERVER

if TYPE_CHECKING:
    from arr_bluegreen.apphost.scan import Spans
    from arr_bluegreen.apphost.sites import Defaults
    from arr_bluegreen.webfarm.farm import WebFarm
    from arr_bluegreen.webfarm.proxy import Proxy
    from arr_bluegreen.webfarm.rule import RewriteMap, Rule, RuleList
    from arr_bluegreen.webfarm.site import Application, ApplicationPool, Site
    from arr_bluegreen.webfarm.webfarms import WebFarms


class Reading:
    """One text, its tree, and the words in it. Every lookup by name is without case and raises ``NoSuchObject``."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root = parse_tree(source)
        self.find = Finder(self.root)
        self._spans: Spans | None = None
        self._defaults: dict[Element | None, Defaults] = {}

    @property
    def spans(self) -> Spans:
        """Where the elements lie in the text."""
        if self._spans is None:
            from arr_bluegreen.apphost import scan

            self._spans = scan.Spans(self.source.body, self.root)
        return self._spans

    # -- farms -------------------------------------------------------------------------------------------

    @property
    def farms(self) -> tuple[WebFarm, ...]:
        """Every farm, in file order."""
        from arr_bluegreen.apphost import webfarms

        return tuple(webfarms.read_farm(one, self) for one in self._items(sections.WEB_FARMS, "webFarm"))

    def farm(self, name: str) -> WebFarm:
        """The farm of this name."""
        from arr_bluegreen.apphost import webfarms

        return webfarms.read_farm(self.item("web farm", farm_place(name)), self)

    @property
    def proxy(self) -> Proxy:
        """``system.webServer/proxy``; the schema's defaults when the file has none."""
        from arr_bluegreen.apphost import webfarms

        found = self.find.section(sections.PROXY)
        return webfarms.read_proxy(self.root.makeelement("proxy") if found is None else found, self)

    @property
    def web_farms(self) -> WebFarms:
        """``webFarms``' own settings; the schema's defaults when the file has none."""
        from arr_bluegreen.apphost import webfarms

        found = self.find.section(sections.WEB_FARMS)
        return webfarms.read_section(self.root.makeelement("webFarms") if found is None else found, self)

    # -- rules -------------------------------------------------------------------------------------------

    @property
    def rule_lists(self) -> tuple[RuleList, ...]:
        """The global rules first, then the rules of each location that has some."""
        from arr_bluegreen.apphost import rewrite

        found = [rewrite.read_rules(one, "", self) for one in self.find.sections(sections.GLOBAL_RULES)]
        found += [rewrite.read_rules(one, path or SERVER, self) for path, one in self._located(sections.RULES)]
        return tuple(found)

    def rule(self, name: str, location: str = "") -> Rule:
        """The rule of this name."""
        from arr_bluegreen.apphost import rewrite

        return rewrite.read_rule(self.item("rule", rule_place(name, location)), self)

    @property
    def rewrite_maps(self) -> tuple[RewriteMap, ...]:
        """Every rewrite map, the server's first."""
        from arr_bluegreen.apphost import rewrite

        return tuple(
            rewrite.read_map(item, path, self)
            for path, one in self._located(sections.MAPS)
            for item in one.iterchildren("rewriteMap")
        )

    def rewrite_map(self, name: str, location: str = "") -> RewriteMap:
        """The rewrite map of this name."""
        from arr_bluegreen.apphost import rewrite

        return rewrite.read_map(self.item("rewrite map", map_place(name, location)), location, self)

    # -- sites and pools ---------------------------------------------------------------------------------

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every site, with effective values."""
        from arr_bluegreen.apphost import sites

        return tuple(
            sites.read_site(one, self.defaults(section), self)
            for section in self.find.sections(sections.SITES)
            for one in section.iterchildren("site")
        )

    def site(self, name: str) -> Site:
        """The site of this name, with effective values."""
        from arr_bluegreen.apphost import sites

        found = self.item("site", site_place(name))
        return sites.read_site(found, self.defaults(found.getparent()), self)

    @property
    def pools(self) -> tuple[ApplicationPool, ...]:
        """Every pool, with effective values."""
        from arr_bluegreen.apphost import sites

        return tuple(
            sites.read_pool(one, self.defaults(section), self)
            for section in self.find.sections(sections.POOLS)
            for one in section.iterchildren("add")
        )

    def pool(self, name: str) -> ApplicationPool:
        """The pool of this name, with effective values."""
        from arr_bluegreen.apphost import sites

        found = self.item("application pool", pool_place(name))
        return sites.read_pool(found, self.defaults(found.getparent()), self)

    @property
    def default_pool(self) -> ApplicationPool:
        """What a pool with no setting of its own is like here."""
        from arr_bluegreen.apphost import sites

        defaults = self.defaults(self.find.section(sections.POOLS))
        return sites.read_pool(self.root.makeelement("add", {"name": ""}), defaults, self)

    @property
    def default_site(self) -> Site:
        """What a site with one bare application and folder is like here."""
        from arr_bluegreen.apphost import sites

        defaults = self.defaults(self.find.section(sections.SITES))
        bare = sites.read_site(self.root.makeelement("site", {"name": ""}), defaults, self)
        return replace(bare, applications=(sites.bare_application(defaults),))

    def default_application(self, site: str) -> Application:
        """What an application of this site is like with nothing written on it."""
        from arr_bluegreen.apphost import sites

        found = self.item("site", site_place(site))
        return sites.bare_application(sites.own_defaults(found, self.defaults(found.getparent()), self))

    def defaults(self, section: Element | None) -> Defaults:
        """What the defaults elements of ``sites`` or ``applicationPools`` say; no change of ours touches them."""
        from arr_bluegreen.apphost import sites

        if section not in self._defaults:
            self._defaults[section] = sites.read_defaults(section, self)
        return self._defaults[section]

    def site_with_id(self, number: int) -> str | None:
        """The name of the site that has this id, None when there is none."""
        found = (one.get("name", "") for one in self._items(sections.SITES, "site") if one.get("id") == str(number))
        return next(found, None)

    # -- places ------------------------------------------------------------------------------------------

    def item(self, kind: str, place: Place) -> Element:
        """The item of a section at a place; raises ``NoSuchObject`` naming those of its tag that are there."""
        found = self.find.find(place)
        if found is None:
            (step,) = place.steps
            (name, value), *_ = step.key
            there = tuple(one.get(name, "") for one in self._items(place.section, step.tag, place.location))
            where = f"<location path='{place.location}'>" if place.location else ""
            raise NoSuchObject(kind, value, there, where=where)
        return found

    def position(self, element: Element, attribute: str = "") -> tuple[int, int] | None:
        """Line and column of the element, or of the value of one of its attributes; None for one not in the text."""
        at = self.spans.start(element)
        if at is None:
            return None
        found = self.spans.start_tag(element).attribute(attribute) if attribute else None
        return self.source.line_column(found.start if found else at)

    def text_of(self, element: Element, attribute: str, value: str) -> bytes:
        """The element's text as it stands, but for the value of one attribute that it has."""
        tag, end = self.spans.start_tag(element), self.spans.end(element)
        span = tag.attribute(attribute)
        assert span
        body = self.source.body
        quote = body[span.value_end : span.value_end + 1].decode()
        return body[tag.start : span.value_start] + escape(value, quote).encode() + body[span.value_end : end]

    def fault(self, element: Element, message: str, attribute: str = "", *, hint: str = "") -> ConfigurationError:
        """The error for something wrong at an element."""
        line, column = self.position(element, attribute) or (None, None)
        return ConfigurationError(
            message, file=self.source.file, line=line, column=column, element=self.find.path_of(element), hint=hint
        )

    # -- private -----------------------------------------------------------------------------------------

    def _items(self, section: str, tag: str, location: str = "") -> Iterator[Element]:
        for one in self.find.sections(section, location):
            yield from one.iterchildren(tag)

    def _located(self, section: str) -> Iterable[tuple[str, Element]]:
        for one in self.find.sections(section):
            yield "", one
        for path in self.find.paths():
            for one in self.find.sections(section, path):
                yield path, one
