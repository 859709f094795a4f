"""What the schema says of the attributes we know: where each field of a word lies, its XML name and its type.

Defaults live in the words themselves; names, paths and bounds in ``schema_farm``, ``schema_rule`` and so on,
one for each file of words, imported when one of its words is first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from arr_bluegreen.apphost.values import Kind, Type

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Value


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the dotted ``field`` of the word, the child elements on the way, its XML name, type and default.
    ``required`` ones are keys: they have no default and are always written."""

    field: str
    path: tuple[str, ...]
    name: str
    type: Type
    default: Value
    required: bool = False

    @property
    def xml_path(self) -> str:
        """``applicationRequestRouting/healthCheck/@url``, for people."""
        return "/".join((*self.path, f"@{self.name}"))


def attributes(word: type[Any]) -> tuple[Attribute, ...]:
    """Every attribute of a word (``WebFarm``, ``ApplicationPool``, ...) and of those nested in it, in order."""
    known = _KNOWN.get(word)
    if known is None:
        known = _KNOWN[word] = {one.field: one for one in _walk(word, "", ())}
    return tuple(known.values())


def attribute(word: type[Any], name: str) -> Attribute | None:
    """The attribute a dotted field stands for, None when the word has no such field."""
    attributes(word)
    return _KNOWN[word].get(name)


# -- private ---------------------------------------------------------------------------------------------

_KNOWN: dict[type[Any], dict[str, Attribute]] = {}
_TABLES = {
    "arr_bluegreen.webfarm.farm": "arr_bluegreen.apphost.schema_farm",
    "arr_bluegreen.webfarm.proxy": "arr_bluegreen.apphost.schema_proxy",
    "arr_bluegreen.webfarm.webfarms": "arr_bluegreen.apphost.schema_proxy",
    "arr_bluegreen.webfarm.rule": "arr_bluegreen.apphost.schema_rule",
    "arr_bluegreen.webfarm.site": "arr_bluegreen.apphost.schema_site",
}


def _walk(word: type[Any], prefix: str, path: tuple[str, ...]) -> Iterator[Attribute]:
    table = import_module(_TABLES[word.__module__])
    for one in fields(word):
        below = (*path, *table.PATHS.get((word, one.name), ()))
        default: Any = one.default
        if one.default_factory is not MISSING:
            default = one.default_factory()
        if is_dataclass(default):
            yield from _walk(type(default), f"{prefix}{one.name}.", below)
        elif not isinstance(default, tuple) and (word.__name__, one.name) != ("RewriteMap", "location"):
            required = default is MISSING
            kind = table.TYPES.get((word, one.name)) or _type_of("" if required else default)
            name = table.NAMES.get((word, one.name)) or _camel(one.name)
            yield Attribute(prefix + one.name, below, name, kind, None if required else default, required)


def _type_of(default: object) -> Type:
    match default:
        case bool():
            return Type(Kind.BOOL)
        case int():
            return Type(Kind.UINT)
        case timedelta():
            return Type(Kind.TIME_SPAN)
        case _:
            return Type(Kind.STRING)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(one[:1].upper() + one[1:] for one in rest)
