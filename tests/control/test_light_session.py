"""A message prepared by copy is the message that requests prepares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from requests.auth import HTTPBasicAuth

from arr_bluegreen.control.light_session import lighten

URL = "http://127.0.0.1:5985/wsman"


def session(auth: Any = None) -> requests.Session:
    made = requests.Session()
    made.headers.update({"Content-Type": "application/soap+xml;charset=UTF-8", "Connection": "Keep-Alive"})
    made.auth = auth or HTTPBasicAuth("user", "pass")
    made.trust_env = False
    return made


def light(auth: Any = None) -> requests.Session:
    made = session(auth)
    lighten(made)
    return made


def post(body: bytes | None) -> requests.Request:
    return requests.Request("POST", URL, data=body)


@pytest.mark.parametrize("body", [b"<s:Envelope/>", b"x" * 70000, b""])
def test_the_copy_is_the_same_message(body: bytes) -> None:
    """Also the second, with a body of another length."""
    one, other = light(), session()
    one.prepare_request(post(b"before"))
    made, plain = one.prepare_request(post(body)), other.prepare_request(post(body))
    assert (made.method, made.url, dict(made.headers)) == (plain.method, plain.url, dict(plain.headers))
    assert (made.body or b"") == (plain.body or b"")
    assert made.hooks == plain.hooks


def test_who_signs_in_is_asked_for_every_message_and_its_hooks_stay_with_it() -> None:
    """NTLM hangs a hook on each message; on a shared list they would pile up."""

    def auth(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        prepared.hooks["response"].append(lambda answer, **how: answer)
        prepared.headers["Authorization"] = f"round {len(seen)}"
        seen.append(prepared)
        return prepared

    seen: list[requests.PreparedRequest] = []
    one = light(auth)
    found = [one.prepare_request(post(b"x")) for _ in range(3)]
    assert [len(made.hooks["response"]) for made in found] == [1, 1, 1]
    assert [made.headers["Authorization"] for made in found] == ["round 0", "round 1", "round 2"]


def _cookie(one: requests.Session) -> None:
    one.cookies.set("a", "b")


def _no_auth(one: requests.Session) -> None:
    one.auth = None


@pytest.mark.parametrize("change", [_cookie, _no_auth])
def test_what_is_not_the_plain_case_goes_the_whole_way(change: Callable[[requests.Session], None]) -> None:
    one, other = light(), session()
    change(one)
    change(other)
    assert dict(one.prepare_request(post(b"x")).headers) == dict(other.prepare_request(post(b"x")).headers)


def test_the_environment_is_not_looked_at() -> None:
    made = requests.Session()
    lighten(made)
    assert made.trust_env is False
