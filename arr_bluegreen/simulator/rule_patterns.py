"""Patterns and substitution strings of URL Rewrite (arr.md 2.2; D-RWREF in arr.md 8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from arr_bluegreen.webfarm import Rule


def match(syntax: str, pattern: str, text: str, *, ignore_case: bool) -> list[str] | None:
    """The captures (0 is what matched), None without a match. Raises ``re.error`` for a pattern that is none.

    ECMAScript searches anywhere; Wildcard takes the whole text, every ``*`` a capture and ``?`` one sign; ExactMatch
    compares.
    """
    if syntax == "ExactMatch":
        same = pattern.casefold() == text.casefold() if ignore_case else pattern == text
        return [text] if same else None
    flags = re.IGNORECASE if ignore_case else 0
    if syntax == "Wildcard":
        found = re.fullmatch(_wildcard(pattern), text, flags | re.DOTALL)
    else:
        found = re.search(pattern, text, flags)
    return None if found is None else [found[0], *(group or "" for group in found.groups())]


def is_readable(rule: Rule) -> bool:
    """Whether the patterns of a rule are patterns; one that is not makes every request an error (arr.md 2.2)."""
    patterns = [rule.match.url, *(one.pattern for one in rule.conditions if one.match_type == "Pattern")]
    try:
        for one in patterns if rule.pattern_syntax == "ECMAScript" else []:
            re.compile(one)
    except re.error:
        return False
    return True


def expand(text: str, value: Callable[[str, str], str]) -> str:
    """A substitution string with its ``{...}`` replaced, innermost first; what is put in is not looked at again.

    ``value`` gets what stands before the first colon and what follows it: ``("R", "1")``, ``("HTTP_HOST", "")``,
    ``("ToLower", "...")``, a map's name and a key.
    """
    pieces: list[list[str]] = [[]]
    for sign in re.split(r"([{}])", text):
        if sign == "{":
            pieces.append([])
        elif sign == "}" and len(pieces) > 1:
            name, _, rest = "".join(pieces.pop()).partition(":")
            pieces[-1].append(value(name, rest))
        else:
            pieces[-1].append(sign)
    while len(pieces) > 1:  # a brace nobody closed is an ordinary sign
        rest = "".join(pieces.pop())
        pieces[-1].append("{" + rest)
    return "".join(pieces[0])


def group(groups: Sequence[str], number: str) -> str:
    """A back-reference; "" for one that is not there."""
    return groups[int(number)] if number.isdigit() and int(number) < len(groups) else ""


FUNCTIONS: dict[str, Callable[[str], str]] = {"tolower": str.lower, "urlencode": quote, "urldecode": unquote}
"""The string functions, by their name in lower case."""


# -- private ---------------------------------------------------------------------------------------------


def _wildcard(pattern: str) -> str:
    return "".join({"*": "(.*)", "?": "."}.get(sign, re.escape(sign)) for sign in pattern)
