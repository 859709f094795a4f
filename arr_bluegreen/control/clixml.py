"""What powershell.exe writes to a redirected stderr: CLIXML among plain text (winrm.md 1). Pure."""

from __future__ import annotations

import re

from lxml import etree

_MARK = b"#< CLIXML"
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")


def error_text(data: bytes) -> str:
    """The error stream as text: ``S="Error"`` strings decoded, other streams left out, plain text kept."""
    plain, *documents = data.split(_MARK)
    return "".join([plain.decode("utf-8", "replace"), *map(_one, documents)])


# -- private -------------------------------------------------------------------------------------------


def _one(data: bytes) -> str:
    start, end = data.find(b"<Objs"), data.rfind(b"</Objs>")
    if start < 0 or end < 0:
        return data.decode("utf-8", "replace").lstrip("\r\n")
    end += len(b"</Objs>")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root = etree.fromstring(data[start:end], parser)
    except etree.XMLSyntaxError:
        return data.decode("utf-8", "replace").lstrip("\r\n")
    found = [one.text or "" for one in root.iter("{*}S") if one.get("S") == "Error"]
    return _decode("".join(found)) + data[end:].decode("utf-8", "replace").lstrip("\r\n")


def _decode(text: str) -> str:
    # UTF-16 units: a character beyond the BMP comes as two escapes.
    units = _ESCAPE.sub(lambda one: chr(int(one[1], 16)), text)
    return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
