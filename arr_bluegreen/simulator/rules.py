"""URL Rewrite's rules evaluated for one request (arr.md 2.2): where it goes, if anywhere.

Global rules come first, then the distributed ones of each level from the server down to the site's web.config. A
request that a rule sends to another host is ARR's from then on: further levels are not asked [inferred].
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from arr_bluegreen.simulator.reading import Reading, RuleLevel, web_config_rules
from arr_bluegreen.simulator.rule_patterns import FUNCTIONS, expand, group, is_readable, match
from arr_bluegreen.webfarm import Action, Condition, Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the rules see it; ``path`` begins with a slash and has no query; ``host`` as in the Host header.

    ``headers`` are those that rules look at (``mentioned``), by their variable's name without ``HTTP_``. ``site`` is
    the one it entered, ``web_config`` that site's own file (b"" for none).
    """

    host: str
    port: int = 80
    path: str = "/"
    query: str = ""
    method: str = "GET"
    secure: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    site: str = ""
    web_config: bytes = b""


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The request goes to ``scheme://host`` (a farm's name, or a host with a port), "" and "" for this machine itself.

    ``path`` has its query again; ``headers`` are set on the way (server variables of the rules).
    """

    scheme: str
    host: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """Answered by the module itself: a redirect (``location``), a custom status, or 0 for an aborted connection."""

    status: int
    location: str = ""
    sub_status: int = 0
    reason: str = ""
    description: str = ""


Outcome = Rewritten | Answered | None
"""None: the request stays as it was asked."""


@lru_cache(maxsize=4096)
def evaluate(reading: Reading, asked: Asked) -> Outcome:
    """What all rules together do to a request."""
    request = _Request(reading, asked)
    if not _readable(reading):
        return Answered(500, sub_status=51)
    answer = request.run((("", one) for one in reading.rules), distributed=False)
    if answer is None and not request.host:
        rules = _distributed(reading, asked)
        if not all(is_readable(one) for _, one in rules):
            return Answered(500, sub_status=50)
        answer = request.run(rules, distributed=True)
    return answer or request.outcome()


@lru_cache(maxsize=256)
def mentioned(data: bytes) -> frozenset[str]:
    """The request headers that the rules in a file look at, as their variables are called, without ``HTTP_``."""
    return frozenset(one.decode().upper() for one in re.findall(rb"\{HTTP_([A-Za-z0-9_]+)\}", data))


def headers_for(names: frozenset[str], headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Those of a request's headers whose variables have these names: dashes as underscores, in capitals (D-RWREF)."""
    if not names:
        return ()
    told = ((name.upper().replace("-", "_"), value) for name, value in headers.items())
    return tuple((name, value) for name, value in told if name in names)


# -- private ---------------------------------------------------------------------------------------------

_REDIRECTS = {"Permanent": 301, "Found": 302, "SeeOther": 303, "Temporary": 307}


@lru_cache(maxsize=512)
def _readable(reading: Reading) -> bool:
    """One malformed global rule takes down every site (arr.md 2.2: 500.51)."""
    return all(is_readable(one) for one in reading.rules if one.enabled)


def _distributed(reading: Reading, asked: Asked) -> list[tuple[str, Rule]]:
    """The rules of all levels above the request, parents first, each with the path its level stands for (D-RWREF)."""
    own = RuleLevel(asked.site, web_config_rules(asked.web_config)) if asked.web_config else None
    at = f"{asked.site}{asked.path}/".casefold()
    levels = [one for one in reading.rule_levels if not one.path or at.startswith(f"{one.path}/".casefold())]
    levels = sorted([*levels, *([own] if own else [])], key=lambda one: one.path.count("/") + bool(one.path))
    found: list[tuple[str, Rule]] = []
    for level in levels:
        below = level.path[len(asked.site) :].strip("/")
        for one in level.rules:
            if isinstance(one, Rule):
                found.append((below, one))
            else:
                found = [pair for pair in found if one and pair[1].name.casefold() != one.casefold()]
    return [pair for pair in found if pair[1].enabled]


