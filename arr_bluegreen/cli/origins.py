"""--effective: every setting of a thing with the value that holds, and who says so (arr.md 3.3)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arr_bluegreen.errors import CapabilityMissing

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Configuration


def add_effective(parser: argparse.ArgumentParser) -> None:
    """--effective."""
    parser.add_argument(
        "--effective", action="store_true", help="each setting with its value and where that comes from (line, column)"
    )


def origins(configuration: Configuration, word: type[Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """One record per setting: ``setting`` (dotted), ``value`` (times in seconds), ``from`` ("element", "defaults" or
    "schema"), ``line`` and ``column`` (null for the schema's). ``names`` lead to the thing, as in
    ``ApplicationHost.setting``. Raises ``CapabilityMissing`` where the text of the configuration cannot be had.
    """
    from arr_bluegreen.apphost import ApplicationHost
    from arr_bluegreen.apphost.schema import attributes

    if not isinstance(configuration, ApplicationHost):
        raise CapabilityMissing("where settings come from is told by a file's text", hint="Say --on file:PATH.")
    found = []
    for one in attributes(word):
        if one.required:
            continue
        told = configuration.setting(word, tuple(names), one.field)
        line, column = told.position or (None, None)
        value = told.value.total_seconds() if isinstance(told.value, timedelta) else told.value
        where = told.origin.name.lower()
        found.append({"setting": one.field, "value": value, "from": where, "line": line, "column": column})
    return found


def with_origins(
    seen: Sequence[Mapping[str, Any]], configuration: Configuration, word: type[Any], names: Sequence[str]
) -> list[dict[str, Any]]:
    """The records, each with ``settings``."""
    return [{**one, "settings": origins(configuration, word, names)} for one in seen]


def origin_lines(records: Sequence[dict[str, Any]]) -> list[str]:
    """``weight = 50                    (the element itself, 23:44)``, aligned."""
    from arr_bluegreen.apphost.words import Origin

    told = [(f"  {one['setting']} = {_plain(one['value'])}", one) for one in records]
    width = max((len(text) for text, _ in told), default=0)
    return [
        f"{text:<{width}}  ({Origin[one['from'].upper()].value}"
        + (f", {one['line']}:{one['column']})" if one["line"] else ")")
        for text, one in told
    ]


# -- private -------------------------------------------------------------------------------------------


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g} s" if isinstance(value, float) else str(value) or '""'
