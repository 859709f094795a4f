"""What a rule takes and where it sends it, read off the words alone: the one answer for the lint and the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from arr_bluegreen.webfarm.rule import Condition, RewriteMap, Rule, RuleList


@dataclass(frozen=True, slots=True)
class Target:
    """One host a rewrite may go to: lower case, the scheme and port its url names (port None: the scheme's own), and
    the rewrite map the host came from ("" for a host that is written in the rule)."""

    host: str
    scheme: str = ""
    port: int | None = None
    map: str = ""

    @property
    def may_be_farm(self) -> bool:
        """Whether ARR would look among its farms for it: the port is not named, or is the scheme's (arr.md 2.3)."""
        return self.port is None or self.port == {"http": 80, "https": 443}.get(self.scheme)


@dataclass(frozen=True, slots=True)
class Reference:
    """A rule that rewrites to some farm: its location ("" = globalRules), and the map it finds the farm in, if any."""

    location: str
    rule: Rule
    map: str = ""


def targets(rule: Rule, maps: Sequence[RewriteMap] = ()) -> tuple[Target, ...]:
    """The hosts a Rewrite rule may send to; rewrite maps named in its url are looked up in ``maps`` (arr.md 2.6).

    () for a rule that rewrites within its site, and for a host that only the request knows (``{R:1}``).
    """
    if rule.action.type != "Rewrite":
        return ()
    return tuple(dict.fromkeys(_targets(rule.action.url, {one.name.casefold(): one for one in reversed(maps)}, "")))


def references(rule_lists: Sequence[RuleList], maps: Sequence[RewriteMap]) -> dict[str, list[Reference]]:
    """Every rule that may rewrite to a farm, enabled or not, by the farm's name in lower case, in the order they run.

    The link is only the host in the rule's url (arr.md 2.3, 2.5).
    """
    found: dict[str, list[Reference]] = {}
    for group in rule_lists:
        for rule in group.rules:
            hosts = {one.host: one.map for one in reversed(targets(rule, maps))}
            for host, by in hosts.items():
                found.setdefault(host, []).append(Reference(group.location, rule, by))
    return found


def managers_farm(name: str) -> str:
    """The farm that IIS Manager takes a rule of this name to be its own of (arr.md 2.3); "" for a free name."""
    found = re.fullmatch(r"(?i)ARR_(.+?)_loadbalance(?:_SSL)?", name)
    return found[1] if found else ""


def takes_every_path(rule: Rule) -> bool:
    """Whether ``match/@url`` lets every path through: ``*`` in Wildcard, ``.*`` and its like else (arr.md 2.2)."""
    return not rule.match.negate and _everything(rule.match.url, rule.pattern_syntax)


def takes_everything(rule: Rule) -> bool:
    """Whether no request passes it by: every path, and no condition that could fail."""
    passing = [_always(one, rule.pattern_syntax) for one in rule.conditions]
    required = any(passing) if rule.logical_grouping == "MatchAny" else all(passing)
    return takes_every_path(rule) and (required or not passing)


def ends(rule: Rule) -> bool:
    """Whether no later rule of its list runs for what it took: Redirect and its like always end (arr.md 2.2)."""
    return rule.stop_processing or rule.action.type in ("Redirect", "CustomResponse", "AbortRequest")


# -- private -------------------------------------------------------------------------------------------

_HOST = r"(?i)(?P<scheme>https?|wss?)://(?P<host>[^/?#{}]*)(?=[/?#]|\Z)"
_OPEN = r"(?i)(?:(?:https?|wss?)://[^/?#{}]*|[a-z]{0,5})(?={)"
"""What may stand before a reference that the host depends on."""
_FUNCTIONS = ("tolower", "urlencode", "urldecode")
_SECURE = {"ws": "http", "wss": "https"}


def _always(one: Condition, syntax: str) -> bool:
    return one.match_type == "Pattern" and not one.negate and _everything(one.pattern, syntax)


def _everything(pattern: str, syntax: str) -> bool:
    if syntax == "Wildcard":
        return pattern == "*"
    if syntax == "ExactMatch":
        return False
    return re.fullmatch(r"\^?(?:\.\*\??|\(\.\*\??\))\$?|\^?", pattern) is not None


def _targets(url: str, maps: dict[str, RewriteMap], by: str) -> Iterator[Target]:
    found = re.match(_HOST, url)
    if found:
        yield from _target(found["scheme"].casefold(), found["host"], by)
        return
    before = re.match(_OPEN, url)
    if not before:
        return
    name, rest = _reference(url[before.end() :])
    if name in maps:
        one = maps[name]
        values = dict.fromkeys([one.default_value, *(value for _, value in one.entries)])
        for value in values:
            names_host = "://" in before[0] or value.partition("://")[2]
            yield from _targets(before[0] + value + rest, maps, one.name if names_host else by)
    elif "://" not in before[0] and "://" in rest:  # a scheme that only the request knows
        yield from _targets("http" + rest[rest.index("://") :], maps, by)


def _target(scheme: str, text: str, by: str) -> Iterator[Target]:
    found = re.fullmatch(r"(?:.*@)?(\[[^\]]*\]|[^:]*)(?::(\d*))?", text)
    if found and found[1]:
        port = int(found[2]) if found[2] and found[2].isascii() else None
        yield Target(found[1].casefold(), _SECURE.get(scheme, scheme), port, by)


def _reference(text: str) -> tuple[str, str]:
    """The map that ``{Name:key}`` at the start of ``text`` names, in lower case ("" for none), and what follows it."""
    depth = 0
    for at, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            name, colon, inner = text[1:at].casefold().partition(":")
            if name in _FUNCTIONS and inner.startswith("{"):
                return _reference(inner)[0], text[at + 1 :]
            return (name if colon else ""), text[at + 1 :]
    return "", ""
