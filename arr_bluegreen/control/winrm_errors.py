"""What went wrong on the way to a machine, as one error with what to do; every code once (winrm.md 1 and 2).

requests and winrm are looked at by type name, so that nothing heavy is imported to explain an error.
"""

from __future__ import annotations

from enum import Enum

from arr_bluegreen.control.endpoint import Endpoint
from arr_bluegreen.control.framing import POWERSHELL
from arr_bluegreen.errors import ArrBlueGreenError, RefusedError, RemoteError, SignInError, UnreachableError

SHELL_NOT_FOUND = 2150858843
OPERATION_TIMED_OUT = 2150858793
ACCESS_DENIED = 5
QUOTAS = frozenset({2150859173, 2150859174, 2150859175, 2150859176})
GONE = frozenset({SHELL_NOT_FOUND, 2150859220, 109})
"""No such shell, no such command, and the stdin of one that has ended: nothing took the message (winrm.md 2)."""
NO_PROGRAM = frozenset({2, 3})
"""The Win32 codes of a Command whose program is not there."""
REFUSALS = NO_PROGRAM | {206, 2150858752, 2150858753, 2150858767, 2150858809, 2150858817, 2150858881, 2150859072}
"""Faults about the message itself: its resource, action, header, options or length (winrm.md 2)."""


class Trouble(Enum):
    """What a failed message means for the message."""

    NOT_SENT = "never reached the service"
    DROPPED = "sent; whether it was done is not known"
    STALE = "could not be opened: its NTLM context went with a dropped connection (winrm.md 1); not done"
    SHELL = "refused, because the shell or the command is gone, or a quota is full; not done"
    FAULT = "answered with a fault that may also come after the act; whether it was done is not known"
    TIMED_OUT = "taken, and the service did not come to its end in time; whether it was done is not known"
    REFUSED = "answered with an error; not done"


def trouble_of(cause: BaseException, *, answered: bool = False) -> Trouble:
    """How to take this exception of requests or pywinrm. ``answered``: this machine has answered before, so that an
    HTTP 500 is no refusal of what is not encrypted, but a service in trouble."""
    if _is(cause, "SSLError", "ConnectTimeout", "InvalidCredentialsError", "PermissionError", "ProxyError"):
        return Trouble.NOT_SENT
    if _is(cause, "ConnectionError") and _never_connected(cause):
        return Trouble.NOT_SENT
    if _is(cause, "ConnectionError", "Timeout", "ChunkedEncodingError", "ConnectionResetError", "BrokenPipeError"):
        return Trouble.DROPPED
    if _is(cause, "WinRMTransportError"):
        if answered and _code(cause) == 500:
            return Trouble.DROPPED
        return Trouble.STALE if _code(cause) == 400 else Trouble.REFUSED
    if _is(cause, "WSManFaultError"):
        return _trouble_of_fault(cause)
    if _is(cause, "WinRMOperationTimeoutError"):
        return Trouble.TIMED_OUT
    return Trouble.DROPPED


def fault_code(cause: BaseException) -> int | None:
    """The WSManFault code of a fault, None when there is none."""
    code = getattr(cause, "wsman_fault_code", None) or getattr(cause, "wmierror_code", None)
    return int(code) & 0xFFFFFFFF if code is not None else None


