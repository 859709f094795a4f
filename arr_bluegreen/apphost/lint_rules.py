"""Hazards of rewrite rules: their order, their targets, and what they look at."""

from __future__ import annotations

import re
from difflib import get_close_matches

from arr_bluegreen.apphost.lint_model import ERROR, INFO, WARNING, FarmSeen, Hazard, Hit, RuleSeen, Seen, SiteSeen
from arr_bluegreen.apphost.lint_requests import compiled, request_to, takes
from arr_bluegreen.webfarm.routing import Target, ends, managers_farm, takes_every_path, takes_everything

_VARIABLES = frozenset(re.findall("[A-Z_]+", """
    ALL_HTTP ALL_RAW APP_POOL_ID APPL_MD_PATH APPL_PHYSICAL_PATH AUTH_PASSWORD AUTH_TYPE AUTH_USER
    CACHE_URL CERT_COOKIE CERT_FLAGS CERT_ISSUER CERT_KEYSIZE CERT_SECRETKEYSIZE CERT_SERIALNUMBER
    CERT_SERVER_ISSUER CERT_SERVER_SUBJECT CERT_SUBJECT CONTENT_LENGTH CONTENT_TYPE DOCUMENT_ROOT
    GATEWAY_INTERFACE HTTPS HTTPS_KEYSIZE HTTPS_SECRETKEYSIZE HTTPS_SERVER_ISSUER
    HTTPS_SERVER_SUBJECT INSTANCE_ID INSTANCE_META_PATH INSTANCE_NAME LOCAL_ADDR LOGON_USER
    ORIGINAL_PATH PATH_INFO PATH_TRANSLATED QUERY_STRING REMOTE_ADDR REMOTE_HOST REMOTE_PORT
    REMOTE_USER REQUEST_FILENAME REQUEST_METHOD REQUEST_URI SCRIPT_FILENAME SCRIPT_NAME
    SCRIPT_TRANSLATED SERVER_ADDR SERVER_NAME SERVER_PORT SERVER_PORT_SECURE SERVER_PROTOCOL
    SERVER_SOFTWARE SSI_EXEC_DISABLED UNENCODED_URL UNMAPPED_REMOTE_USER URL URL_PATH_INFO
    WARMUP_REQUEST ARR_SERVER_ROUTED CRYPT_PROTOCOL CRYPT_CIPHER_ALG_ID
"""))  # fmt: skip
"""Server variables of IIS and URL Rewrite; ``HTTP_...`` is a request header and free, but for the slips below."""

_SLIPS = {
    "HTTP_ON": "HTTPS",
    "HTTP_HTTPS": "HTTPS",
    "HTTP_PORT": "SERVER_PORT",
    "HTTP_URL_PATH": "URL",
    "HTTP_METHOD": "REQUEST_METHOD",
    "HTTPS_HOST": "HTTP_HOST",
    "HTTP_SERVER_NAME": "SERVER_NAME",
    "HOST": "HTTP_HOST",
    "PORT": "SERVER_PORT",
}


def _swallowed(seen: Seen) -> list[Hit]:
    hits = []
    early: RuleSeen | None = None
    for late in seen.global_rules:
        if early is not None and late.target and late.target != early.target:
            what = f"rule '{late.word.name}' (to '{late.target}') never runs: '{early.word.name}' takes everything"
            hits.append(Hit(late.element, what))
        if early is None and ends(late.word) and takes_everything(late.word):
            early = late
    return hits


def _loops(seen: Seen) -> list[Hit]:
    hits = []
    for farm in seen.farms:
        for rule in seen.rules_of(farm):
            site = _meets_again(seen, farm, rule)
            if site is not None:
                what = f"rule '{rule.word.name}' also takes what ARR sends to site '{site.word.name}' on this machine"
                hits.append(Hit(rule.element, what))
    return hits


def _meets_again(seen: Seen, farm: FarmSeen, rule: RuleSeen) -> SiteSeen | None:
    """A slot site of this machine at which the rule takes what it has sent there."""
    here = rule.location.split("/")[0].casefold()
    for scheme in {one.scheme for one in rule.targets if one.host == farm.word.name.casefold()}:
        for server in farm.servers:
            for site in seen.sites_at(server.word, scheme):
                # a rule in a site's own location runs for that site only (arr.md 2.4)
                runs = not rule.location or here == site.word.name.casefold()
                if runs and takes(rule.word, request_to(farm.word, server.word, scheme)):
                    return site
    return None


def _farm_is_gone(seen: Seen) -> list[Hit]:
    return [
        Hit(rule.element, f"rule '{rule.word.name}' rewrites to '{one.host}', and there is no such farm")
        for rule in seen.rules
        for one in {each.host: each for each in rule.targets}.values()
        if rule.word.enabled and _meant_a_farm(rule, one) and seen.farm(one.host) is None
    ]


