"""What a configuration schema says: elements, attributes, collections, and which values they take.

Own knowledge, on purpose not shared with ``apphost``: a value that our own schema lets pass and IIS would refuse has to
fail here. Both ways of editing (appcmd and Microsoft.Web.Administration) and the loading of a file ask it, since IIS
validates "when parsing the XML and when calling the API to set values" (header of IIS_schema.xml, S-IIS in arr.md 8).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute. ``kind``: string, exact (a string whose case counts), bool, int, uint, int64, timeSpan, enum,
    flags.

    ``low`` and ``high`` bound numbers (seconds for a timeSpan, in steps of ``step``); ``outside`` turns the range
    around. ``rule`` names a validator of strings (arr.md 1.0, 3.1). ``default`` is None where the schema has none.
    """

    name: str
    kind: str = "string"
    low: int | None = None
    high: int | None = None
    step: int = 1
    outside: bool = False
    names: tuple[str, ...] = ()
    rule: str = ""
    key: bool = False
    required: bool = False
    default: str | None = None

    def complaint(self, text: str) -> str:
        """Why IIS would not take ``text``; "" when it would."""
        match self.kind:
            case "bool":
                return "" if text.casefold() in ("true", "false") else "Enum must be one of false, true"
            case "enum" | "flags":
                return self._not_a_member(text)
            case "int" | "uint" | "int64":
                return self._not_a_number(text)
            case "timeSpan":
                return self._not_a_span(text)
            case _:
                return _RULES[self.rule](text) if self.rule else ""

    def written(self, text: str) -> str:
        """The value as IIS writes it: enumerations and booleans in the schema's own case."""
        if self.kind == "bool":
            return text.casefold()
        if self.kind == "enum":
            return next((one for one in self.names if one.casefold() == text.casefold()), text)
        return text

    def same(self, one: str, other: str) -> bool:
        """Whether two values are the same key: without case, unless the schema says that case counts (arr.md 1.0)."""
        return one == other if self.kind == "exact" else one.casefold() == other.casefold()

    # -- private ----------------------------------------------------------------------------------------

    def _not_a_member(self, text: str) -> str:
        parts = [one.strip() for one in text.split(",")] if self.kind == "flags" else [text]
        known = {one.casefold() for one in self.names}
        return "" if all(one.casefold() in known for one in parts) else f"Enum must be one of {', '.join(self.names)}"

    def _not_a_number(self, text: str) -> str:
        least, most = {"uint": (0, 2**32 - 1), "int": (-(2**31), 2**31 - 1)}.get(self.kind, (-(2**63), 2**63 - 1))
        if not re.fullmatch(r"-?[0-9]+", text) or not least <= int(text) <= most:
            return f"Integer must not be '{text}'"
        if self._fits(int(text)):
            return ""
        word = "must not be" if self.outside else "must be"
        return f"Integer value {word} between {self.low} and {self.high} inclusive"

    def _not_a_span(self, text: str) -> str:
        seconds = span_seconds(text)
        if seconds is None:
            return "String is not in the form of a timespan such as 00:00:00"
        if not self._fits(seconds):
            return f"Timespan value must be between {self.low} and {self.high} seconds inclusive"
        if self.low is not None and seconds % self.step:
            return f"Timespan value must be a multiple of {self.step} seconds"
        return ""

    def _fits(self, number: float) -> bool:
        inside = (self.low is None or number >= self.low) and (self.high is None or number <= self.high)
        return inside is not self.outside


@dataclass(frozen=True, slots=True)
class Node:
    """One element: its attributes, child elements, and the items of its collection (``item`` None: no collection).

    ``open``: extensions add to it what is not listed here, so that a file that holds more is loaded all the same.
    ``clears``: the collection also takes ``<clear />`` and ``<remove>`` (arr.md 2.1); those of ``webFarms`` do not.
    """

    tag: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    children: Mapping[str, Node] = field(default_factory=dict)
    item: Node | None = None
    open: bool = False
    clears: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The attributes that make an item unique, each alone or (``combined``) together."""
        return tuple(name for name, one in self.attributes.items() if one.key)

    @property
    def combined(self) -> bool:
        """Whether the keys count together: bindings and conditions of global rules (arr.md 2.1, 3.1)."""
        return self.keys[:1] in (("protocol",), ("input",))

    def effective(self, name: str, given: Mapping[str, str]) -> str:
        """The value of an attribute, or the schema's default."""
        return given.get(name) or self.attributes[name].default or ""


