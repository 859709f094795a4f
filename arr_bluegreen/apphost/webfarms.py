"""``webFarms`` and ``system.webServer/proxy`` as words (arr.md 1.1 to 1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arr_bluegreen.apphost.find import below
from arr_bluegreen.apphost.sections import WEB_FARMS
from arr_bluegreen.apphost.tree import Element
from arr_bluegreen.apphost.words import Faults, read_word
from arr_bluegreen.webfarm.farm import AffinityHost, Server, WebFarm

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.proxy import Proxy
    from arr_bluegreen.webfarm.webfarms import WebFarms

SECTION = WEB_FARMS


def read_farm(element: Element, faults: Faults) -> WebFarm:
    """The farm with its servers and its host-name affinity."""
    more: dict[str, tuple[AffinityHost, ...]] = {}
    hosts = tuple(_read_host(one, faults) for one in below(element, ("applicationRequestRouting", "affinity", "host")))
    if hosts:
        more["affinity.hosts"] = hosts
    _need(element, "name", faults)
    servers = tuple(read_server(one, faults) for one in element.iterchildren("server"))
    return read_word(WebFarm, element, faults, {"servers": servers, **more})


def read_server(element: Element, faults: Faults) -> Server:
    """One server of a farm."""
    _need(element, "address", faults)
    return read_word(Server, element, faults, {})


def read_proxy(element: Element, faults: Faults) -> Proxy:
    """The server-wide proxy settings."""
    from arr_bluegreen.webfarm.proxy import Proxy

    return read_word(Proxy, element, faults, {})


def read_section(element: Element, faults: Faults) -> WebFarms:
    """What holds for every farm."""
    from arr_bluegreen.webfarm.webfarms import WebFarms

    return read_word(WebFarms, element, faults, {})


# -- private ---------------------------------------------------------------------------------------------


def _need(element: Element, key: str, faults: Faults) -> None:
    if key not in element.attrib:
        raise faults.fault(element, f"has no {key}, its key", hint="IIS refuses the whole file for that.")


def _read_host(element: Element, faults: Faults) -> AffinityHost:
    _need(element, "name", faults)
    equivalent = tuple(one.get("name", "") for one in element.iterchildren("equivalentHost"))
    return read_word(AffinityHost, element, faults, {"equivalent_hosts": equivalent})
