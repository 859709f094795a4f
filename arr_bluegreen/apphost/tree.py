"""The parsed tree: made safely, compared by digest. No DTD, no entity, no network, no deep nesting."""

from __future__ import annotations

from lxml import etree

from arr_bluegreen.apphost.source import Source
from arr_bluegreen.errors import ConfigurationError

Element = etree._Element
DEEPEST = 100
"""Levels of elements. IIS files have about ten."""


def parse_tree(source: Source) -> Element:
    """The root element. Raises ``ConfigurationError`` with the parser's place when the text is no configuration."""
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, collect_ids=False
    )
    try:
        root = etree.fromstring(source.body, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise ConfigurationError(
            _plain(error),
            file=source.file,
            line=line or None,
            column=column or None,
            hint="Nothing was changed. Repair the file or restore a backup.",
        ) from error
    _check_root(root, source)
    return root


def tree_digest(root: Element) -> bytes:
    """A digest of the whole document: elements, attributes, texts, comments, instructions, and their order."""
    from hashlib import sha256

    return sha256(etree.tostring(root.getroottree(), encoding="utf-8")).digest()


# -- private ---------------------------------------------------------------------------------------------

_DEEP = f"elements are nested more than {DEEPEST} deep"
_TOO_DEEP = etree.XPath("boolean(/" + "*/" * DEEPEST + "*)")


def _check_root(root: Element, source: Source) -> None:
    if root.tag != "configuration":
        raise ConfigurationError(
            f"the root element is <{root.tag}>, not <configuration>",
            file=source.file,
            hint="This is no applicationHost.config.",
        )
    if _TOO_DEEP(root):
        raise ConfigurationError(_DEEP, file=source.file, hint="IIS files have about ten levels: this is none.")


def _plain(error: etree.XMLSyntaxError) -> str:
    text = str(error.msg).split(", line ")[0]
    if "Excessive depth" in text:
        return _DEEP
    if "XML_PARSE_HUGE" in text:
        return "a value or a text is longer than ten million bytes"
    return f"not well-formed XML: {text}"
