"""The schema of URL Rewrite rules, where a field's own name and type do not say it (arr.md 2.1)."""

from __future__ import annotations

from typing import Any

from arr_bluegreen.apphost.values import NON_EMPTY, Type, number, one_of
from arr_bluegreen.webfarm.rule import Action, Condition, Match, Rule, ServerVariable

PATHS: dict[tuple[type[Any], str], tuple[str, ...]] = {
    (Rule, "match"): ("match",),
    (Rule, "action"): ("action",),
    (Rule, "logical_grouping"): ("conditions",),
    (Rule, "track_all_captures"): ("conditions",),
}
NAMES: dict[tuple[type[Any], str], str] = {}
TYPES: dict[tuple[type[Any], str], Type] = {
    (Rule, "pattern_syntax"): one_of("ECMAScript", "Wildcard", "ExactMatch"),
    (Rule, "logical_grouping"): one_of("MatchAll", "MatchAny"),
    (Match, "url"): NON_EMPTY,
    (Condition, "match_type"): one_of("Pattern", "IsFile", "IsDirectory"),
    (Action, "type"): one_of("None", "Rewrite", "Redirect", "CustomResponse", "AbortRequest"),
    (Action, "redirect_type"): one_of("Permanent", "Found", "SeeOther", "Temporary"),
    (Action, "status_code"): number(300, 307, exclude=True),
    (Action, "sub_status_code"): number(0, 999),
    (ServerVariable, "name"): NON_EMPTY,
}