def span_seconds(text: str) -> float | None:
    """``[d.]hh:mm:ss[.fff]`` in seconds, None when it is not that."""
    found = re.fullmatch(r"(?:([0-9]+)\.)?([0-9]+):([0-9]{1,2}):([0-9]{1,2}(?:\.[0-9]+)?)", text)
    if found is None:
        return None
    days, hours, minutes, seconds = found.groups(default="0")
    return ((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds)


def node(
    tag: str,
    attributes: str = "",
    *children: Node,
    item: Node | None = None,
    open: bool = False,
    clears: bool = False,
) -> Node:
    """A node from a short notation of its attributes, one word each: ``retries:uint(0-20)=3`` (kind, range, default),
    ``type:enum(None|Rewrite)=None``, ``idle:timeSpan(0-2592000/60)`` (in whole minutes), ``code:uint(^300-307)``
    (anything but), ``!name<siteName>`` (required, with a validator), ``*name`` (a key)."""
    made = [_attribute(word) for word in attributes.split()]
    return Node(tag, {one.name: one for one in made}, {one.tag: one for one in children}, item, open, clears)


# -- private: the notation -------------------------------------------------------------------------------

_WORD = re.compile(r"(\*?)(!?)([\w-]+)(?::(\w+)(?:\(([^)]*)\))?)?(?:<(\w+)>)?(?:=(.*))?")
_RANGE = re.compile(r"(\^?)(-?\d+)-(\d+)(?:/(\d+))?")


def _attribute(word: str) -> Attribute:
    found = _WORD.fullmatch(word)
    assert found is not None, word
    key, required, name, kind, inside, rule, default = found.groups()
    made = Attribute(name, kind or "string", rule=rule or "", key=bool(key), required=bool(required), default=default)
    if kind in ("enum", "flags"):
        return replace(made, names=tuple(inside.split("|")))
    if not inside:
        return made
    bounds = _RANGE.fullmatch(inside)
    assert bounds is not None, word
    turned, low, high, step = bounds.groups()
    return replace(made, low=int(low), high=int(high), step=int(step or 1), outside=bool(turned))


# -- private: validators of strings (header of IIS_schema.xml, S-IIS; arr.md 3.1) ---------------------------


def _without(signs: str) -> re.Pattern[str]:
    return re.compile(f"[{re.escape(signs)}]")


_NOT_IN_POOLS, _NOT_IN_SITES = _without('|<>&"/[]+=;:,?*@\\'), _without("/?")


def _non_empty(text: str) -> str:
    return "" if text else "String must not be empty"


def _trimmed(text: str) -> str:
    return "" if text == text.strip() else "String must not begin or end with white space"


def _site_name(text: str) -> str:
    found = _NOT_IN_SITES.search(text)
    return f"Invalid site name: it must not contain '{found[0]}'" if found else _non_empty(text)


def _pool_name(text: str) -> str:
    found = _NOT_IN_POOLS.search(text)
    return f"Invalid application pool name: it must not contain '{found[0]}'" if found else ""


def _path(text: str) -> str:
    parts = text.split("/")
    fine = text == "/" or (text.startswith("/") and not text.endswith("/") and not {".", ".."} & set(parts))
    return "" if fine else "Invalid path: it begins with '/', does not end with one, and has no '.' or '..' in it"


_RULES = {
    "nonEmpty": _non_empty,
    "trimmed": _trimmed,
    "siteName": _site_name,
    "poolName": _pool_name,
    "path": _path,
}
