"""A requests session that sends one kind of message to one address: what each message shares is prepared once.

requests prepares every request from nothing (address, headers, cookies, hooks), which costs a quarter of a message;
with 50 machines polled side by side, that is what the machine that polls is busy with.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import PreparedRequest, Request, Session


def lighten(session: Session) -> None:
    """From now on only our own settings count (no proxy, no .netrc of the environment), and a POST is prepared by copy.

    What signs in (``session.auth``) is called for every message, as ever.
    """
    if "prepare_request" in vars(session):
        return
    session.trust_env = False
    whole: Callable[[Any], PreparedRequest] = session.prepare_request
    patterns: dict[str, PreparedRequest] = {}

    def prepare(request: Request) -> PreparedRequest:
        url, body = str(request.url), request.data
        if request.method != "POST" or not isinstance(body, bytes) or session.cookies or not callable(session.auth):
            return whole(request)
        if url not in patterns:
            patterns[url] = _pattern(url, session)
        return session.auth(_filled(patterns[url], body))

    session.prepare_request = prepare  # type: ignore[method-assign]  # pywinrm makes the session itself


# -- private -------------------------------------------------------------------------------------------


def _pattern(url: str, session: Session) -> PreparedRequest:
    from requests import PreparedRequest

    made = PreparedRequest()
    made.prepare(method="POST", url=url, headers=session.headers, data=b"")
    return made


def _filled(pattern: PreparedRequest, body: bytes) -> PreparedRequest:
    from requests import PreparedRequest

    made = PreparedRequest()
    made.method, made.url, made.body = pattern.method, pattern.url, body
    made.headers = pattern.headers.copy()
    made.headers["Content-Length"] = str(len(body))
    made.hooks = {"response": []}  # its own: NTLM adds one to each message
    made._cookies = pattern._cookies  # type: ignore[attr-defined]  # empty, as the session's are; send() reads it
    return made
