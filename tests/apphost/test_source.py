"""Encodings that are kept, and input that is refused before it costs anything."""

from __future__ import annotations

import codecs
import subprocess
import sys
import time

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.source import Source, read_source
from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.webfarm import Server
from arr_bluegreen.webfarm.change import AddServer, SetServer, settings
from tests.apphost.texts import FIXTURES

PLAIN = "<configuration><webFarms><webFarm name='shop'/></webFarms></configuration>"


@pytest.mark.parametrize("file", sorted(FIXTURES.glob("*.config")), ids=lambda file: file.stem)
def test_a_fixture_comes_back_byte_for_byte(file: object) -> None:
    data = file.read_bytes()  # type: ignore[attr-defined]  # pathlib's, through parametrize
    assert ApplicationHost.parse(data).to_bytes() == data


@pytest.mark.parametrize(
    "name", ["utf8-bom-crlf", "utf16-le", "utf16-be-undeclared", "mixed-line-ends", "tabs-and-odd-quotes"]
)
def test_an_edit_keeps_mark_encoding_and_line_ends(name: str) -> None:
    before = (FIXTURES / f"{name}.config").read_bytes()
    applied = ApplicationHost.parse(before).apply(
        [SetServer("shop", "green", settings(enabled=True)), AddServer("shop", Server("grün", enabled=False))]
    )
    after = applied.host.to_bytes()
    assert after[:3] == before[:3]
    text, old = read_source(after).body, read_source(before).body
    assert text.count(b"\r\n") - old.count(b"\r\n") == (1 if old.count(b"\r\n") > 2 else 0)
    assert ApplicationHost.parse(after).farm("shop").server("grün") == Server("grün", enabled=False)
    assert applied.host.apply(applied.inverse).host.to_bytes() == before


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \r\n\t", "the file is empty"),
        (b"<configuration>", "not well-formed"),
        (b"<Configuration/>", "not <configuration>"),
        (b"\x00\x01\x02", "not well-formed"),
        (PLAIN.encode() + b"<!-- \xff -->", "not UTF-8"),
        (b"<?xml version='1.0' encoding='utf-16'?>" + PLAIN.encode(), "no byte order mark"),
        (b"<?xml version='1.0' encoding='windows-1252'?>" + PLAIN.encode(), "'windows-1252'"),
        (
            codecs.BOM_UTF8 + b"<?xml version='1.0' encoding='utf-16'?>" + PLAIN.encode(),
            "the byte order mark says utf-8",
        ),
        (codecs.BOM_UTF16_LE + f"<?xml version='1.0' encoding='utf-8'?>{PLAIN}".encode("utf-16-le"), "says utf-16-le"),
        (codecs.BOM_UTF16_LE + PLAIN.encode("utf-16-le") + b"x", "the bytes are not"),
        (codecs.BOM_UTF16_LE + b"\x00\xd8" + PLAIN.encode("utf-16-le"), "the bytes are not"),
        (b"<!DOCTYPE configuration>" + PLAIN.encode(), "a DOCTYPE is not allowed"),
        (
            b"<?xml version='1.0'?>\n<!-- x --><?y z?>\n<!DOCTYPE a SYSTEM 'file:///etc/passwd'><configuration/>",
            "DOCTYPE",
        ),
        (b"<!-- the <configuration> of web01 --><!DOCTYPE a><configuration/>", "a DOCTYPE is not allowed"),
        (b"<?x <configuration ?>\n<!DOCTYPE a><configuration/>", "a DOCTYPE is not allowed"),
        (b"<!-- not closed <!DOCTYPE a><configuration/>", "not well-formed"),
        (codecs.BOM_UTF16_BE + f"<!DOCTYPE a>{PLAIN}".encode("utf-16-be"), "a DOCTYPE is not allowed"),
        (b"<configuration>&outside;</configuration>", "not well-formed"),
        (b"<configuration xmlns='urn:x'/>", "not <configuration>"),
    ],
)
def test_what_cannot_be_kept_or_must_not_be_read_is_one_clear_error(data: bytes, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ApplicationHost.parse(data, file="applicationHost.config")
    assert message in caught.value.one_line()
    assert caught.value.one_line().startswith("applicationHost.config")
    assert "\n" not in caught.value.one_line()


def test_a_doctype_in_a_comment_is_no_doctype() -> None:
    assert ApplicationHost.parse(b"<!-- <!DOCTYPE a> -->" + PLAIN.encode()).farm("shop").name == "shop"


BOMB = b"<!DOCTYPE b [<!ENTITY a '%s'>%s]><configuration>&z;</configuration>" % (
    b"ha" * 50,
    b"".join(b"<!ENTITY %c '&%c;&%c;&%c;'>" % (n, n - 1, n - 1, n - 1) for n in range(ord("b"), ord("z") + 1)),
)
HOSTILE = {
    "bomb": BOMB,
    "depth 101": b"<configuration>" + b"<a>" * 100 + b"</a>" * 100 + b"</configuration>",
    "depth 200,000": b"<configuration>" + b"<a>" * 200_000,
    "200,000 closed": b"<configuration>" + b"<a>" * 200_000 + b"</a>" * 200_000 + b"</configuration>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_refused_at_once(name: str) -> None:
    began = time.perf_counter()
    with pytest.raises(ConfigurationError):
        ApplicationHost.parse(HOSTILE[name])
    assert time.perf_counter() - began < 1


def test_a_hundred_levels_are_allowed() -> None:
    data = b"<configuration>" + b"<a>" * 99 + b"</a>" * 99 + b"</configuration>"
    assert ApplicationHost.parse(data).to_bytes() == data


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory by the resource module")
def test_an_attribute_of_100_mb_is_refused_with_little_memory() -> None:
    done = subprocess.run([sys.executable, "-c", _HUGE], capture_output=True, text=True, check=True)
    megabytes, seconds = map(float, done.stdout.split())
    assert megabytes < 60
    assert seconds < 3


_HUGE = """
import resource, time
from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.errors import ConfigurationError
import arr_bluegreen.apphost.scan
data = b'<configuration a="' + b'x' * 100_000_000 + b'"/>'
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, began = peak(), time.perf_counter()
try:
    ApplicationHost.parse(data)
except ConfigurationError:
    print(peak() - before, time.perf_counter() - began)
"""


def test_lines_and_columns_count_every_line_end_and_characters() -> None:
    source = Source("a\r\nbü\rc\nd<".encode())
    assert [source.line_column(source.body.index(one)) for one in (b"a", b"b", b"c", b"d", b"<")] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (4, 2),
    ]
    assert source.line_column(source.body.index(b"\r", 4)) == (2, 3)
