"""appcmd's command line: verb, object, identifier, parameters, and the paths into configuration (arr.md 4.1, 4.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from arr_bluegreen.simulator.appcmd_errors import malformed_indexer, syntax
from arr_bluegreen.simulator.config_tree import Indexer

Path = tuple[str | Indexer, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A parsed command line; parameter names keep their case, lookups do not care."""

    verb: str
    object: str
    identifier: str | None
    parameters: tuple[tuple[str, str | None], ...]

    def value(self, name: str) -> str | None:
        """The value of a parameter ("" when it has none), None when it is not given."""
        for key, value in self.parameters:
            if key.casefold() == name.casefold():
                return value or ""
        return None

    def without(self, *names: str) -> list[tuple[str, str | None]]:
        """The parameters but these."""
        known = {one.casefold() for one in names}
        return [(key, value) for key, value in self.parameters if key.casefold() not in known]


def parse_command(arguments: list[str]) -> Command:
    """The command in argv; raises the syntax errors appcmd prints without an ERROR prefix."""
    words = [one for one in arguments if one]
    if not words:
        raise syntax("General purpose IIS command line administration tool.")
    verb = words[0].casefold()
    if len(words) < 2:
        raise syntax(f"Object type is required for the verb '{verb}'.")
    name = words[1].casefold()
    kind = _PLURALS.get(name, name)
    if kind not in _OBJECTS:
        run_help = "Run 'appcmd.exe /?' to display supported objects."
        raise syntax(f"Object '{words[1].upper()}' is not supported.  {run_help}")
    if verb not in _OBJECTS[kind]:
        raise syntax(f"Command '{verb.upper()}' is not supported for the object '{kind.upper()}'.")
    rest = words[2:]
    identifier = None
    if rest and not _is_parameter(rest[0]):
        identifier, rest = rest[0], rest[1:]
    stray = next((one for one in rest if not _is_parameter(one)), None)
    if stray is not None:
        raise syntax(f"Failed to process input: The parameter '{stray}' must begin with a / or - (HRESULT=80070057).")
    return Command(verb, kind, identifier, tuple(_split(one[1:]) for one in rest))


def parse_path(text: str) -> Path:
    """``[name='F'].[address='A'].enabled`` as its steps."""
    steps: list[str | Indexer] = []
    at = 0
    while at < len(text):
        if text[at] == ".":
            at += 1
        elif text[at] == "[":
            end = _index_end(text, at)
            steps.append(_indexer(text[at + 1 : end]))
            at = end + 1
        else:
            found = re.compile(r"[^.\[\]]+").match(text, at)
            if found is None:
                raise malformed_indexer()
            steps.append(found[0])
            at = found.end()
    return tuple(steps)


# -- private ------------------------------------------------------------------------------------------

_PLURALS = {
    **{f"{one}s": one for one in ("site", "app", "vdir", "apppool", "wp", "request", "backup", "config")},
}
_OBJECTS = {
    "site": ("list", "add", "set", "delete", "start", "stop"),
    "app": ("list", "add", "set", "delete"),
    "vdir": ("list", "add", "set", "delete"),
    "apppool": ("list", "add", "set", "delete", "start", "stop", "recycle"),
    "wp": ("list",),
    "request": ("list",),
    "backup": ("list", "add", "delete", "restore"),
    "config": ("list", "set", "clear", "search"),
}


def _is_parameter(word: str) -> bool:
    return word[0] in "/-"


def _split(word: str) -> tuple[str, str | None]:
    """``name:value`` at the first colon that is not inside an indexer."""
    depth, quoted = 0, False
    for at, sign in enumerate(word):
        if sign == "'" and depth:
            quoted = not quoted
        elif not quoted and sign in "[]":
            depth += 1 if sign == "[" else -1
        elif sign == ":" and depth <= 0 and not quoted:
            return word[:at], word[at + 1 :]
    return word, None


def _index_end(text: str, start: int) -> int:
    quoted = False
    for at in range(start + 1, len(text)):
        if text[at] == "'":
            quoted = not quoted
        elif text[at] == "]" and not quoted:
            return at
    raise malformed_indexer()


_PAIR = re.compile(r"\s*([A-Za-z_][\w.]*)='([^'\[\]]*)'\s*")


def _indexer(inside: str) -> Indexer:
    """The pairs of one indexer. Quotes and brackets inside a value are not documented and fail (arr.md 4.5)."""
    position = ""
    if inside.startswith("@"):
        position, _, inside = inside[1:].partition(",")
        if position not in ("start", "end") and not position.isdigit():
            raise malformed_indexer()
    pairs: list[tuple[str, str]] = []
    at = 0
    while at < len(inside):
        found = _PAIR.match(inside, at)
        if found is None:
            raise malformed_indexer()
        pairs.append((found[1], found[2]))
        at = found.end()
        if at < len(inside):
            if inside[at] != ",":
                raise malformed_indexer()
            at += 1
    if not pairs and not position:
        raise malformed_indexer()
    return Indexer(tuple(pairs), position)