def _meant_a_farm(rule: RuleSeen, target: Target) -> bool:
    """Whether a host was surely meant as a farm: by the rule's name, or for it is no name that DNS would know."""
    if managers_farm(rule.word.name) or rule.word.name.casefold().startswith(f"arr-bluegreen {target.host} "):
        return True
    return "." not in target.host and ":" not in target.host and target.may_be_farm and target.host != "localhost"


def _farm_is_off(seen: Seen) -> list[Hit]:
    return [
        Hit(rule.element, f"rule '{rule.word.name}' rewrites to farm '{farm.word.name}', which is disabled")
        for farm in seen.farms
        if not farm.word.enabled
        for rule in seen.rules_of(farm)
    ]


def _no_rule(seen: Seen) -> list[Hit]:
    return [
        Hit(farm.element, f"no enabled rule of this file rewrites to farm '{farm.word.name}'")
        for farm in seen.farms
        if not seen.rules_of(farm) and not any(_leads_anywhere(rule) for rule in seen.rules)
    ]


def _leads_anywhere(rule: RuleSeen) -> bool:
    """Whether only the request knows the host it rewrites to."""
    return rule.word.action.type == "Rewrite" and not rule.targets and "{" in rule.word.action.url.split("{R:")[0]


def _manager_owns(seen: Seen) -> list[Hit]:
    return [
        Hit(one.element, f"rule '{one.word.name}' bears a name that IIS Manager takes for its own")
        for one in seen.rules
        if one.is_global and managers_farm(one.word.name)
    ]


def _misspelt_variable(seen: Seen) -> list[Hit]:
    hits = []
    own = {one.name.upper() for rule in seen.rules for one in rule.word.server_variables}
    for rule in seen.rules:
        texts = [one.input for one in rule.word.conditions] + [rule.word.action.url]
        for name in dict.fromkeys(found for text in texts for found in re.findall(r"\{([A-Za-z_]+)\}", text)):
            meant = None if name.upper() in own else _meant(name.upper())
            if meant is not None:
                hint = f"; {{{meant}}} is probably meant" if meant else ""
                hits.append(Hit(rule.element, f"rule '{rule.word.name}' asks for {{{name}}}, no server variable{hint}"))
    return hits


def _meant(name: str) -> str | None:
    """None for a name that is right; else the one that is probably meant ("" when none is near)."""
    if name in _SLIPS:
        return _SLIPS[name]
    if name in _VARIABLES or name.startswith(("HTTP_", "HEADER_", "RESPONSE_")):
        return None
    near = get_close_matches(name, [*_VARIABLES, "HTTP_HOST"], n=1, cutoff=0.75)
    return near[0] if near else ""


def _regex_in_wildcard(seen: Seen) -> list[Hit]:
    return [
        Hit(rule.element, f"rule '{rule.word.name}' is a Wildcard rule with a regular expression in it: {pattern}")
        for rule in seen.rules
        if rule.word.pattern_syntax == "Wildcard"
        for pattern in [rule.word.match.url, *(one.pattern for one in rule.word.conditions)]
        if re.search(r"^\^|\$$|\\\.|^\.\*|\(\.\*", pattern)
    ]


def _broken_regex(seen: Seen) -> list[Hit]:
    return [
        Hit(rule.element, f"rule '{rule.word.name}': the pattern {pattern} is none: {what}")
        for rule in seen.rules
        if rule.word.pattern_syntax == "ECMAScript"
        for pattern in [rule.word.match.url, *(one.pattern for one in rule.word.conditions)]
        if (what := _broken(pattern))
    ]


def _broken(pattern: str) -> str:
    """What makes a pattern no regular expression in any dialect; "" for nothing."""
    try:
        compiled(pattern)
    except re.error as error:
        return error.msg if error.msg.startswith(_BROKEN) else ""
    except (OverflowError, RecursionError):
        return ""
    return ""


_BROKEN = ("nothing to repeat", "missing ), unter", "unbalanced paren", "unterminated character", "multiple repeat")
"""The beginnings of Python's messages for what ECMAScript refuses too."""


def _same_condition_twice(seen: Seen) -> list[Hit]:
    return [
        Hit(rule.element, f"rule '{rule.word.name}' has the condition {one.input} = '{one.pattern}' twice")
        for rule in seen.rules
        if rule.is_global
        for at, one in enumerate(rule.word.conditions)
        if one in rule.word.conditions[:at]
    ]


def _misses_the_root(seen: Seen) -> list[Hit]:
    farms = {farm.word.name.casefold() for farm in seen.farms}
    return [
        Hit(rule.element, f"rule '{rule.word.name}' matches {rule.word.match.url}, which the address '/' does not")
        for rule in seen.rules
        if any(one.host in farms for one in rule.targets)
        if rule.word.match.url.strip("^$()") == ".+" and not rule.word.match.negate
    ]


