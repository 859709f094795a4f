"""Replies of our scripts as words. Pure; unknown names are left out, so that a newer script does no harm.

What is not of the script's shape raises KeyError, TypeError, ValueError, AttributeError or IndexError, whichever way it
is met: ``hands.ask`` makes one error of them. A plain field of another type never gets into a word.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from arr_bluegreen.control.interface import ApplicationFacts, FolderDigest, MachineFacts, ProbeAnswer, ProbeRequest
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.site import PoolStatus, RunState, SiteStatus
from arr_bluegreen.webfarm.state import FarmStatus, HealthTest, ServerState, ServerStatus, TestResult, WorkerProcess

W = TypeVar("W")
Reply = Mapping[str, Any]


def farm_status(machine: str, reply: Reply) -> FarmStatus:
    """The first farm of a ``status`` reply."""
    told = reply["farms"][0]
    servers = tuple(_known(Server, one) for one in told["servers"])
    farm = WebFarm(name=told["name"], enabled=told["enabled"], servers=servers)
    farm = _with(farm, _nested(told["settings"]))
    workers = reply.get("arr_workers")
    return FarmStatus(
        machine,
        farm,
        tuple(_running(one) for one in told["servers"]),
        None if workers is None else tuple(_worker(one) for one in workers),
    )


def health_test(reply: Reply) -> HealthTest:
    """A ``test_health`` reply."""
    return HealthTest(TestResult(reply["result"]), int(reply["http_status"]), int(reply["error_code"]))


def site_statuses(reply: Reply) -> tuple[SiteStatus, ...]:
    """The sites of a ``sites`` reply."""
    return tuple(SiteStatus(one["name"], int(one["id"]), _state(one["state"])) for one in reply["sites"])


def pool_statuses(reply: Reply) -> tuple[PoolStatus, ...]:
    """The pools of a ``sites`` reply."""
    return tuple(
        PoolStatus(
            one["name"],
            _state(one["state"]),
            tuple(map(_worker, one["workers"])),
            _plain("requests", "int | None", one["requests"]),
        )
        for one in reply["pools"]
    )


def machine_facts(name: str, reply: Reply) -> MachineFacts:
    """A ``machine`` reply."""
    ports, reserved = reply.get("listening_ports"), reply.get("reserved_ports")
    facts = MachineFacts(name, _time(reply["now"]))
    same = {name: value for name, value in _fields(MachineFacts, reply).items() if name not in _OWN}
    return replace(
        facts,
        **same,
        listening_ports=None if ports is None else tuple(map(int, ports)),
        reserved_ports=None if reserved is None else tuple((int(one[0]), int(one[1])) for one in reserved),
    )


def probe_answers(reply: Reply, count: int) -> tuple[ProbeAnswer, ...]:
    """The answers of a ``probe`` reply, as many as there were requests."""
    answers = tuple(_probe_answer(one) for one in reply["answers"])
    if len(answers) != count:
        raise ValueError(f"{len(answers)} answers to {count} requests")
    return answers


def probe_request(one: ProbeRequest) -> dict[str, Any]:
    """One request of a ``probe``."""
    return {
        "url": one.url,
        "host": one.host,
        "method": one.method,
        "headers": [list(pair) for pair in one.headers],
        "body": one.body,
        "timeout": one.timeout.total_seconds(),
        "verify_tls": one.verify_tls,
    }


def application_facts(reply: Reply) -> tuple[ApplicationFacts, ...]:
    """The applications of a ``web_config`` reply."""
    return tuple(
        ApplicationFacts(
            str(one["path"]),
            _plain("asp_net_core", "bool | None", one["asp_net_core"]),
            _plain("in_process", "bool | None", one["in_process"]),
            bool(one["disallow_rotation_on_config_change"]),
            _plain("module_version", "str | None", one["module_version"]),
        )
        for one in reply["apps"]
    )


def appcmd_answer(reply: Reply) -> tuple[str, int]:
    """An ``appcmd`` reply: what it said (localised, in some code page) and its exit code (0 to 2**32 - 1)."""
    return base64.b64decode(reply["output"]).decode("utf-8", "replace"), int(reply["exit_code"]) & 0xFFFFFFFF


def config_bytes(reply: Reply) -> tuple[str, bytes, str] | None:
    """A ``read_config`` reply: digest, bytes and path; None when it says that nothing changed."""
    if reply.get("unchanged"):
        return None
    try:
        data = gzip.decompress(base64.b64decode(reply["data"]))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it cannot be unpacked: {error}") from error
    return str(reply["digest"]), data, str(reply["path"])


def results(reply: Reply, key: str) -> Any:
    """What the one operation of a ``files`` request came to."""
    (one,) = reply["results"]
    return one[key]


def folder_digest(reply: Reply) -> FolderDigest | None:
    """A ``folder`` reply; None when there is no such folder."""
    if reply.get("missing"):
        return None
    return FolderDigest(int(reply["files"]), int(reply["bytes"]), str(reply["digest"]))


# -- private -------------------------------------------------------------------------------------------

_UNKNOWN = object()
_OWN = frozenset({"name", "now", "listening_ports", "reserved_ports"})


def _probe_answer(told: Reply) -> ProbeAnswer:
    headers = tuple((str(one[0]), str(one[1])) for one in told.get("headers") or ())
    return ProbeAnswer(
        int(told["status"]), headers, told.get("text") or "", float(told.get("seconds") or 0), told.get("error") or ""
    )


def _known(word: type[W], told: Reply) -> W:
    return word(**_fields(word, told))


def _fields(word: type[Any], told: Reply) -> dict[str, Any]:
    """What is told of a dataclass's fields; ``TypeError`` where a plain one is of another type."""
    kinds = {one.name: str(one.type) for one in fields(word)}
    return {name: _plain(name, kinds[name], value) for name, value in told.items() if name in kinds}


