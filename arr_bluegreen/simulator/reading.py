"""applicationHost.config read as words by eyes of our own: plain lxml, no ``apphost``.

Attribute names are the words' field names in camel case, so one function reads every element; only the places of
nested elements are listed. Defaults in the file (``applicationPoolDefaults`` ...) count as IIS counts them (arr.md
3.3).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

from lxml import etree

from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm import (
    Action,
    Affinity,
    AffinityHost,
    Application,
    ApplicationPool,
    Binding,
    Cache,
    Condition,
    Failure,
    FarmProtocol,
    HealthCheck,
    LoadBalancing,
    Match,
    ProcessModel,
    Proxy,
    Recycling,
    RewriteMap,
    Rule,
    Server,
    ServerVariable,
    Site,
    VirtualDirectory,
    WebFarm,
)

T = TypeVar("T")


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


def span(text: str) -> timedelta:
    """A time span as the file writes it: ``00:00:30``, ``1.05:00:00``, ``00:00:00.1``; raises ValueError."""
    days, clock = text.split(".", 1) if "." in text.split(":")[0] else ("0", text)
    hours, minutes, rest = clock.split(":")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(rest))


# -- private ---------------------------------------------------------------------------------------------

_kept: OrderedDict[str, Reading] = OrderedDict()
_PARSER_OPTIONS: dict[str, Any] = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": True}
_TRUE = {"true": True, "false": False, "1": True, "0": False}


def _read(digest: str, data: bytes) -> Reading:
    try:
        root = etree.fromstring(data, etree.XMLParser(**_PARSER_OPTIONS))
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"not well-formed XML: {error.msg}", file="applicationHost.config") from error
    if root.tag != "configuration":
        raise ConfigurationError(
            f"the root element is <{root.tag}>, not <configuration>", file="applicationHost.config"
        )
    web_farms = root.find("webFarms")
    rewrite = root.find("system.webServer/rewrite")
    host = root.find("system.applicationHost")
    return Reading(
        digest,
        data,
        root,
        tuple(_farm(one) for one in _all(web_farms, "webFarm")),
        tuple(_rule(one) for one in _all(rewrite, "globalRules/rule")),
        tuple(_map(one) for one in _all(rewrite, "rewriteMaps/rewriteMap")),
        _word(
            Proxy, root.find("system.webServer/proxy"), cache=_word(Cache, root.find("system.webServer/proxy/cache"))
        ),
        tuple(_site(one, host) for one in _all(host, "sites/site")),
        tuple(_pool(one, host) for one in _all(host, "applicationPools/add")),
        web_farms is not None and _TRUE.get(web_farms.get("onDemandHealthCheck", "false"), False),
    )


def _all(element: etree._Element | None, path: str) -> list[etree._Element]:
    return [] if element is None else element.findall(path)


def _child(element: etree._Element | None, path: str) -> etree._Element | None:
    return None if element is None else element.find(path)


_ODD_NAMES = {"clr_config_file": "CLRConfigFile", "randomize_lb_ties": "randomizeLBTies"}


@cache
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return _ODD_NAMES.get(name) or first + "".join(part.capitalize() for part in rest)


def _value(text: str, like: object, name: str) -> object:
    try:
        if isinstance(like, bool):
            return _TRUE[text.casefold()]
        if isinstance(like, int):
            return int(text)
        if isinstance(like, timedelta):
            return span(text)
    except (KeyError, ValueError) as error:
        raise ConfigurationError(f"'{text}' does not fit {name}", file="applicationHost.config") from error
    return text


def _word(kind: type[T], *elements: etree._Element | None, **given: Any) -> T:
    """A word from the attributes of the first element that has each, other fields as given or by default."""
    blank = kind(**{name: value for name, value in given.items() if name in ("name", "address", "path", "input")})
    values: dict[str, Any] = dict(given)
    for one in fields(kind):  # type: ignore[arg-type]  # every word is a dataclass
        if one.name in given:
            continue
        name = _camel(one.name)
        text = next((e.get(name) for e in elements if e is not None and e.get(name) is not None), None)
        if text is not None:
            values[one.name] = _value(text, getattr(blank, one.name), name)
    return kind(**values)


def _farm(element: etree._Element) -> WebFarm:
    arr = element.find("applicationRequestRouting")
    protocol = _child(arr, "protocol")
    affinity = _child(arr, "affinity")
    return _word(
        WebFarm,
        element,
        name=element.get("name", ""),
        servers=tuple(_server(one) for one in element.findall("server")),
        health_check=_word(HealthCheck, _child(arr, "healthCheck")),
        affinity=_word(Affinity, affinity, hosts=tuple(_affinity_host(one) for one in _all(affinity, "host"))),
        load_balancing=_word(LoadBalancing, _child(arr, "loadBalancing")),
        protocol=_word(FarmProtocol, protocol, cache=_word(Cache, _child(protocol, "cache"))),
    )


def _affinity_host(element: etree._Element) -> AffinityHost:
    equivalent = tuple(one.get("name", "") for one in element.findall("equivalentHost"))
    return _word(AffinityHost, element, name=element.get("name", ""), equivalent_hosts=equivalent)


def _server(element: etree._Element) -> Server:
    enabled = _value(element.get("enabled", "true"), True, "enabled")
    return _word(Server, element.find("applicationRequestRouting"), address=element.get("address", ""), enabled=enabled)


def _rule(element: etree._Element) -> Rule:
    conditions = element.find("conditions")
    return _word(
        Rule,
        element,
        name=element.get("name", ""),
        match=_word(Match, element.find("match")),
        conditions=tuple(_word(Condition, one, input=one.get("input", "")) for one in _all(conditions, "add")),
        logical_grouping="MatchAll" if conditions is None else conditions.get("logicalGrouping", "MatchAll"),
        track_all_captures=conditions is not None and conditions.get("trackAllCaptures") == "true",
        server_variables=tuple(
            _word(ServerVariable, one, name=one.get("name", "")) for one in element.findall("serverVariables/set")
        ),
        action=_word(Action, element.find("action")),
    )


def _map(element: etree._Element) -> RewriteMap:
    entries = tuple((one.get("key", ""), one.get("value", "")) for one in element.findall("add"))
    return _word(RewriteMap, element, name=element.get("name", ""), entries=entries)


def _site(element: etree._Element, host: etree._Element | None) -> Site:
    defaults = [element.find("applicationDefaults"), _child(host, "sites/applicationDefaults")]
    folders = _child(host, "sites/virtualDirectoryDefaults")
    return Site(
        element.get("name", ""),
        int(element.get("id", "0")),
        bool(_value(element.get("serverAutoStart", "true"), True, "serverAutoStart")),
        tuple(
            Binding(one.get("protocol", ""), one.get("bindingInformation", ""), int(one.get("sslFlags", "0")))
            for one in element.findall("bindings/binding")
        ),
        tuple(_application(one, [one, *defaults], folders) for one in element.findall("application")),
    )


def _application(
    element: etree._Element, sources: list[etree._Element | None], folders: etree._Element | None
) -> Application:
    pool = next((e.get("applicationPool") for e in sources if e is not None and e.get("applicationPool")), "")
    directories = tuple(
        _word(VirtualDirectory, one, folders, path=one.get("path", "")) for one in element.findall("virtualDirectory")
    )
    path = element.get("path", "/")
    return _word(Application, *sources, path=path, pool=pool or "", virtual_directories=directories)


def _pool(element: etree._Element, host: etree._Element | None) -> ApplicationPool:
    defaults = _child(host, "applicationPools/applicationPoolDefaults")

    def both(path: str) -> tuple[etree._Element | None, etree._Element | None]:
        return element.find(path), _child(defaults, path)

    periodic = [one for one in both("recycling/periodicRestart") if one is not None]
    text = next((one.get("time") for one in periodic if one.get("time")), None)
    return _word(
        ApplicationPool,
        element,
        defaults,
        name=element.get("name", ""),
        process_model=_word(ProcessModel, *both("processModel")),
        recycling=_word(Recycling, *both("recycling"), periodic_restart_time=span(text or "29:00:00")),
        failure=_word(Failure, *both("failure")),
        environment_variables=tuple(
            (one.get("name", ""), one.get("value", "")) for one in element.findall("environmentVariables/add")
        ),
    )
