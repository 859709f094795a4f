"""Hazards of farms and their servers."""

from __future__ import annotations

import re
from datetime import timedelta

from arr_bluegreen.apphost.lint_model import (
    ERROR,
    INFO,
    WARNING,
    FarmSeen,
    Hazard,
    Hit,
    Seen,
    ServerSeen,
    is_loopback,
)
from arr_bluegreen.apphost.lint_requests import port_of
from arr_bluegreen.apphost.tree import Element

SUPPORTED_ALGORITHMS = ("WeightedRoundRobin", "RequestHash")


def _same_address(seen: Seen) -> list[Hit]:
    return [
        Hit(two.element, f"farm '{farm.word.name}' has the server '{two.word.address}' twice ('{one.word.address}')")
        for farm in seen.farms
        for at, two in enumerate(farm.servers)
        for one in farm.servers[:at]
        if one.word.address.casefold() == two.word.address.casefold()
    ]


def _same_place(seen: Seen) -> list[Hit]:
    hits = []
    for farm in seen.farms:
        for at, two in enumerate(farm.servers):
            for one in farm.servers[:at]:
                scheme = next((each for each in seen.schemes(farm) if _one_place(seen, each, one, two)), None)
                if scheme is not None:
                    what = f"servers '{one.word.address}' and '{two.word.address}' of farm '{farm.word.name}'"
                    port = port_of(two.word, scheme)
                    hits.append(Hit(two.element, f"{what} are one place: port {port} of this machine"))
    return hits


def _one_place(seen: Seen, scheme: str, one: ServerSeen, two: ServerSeen) -> bool:
    same_port = port_of(one.word, scheme) == port_of(two.word, scheme)
    if not same_port or one.word.address.casefold() == two.word.address.casefold():
        return False
    first = {id(site.element) for site in seen.sites_at(one.word, scheme)}
    second = {id(site.element) for site in seen.sites_at(two.word, scheme)}
    if first or second:
        return bool(first & second)
    return is_loopback(one.word.address) and is_loopback(two.word.address) and not _both_127(one, two)


def _both_127(one: ServerSeen, two: ServerSeen) -> bool:
    return one.word.address.startswith("127.") and two.word.address.startswith("127.")


def _address_with_more(seen: Seen) -> list[Hit]:
    return [
        Hit(one.element, f"'{one.word.address}' is more than an address")
        for farm in seen.farms
        for one in farm.servers
        if re.search(r"/|^[^:\[\]]+:\d+$|\]:\d+$", one.word.address)
    ]


def _strange_attribute(seen: Seen) -> list[Hit]:
    return [
        Hit(one.element, f"<server> has no attribute '{name}'")
        for farm in seen.farms
        for one in farm.servers
        for name in map(str, one.element.attrib)
        if name in ("port", "httpPort", "httpsPort", "weight", "hostName", "host")
    ]


def _algorithm(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "loadBalancing"), f"farm '{farm.word.name}' asks for {farm.word.load_balancing.algorithm}")
        for farm in seen.farms
        if farm.word.load_balancing.algorithm not in SUPPORTED_ALGORITHMS
    ]


def _no_health_test(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "healthCheck"), f"farm '{farm.word.name}' has no health test url")
        for farm in seen.farms
        if not farm.word.health_check.url
    ]


def _live_traffic_alone(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "healthCheck"), f"farm '{farm.word.name}' judges by live traffic and has no health test url")
        for farm in seen.farms
        if farm.word.health_check.live_traffic_failure_period > timedelta(0) and not farm.word.health_check.url
    ]


def _no_response_match(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "healthCheck"), f"farm '{farm.word.name}' accepts any text from {farm.word.health_check.url}")
        for farm in seen.farms
        if farm.word.health_check.url and not farm.word.health_check.response_match
    ]


def _redirects_are_healthy(seen: Seen) -> list[Hit]:
    return [
        Hit(
            _inside(farm, "healthCheck"),
            f"farm '{farm.word.name}' takes statuses {farm.word.health_check.status_code_match} as healthy",
        )
        for farm in seen.farms
        if farm.word.health_check.url and _accepts_redirects(farm.word.health_check.status_code_match)
    ]


def _accepts_redirects(statuses: str) -> bool:
    for part in statuses.split(","):
        found = re.fullmatch(r"\s*(\d{1,3})\s*(-)?\s*(\d{1,3})?\s*", part)
        if found:
            low = int(found[1])
            high = int(found[3]) if found[3] else (999 if found[2] else low)
            if low <= 399 and high >= 300:
                return True
    return False


def _min_servers(seen: Seen) -> list[Hit]:
    return [
        Hit(
            _inside(farm, "healthCheck"),
            f"farm '{farm.word.name}' has minServers {farm.word.health_check.min_servers} and a health test",
        )
        for farm in seen.farms
        if farm.word.health_check.min_servers > 0 and farm.word.health_check.url
    ]


def _busy_probe(seen: Seen) -> list[Hit]:
    return [
        Hit(
            _inside(farm, "healthCheck"),
            f"farm '{farm.word.name}' probes every {farm.word.health_check.interval.total_seconds():g} s",
        )
        for farm in seen.farms
        if farm.word.health_check.url and farm.word.health_check.interval < timedelta(seconds=5)
    ]


def _cookie_affinity(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "affinity"), f"farm '{farm.word.name}' keeps clients on their server by cookie")
        for farm in seen.farms
        if farm.word.affinity.use_cookie
    ]


def _host_name_affinity(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "affinity"), f"farm '{farm.word.name}' keeps each host name on one server")
        for farm in seen.farms
        if farm.word.affinity.use_host_name
    ]


