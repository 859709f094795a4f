"""The elements of applicationHost.config as words.

Attribute names are the words' field names in camel case, so one function reads every element; only the places of
nested elements are listed. Defaults in the file (``applicationPoolDefaults`` ...) count as IIS counts them (arr.md
3.3).
"""

from __future__ import annotations

from dataclasses import fields
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


def items(element: etree._Element | None, path: str) -> list[etree._Element]:
    """The elements of this path; none below none."""
    return [] if element is None else element.findall(path)


def child(element: etree._Element | None, path: str) -> etree._Element | None:
    """The first element of this path, if any."""
    return None if element is None else element.find(path)


def span(text: str) -> timedelta:
    """A time span as the file writes it: ``00:00:30``, ``1.05:00:00``, ``00:00:00.1``; raises ValueError."""
    days, clock = text.split(".", 1) if "." in text.split(":")[0] else ("0", text)
    hours, minutes, rest = clock.split(":")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(rest))


def word(kind: type[T], *elements: etree._Element | None, **given: Any) -> T:
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


def read_farm(element: etree._Element) -> WebFarm:
    """``webFarms/webFarm``."""
    arr = element.find("applicationRequestRouting")
    protocol = child(arr, "protocol")
    affinity = child(arr, "affinity")
    return word(
        WebFarm,
        element,
        name=element.get("name", ""),
        servers=tuple(_server(one) for one in element.findall("server")),
        health_check=word(HealthCheck, child(arr, "healthCheck")),
        affinity=word(Affinity, affinity, hosts=tuple(_affinity_host(one) for one in items(affinity, "host"))),
        load_balancing=word(LoadBalancing, child(arr, "loadBalancing")),
        protocol=word(FarmProtocol, protocol, cache=word(Cache, child(protocol, "cache"))),
    )


def read_rule(element: etree._Element) -> Rule:
    """``rules/rule`` and ``globalRules/rule``."""
    conditions = element.find("conditions")
    return word(
        Rule,
        element,
        name=element.get("name", ""),
        match=word(Match, element.find("match")),
        conditions=tuple(word(Condition, one, input=one.get("input", "")) for one in items(conditions, "add")),
        logical_grouping="MatchAll" if conditions is None else conditions.get("logicalGrouping", "MatchAll"),
        track_all_captures=conditions is not None and conditions.get("trackAllCaptures", "").casefold() == "true",
        server_variables=tuple(
            word(ServerVariable, one, name=one.get("name", "")) for one in element.findall("serverVariables/set")
        ),
        action=word(Action, element.find("action")),
    )


def read_map(element: etree._Element) -> RewriteMap:
    """``rewriteMaps/rewriteMap``."""
    entries = tuple((one.get("key", ""), one.get("value", "")) for one in element.findall("add"))
    return word(RewriteMap, element, name=element.get("name", ""), entries=entries)


def read_site(element: etree._Element, host: etree._Element | None) -> Site:
    """``sites/site``; ``host`` is ``system.applicationHost``, for its defaults."""
    defaults = [element.find("applicationDefaults"), child(host, "sites/applicationDefaults")]
    folders = [element.find("virtualDirectoryDefaults"), child(host, "sites/virtualDirectoryDefaults")]
    auto = _first([element, child(host, "sites/siteDefaults")], "serverAutoStart", "true")
    return Site(
        element.get("name", ""),
        int(element.get("id", "0")),
        bool(_value(auto, True, "serverAutoStart")),
        tuple(
            Binding(one.get("protocol", ""), one.get("bindingInformation", ""), int(one.get("sslFlags", "0")))
            for one in element.findall("bindings/binding")
        ),
        tuple(_application(one, [one, *defaults], folders) for one in element.findall("application")),
    )


def read_pool(element: etree._Element, host: etree._Element | None) -> ApplicationPool:
    """``applicationPools/add``; ``host`` is ``system.applicationHost``, for its defaults."""
    defaults = child(host, "applicationPools/applicationPoolDefaults")

    def both(path: str) -> list[etree._Element | None]:
        return [element.find(path), child(defaults, path)]

    periodic = both("recycling/periodicRestart")
    return word(
        ApplicationPool,
        element,
        defaults,
        name=element.get("name", ""),
        process_model=word(ProcessModel, *both("processModel")),
        recycling=word(
            Recycling,
            *both("recycling"),
            periodic_restart_time=span(_first(periodic, "time", "29:00:00")),
            periodic_restart_memory=int(_first(periodic, "memory", "0")),
            periodic_restart_private_memory=int(_first(periodic, "privateMemory", "0")),
            periodic_restart_requests=int(_first(periodic, "requests", "0")),
            schedule=tuple(span(one.get("value", "")) for one in items(periodic[0], "schedule/add")),
        ),
        failure=word(Failure, *both("failure")),
        environment_variables=tuple(
            (one.get("name", ""), one.get("value", "")) for one in element.findall("environmentVariables/add")
        ),
    )


# -- private ---------------------------------------------------------------------------------------------

_TRUE = {"true": True, "false": False}
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


def _affinity_host(element: etree._Element) -> AffinityHost:
    equivalent = tuple(one.get("name", "") for one in element.findall("equivalentHost"))
    return word(AffinityHost, element, name=element.get("name", ""), equivalent_hosts=equivalent)


def _server(element: etree._Element) -> Server:
    enabled = _value(element.get("enabled", "true"), True, "enabled")
    return word(Server, element.find("applicationRequestRouting"), address=element.get("address", ""), enabled=enabled)


def _application(
    element: etree._Element, sources: list[etree._Element | None], folders: list[etree._Element | None]
) -> Application:
    folders = [element.find("virtualDirectoryDefaults"), *folders]
    directories = tuple(
        word(VirtualDirectory, one, *folders, path=one.get("path", "")) for one in element.findall("virtualDirectory")
    )
    pool = _first(sources, "applicationPool", "")
    return word(Application, *sources, path=element.get("path", "/"), pool=pool, virtual_directories=directories)


def _first(elements: list[etree._Element | None], name: str, default: str) -> str:
    """The attribute of the first element that has it."""
    return next((text for e in elements if e is not None and (text := e.get(name)) is not None), default)
