"""Texts for the tests of this room, and other eyes to read them with (plain lxml and expat, nothing of ours)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.parsers import expat

import pytest
from lxml import etree

CHECKOUT = Path(__file__).parents[2]
CORPUS = CHECKOUT.parent / "shared" / "corpus" / "full"
FIXTURES = CHECKOUT / "fixtures" / "apphost"

DECLARATIONS = """
        <sectionGroup name="system.applicationHost">
            <section name="applicationPools" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />
            <section name="sites" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />
        </sectionGroup>
        <sectionGroup name="system.webServer">
            <sectionGroup name="rewrite">
                <section name="globalRules" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />
                <section name="rules" overrideModeDefault="Allow" />
                <section name="rewriteMaps" overrideModeDefault="Allow" />
            </sectionGroup>
            <section name="proxy" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />
        </sectionGroup>
        <section name="webFarms" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />"""


def corpus() -> list[object]:
    """The corpus files as parameters; one skipped parameter where there is no corpus."""
    files = sorted(CORPUS.glob("*.config"))
    if not files:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no corpus beside this checkout"))]
    return [pytest.param(one, id=one.name[:3]) for one in files if _is_configuration(one)]


def declared(data: bytes) -> bytes:
    """The text as if ARR and URL Rewrite were installed: what it lacks is declared in its configSections."""
    eol = b"\r\n" if b"\r\n" in data else b"\n"
    lines = DECLARATIONS.replace("\n", eol.decode()).encode()
    if b"</configSections>" in data:
        at = data.rindex(b"</configSections>")
        at = len(data[:at].rstrip())
        return data[:at] + lines + data[at:]
    at = data.index(b">", data.index(b"<configuration")) + 1
    return data[:at] + eol + b"    <configSections>" + lines + eol + b"    </configSections>" + data[at:]


Flat = tuple[str, tuple[tuple[str, str], ...]]


def flat(data: bytes) -> list[Flat]:
    """Every element (its path of tags, its attributes) and comment in order, read by lxml alone."""
    found = []
    for node in etree.fromstring(data).iter():
        path = "/".join([*(str(one.tag) for one in reversed(list(node.iterancestors()))), _name(node)])
        found.append((path, tuple(sorted((str(key), str(value)) for key, value in node.attrib.items()))))
    return found


def gone_and_come(before: bytes, after: bytes) -> tuple[Counter[Flat], Counter[Flat]]:
    """The elements that are only in the one, and those only in the other."""
    old, new = Counter(flat(before)), Counter(flat(after))
    return old - new, new - old


def lines_gone_and_come(before: bytes, after: bytes) -> tuple[list[bytes], list[bytes]]:
    """The lines that differ, without the same ones at the head and the foot, blanks at both ends off."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return [one.strip() for one in old], [one.strip() for one in new]


def expat_starts(data: bytes) -> list[tuple[str, int, int]]:
    """Tag, start and end of every element as expat sees them, in order of their starts."""
    parser = expat.ParserCreate()
    starts: list[list[object]] = []
    opened: list[list[object]] = []

    def start(name: str, _: object) -> None:
        opened.append([name, parser.CurrentByteIndex, 0])
        starts.append(opened[-1])

    def end(_: str) -> None:
        one = opened.pop()
        at = parser.CurrentByteIndex
        tag_end = _after_tag(data, int(str(one[1])))
        one[2] = tag_end if data[tag_end - 2 : tag_end] == b"/>" else data.index(b">", at) + 1

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.Parse(data, True)
    return [(str(one[0]), int(str(one[1])), int(str(one[2]))) for one in starts]


# -- private ---------------------------------------------------------------------------------------------


def _is_configuration(file: Path) -> bool:
    try:
        return bool(etree.parse(str(file)).getroot().tag == "configuration")
    except etree.XMLSyntaxError:
        return False


def _name(node: etree._Element) -> str:
    return str(node.tag) if isinstance(node.tag, str) else f"{type(node).__name__}({node.text})"


def _after_tag(data: bytes, at: int) -> int:
    found = re.compile(rb"""<(?:"[^"]*"|'[^']*'|[^"'>])*>""").match(data, at)
    assert found
    return found.end()
