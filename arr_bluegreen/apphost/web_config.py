"""Single attributes of a web.config set by element path; every other byte stays (comments, layout, byte order mark)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from lxml import etree

from arr_bluegreen.apphost.scan import read_start_tag
from arr_bluegreen.apphost.source import read_source
from arr_bluegreen.apphost.tree import Element, parse_tree
from arr_bluegreen.errors import UsageError
from arr_bluegreen.webfarm.setting import XmlSetting


def edit_xml(text: str, wanted: Sequence[XmlSetting]) -> str:
    """The text with each attribute set, or taken away where the value is None; the same text when all holds already.

    Raises ``UsageError`` for a path that names no element or several, ``ConfigurationError`` for text that is no XML.
    """
    data = text.encode("utf-8")
    for one in wanted:
        data = _edited(data, one)
    return data.decode("utf-8")


# -- private -------------------------------------------------------------------------------------------

_STEP = re.compile(r"(?P<tag>[\w.-]+)(?P<keys>(?:\[@[\w.:-]+=(?:'[^']*'|\"[^\"]*\")\])*)")
_KEY = re.compile(r"\[@(?P<name>[\w.:-]+)=(?:'(?P<one>[^']*)'|\"(?P<two>[^\"]*)\")\]")
_TAG = re.compile(
    rb"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</[^>]*>|(?P<start><[^\s/>!?]+(?:"[^"]*"|'[^']*'|[^"'>])*>)""", re.S
)
_NAME = re.compile(r"[A-Za-z_][\w.-]*")


def _edited(data: bytes, wanted: XmlSetting) -> bytes:
    if not _NAME.fullmatch(wanted.attribute):
        raise UsageError(f"'{wanted.attribute}' is no name of an attribute")
    source = read_source(data)
    root = parse_tree(source)
    element = _find(root, wanted.path)
    starts = (found.start() for found in _TAG.finditer(source.body) if found["start"])
    at = next(start for one, start in zip(root.iter(etree.Element), starts, strict=True) if one is element)
    tag = read_start_tag(source.body, at)
    there = tag.attribute(wanted.attribute)
    if element.get(wanted.attribute) == wanted.value:
        return data
    if wanted.value is None:
        assert there is not None
        body = source.body[: there.before] + source.body[there.end :]
    elif there is None:
        new = f' {wanted.attribute}="{_quoted(wanted.value)}"'.encode()
        place = tag.attributes[-1].end if tag.attributes else tag.name_end
        body = source.body[:place] + new + source.body[place:]
    else:
        body = source.body[: there.value_start] + _quoted(wanted.value).encode() + source.body[there.value_end :]
    return source.with_body(body).to_bytes()


def _quoted(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _find(root: Element, path: str) -> Element:
    steps = _steps(path)
    found = [root] if _matches(root, steps[0]) else []
    for step in steps[1:]:
        found = [child for one in found for child in one.iterchildren(etree.Element) if _matches(child, step)]
    if len(found) != 1:
        count = f"{len(found)} elements" if found else "no element"
        raise UsageError(f"the path {path} names {count}", hint="Write configuration/appSettings/add[@key='Name'].")
    return found[0]


def _steps(path: str) -> list[tuple[str, dict[str, str]]]:
    steps, at = [], 0
    text = path.removeprefix("/")
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (found.end() < len(text) and text[found.end()] != "/"):
            raise UsageError(f"{path} is no path of elements", hint="Write configuration/appSettings/add[@key='Name'].")
        keys = {
            one["name"]: one["one"] if one["one"] is not None else one["two"] for one in _KEY.finditer(found["keys"])
        }
        steps.append((found["tag"], keys))
        at = found.end() + 1
    if not steps:
        raise UsageError("an empty path names no element")
    return steps


def _matches(element: Element, step: tuple[str, dict[str, str]]) -> bool:
    tag, keys = step
    return etree.QName(element).localname == tag and all(element.get(name) == value for name, value in keys.items())