def explain(
    cause: BaseException, to: Endpoint, *, maybe_done: bool = False, answered: bool = True
) -> ArrBlueGreenError:
    """The one error for this exception; it names the machine and never a credential. ``answered``: this machine has
    answered before, so its port is the right one."""
    host = to.host
    if _is(cause, "InvalidCredentialsError", "PermissionError", "SpnegoError"):
        return SignInError(f"{host} did not take the user name and password", hint=_SIGN_IN)
    if _is(cause, "SSLError"):
        if any(word in _texts(cause) for word in ("WRONG_VERSION_NUMBER", "wrong version number", "RECORD_LAYER")):
            return UnreachableError(f"{host} does not speak TLS on port {to.port}", hint=_NO_TLS)
        return UnreachableError(f"{host}: its certificate is not trusted ({_tls_reason(cause)})", hint=_TLS)
    if _is(cause, "ConnectionError", "Timeout", "ChunkedEncodingError", "OSError"):
        return _connection(cause, to, maybe_done, answered)
    if _is(cause, "WinRMTransportError"):
        if answered and _code(cause) == 500:
            hint = "Try again; its event log (Windows Remote Management) says more."
            return UnreachableError(f"{host} failed at a message (HTTP 500)", hint=hint, maybe_done=maybe_done)
        return _http(_code(cause), host, maybe_done)
    if _is(cause, "WSManFaultError"):
        return _fault(cause, host, maybe_done)
    if _is(cause, "WinRMOperationTimeoutError"):
        return UnreachableError(f"{host}: WinRM did not answer in time", hint="Try again.", maybe_done=maybe_done)
    if _is(cause, "WinRMError"):
        return RefusedError(f"{host}: {cause}", hint=_package(str(cause)))
    return UnreachableError(
        f"{host} answered something that is not WS-Management ({type(cause).__name__})",
        hint=f"Is {to.url} a WinRM listener?",
        maybe_done=maybe_done,
    )


# -- private -------------------------------------------------------------------------------------------

_SIGN_IN = (
    "Check ARR_BLUEGREEN_USER (user or DOMAIN\\user) and ARR_BLUEGREEN_PASSWORD, and that --transport is enabled there."
)
_TLS = "Give its certificate authority with --ca FILE; the name in the certificate must be the one used here."
_IS_TLS = "If that is an HTTPS listener (as a rule on 5986), say --tls. Else try again."
_PROXY = "Look at ARR_BLUEGREEN_PROXY and [arr] proxy."
_NO_TLS = "Its HTTPS listener is on 5986 as a rule; without --tls the HTTP one on 5985 is used."
_LISTENER = "On the machine run: winrm quickconfig; 5985 is HTTP, 5986 is HTTPS (--tls); look at the firewall."
_HTTP = {
    400: ("could not open the encrypted message", "Try again; if it stays, a proxy in between breaks NTLM: use --tls."),
    403: ("forbids this", "Look at the WinRM service's IP filters and access rights."),
    404: ("has no WinRM at this path", "The path is /wsman unless the target names another."),
    407: ("was asked through a proxy that wants a sign-in", "WinRM is spoken to directly: unset the proxy."),
    413: (
        "found the message too large",
        'Raise MaxEnvelopeSizekb there: winrm set winrm/config @{MaxEnvelopeSizekb="500"}.',
    ),
    500: ("refused the message unread", "It takes no unencrypted messages: use --transport ntlm, or --tls."),
    503: ("says that WinRM is not available", "Start the service WinRM there."),
}


def _connection(cause: BaseException, to: Endpoint, maybe_done: bool, answered: bool) -> UnreachableError:
    text = _texts(cause)
    if _is(cause, "ProxyError"):
        return UnreachableError(f"the proxy on the way to {to.host} does not let through", hint=_PROXY)
    if any(word in text for word in ("NameResolutionError", "getaddrinfo", "Name or service not known", "gaierror")):
        return UnreachableError(f"no such host '{to.host}'", hint="Check the name in --on winrm:HOST, and DNS.")
    if any(word in text for word in ("refused", "10061")):
        return UnreachableError(f"{to.host} refuses connections on port {to.port}", hint=_LISTENER)
    if _is(cause, "ConnectTimeout") or ("timed out" in text and _never_connected(cause)):
        return UnreachableError(f"{to.host} does not answer on port {to.port}", hint=_LISTENER)
    if any(word in text for word in ("unreachable", "No route")):
        return UnreachableError(f"{to.host} cannot be reached from here", hint="Check the network and the name.")
    if _is(cause, "Timeout"):
        return UnreachableError(f"{to.host} did not answer in time", hint="Try again.", maybe_done=maybe_done)
    if not answered and not to.tls:
        return UnreachableError(f"{to.host} breaks off the connection on port {to.port}", hint=_IS_TLS)
    return UnreachableError(f"the connection to {to.host} broke", hint="Try again.", maybe_done=maybe_done)