def _plain(name: str, kinds: str, value: Any) -> Any:
    """The value, if it is of the annotated type; annotations that name more than plain types let all through."""
    words = kinds.split(" | ")
    if all(one in _PLAIN for one in words) and type(value) not in [_PLAIN[one] for one in words]:
        raise TypeError(f"{name} is {value!r}")
    return value


_PLAIN: Mapping[str, type] = {"str": str, "int": int, "bool": bool, "None": type(None)}


def _nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """``{"health_check.url": "u"}`` as ``{"health_check": {"url": "u"}}``."""
    found: dict[str, Any] = {}
    for field, value in settings.items():
        *path, name = field.split(".")
        place = found
        for one in path:
            place = place.setdefault(one, {})
        place[name] = value
    return found


def _with(word: W, told: Mapping[str, Any]) -> W:
    """The word with nested settings, each word made anew once; what it does not know is left out."""
    values: dict[str, Any] = {}
    kinds = {one.name: str(one.type) for one in fields(word)}  # type: ignore[arg-type]  # only dataclasses come here
    for name, value in told.items():
        current = getattr(word, name, _UNKNOWN)
        if is_dataclass(current) and isinstance(value, Mapping):
            values[name] = _with(current, value)
        elif current is not _UNKNOWN:
            is_time = isinstance(current, timedelta)
            values[name] = timedelta(seconds=value) if is_time else _plain(name, kinds[name], value)
    new: W = replace(word, **values)  # type: ignore[type-var]  # only dataclasses come here
    return new


def _running(told: Reply) -> ServerStatus:
    state = told.get("state")
    status = _known(ServerStatus, told)
    return replace(status, state=None if state is None else ServerState(state))


def _worker(told: Reply) -> WorkerProcess:
    return WorkerProcess(str(told["pool"]), int(told["pid"]), _time(told["started"]))


def _state(text: str) -> RunState:
    return next((one for one in RunState if one.value == text), RunState.UNKNOWN)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
