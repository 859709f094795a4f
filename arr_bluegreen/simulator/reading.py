"""applicationHost.config read as words by eyes of our own: plain lxml, no ``apphost``.

What IIS would not load is refused first (``config_check``); what an element says is read in ``reading_words``.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lxml import etree

from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.simulator.config_check import problem
from arr_bluegreen.simulator.reading_words import (
    child,
    items,
    read_farm,
    read_map,
    read_pool,
    read_rule,
    read_site,
    word,
)
from arr_bluegreen.webfarm import ApplicationPool, Cache, Proxy, RewriteMap, Rule, Site, WebFarm


@dataclass(frozen=True)
class RuleLevel:
    """The distributed rules of one level: ``path`` is "" for the server, else a site with what is below it.

    ``rules`` in order; a text is the name of a rule that is taken away again, "" all those so far (arr.md 2.1).
    """

    path: str
    rules: tuple[Rule | str, ...]


@dataclass(frozen=True, eq=False)
class Reading:
    """What one version of the file says. ``digest`` is the sha256 of its bytes, hex; ``root`` is not to be changed."""

    digest: str
    data: bytes
    root: etree._Element
    farms: tuple[WebFarm, ...]
    rules: tuple[Rule, ...]
    maps: tuple[RewriteMap, ...]
    proxy: Proxy
    sites: tuple[Site, ...]
    pools: tuple[ApplicationPool, ...]
    on_demand_health_check: bool = False
    rule_levels: tuple[RuleLevel, ...] = ()
    allowed_variables: frozenset[str] = frozenset()

    def farm(self, name: str) -> WebFarm | None:
        """The farm of this name, compared without case."""
        return next((one for one in self.farms if one.name.casefold() == name.casefold()), None)

    def site(self, name: str) -> Site | None:
        """The site of this name, compared without case."""
        return next((one for one in self.sites if one.name.casefold() == name.casefold()), None)

    def pool(self, name: str) -> ApplicationPool | None:
        """The pool of this name, compared without case."""
        return next((one for one in self.pools if one.name.casefold() == name.casefold()), None)


def digest_of(data: bytes) -> str:
    """The sha256 of the bytes, hex."""
    return hashlib.sha256(data).hexdigest()


def read(data: bytes) -> Reading:
    """The words in these bytes; readings are kept by digest. Raises ``ConfigurationError`` for what IIS would not
    load."""
    digest = digest_of(data)
    kept = _kept.get(digest)
    if kept is None:
        kept = _kept[digest] = _read(digest, data)
        if len(_kept) > 512:
            _kept.popitem(last=False)
    return kept


@lru_cache(maxsize=64)
def web_config_rules(data: bytes) -> tuple[Rule | str, ...]:
    """The rewrite rules in a site's web.config; none when it cannot be read."""
    try:
        root = etree.fromstring(data, etree.XMLParser(**_PARSER_OPTIONS))
    except etree.XMLSyntaxError:
        return ()
    return _rule_steps(root.find("system.webServer/rewrite/rules"))


# -- private ---------------------------------------------------------------------------------------------

_kept: OrderedDict[str, Reading] = OrderedDict()
_PARSER_OPTIONS: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": True}


def _read(digest: str, data: bytes) -> Reading:
    try:
        root = etree.fromstring(data, etree.XMLParser(**_PARSER_OPTIONS))
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"not well-formed XML: {error.msg}", file="applicationHost.config") from error
    if root.tag != "configuration":
        raise ConfigurationError(
            f"the root element is <{root.tag}>, not <configuration>", file="applicationHost.config"
        )
    wrong = problem(root)
    if wrong is not None:
        raise ConfigurationError(str(wrong), file="applicationHost.config") from wrong
    web_farms = root.find("webFarms")
    rewrite = root.find("system.webServer/rewrite")
    host = root.find("system.applicationHost")
    proxy = root.find("system.webServer/proxy")
    return Reading(
        digest,
        data,
        root,
        tuple(read_farm(one) for one in items(web_farms, "webFarm")),
        tuple(read_rule(one) for one in items(rewrite, "globalRules/rule")),
        tuple(read_map(one) for one in items(rewrite, "rewriteMaps/rewriteMap")),
        word(Proxy, proxy, cache=word(Cache, child(proxy, "cache"))),
        tuple(read_site(one, host) for one in items(host, "sites/site")),
        tuple(read_pool(one, host) for one in items(host, "applicationPools/add")),
        web_farms is not None and web_farms.get("onDemandHealthCheck", "false").casefold() == "true",
        tuple(_levels(root)),
        frozenset(one.get("name", "").casefold() for one in items(rewrite, "allowedServerVariables/add")),
    )


def _levels(root: etree._Element) -> Iterator[RuleLevel]:
    """The levels of applicationHost.config that have distributed rules: the server, and locations."""
    for level in (root, *root.iterchildren("location")):
        rules = level.find("system.webServer/rewrite/rules")
        if rules is not None:
            path = level.get("path", "").strip("/")
            yield RuleLevel("" if path == "." else path, _rule_steps(rules))


def _rule_steps(rules: etree._Element | None) -> tuple[Rule | str, ...]:
    if rules is None:
        return ()
    known: dict[str, Callable[[etree._Element], Rule | str]] = {
        "rule": read_rule,
        "remove": lambda one: one.get("name", ""),
        "clear": lambda _: "",
    }
    return tuple(known[str(one.tag)](one) for one in rules.iterchildren(*known))
