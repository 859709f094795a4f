"""The envelope of an encrypted WS-Management message: ``multipart/encrypted`` (winrm.md 2; MS-WSMV 2.2.9.1).

Only the outside is here; sealing and opening is the signed-in connection's (``ntlm.py``).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

CONTENT_TYPE = (
    'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
)
Sealed = tuple[bytes, bytes, int]  # signature, sealed bytes, padding in bytes


class NotOpened(Exception):
    """The message cannot be opened: sealed with other keys, or not built as it must be. HTTP 400."""


def is_encrypted(content_type: str) -> bool:
    """Whether a request of this Content-Type has a sealed body."""
    return content_type.lower().startswith("multipart/encrypted")


def pack(plain: bytes, seal: Callable[[bytes], Sealed]) -> bytes:
    """``plain`` sealed and wrapped in the multipart body."""
    signature, data, padding = seal(plain)
    head = (
        "--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(plain) + padding}\r\n"
        "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
    )
    return head.encode() + struct.pack("<I", len(signature)) + signature + data + _END


def unpack(body: bytes, unseal: Callable[[bytes, bytes], bytes]) -> bytes:
    """The plain message in the multipart ``body``; ``unseal(signature, data)`` raises ``NotOpened``."""
    found = _HEAD.match(body)
    if found is None or not body.endswith(_END):
        raise NotOpened("the body is not built as MS-WSMV 2.2.9.1 says")
    payload = body[found.end() : -len(_END)]
    size = struct.unpack("<I", payload[:4])[0] if len(payload) >= 4 else 0
    plain = unseal(payload[4 : 4 + size], payload[4 + size :])
    if len(plain) != int(found[1]):
        raise NotOpened("the message is not as long as it says")
    return plain


# -- private ------------------------------------------------------------------------------------------

_END = b"--Encrypted Boundary--\r\n"
_HEAD = re.compile(
    rb"--Encrypted Boundary\r\n\s*Content-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"\s*OriginalContent: type=application/soap\+xml;\s*charset=UTF-8;\s*Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n\s*Content-Type: application/octet-stream\r\n",
    re.IGNORECASE,
)
