"""Plain values as TOML text: what ``tomllib`` reads back the same. Strings, numbers, truths, lists, tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any


def to_toml(data: Mapping[str, Any]) -> str:
    """The text of a document; values before tables, so that each stands under its own head."""
    return "\n".join(_table(data, ())) + "\n"


# -- private -------------------------------------------------------------------------------------------

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _table(data: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(key)} = {_value(value)}" for key, value in data.items() if not _is_table(value)]
    for key, value in data.items():
        where = (*path, key)
        head = ".".join(_key(one) for one in where)
        if isinstance(value, Mapping):
            lines += ["", f"[{head}]", *_table(value, where)]
        elif _is_table(value):
            for one in value:
                lines += ["", f"[[{head}]]", *_table(one, where)]
    return lines


def _is_table(value: Any) -> bool:
    is_list_of_tables = isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
    return isinstance(value, Mapping) or is_list_of_tables


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _string(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return f"[{', '.join(_value(one) for one in value)}]"
        case Mapping():
            return "{" + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + "}"
        case _:
            return _string(str(value))


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")  # a JSON string is a basic TOML string
