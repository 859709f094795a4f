"""Whether an answer is good: ARR's own notation of status lists, a text in the body, the new version named."""

from __future__ import annotations

import json
from datetime import timedelta

from arr_bluegreen.control.interface import ProbeAnswer
from arr_bluegreen.deployment.description import Gate
from arr_bluegreen.errors import DescriptionError


def status_matches(status: int, pattern: str) -> bool:
    """Whether ``status`` is in a list such as ``200-299,304`` (``500-``: 500 and up), as ARR writes it (arr.md 5.1).

    Raises ``DescriptionError`` when the list is none.
    """
    for part in pattern.split(","):
        low, dash, high = part.strip().partition("-")
        if not all(one.isascii() and one.isdigit() for one in (low, high or "0")):
            raise DescriptionError(f"'{pattern}' is no list of status codes", hint="Write it as 200-299,304.")
        if int(low) <= status <= (int(high) if high else 999 if dash else int(low)):
            return True
    return False


def why_not(answer: ProbeAnswer, status: str, text: str = "") -> str:
    """Why an answer is not good, in a few words; "" when it is. A 5xx is never good."""
    if answer.error:
        return answer.error
    if answer.status >= 500 or not status_matches(answer.status, status):
        return f"status {answer.status}"
    if text and text not in answer.text:
        return f"the text '{text}' is not in the answer"
    return ""


def why_slow(answer: ProbeAnswer, limit: timedelta | None) -> str:
    """Why an answer came too late; "" when it did not, or when any time will do."""
    slow = limit is not None and answer.seconds > limit.total_seconds()
    return f"took {answer.seconds:.2f} s" if slow else ""


def asks_version(gate: Gate) -> bool:
    """Whether the gate can tell one version from another."""
    return bool(gate.version_header or gate.version_json or gate.version_text)


def version_of(answer: ProbeAnswer, gate: Gate) -> str | None:
    """The version an answer names; None when it names none (a ``version_text`` is looked for, not read)."""
    if gate.version_header:
        return answer.header(gate.version_header) or None
    if gate.version_json:
        return _json_field(answer.text, gate.version_json)
    return None


def why_not_version(answer: ProbeAnswer, gate: Gate, version: str) -> str:
    """Why an answer does not prove ``version``; "" when it does, or when the gate cannot tell."""
    if not version or not asks_version(gate):
        return ""
    if gate.version_text:
        wanted = gate.version_text.replace("{version}", version)
        return "" if wanted in answer.text else f"the text '{wanted}' is not in the answer"
    found = version_of(answer, gate)
    return "" if found == version else f"answers version {found or '(none)'}, not {version}"


# -- private -------------------------------------------------------------------------------------------------


def _json_field(text: str, path: str) -> str | None:
    try:
        value = json.loads(text)
        for name in path.split("."):
            value = value[name]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return None if value is None or isinstance(value, (dict, list)) else str(value)
