"""redirection.config: whether IIS reads its configuration from somewhere else (arr.md 5.13)."""

from __future__ import annotations

from lxml import etree

from arr_bluegreen.errors import ConfigurationError


def redirected_path(data: bytes, file: str = "redirection.config") -> str | None:
    """The folder the shared configuration lies in, as written there; None when redirection is off.

    Raises ``ConfigurationError`` when the file cannot be read as XML. Its user name and password are not looked at.
    """
    if b"<!DOCTYPE" in data:
        raise ConfigurationError("a DOCTYPE has no place here", file=file)
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ConfigurationError(f"is not well-formed XML: {error.msg}", file=file) from error
    section = root.find("configurationRedirection")
    if section is None or section.get("enabled", "false").casefold() != "true":
        return None
    return section.get("path", "") or None