class _Request:
    """A request on its way through the rules: what each of them sees is what those before made of it."""

    def __init__(self, reading: Reading, asked: Asked) -> None:
        self._reading, self._asked = reading, asked
        self._path, self._query = asked.path.removeprefix("/"), asked.query
        self._scheme, self.host = "", ""
        self._changed = False
        self._headers: dict[str, str] = {}
        self._rule_groups: list[str] = []
        self._condition_groups: list[str] = []

    def outcome(self) -> Outcome:
        """Where it ended up, if no rule answered it."""
        path = f"/{self._path}" + (f"?{self._query}" if self._query else "")
        headers = tuple(self._headers.items())
        return Rewritten(self._scheme, self.host, path, headers) if self._changed or headers else None

    def run(self, rules: Iterable[tuple[str, Rule]], *, distributed: bool) -> Answered | None:
        """Rules top to bottom, each with the path its level stands for."""
        for below, rule in rules:
            if not rule.enabled or not self._matches(rule, below):
                continue
            if distributed and not self._may_set(rule):
                return Answered(500, sub_status=50)
            self._set_variables(rule)
            answer = self._act(rule.action, below)
            if answer is not None:
                return answer
            if rule.stop_processing:
                return None
        return None

    # -- private: what a rule does ----------------------------------------------------------------------

    def _may_set(self, rule: Rule) -> bool:
        """A distributed rule sets only variables that ``allowedServerVariables`` names (arr.md 2.2)."""
        return all(one.name.casefold() in self._reading.allowed_variables for one in rule.server_variables)

    def _set_variables(self, rule: Rule) -> None:
        for one in rule.server_variables:
            name = one.name.upper().removeprefix("HTTP_")
            if one.name.upper().startswith("HTTP_") and (one.replace or not self._header(name)):
                self._headers[name.replace("_", "-")] = self._expand(one.value)

    def _act(self, action: Action, below: str) -> Answered | None:
        match action.type:
            case "Rewrite":
                self._rewrite(self._expand(action.url), below, append=action.append_query_string)
            case "Redirect":
                url = self._expand(action.url)
                if action.append_query_string and self._query:
                    url += ("&" if "?" in url else "?") + self._query
                return Answered(_REDIRECTS.get(action.redirect_type, 301), url)
            case "CustomResponse":
                return Answered(
                    action.status_code or 200,
                    sub_status=action.sub_status_code,
                    reason=action.status_reason,
                    description=action.status_description,
                )
            case "AbortRequest":
                return Answered(0)
            case _:
                pass
        return None

    def _rewrite(self, url: str, below: str, *, append: bool) -> None:
        """The URL becomes another one; a path without a slash is below that of the rule's level."""
        parts = urlsplit(url)
        self._query = "&".join(text for text in (parts.query, self._query if append else "") if text)
        if parts.scheme:
            self._scheme, self.host = parts.scheme, parts.netloc
        inside = below and not parts.scheme and not parts.path.startswith("/")
        self._path = f"{below}/{parts.path}" if inside else parts.path.removeprefix("/")
        self._changed = True

    # -- private: whether it matches -------------------------------------------------------------------------

    def _matches(self, rule: Rule, below: str) -> bool:
        path = self._path[len(below) :].removeprefix("/") if below else self._path
        found = match(rule.pattern_syntax, rule.match.url, path, ignore_case=rule.match.ignore_case)
        if (found is None) is not rule.match.negate:
            return False
        self._rule_groups = found or [path]
        self._condition_groups = []
        if not rule.conditions:
            return True
        hold = (self._holds(rule, one) for one in rule.conditions)
        return any(hold) if rule.logical_grouping == "MatchAny" else all(hold)

    def _holds(self, rule: Rule, condition: Condition) -> bool:
        """Captures are those of the last condition that matched, or of all, each after the first without its whole."""
        if condition.match_type != "Pattern":
            return condition.negate  # nothing of a request here is a file or folder of the front site
        text = self._expand(condition.input)
        found = match(rule.pattern_syntax, condition.pattern, text, ignore_case=condition.ignore_case)
        if found is not None and not condition.negate:
            kept = self._condition_groups if rule.track_all_captures else []
            self._condition_groups = [*kept, *found[1:]] if kept else found
        return (found is not None) is not condition.negate

    # -- private: values -------------------------------------------------------------------------------------

    def _expand(self, text: str) -> str:
        return expand(text, self._value)

    def _value(self, name: str, rest: str) -> str:
        if name.upper() in ("R", "C"):
            return group(self._rule_groups if name.upper() == "R" else self._condition_groups, rest)
        if rest:
            function = FUNCTIONS.get(name.casefold())
            return function(rest) if function is not None else self._mapped(name, rest)
        return self._variable(name.upper())

    def _mapped(self, name: str, key: str) -> str:
        for one in self._reading.maps:
            if one.name.casefold() == name.casefold():
                entries = {k.casefold() if one.ignore_case else k: v for k, v in one.entries}
                return entries.get(key.casefold() if one.ignore_case else key, one.default_value)
        return ""

    def _variable(self, name: str) -> str:
        """A server variable; the URL and the query as the rules so far have made them, REQUEST_URI as asked."""
        asked = self._asked
        known = {
            "HTTP_HOST": asked.host,
            "SERVER_NAME": asked.host.partition(":")[0],
            "SERVER_PORT": str(asked.port),
            "HTTPS": "ON" if asked.secure else "OFF",
            "SERVER_PORT_SECURE": "1" if asked.secure else "0",
            "REQUEST_METHOD": asked.method,
            "QUERY_STRING": self._query,
            "URL": f"/{self._path}",
            "PATH_INFO": f"/{self._path}",
            "REQUEST_URI": asked.path + (f"?{asked.query}" if asked.query else ""),
            "UNENCODED_URL": asked.path,
        }
        return known[name] if name in known else self._header(name.removeprefix("HTTP_"))

    def _header(self, name: str) -> str:
        set_by_rules = self._headers.get(name.replace("_", "-"))
        return set_by_rules if set_by_rules is not None else _first(self._asked.headers, name)


def _first(pairs: Sequence[tuple[str, str]], name: str) -> str:
    return next((value for key, value in pairs if key == name), "")
