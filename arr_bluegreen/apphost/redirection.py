"""redirection.config: whether IIS reads its configuration from somewhere else (arr.md 5.13)."""

from __future__ import annotations

from lxml import etree

from arr_bluegreen.apphost.source import read_source
from arr_bluegreen.errors import ConfigurationError


def redirected_path(data: bytes, file: str = "redirection.config") -> str | None:
    """The folder the shared configuration lies in, as written there; None when redirection is off.

    Raises ``ConfigurationError`` when the file cannot be read as XML. Its user name and password are not looked at.
    """
    source = read_source(data, file)  # refuses a DOCTYPE, in UTF-16 too
    try:
        root = etree.fromstring(source.body, etree.XMLParser(encoding="utf-8", resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"is not well-formed XML: {error.msg}", file=file) from error
    section = root.find("configurationRedirection")
    if section is None or section.get("enabled", "false").casefold() != "true":
        return None
    return section.get("path", "") or None