def _same_order(seen: Seen) -> list[Hit]:
    """Two farms' rules with the same conditions: the first takes all."""
    hits = []
    rules = [one for one in seen.global_rules if one.target and one.word.conditions]
    for at, late in enumerate(rules):
        early = next((one for one in rules[:at] if one.target != late.target and _takes_all_of(one, late)), None)
        if early is not None:
            what = f"rule '{late.word.name}' never runs: '{early.word.name}' before it takes the same requests"
            hits.append(Hit(late.element, what))
    return hits


def _takes_all_of(early: RuleSeen, late: RuleSeen) -> bool:
    """Whether ``early`` takes whatever ``late`` would, by the conditions they share."""
    if not (takes_every_path(early.word) and ends(early.word)):
        return False
    if early.word.pattern_syntax != late.word.pattern_syntax:
        return False
    theirs = set(late.word.conditions)
    cases = [theirs] if late.word.logical_grouping == "MatchAll" else [{one} for one in theirs]
    ours = set(early.word.conditions)
    return all(ours <= one if early.word.logical_grouping == "MatchAll" else bool(ours & one) for one in cases)


HAZARDS = (
    Hazard(
        "ARR020", ERROR, "a rule that never runs: a catch-all stands before it",
        "Rules run top to bottom; a matching one with stopProcessing ends it: the first farm takes all (arr.md 2.4).",
        "Give the earlier rule its host and port, or move this one: arr-bluegreen rule move NAME --before OTHER.",
        _swallowed,
    ),
    Hazard(
        "ARR021", ERROR, "a rule that never runs: another takes the same requests",
        "Rules run top to bottom, and a matching one with stopProcessing ends it (arr.md 2.2).",
        "Give the two rules different hosts or ports, or remove one.",
        _same_order,
    ),
    Hazard(
        "ARR022", ERROR, "a rule that refers to itself",
        "What ARR sends to a slot here meets the rule again, until Max-Forwards: 400.605 or 502.3 (arr.md 2.4).",
        "Add conditions on {HTTP_HOST} and {SERVER_PORT} (MatchAll): arr-bluegreen rule route makes such a rule.",
        _loops,
    ),
    Hazard(
        "ARR023", ERROR, "a rule to a farm that is gone",
        "ARR takes the name for a plain host and asks DNS; the request fails or goes astray (arr.md 2.5).",
        "Remove the rule, or create the farm again.",
        _farm_is_gone,
    ),
    Hazard(
        "ARR024", WARNING, "a rule to a disabled farm",
        "A disabled farm routes nothing.",
        "Enable the farm, or disable the rule.",
        _farm_is_off,
    ),
    Hazard(
        "ARR025", INFO, "a farm that no rule reaches",
        "No request goes to it, unless a rule is in a web.config that this file does not show (arr.md 2.3).",
        "Make one: arr-bluegreen rule route FARM --host HOST --port 80.",
        _no_rule,
    ),
    Hazard(
        "ARR026", WARNING, "a rule that IIS Manager owns",
        "IIS Manager overwrites hand edits of a rule named ARR_<farm>_loadbalance (arr.md 2.3).",
        "Use a name of your own: arr-bluegreen rule route makes one.",
        _manager_owns,
    ),
    Hazard(
        "ARR027", ERROR, "no such server variable",
        "An unknown variable is empty, so the condition never holds, or always does (arr.md 2.4).",
        "Correct the name: {HTTPS} is ON or OFF, {SERVER_PORT} the port, {HTTP_HOST} the host.",
        _misspelt_variable,
    ),
    Hazard(
        "ARR028", ERROR, "a regular expression in a Wildcard rule",
        "patternSyntax governs the conditions too; as a wildcard such a pattern matches nothing (arr.md 2.2).",
        "Set patternSyntax to ECMAScript, or write the pattern with *.",
        _regex_in_wildcard,
    ),
    Hazard(
        "ARR029", ERROR, "a pattern that is no regular expression",
        "One malformed global rule answers 500.51 for every site of the server (arr.md 2.2).",
        "Correct the pattern; a lone * is a wildcard, and .* a regular expression.",
        _broken_regex,
    ),
    Hazard(
        "ARR030", ERROR, "the same condition twice",
        "In global rules the five attributes of a condition are its key; a duplicate is an error (arr.md 2.1).",
        "Remove one of them.",
        _same_condition_twice,
        refused=True,
    ),
    Hazard(
        "ARR031", WARNING, "a rule that misses the address '/'",
        "The string matched has no leading slash, so for '/' it is empty and .+ does not match it (arr.md 2.2).",
        "Use .* instead.",
        _misses_the_root,
    ),
)  # fmt: skip
