"""What ARR sends to the slots of this machine, and whether a rule would take it again (arr.md 2.4, 5.9)."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.rule import Condition, Rule
from arr_bluegreen.webfarm.site import Binding

PUBLIC = None
"""In the place of a host: whatever host the client asked for, which the rule has let through once."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of ARR to a server: scheme, port, and the Host header (None: the client's own)."""

    scheme: str
    port: int
    host: str | None
    address: str


def request_to(farm: WebFarm, server: Server, scheme: str) -> Request:
    """What the server gets when a rule's url has this scheme (arr.md 2.3, 5.9)."""
    host = server.host_name or farm.protocol.alternate_host_name
    if not host and not farm.protocol.preserve_host_header:
        host = server.address
    return Request(scheme, port_of(server, scheme), host or PUBLIC, server.address)


def port_of(server: Server, scheme: str) -> int:
    """The server's port for a scheme (arr.md 2.3)."""
    return server.https_port if scheme == "https" else server.http_port


def takes(rule: Rule, request: Request) -> bool:
    """Whether the rule takes the request, as far as its conditions on host, port and TLS tell.

    A condition on what a file cannot know (a local address, a header) counts as one that keeps requests out.
    """
    told = [_holds(one, rule.pattern_syntax, request) for one in rule.conditions]
    if rule.logical_grouping == "MatchAny":
        return not told or any(one is not False for one in told)
    return all(one is not False for one in told)


def binding_takes(binding: Binding, host: str) -> bool:
    """Whether a binding answers for a host: its own, every one when it names none, ``*.example`` for all below."""
    own, asked = binding.host.casefold(), host.casefold().partition(":")[0]
    return own in ("", asked) or (own.startswith("*.") and asked.endswith(own[1:]) and asked != own[1:])


def matches(pattern: str, syntax: str, text: str, *, ignore_case: bool = True) -> bool | None:
    """Whether a pattern of a rule matches a text; None for a pattern that is none."""
    if syntax == "ExactMatch":
        return pattern.casefold() == text.casefold() if ignore_case else pattern == text
    if syntax == "Wildcard":
        pattern = "^" + ".*".join(map(re.escape, pattern.split("*"))) + "$"
    try:
        return compiled(pattern, re.I if ignore_case else 0).search(text) is not None
    except re.error:
        return None


def compiled(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """An ECMAScript pattern as Python's, which differs in the spelling of named groups; raises ``re.error``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python may read otherwise some day is no matter here
        return re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern), flags)


# -- private -------------------------------------------------------------------------------------------


def _holds(one: Condition, syntax: str, request: Request) -> bool | None:
    """None when only the request itself could tell, and it may hold."""
    name = one.input.casefold()
    if one.match_type != "Pattern":
        return None
    if name == "{local_addr}":
        return one.negate  # an admin who names addresses tells front and slots apart by them
    known = {
        "{server_port}": str(request.port),
        "{https}": "on" if request.scheme == "https" else "off",
        "{server_port_secure}": "1" if request.scheme == "https" else "0",
        "{http_host}": request.host,
        "{server_name}": request.host and request.host.partition(":")[0],
    }.get(name)
    if known is None:
        return None
    found = matches(one.pattern, syntax, known, ignore_case=one.ignore_case or name == "{https}")
    return None if found is None else found is not one.negate