def _trouble_of_fault(cause: BaseException) -> Trouble:
    """Only codes that are known to refuse count as not done: 995 and 1726, say, come when a command is cut off."""
    code = fault_code(cause)
    if code == ACCESS_DENIED or _code(cause) == 401 or code in REFUSALS:
        return Trouble.REFUSED
    return Trouble.SHELL if code in GONE or _is_quota(cause) else Trouble.FAULT


def _is_quota(cause: BaseException) -> bool:
    return fault_code(cause) in QUOTAS or "QuotaLimit" in str(getattr(cause, "fault_subcode", ""))


def _http(code: int | None, host: str, maybe_done: bool) -> UnreachableError:
    what, hint = _HTTP.get(code or 0, (f"answered HTTP {code}", "Is that a WinRM listener?"))
    return UnreachableError(f"{host} {what} (HTTP {code})", hint=hint, maybe_done=maybe_done)


def _fault(cause: BaseException, host: str, maybe_done: bool) -> ArrBlueGreenError:
    code = fault_code(cause)
    reason = " ".join(str(getattr(cause, "reason", "")).split())[:200]
    if code == ACCESS_DENIED:
        return SignInError(
            f"{host} denies access over WinRM",
            hint="The user must be an administrator there; local ones need LocalAccountTokenFilterPolicy=1.",
        )
    if _is_quota(cause):
        return UnreachableError(
            f"{host}: a WinRM quota is full ({reason})",
            hint='Wait for idle shells to end, or raise it: winrm set winrm/config/winrs @{MaxShellsPerUser="50"}.',
            maybe_done=maybe_done,
        )
    if code == SHELL_NOT_FOUND:
        return UnreachableError(f"{host}: the remote shell is gone", hint="Try again.", maybe_done=maybe_done)
    if code in NO_PROGRAM:
        return RefusedError(f"{host}: there is no {POWERSHELL}", hint="Over WinRM, Windows must lie in C:\\Windows.")
    told = f"{reason or 'no reason told'} (code {code})"
    if maybe_done:
        return UnreachableError(f"{host}: WinRM failed: {told}", hint="Try again.", maybe_done=True)
    return RemoteError(f"{host}: WinRM refused: {told}", code=code, hint="Try again.")


def _package(text: str) -> str:
    """What to do about a transport whose package is not there; pywinrm tells it in words alone."""
    extra = next((one for one in ("kerberos", "credssp") if one in text and "not installed" in text), None)
    return f"pip install 'arr-bluegreen[{extra}]'" if extra else "Choose another --transport."


def _is(cause: BaseException, *names: str) -> bool:
    return any(kind.__name__ in names for kind in type(cause).__mro__)


def _code(cause: BaseException) -> int | None:
    code = getattr(cause, "code", None)
    return code if isinstance(code, int) else None


def _never_connected(cause: BaseException) -> bool:
    return any(word in _texts(cause) for word in ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError"))


def _texts(cause: BaseException) -> str:
    """The words of the exception and of what it wraps, urllib3's class names among them."""
    found: list[str] = []
    todo = [cause]
    while todo and len(found) < 20:
        one = todo.pop()
        found.append(f"{type(one).__name__}: {one}")
        todo += [
            arg for arg in (*one.args, getattr(one, "reason", None), one.__cause__) if isinstance(arg, BaseException)
        ]
    return " ".join(found)


def _tls_reason(cause: BaseException) -> str:
    text = _texts(cause)
    for words, told in _TLS_REASONS:
        if words in text:
            return told
    return "it cannot be verified"


_TLS_REASONS = (
    ("self-signed certificate in certificate chain", "its authority is not known here"),
    ("self-signed", "self-signed"),
    ("self signed", "self-signed"),
    ("Hostname mismatch", "it is for another name"),
    ("doesn't match", "it is for another name"),
    ("IP address mismatch", "it is for another name"),
    ("expired", "expired"),
    ("unable to get local issuer", "its authority is not known here"),
)
