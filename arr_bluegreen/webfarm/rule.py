"""URL Rewrite rules as configured (arr.md 2.1): frozen values with the schema's defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Match:
    """``rule/match``: the url pattern; the string matched has no leading slash and no query (arr.md 2.2)."""

    url: str = ""
    ignore_case: bool = True
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """``rule/conditions/add``. In global rules the five together are the key (arr.md 2.1)."""

    input: str
    pattern: str = ""
    match_type: str = "Pattern"
    ignore_case: bool = True
    negate: bool = False


@dataclass(frozen=True, slots=True)
class ServerVariable:
    """``rule/serverVariables/set``."""

    name: str
    value: str = ""
    replace: bool = True


@dataclass(frozen=True, slots=True)
class Action:
    """``rule/action``; status fields only for CustomResponse."""

    type: str = "None"
    url: str = ""
    append_query_string: bool = True
    redirect_type: str = "Permanent"
    status_code: int = 0
    sub_status_code: int = 0
    status_reason: str = ""
    status_description: str = ""
    log_rewritten_url: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rewrite rule. ``logical_grouping`` is that of its conditions."""

    name: str
    enabled: bool = True
    pattern_syntax: str = "ECMAScript"
    stop_processing: bool = False
    match: Match = field(default_factory=Match)
    conditions: tuple[Condition, ...] = ()
    logical_grouping: str = "MatchAll"
    track_all_captures: bool = False
    server_variables: tuple[ServerVariable, ...] = ()
    action: Action = field(default_factory=Action)


class Where(Enum):
    """Where a rule goes among the others; BEFORE and AFTER name another rule."""

    FIRST = "first"
    LAST = "last"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Position:
    """A place among the rules, such as ``Position(Where.BEFORE, "Catch all")``."""

    where: Where = Where.LAST
    name: str = ""


LAST = Position()
FIRST = Position(Where.FIRST)


SERVER = "."
"""The location of the server's own ``<rules>``, which stand beside its ``<globalRules>`` ("")."""


@dataclass(frozen=True, slots=True)
class RuleList:
    """The rules of one place: ``location`` is "" for the server's globalRules, "." (``SERVER``) for its own rules,
    else the path of a ``<location>``."""

    location: str
    rules: tuple[Rule, ...]
    is_global: bool = True


@dataclass(frozen=True, slots=True)
class RewriteMap:
    """``rewriteMaps/rewriteMap``: keys to values, for ``{Name:key}`` in rules (arr.md 2.6)."""

    name: str
    default_value: str = ""
    ignore_case: bool = True
    entries: tuple[tuple[str, str], ...] = ()
    location: str = ""
