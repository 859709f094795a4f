"""The schema's types between text and Python: bool, int, timeSpan, enum, flags, string; and their ranges."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Value


class Kind(Enum):
    """The types of IIS_schema.xml that our attributes have."""

    BOOL = "true or false"
    UINT = "a whole number, 0 or more"
    INT = "a whole number"
    TIME_SPAN = "a time span (hh:mm:ss)"
    STRING = "text"
    ENUM = "one of"
    FLAGS = "a comma-separated list of"


@dataclass(frozen=True, slots=True)
class Type:
    """A kind with its bounds: ``low``/``high`` in units (seconds for time spans), ``step`` the grain of a time span,
    ``exclude`` turns the range inside out, ``names`` are those of an enum or of flags. ``pattern`` is a regular
    expression that a text we write must match as a whole, and ``said`` that in words."""

    kind: Kind
    low: int | None = None
    high: int | None = None
    step: int = 0
    exclude: bool = False
    names: tuple[str, ...] = ()
    non_empty: bool = False
    pattern: str = ""
    said: str = ""

    def allowed(self) -> str:
        """What may stand there, for people."""
        if self.names:
            return f"{self.kind.value} {', '.join(self.names)}"
        unit = " s" if self.kind is Kind.TIME_SPAN else ""
        if self.low is not None and self.high is not None:
            verb = "but not" if self.exclude else "from"
            grain = f" in steps of {self.step} s" if self.step > 1 else ""
            return f"{self.kind.value.partition(',')[0]} {verb} {self.low} to {self.high}{unit}{grain}"
        return self.said or ("text that is not empty" if self.non_empty else self.kind.value)


NON_EMPTY = Type(Kind.STRING, non_empty=True)


def number(low: int, high: int, *, exclude: bool = False) -> Type:
    """A uint in a range, or (``exclude``) outside of it."""
    return Type(Kind.UINT, low, high, exclude=exclude)


def span(low: int, high: int, step: int = 1) -> Type:
    """A time span in a range of seconds, in steps of so many."""
    return Type(Kind.TIME_SPAN, low, high, step)


def one_of(*names: str) -> Type:
    """An enum."""
    return Type(Kind.ENUM, names=names)


def read_value(text: str, of: Type) -> Value:
    """The value that ``text`` stands for, its range not judged (IIS's business); ValueError if it stands for none."""
    match of.kind:
        case Kind.BOOL:
            return _BOOLS[text.lower()] if text.lower() in _BOOLS else _refuse(text, of)
        case Kind.UINT | Kind.INT:
            digits = text.removeprefix("-") if of.kind is Kind.INT else text
            return int(text) if _is_digits(digits) and len(digits) <= 20 else _refuse(text, of)
        case Kind.TIME_SPAN:
            return _read_time_span(text, of)
        case Kind.ENUM:
            return _spelled(text, of)
        case Kind.FLAGS:
            return ", ".join(_spelled(one.strip(), of) for one in text.split(",")) if text.strip() else ""
        case Kind.STRING:
            return text


def write_value(value: Value, of: Type) -> str:
    """The text IIS would write for ``value``; ValueError when the type or its range does not allow it."""
    match of.kind, value:
        case Kind.BOOL, bool():
            return "true" if value else "false"
        case ((Kind.UINT | Kind.INT), int()) if not isinstance(value, bool):
            _check_range(value, of)
            return str(value) if of.kind is Kind.INT or value >= 0 else _refuse(str(value), of)
        case Kind.TIME_SPAN, timedelta():
            _check_range(value, of)
            return write_time_span(value)
        case ((Kind.ENUM | Kind.FLAGS | Kind.STRING), str()):
            if (of.non_empty and not value) or (of.pattern and not re.fullmatch(of.pattern, value)):
                _refuse(value, of)
            return str(read_value(value, of))
        case _:
            return _refuse(str(value), of)


def in_range(value: Value, of: Type) -> bool:
    """Whether a number or a time span keeps to its bounds and its grain; true for what has none."""
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(number, int | float):
        return True
    if of.low is not None and of.high is not None and (of.low <= number <= of.high) is of.exclude:
        return False
    return not (of.step and number % of.step)


def shown(value: Value) -> str:
    """A value as people write it: ``-1 s`` and not ``-1 day, 23:59:59``."""
    return f"{value.total_seconds():g} s" if isinstance(value, timedelta) else str(value)


def write_time_span(value: timedelta) -> str:
    """``hh:mm:ss``, hours beyond 24 and all, with a fraction when there is one (arr.md 1.2, reading notes)."""
    whole, rest = divmod(value, timedelta(seconds=1))
    hours, seconds = divmod(whole, 3600)
    text = f"{hours:02}:{seconds // 60:02}:{seconds % 60:02}"
    fraction = f"{rest.microseconds:06}".rstrip("0")
    return f"{text}.{fraction}" if fraction else text


def escape(text: str, quote: str) -> str:
    """An attribute value as IIS writes it."""
    for plain, written in _ESCAPES:
        text = text.replace(plain, written)
    return text.replace('"', "&quot;") if quote == '"' else text.replace("'", "&apos;")


# -- private ---------------------------------------------------------------------------------------------

_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\t", "&#x9;"), ("\n", "&#xA;"), ("\r", "&#xD;"))

_BOOLS = {"true": True, "false": False}
# A pattern as text: compiled when first needed, since importing this must be quick.
_TIME_SPAN = r"(?:([0-9]{1,8})\.)?([0-9]{1,9}):([0-5]?[0-9]):([0-5]?[0-9])(?:\.([0-9]{1,7}))?"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _read_time_span(text: str, of: Type) -> timedelta:
    plain = text.split(":")  # as nearly all are written, and quicker than the pattern is compiled
    if [len(one) for one in plain] == [2, 2, 2] and all(map(_is_digits, plain)) and max(text[3], text[6]) < "6":
        return timedelta(hours=int(plain[0]), minutes=int(plain[1]), seconds=int(plain[2]))
    found = re.fullmatch(_TIME_SPAN, text)
    if not found:
        _refuse(text, of)
    assert found  # _refuse never returns
    days, hours, minutes, seconds = (int(one or 0) for one in found.groups()[:4])
    microseconds = int((found[5] or "").ljust(6, "0")[:6])
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds, microseconds=microseconds)


def _spelled(text: str, of: Type) -> str:
    for name in of.names:
        if name.lower() == text.lower():
            return name
    return _refuse(text, of)


def _check_range(value: Value, of: Type) -> None:
    if not in_range(value, of):
        _refuse(shown(value), of)


def _refuse(text: str, of: Type) -> str:
    raise ValueError(f"'{text}' is not allowed; allowed: {of.allowed()}")