def _short_timeout(seen: Seen) -> list[Hit]:
    return [
        Hit(
            _inside(farm, "protocol"),
            f"farm '{farm.word.name}' gives a server {farm.word.protocol.timeout.total_seconds():g} s to answer",
        )
        for farm in seen.farms
        if farm.word.protocol.timeout <= timedelta(seconds=30)
    ]


def _cache_on(seen: Seen) -> list[Hit]:
    return [
        Hit(_inside(farm, "protocol/cache"), f"farm '{farm.word.name}' caches answers in ARR")
        for farm in seen.farms
        if farm.word.protocol.cache.enabled
    ]


def _nobody_enabled(seen: Seen) -> list[Hit]:
    return [
        Hit(farm.element, f"no server of farm '{farm.word.name}' is enabled")
        for farm in seen.farms
        if farm.word.enabled and farm.servers and not any(one.word.enabled for one in farm.servers)
    ]


def _inside(farm: FarmSeen, path: str) -> Element:
    """The deepest element that is there on the way to the setting: where a reader should look."""
    here = farm.element
    for tag in ("applicationRequestRouting", *path.split("/")):
        below = here.find(tag)
        if below is None:
            break
        here = below
    return here


HAZARDS = (
    Hazard(
        "ARR001", ERROR, "the same server address twice",
        "Addresses are compared without case and must be unique in a farm; IIS refuses the whole file (arr.md 1.0).",
        "Give one of them another address: 127.0.0.2, or a name from the hosts file.",
        _same_address,
        refused=True,
    ),
    Hazard(
        "ARR002", WARNING, "two servers that are one place",
        "Two addresses of one machine with one port end at the same site: a switch between them changes nothing.",
        "Give each server its own applicationRequestRouting/@httpPort.",
        _same_place,
    ),
    Hazard(
        "ARR003", ERROR, "an address that is more than an address",
        "server/@address is a name or an IP; ARR takes a port or a scheme in it for part of the name (arr.md 1.0).",
        "Put the port into <applicationRequestRouting httpPort=... />.",
        _address_with_more,
    ),
    Hazard(
        "ARR004", ERROR, "an attribute <server> does not have",
        "IIS refuses an attribute its schema does not know, and with it the whole file (arr.md 1.0).",
        "Ports, weight and hostName belong on server/applicationRequestRouting.",
        _strange_attribute,
        refused=True,
    ),
    Hazard(
        "ARR005", ERROR, "a load-balancing algorithm ARR does not carry out",
        "Only WeightedRoundRobin and RequestHash work in ARR 3 (arr.md 1.2).",
        "Use WeightedRoundRobin.",
        _algorithm,
    ),
    Hazard(
        "ARR006", WARNING, "no health test",
        "A server that is down stays in service, and one marked unhealthy never comes back by itself (arr.md 5.1).",
        "Give healthCheck a url, statusCodeMatch=\"200\" and a responseMatch.",
        _no_health_test,
    ),
    Hazard(
        "ARR007", ERROR, "the live-traffic test alone",
        "A burst of errors marks the only live server unhealthy, and nothing revives it: 502.4 for all (arr.md 5.2).",
        "Give healthCheck a url, or set liveTrafficFailurePeriod to 00:00:00.",
        _live_traffic_alone,
    ),
    Hazard(
        "ARR008", WARNING, "no response match",
        "Any page with the right status counts as healthy: a login page, another site's default page (arr.md 5.1).",
        "Set healthCheck/@responseMatch to a text that only a healthy answer has.",
        _no_response_match,
    ),
    Hazard(
        "ARR009", WARNING, "redirects count as healthy",
        "An app that redirects everything to https or to a login page looks healthy (arr.md 5.1).",
        "Set healthCheck/@statusCodeMatch to 200.",
        _redirects_are_healthy,
    ),
    Hazard(
        "ARR010", WARNING, "minServers beside a health test",
        "Below minServers healthy ones ARR ignores its test and routes to a slot that is down on purpose (arr.md 5.3).",
        "Set healthCheck/@minServers to 0 where a health file or test keeps the idle slot out.",
        _min_servers,
    ),
    Hazard(
        "ARR011", INFO, "a busy health test",
        "Every worker process that has ARR loaded probes on its own; bursts of 15 per interval were seen (arr.md 5.1).",
        "Use an interval of 5 s or more and a cheap page.",
        _busy_probe,
    ),
    Hazard(
        "ARR012", WARNING, "cookie affinity",
        "Drain lets clients with a cookie on, so it may never end while users stay (arr.md 5.4).",
        "Use GracefulStop after a deadline, or keep sessions outside the process and turn useCookie off.",
        _cookie_affinity,
    ),
    Hazard(
        "ARR013", WARNING, "host-name affinity",
        "One public host stays pinned to one server; after a switch the mapping must be removed (arr.md 5.5).",
        "Turn useHostName off for a farm of blue and green.",
        _host_name_affinity,
    ),
    Hazard(
        "ARR014", INFO, "a farm timeout of 30 s or less",
        "A request that takes longer ends as 502.3 at the client although the server finishes it (arr.md 5.9).",
        "Set protocol/@timeout to at least the application's own limit.",
        _short_timeout,
    ),
    Hazard(
        "ARR015", WARNING, "ARR's cache is on",
        "After a switch clients may get the old slot's files, and with queryStringHandling=Ignore app.js?v=2 from"
        " app.js?v=1 (arr.md 5.9).",
        "Set protocol/cache/@enabled to false, or name files by their content.",
        _cache_on,
    ),
    Hazard(
        "ARR016", WARNING, "a farm with no enabled server",
        "ARR answers 502.4 to every request that a rule sends there (arr.md 5.7).",
        "Bring a server online: arr-bluegreen server online FARM ADDRESS.",
        _nobody_enabled,
    ),
)  # fmt: skip
