"""One table of a TOML file, read key by key: types checked; a key not asked for is an error that names the nearest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from arr_bluegreen.errors import DescriptionError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Table:
    """A table at ``where`` (a key path). Ask for each key, then ``finish``. All raise ``DescriptionError``."""

    def __init__(self, values: Mapping[str, Any], where: str = "") -> None:
        self._values, self._where, self._asked = values, where, set[str]()

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self._values

    def text(self, key: str, default: str | None = None) -> str:
        """A string; required when there is no default."""
        return str(self._take(key, str, default, "a text in quotes"))

    def flag(self, key: str, default: bool) -> bool:
        """true or false."""
        return bool(self._take(key, bool, default, "true or false"))

    def number(self, key: str, default: int | None, least: int = 0, most: int = 2**31) -> int:
        """A whole number in a range."""
        value = self._take(key, int, default, "a whole number")
        if isinstance(value, bool) or not least <= value <= most:
            raise self.wrong(key, f"must be a whole number from {least} to {most}")
        return int(value)

    def texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A list of strings."""
        value = self._take(key, list, list(default), 'a list such as ["a", "b"]')
        if not all(isinstance(one, str) for one in value):
            raise self.wrong(key, 'must be a list of texts, such as ["a", "b"]')
        return tuple(value)

    def choice(self, key: str, choices: tuple[str, ...], default: str) -> Any:
        """One of a few words."""
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"is '{value}'; must be one of {', '.join(choices)}{nearest(value, choices)}")
        return value

    def duration(self, key: str, default: timedelta) -> timedelta:
        """A time such as "90s", "5m", "500ms", "1h30m"."""
        self._asked.add(key)
        return default if not self.has(key) else self._duration(key, self.text(key))

    def duration_or_none(self, key: str) -> timedelta | None:
        """A time, or None when the key is not there."""
        self._asked.add(key)
        return self._duration(key, self.text(key)) if self.has(key) else None

    def table(self, key: str) -> Table:
        """A table below; an empty one when it is not there."""
        return Table(self._take(key, dict, {}, f"a table [{self._path(key)}]"), self._path(key))

    def tables(self, key: str) -> tuple[Table, ...]:
        """An array of tables ``[[key]]``."""
        rows = self._take(key, list, [], f"an array of tables [[{self._path(key)}]]")
        if not all(isinstance(row, dict) for row in rows):
            raise self.wrong(key, f"must be an array of tables [[{self._path(key)}]]")
        return tuple(Table(row, f"{self._path(key)}[{at}]") for at, row in enumerate(rows))

    def raw(self, key: str) -> Any:
        """The value as it is, None when it is not there."""
        self._asked.add(key)
        return self._values.get(key)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys there are."""
        return tuple(self._values)

    def finish(self) -> None:
        """Raises for a key nobody asked for, with the nearest one that would do."""
        for key in self._values:
            if key not in self._asked:
                near = nearest(key, tuple(sorted(self._asked)))
                raise DescriptionError(f"unknown key '{self._path(key)}'{near}", where=self._path(key), hint="")

    def wrong(self, key: str, text: str) -> DescriptionError:
        """The error for a key's value."""
        return DescriptionError(f"'{self._path(key)}' {text}", where=self._path(key))

    def _path(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key

    def _take(self, key: str, kind: type, default: Any, what: str) -> Any:
        self._asked.add(key)
        if key not in self._values:
            if default is None:
                raise DescriptionError(f"'{self._path(key)}' is missing", where=self._path(key))
            return default
        if not isinstance(self._values[key], kind) or (kind is int and isinstance(self._values[key], bool)):
            raise self.wrong(key, f"must be {what}")
        return self._values[key]

    def _duration(self, key: str, text: str) -> timedelta:
        try:
            return parse_duration(text)
        except ValueError as error:
            raise self.wrong(key, f'is "{text}"; must be a time such as "90s", "5m" or "500ms"') from error


def parse_duration(text: str) -> timedelta:
    """``"90s"``, ``"5m"``, ``"1h30m"``, ``"0.5s"``, ``"250ms"`` or ``"0"`` as a timedelta; raises ``ValueError``."""
    pieces = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if text == "0":
        return timedelta(0)
    if not pieces or "".join(number + unit for number, unit in pieces) != text.replace(" ", ""):
        raise ValueError(text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in pieces))


def nearest(word: str, words: tuple[str, ...]) -> str:
    """`` (did you mean 'x'?)`` or nothing."""
    near = get_close_matches(word, words, n=1, cutoff=0.5)
    return f" (did you mean '{near[0]}'?)" if near else f" (there are: {', '.join(words)})"
