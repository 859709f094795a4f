"""WS-Management messages: an envelope read, a reply and a fault written (winrm.md 2; MS-WSMV 3.1.4.11 to 3.1.4.15).

As strict as its sources: what a header marks ``mustUnderstand`` has to be understood, and ``a:To`` is never checked
because pywinrm always says ``http://windows-host:5985/wsman``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
F = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
WSMID = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
CMD = f"{RSP}/cmd"
ANONYMOUS = f"{A}/role/anonymous"
KINDS = {
    f"{X}/Create": "Create",
    f"{X}/Delete": "Delete",
    **{f"{RSP}/{kind}": kind for kind in ("Command", "Receive", "Send", "Signal")},
}

# Names as in wsmerror.h; the numbers that clients look at are those of winrm.md 2.
RESOURCE_NOT_FOUND = 2150858752
INVALID_ACTION = 2150858753
INVALID_HEADER = 2150858767
OPERATION_TIMED_OUT = 2150858793
INVALID_OPTIONS = 2150858809
SHELL_NOT_FOUND = 2150858843
ENVELOPE_TOO_SMALL = 2150858878
CODE_PAGE_NOT_SUPPORTED = 2150859072
QUOTA_SHELLS = 2150859173
QUOTA_OPERATIONS = 2150859174
COMMAND_NOT_FOUND = 2150859220
OPERATION_ABORTED = 995
ACCESS_DENIED = 5
BROKEN_PIPE = 109


@dataclass(frozen=True, slots=True)
class Message:
    """One request: its kind (Create, Command, ...), header fields, and the first element of its body (None: empty).

    ``operation_timeout`` is in seconds, ``max_envelope_size`` in bytes (of the reply the client will take).
    """

    kind: str
    action: str
    message_id: str
    resource_uri: str
    body: etree._Element | None
    selectors: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    operation_timeout: float = 60.0
    max_envelope_size: int = 153600


class SoapFault(Exception):
    """A fault to send with HTTP 500: WSManFault code, side (Sender, Receiver), subcode, reason (winrm.md 2)."""

    def __init__(self, code: int, subcode: str, reason: str, side: str = "Sender") -> None:
        super().__init__(reason)
        self.code, self.subcode, self.reason, self.side = code, subcode, reason, side


class NotSoap(Exception):
    """The body is no SOAP envelope at all: HTTP 400."""


def read_message(data: bytes) -> Message:
    """The request in ``data``; raises ``NotSoap`` for what is no envelope, ``SoapFault`` for what is refused."""
    header, body = _parts(data)
    _must_understand(header)
    action = _text(header, A, "Action")
    kind = KINDS.get(action)
    if kind is None:
        raise SoapFault(INVALID_ACTION, "a:ActionNotSupported", "The WS-Addressing action URI is invalid.")
    size = int(_text(header, W, "MaxEnvelopeSize") or 153600)
    if size < 8192:
        raise SoapFault(ENVELOPE_TOO_SMALL, "w:EncodingLimit", "The maximum envelope size is under 8192.")
    return Message(
        kind=kind,
        action=action,
        message_id=_needed(header, A, "MessageID"),
        resource_uri=_text(header, W, "ResourceURI"),
        body=next((one for one in body if isinstance(one.tag, str)), None),
        selectors=_named(header, "Selector"),
        options=_options(header),
        operation_timeout=_seconds(_text(header, W, "OperationTimeout")),
        max_envelope_size=size,
    )


def is_identify(data: bytes) -> bool:
    """Whether ``data`` asks Identify (winrm.md 2, the last row of the table of messages)."""
    return f"{{{WSMID}}}Identify".encode() in data or (b":Identify" in data and WSMID.encode() in data)


def reply(message: Message, body: str) -> bytes:
    """The answer to ``message``: action + "Response", related to its id; ``body`` is XML."""
    return _envelope(f"{message.action}Response", message.message_id, body)


def identify_reply() -> bytes:
    """IdentifyResponse as told to whoever has not signed in."""
    told = "".join(
        f"<wsmid:{name}>{value}</wsmid:{name}>"
        for name, value in (
            ("ProtocolVersion", "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"),
            ("ProductVendor", "Microsoft Corporation"),
            ("ProductVersion", "OS: 0.0.0 SP: 0.0 Stack: 3.0"),
        )
    )
    inside = f'<wsmid:IdentifyResponse xmlns:wsmid="{WSMID}">{told}</wsmid:IdentifyResponse>'
    return f'<s:Envelope xmlns:s="{S}"><s:Header/><s:Body>{inside}</s:Body></s:Envelope>'.encode()


def fault_reply(fault: SoapFault, related_to: str, machine: str) -> bytes:
    """The fault envelope that goes with HTTP 500."""
    body = (
        f"<s:Fault><s:Code><s:Value>s:{fault.side}</s:Value>"
        f"<s:Subcode><s:Value>{escape(fault.subcode)}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(fault.reason)} </s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault xmlns:f="{F}" Code="{fault.code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(fault.reason)} </f:Message></f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope("http://schemas.dmtf.org/wbem/wsman/1/wsman/fault", related_to, body)


# -- private ------------------------------------------------------------------------------------------

_UNDERSTOOD = {
    *((A, name) for name in ("To", "ReplyTo", "Address", "MessageID", "Action", "From", "FaultTo")),
    *((W, name) for name in ("MaxEnvelopeSize", "OperationTimeout", "ResourceURI", "SelectorSet", "OptionSet")),
    *((P, name) for name in ("DataLocale", "SessionId", "OperationID", "SequenceId", "ActivityId")),
    (W, "Locale"),
}
_OPTIONS = {
    "WINRS_NOPROFILE",
    "WINRS_CODEPAGE",
    "WINRS_CONSOLEMODE_STDIN",
    "WINRS_SKIP_CMD_SHELL",
    "WSMAN_CMDSHELL_OPTION_KEEPALIVE",
}


def _parts(data: bytes) -> tuple[etree._Element, etree._Element]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotSoap(str(error)) from error
    header, body = root.find(f"{{{S}}}Header"), root.find(f"{{{S}}}Body")
    if root.tag != f"{{{S}}}Envelope" or header is None or body is None:
        raise NotSoap("no SOAP envelope")
    return header, body


def _must_understand(header: etree._Element) -> None:
    """Refuse a header block that demands to be understood and is not (SOAP 1.2 part 1, 5.2.3)."""
    for one in header:
        if not isinstance(one.tag, str) or one.get(f"{{{S}}}mustUnderstand", "").strip() not in ("1", "true"):
            continue
        name = etree.QName(one)
        if (name.namespace, name.localname) == (W, "Locale"):
            raise SoapFault(2150858887, "w:UnsupportedFeature", "The locale may only be asked as a hint.")
        if (name.namespace, name.localname) not in _UNDERSTOOD:
            raise SoapFault(INVALID_HEADER, "s:MustUnderstand", f"The header {name.localname} is not understood.")


def _options(header: etree._Element) -> dict[str, str]:
    for one in header.iterfind(f"{{{W}}}OptionSet/{{{W}}}Option"):
        if one.get("MustComply") in ("true", "1") and one.get("Name", "") not in _OPTIONS:
            raise SoapFault(INVALID_OPTIONS, "w:InvalidOptions", f"The option {one.get('Name')} is not supported.")
    return _named(header, "Option")


def _named(header: etree._Element, tag: str) -> dict[str, str]:
    return {one.get("Name", ""): one.text or "" for one in header.iterfind(f"{{{W}}}{tag}Set/{{{W}}}{tag}")}


def _text(header: etree._Element, namespace: str, name: str) -> str:
    return (header.findtext(f"{{{namespace}}}{name}") or "").strip()


def _needed(header: etree._Element, namespace: str, name: str) -> str:
    found = _text(header, namespace, name)
    if not found:
        raise SoapFault(INVALID_HEADER, "a:MessageInformationHeaderRequired", f"The header {name} is missing.")
    return found


_DURATION = re.compile(r"^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


def _seconds(duration: str) -> float:
    """An xs:duration such as PT20S in seconds; 60 when none is given (the server's MaxTimeoutms)."""
    if not duration:
        return 60.0
    found = _DURATION.match(duration)
    if found is None:
        raise SoapFault(INVALID_HEADER, "a:InvalidMessageInformationHeader", "The OperationTimeout is not valid.")
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _envelope(action: str, related_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{S}" xmlns:a="{A}" xmlns:x="{X}" xmlns:w="{W}" xmlns:rsp="{RSP}"'
        f' xmlns:p="{P}"><s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{str(uuid4()).upper()}</a:MessageID>'
        f"<a:To>{ANONYMOUS}</a:To><a:RelatesTo>{escape(related_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
