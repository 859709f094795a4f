"""Primitive edits as one appcmd command line, and what appcmd answers as an error (arr.md 4). Pure.

Many settings of one section are one command and so one commit. What appcmd cannot say safely (several sections, a move,
a copied identity, a name with a quote in it) is left to ``commit.ps1``; ``appcmd.ps1`` runs the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from arr_bluegreen.apphost.edit import AddElement, Edit, NewElement, Place, RemoveElement, SetAttributes
from arr_bluegreen.control.hresults import meaning
from arr_bluegreen.control.quoting import Unquotable, indexer_value, quote_argument
from arr_bluegreen.errors import ArrBlueGreenError, RefusedError, RemoteError
from arr_bluegreen.webfarm.rule import Position, Where

LONGEST = 30_000
"""Characters of the longest command line: CreateProcess takes 32,767 (winrm.md 1)."""


def set_config(edits: Sequence[Edit]) -> tuple[str, ...] | None:
    """The quoted arguments of the one ``set config`` that makes all the edits, in order; None when appcmd cannot."""
    places = {(one.place.section, one.place.location) for one in edits if isinstance(one, _SAYABLE)}
    if len(places) != 1 or not all(isinstance(one, _SAYABLE) for one in edits):
        return None
    (section, location) = places.pop()
    try:
        settings = [token for one in edits for token in _tokens(one)]
        where = (quote_argument(location),) if location else ()
        line = ("set", "config", *where, f"-section:{section}", *map(quote_argument, settings), "/commit:apphost")
    except Unquotable:
        return None
    return line if sum(map(len, line)) + len(line) <= LONGEST else None


def judge(text: str, exit_code: int, host: str) -> None:
    """Nothing when appcmd did it. Its word "changed" says nothing: it is printed before the commit (arr.md 4.3).

    Raises ``RemoteError`` (``code`` is the HRESULT or the exit code) or ``RefusedError`` for no rights.
    """
    if exit_code == 0 and "ERROR (" not in text:
        return
    raise error_of(text, exit_code, host)


def error_of(text: str, exit_code: int, host: str) -> ArrBlueGreenError:
    """The error for appcmd's answer: by HRESULT and exit code, never by words, which are localised (arr.md 4.4)."""
    found = re.search(r"hresult:([0-9a-fA-F]{8})", text)
    code = int(found[1], 16) if found else exit_code
    known = meaning(code)
    said = " ".join(text.split())[-300:]
    if code & 0xFFFF == 5:
        return RefusedError(f"{host}: appcmd has no access to the configuration", hint=_ELEVATE)
    if known is None:
        return RemoteError(f"{host}: appcmd failed with code {code:#x}: {said}", code=code, hint="Look at the machine.")
    return RemoteError(f"{host}: appcmd: {known.cause} ({said})", code=_as_hresult(code), hint=known.remedy)


# -- private -------------------------------------------------------------------------------------------

_SAYABLE = (SetAttributes, AddElement, RemoveElement)
_ELEVATE = "The user must be an administrator there; local ones need LocalAccountTokenFilterPolicy=1 over WinRM."
_SECRET = re.compile("(?i)password")
_ITEMS = frozenset(
    {"webFarm", "server", "rule", "add", "set", "binding", "application", "virtualDirectory", "site", "rewriteMap"}
    | {"host", "equivalentHost"}
)
"""Tags of collection items; every other child is an element of its own."""
_ORDERED = frozenset({"rule"})


def _as_hresult(code: int) -> int:
    return code if code > 0xFFFF else 0x80070000 | code


def _tokens(edit: Edit) -> list[str]:
    match edit:
        case SetAttributes(place, values):
            return [_setting(_path(place, colon=False), name, value) for name, value in values]
        case AddElement(place, element, position):
            return _added(_path(place, colon=False), element, _at(element, position))
        case RemoveElement(place):
            if not place.steps or not place.steps[-1].key:
                raise Unquotable("only an item of a collection can be removed by name")
            return [f"/-{_path(place)}"]
        case _:
            raise Unquotable("not an edit for appcmd")


def _setting(path: str, name: str, value: str | None) -> str:
    if value is None or _SECRET.search(name):
        raise Unquotable("appcmd has no word for a default, and a secret never goes on a command line")
    return f"/{path}.{name}:{value}" if path else f"/{name}:{value}"


def _added(above: str, element: NewElement, at: str = "") -> list[str]:
    """An item with its attributes as its indexer, then what lies below it."""
    pairs = [*([at] if at else []), *(f"{name}='{_plain(name, value)}'" for name, value in element.attributes)]
    made = ["/+" + _join(above, f"[{','.join(pairs)}]")]
    if element.children:
        keys = element.attributes[: _keys(element)]
        key = ",".join(f"{name}='{_plain(name, value, colon=False)}'" for name, value in keys)
        below = _join(above, f"[{key}]")
        made += [token for child in element.children for token in _child(below, child)]
    return made


def _child(above: str, child: NewElement) -> list[str]:
    if child.tag in _ITEMS:
        return _added(above, child)
    path = _join(above, child.tag)
    own = [_setting(path, name, value) for name, value in child.attributes]
    return own + [token for one in child.children for token in _child(path, one)]


def _keys(element: NewElement) -> int:
    """How many of an item's first attributes name it for what lies below: one, but for bindings."""
    return 2 if element.tag == "binding" else 1


def _plain(name: str, value: str, *, colon: bool = True) -> str:
    if _SECRET.search(name):
        raise Unquotable("a secret never goes on a command line")
    return indexer_value(value, colon=colon)


def _at(element: NewElement, position: Position) -> str:
    match position.where:
        case Where.FIRST:
            return "@start"
        case Where.LAST:
            return "@end" if element.tag in _ORDERED else ""
        case _:
            raise Unquotable("a place before or after another item has no name in appcmd")


def _path(place: Place, *, colon: bool = True) -> str:
    parts = []
    for step in place.steps:
        if step.key:
            pairs = ",".join(f"{name}='{indexer_value(value, colon=colon)}'" for name, value in step.key)
            parts.append(f"[{pairs}]")
        else:
            parts.append(step.tag)
    return ".".join(parts)


def _join(above: str, below: str) -> str:
    return f"{above}.{below}" if above else below
