"""URL Rewrite's global rules evaluated for one request (arr.md 2.2): where it goes, if anywhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from arr_bluegreen.simulator.reading import Reading
from arr_bluegreen.webfarm import Condition, Rule


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the rules see it; ``path`` begins with a slash and has no query; ``host`` as in the Host header."""

    host: str
    port: int = 80
    path: str = "/"
    query: str = ""
    method: str = "GET"
    secure: bool = False


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The request goes to ``scheme://host``: a farm's name, or a host with a port. ``path`` has its query again."""

    scheme: str
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A rule answered by itself: a redirect (``location``), a custom status, or 0 for an aborted connection."""

    status: int
    location: str = ""


Outcome = Rewritten | Answered | None


@lru_cache(maxsize=4096)
def evaluate(reading: Reading, asked: Asked) -> Outcome:
    """Global rules top to bottom; None when the request stays on this machine (arr.md 2.2)."""
    state = _State(reading, asked)
    for rule in reading.rules:
        if not rule.enabled or not state.matches(rule):
            continue
        action = rule.action
        if action.type == "Rewrite":
            state.rewrite(action.url, append=action.append_query_string)
        elif action.type == "Redirect":
            return Answered(_REDIRECTS.get(action.redirect_type, 301), state.expand(action.url))
        elif action.type == "CustomResponse":
            return Answered(action.status_code or 200)
        elif action.type == "AbortRequest":
            return Answered(0)
        if rule.stop_processing and action.type != "None":
            break
    return state.outcome


# -- private ---------------------------------------------------------------------------------------------

_REDIRECTS = {"Permanent": 301, "Found": 302, "SeeOther": 303, "Temporary": 307}


class _State:
    def __init__(self, reading: Reading, asked: Asked) -> None:
        self._reading, self._asked = reading, asked
        self._path, self._query = asked.path.lstrip("/"), asked.query
        self._rule_groups: list[str] = []
        self._condition_groups: list[str] = []
        self.outcome: Outcome = None

    def matches(self, rule: Rule) -> bool:
        found = _match(rule.pattern_syntax, rule.match.url, self._path, rule.match.ignore_case)
        if (found is None) != rule.match.negate:
            return False
        self._rule_groups = found or [self._path]
        self._condition_groups = []
        if not rule.conditions:
            return True
        return (any if rule.logical_grouping == "MatchAny" else all)(
            [self._holds(rule, one) for one in rule.conditions]
        )

    def rewrite(self, url: str, *, append: bool) -> None:
        parts = urlsplit(self.expand(url))
        query = "&".join(text for text in (parts.query, self._query if append else "") if text)
        if parts.scheme:
            path = (parts.path or "/") + (f"?{query}" if query else "")
            self.outcome = Rewritten(parts.scheme, parts.netloc, path)
        self._path, self._query = parts.path.lstrip("/"), query

    def expand(self, text: str) -> str:
        """Innermost braces first, so that a map may be asked for what a variable says."""
        for _ in range(text.count("{")):
            text = re.sub(r"\{([^{}]+)\}", lambda found: self._value(found[1]), text)
        return text

    def _holds(self, rule: Rule, condition: Condition) -> bool:
        if condition.match_type != "Pattern":
            return condition.negate  # nothing of the request is a file of the front site here
        found = _match(rule.pattern_syntax, condition.pattern, self.expand(condition.input), condition.ignore_case)
        if found is not None:
            self._condition_groups = (self._condition_groups if rule.track_all_captures else []) + found
        return (found is not None) != condition.negate

    def _value(self, name: str) -> str:
        kind, _, rest = name.partition(":")
        if kind in ("R", "C"):
            groups = self._rule_groups if kind == "R" else self._condition_groups
            return groups[int(rest)] if rest.isdigit() and int(rest) < len(groups) else ""
        if rest:
            return self._mapped(kind, rest)
        return self._variable(name)

    def _mapped(self, name: str, key: str) -> str:
        for one in self._reading.maps:
            if one.name.casefold() == name.casefold():
                entries = {k.casefold() if one.ignore_case else k: v for k, v in one.entries}
                return entries.get(key.casefold() if one.ignore_case else key, one.default_value)
        return ""

    def _variable(self, name: str) -> str:
        asked = self._asked
        known = {
            "HTTP_HOST": asked.host,
            "SERVER_NAME": asked.host.partition(":")[0],
            "SERVER_PORT": str(asked.port),
            "HTTPS": "ON" if asked.secure else "OFF",
            "SERVER_PORT_SECURE": "1" if asked.secure else "0",
            "REQUEST_METHOD": asked.method,
            "QUERY_STRING": asked.query,
            "URL": asked.path,
            "PATH_INFO": asked.path,
            "REQUEST_URI": asked.path + (f"?{asked.query}" if asked.query else ""),
        }
        return known.get(name.upper(), "")


def _match(syntax: str, pattern: str, text: str, ignore_case: bool) -> list[str] | None:
    """The groups (0 is the whole match), None without a match (arr.md 2.2)."""
    flags = re.IGNORECASE if ignore_case else 0
    if syntax == "ExactMatch":
        same = pattern.casefold() == text.casefold() if ignore_case else pattern == text
        return [text] if same else None
    if syntax == "Wildcard":
        found = re.fullmatch("(.*)".join(re.escape(part) for part in pattern.split("*")), text, flags | re.DOTALL)
    else:
        found = re.search(pattern, text, flags)
    return None if found is None else [found[0], *(group or "" for group in found.groups())]
