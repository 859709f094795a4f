"""Send and Receive as text, the two messages a poll is made of: as pywinrm writes them, for less (winrm.md 2).

Everything else (Create, Command, Signal, Delete) is pywinrm's own. Pure.
"""

from __future__ import annotations

import base64
import uuid
from xml.sax.saxutils import escape

from lxml import etree

from arr_bluegreen.errors import UnreachableError

RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"


def send(shell: str, command: str, data: bytes, *, end: bool, seconds: int) -> str:
    """A Send of stdin bytes; ``end`` closes stdin; ``seconds`` is the operation timeout."""
    told = base64.b64encode(data).decode("ascii")
    stream = f'<rsp:Stream Name="stdin" CommandId="{_attribute(command)}" End="{str(end).lower()}">{told}</rsp:Stream>'
    return _message("Send", shell, f"<rsp:Send>{stream}</rsp:Send>", seconds)


def receive(shell: str, command: str, *, seconds: int) -> str:
    """A Receive of stdout and stderr; without output the service answers with a fault after ``seconds``."""
    wanted = f'<rsp:DesiredStream CommandId="{_attribute(command)}">stdout stderr</rsp:DesiredStream>'
    return _message("Receive", shell, f"<rsp:Receive>{wanted}</rsp:Receive>", seconds)


def received(reply: bytes) -> tuple[bytes, bytes, int | None]:
    """stdout, stderr, and the exit code (0 to 2**32 - 1) once the command is done. Raises ``UnreachableError`` (maybe
    done) for what is no ReceiveResponse."""
    try:
        root = etree.fromstring(reply, etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))
        if next(root.iter(f"{{{RSP}}}ReceiveResponse"), None) is None:
            raise ValueError("no ReceiveResponse")
        return _stream(root, "stdout"), _stream(root, "stderr"), _exit_code(root)
    except (etree.XMLSyntaxError, ValueError) as cause:
        raise UnreachableError(
            "the machine answered a Receive with something that is none", hint="Try again.", maybe_done=True
        ) from cause


# -- private -------------------------------------------------------------------------------------------

_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"'
    ' xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"'
    f' xmlns:rsp="{RSP}">'
    "<env:Header><a:To>http://windows-host:5985/wsman</a:To>"
    '<a:ReplyTo><a:Address mustUnderstand="true">'
    "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>"
    '<w:MaxEnvelopeSize mustUnderstand="true">153600</w:MaxEnvelopeSize>'
    '<w:Locale mustUnderstand="false" xml:lang="en-US"/><p:DataLocale mustUnderstand="false" xml:lang="en-US"/>'
    f'<w:ResourceURI mustUnderstand="true">{RSP}/cmd</w:ResourceURI>'
)


def _message(kind: str, shell: str, body: str, seconds: int) -> str:
    return (
        f"{_HEAD}<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID>"
        f"<w:OperationTimeout>PT{seconds}S</w:OperationTimeout>"
        f'<a:Action mustUnderstand="true">{RSP}/{kind}</a:Action>'
        f'<w:SelectorSet><w:Selector Name="ShellId">{escape(shell)}</w:Selector></w:SelectorSet>'
        f"</env:Header><env:Body>{body}</env:Body></env:Envelope>"
    )


def _attribute(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _stream(root: etree._Element, name: str) -> bytes:
    streams = (one for one in root.iter(f"{{{RSP}}}Stream") if one.get("Name") == name and one.text)
    return b"".join(base64.b64decode(one.text or "") for one in streams)


def _exit_code(root: etree._Element) -> int | None:
    state = next(root.iter(f"{{{RSP}}}CommandState"), None)
    if state is None or not str(state.get("State", "")).endswith("CommandState/Done"):
        return None
    # An empty ExitCode is met too; a signed or an unsigned number, as the server likes (winrm.md 1).
    return int(state.findtext(f"{{{RSP}}}ExitCode") or -1) & 0xFFFFFFFF
