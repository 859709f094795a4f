"""What our scripts do on the simulated machine, played from their request: run time, sites, configuration, probe.

Errors come as the bootstrap tells them: type, message, HRESULT (winrm.md 5, HRESULTs).
"""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.errors import ArrBlueGreenError, NoSuchObject, RemoteError
from arr_bluegreen.simulator.config import ChangedOnDisk
from arr_bluegreen.simulator.faults import Faults, What
from arr_bluegreen.webfarm import FarmStatus, HealthTest, NewState, PoolStatus, RunState, Server, WebFarm, WorkerProcess

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

Request = Mapping[str, Any]
Reply = dict[str, Any]
Script = Callable[["Machine", Request, Faults], Awaitable[Reply]]
CONFIG_PATH = r"C:\Windows\System32\inetsrv\config\applicationHost.config"
THROWN = 0x80131501
"""The HRESULT of what a script throws itself (COR_E_SYSTEM)."""


class ScriptError(Exception):
    """An error as the bootstrap's ``Describe`` would tell it."""

    def __init__(self, message: str, type: str, hresult: int = THROWN, line: int = 1) -> None:
        super().__init__(message)
        self.message, self.type, self.hresult, self.line = message, type, hresult, line

    def told(self) -> Reply:
        """As JSON."""
        code = f"0x{self.hresult & 0xFFFFFFFF:08X}"
        return {"message": self.message, "hresult": code, "type": self.type, "line": self.line}


def as_script_error(error: Exception) -> ScriptError:
    """Any error of the simulated machine as Windows would put it."""
    match error:
        case ScriptError():
            return error
        case NoSuchObject():
            there = f"; there: {', '.join(error.there)}" if error.there else ""
            return ScriptError(f"no {error.kind} '{error.name}'{there}", "NoSuchObject")
        case ChangedOnDisk():
            return ScriptError(f"Filename: \\\\?\\{CONFIG_PATH}\r\nError: {error}\r\n", _FILE_LOAD, 0x80131621)
        case RemoteError() if error.code is not None:
            return ScriptError(str(error), _COM, error.code)
        case ArrBlueGreenError():
            return ScriptError(str(error), _COM, 0x8007000D)
        case KeyError() | TypeError() | ValueError() | AttributeError():
            return ScriptError(f"The request is not as the script expects: {error!r}", _PROPERTY)
        case _:
            return ScriptError(f"the simulated machine failed: {error!r}", type(error).__name__)


# -- private: machine, status ---------------------------------------------------------------------------

_COM = "System.Runtime.InteropServices.COMException"
_FILE_LOAD = "System.IO.FileLoadException"
_PROPERTY = "System.Management.Automation.PropertyNotFoundException"


async def _machine(machine: Machine, request: Request, faults: Faults) -> Reply:
    settings = machine.settings
    there = settings.iis_version != ""
    seen = there and settings.elevated
    facts: Reply = {
        "computer": settings.computer,
        "now": _time(machine.clock.now()),
        "is_64_bit": settings.is_64_bit,
        "elevated": settings.elevated,
        "arr_installed": settings.arr_installed if seen else None if there else False,
        "rewrite_installed": settings.rewrite_installed if seen else None if there else False,
        "request_monitor": settings.request_monitor if seen else None,
        "redirected_to": (settings.redirected_to or None) if seen else None,
        "aspnetcore_module": settings.aspnetcore_module or None,
        "iis_version": settings.iis_version or None,
        "program_data": r"C:\ProgramData",
    }
    if request.get("ports"):
        facts["listening_ports"] = _listening(machine)
        facts["reserved_ports"] = _ranges(settings.reserved_ports)
    return facts


async def _status(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    _needs_arr(machine)
    reading, front = machine.config.reading, [str(one) for one in request.get("front") or ()]
    names = [one.name for one in reading.farms]
    if request.get("farm") is not None:
        names = [one for one in names if one.casefold() == str(request["farm"]).casefold()]
        if not names:
            raise NoSuchObject("farm", str(request["farm"]), tuple(one.name for one in reading.farms))
    known = {one.name.casefold(): one for one in reading.sites}
    missing = next((one for one in front if one.casefold() not in known), None)
    if missing is not None:
        raise NoSuchObject("site", missing, tuple(one.name for one in reading.sites))
    pools = {application.pool for one in front for application in known[one.casefold()].applications}
    workers = [_worker(one.process) for pool in sorted(pools) for one in machine.iis.workers(pool)]
    return {
        "computer": machine.settings.computer,
        "farms": [_farm(machine.arr.status(name)) for name in names],
        "arr_workers": workers if front else None,
    }


def _farm(status: FarmStatus) -> Reply:
    return {
        "name": status.farm.name,
        "enabled": status.farm.enabled,
        "settings": farm_settings(status.farm),
        "servers": [_server(one, status) for one in status.farm.servers],
    }


def farm_settings(farm: WebFarm) -> Reply:
    """What differs from the schema's default, by dotted field name such as ``protocol.cache.enabled``."""
    parts = ("health_check", "affinity", "load_balancing", "protocol")
    return {key: value for part in parts for key, value in _differing(part, getattr(farm, part)).items()}


def _differing(prefix: str, word: Any) -> Reply:
    found: Reply = {}
    for one, default in ((one, getattr(type(word)(), one.name)) for one in fields(word)):
        value = getattr(word, one.name)
        if is_dataclass(value):
            found |= _differing(f"{prefix}.{one.name}", value)
        elif value != default and not isinstance(value, tuple):
            found[f"{prefix}.{one.name}"] = value.total_seconds() if isinstance(value, timedelta) else value
    return found


def _server(server: Server, status: FarmStatus) -> Reply:
    running = status.server(server.address)
    return {
        **{one.name: getattr(server, one.name) for one in fields(server)},
        "state": running.state.value if running.state else None,
        "is_healthy": running.is_healthy,
        "current_requests": running.current_requests,
        "current_web_socket_requests": running.current_web_socket_requests,
        "total_requests": running.total_requests,
        "failed_requests": running.failed_requests,
        "last_reset_tick_count": running.last_reset_tick_count,
    }


# -- private: run time ------------------------------------------------------------------------------------


async def _set_state(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    _needs_arr(machine)
    pairs = [(str(address), _member(NewState, str(state))) for address, state in request["states"]]
    _all_there(machine, request, [address for address, _ in pairs])
    for address, state in pairs:
        machine.arr.set_state(str(request["farm"]), {address: state})
    return {}


async def _set_healthy(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    _needs_arr(machine)
    pairs = [(str(address), bool(healthy)) for address, healthy in request["healthy"]]
    _all_there(machine, request, [address for address, _ in pairs])
    for address, healthy in pairs:
        machine.arr.set_healthy(str(request["farm"]), {address: healthy})
    return {}


async def _test_health(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    _needs_arr(machine)
    _all_there(machine, request, [str(request["address"])])
    answer: asyncio.Future[HealthTest] = asyncio.get_running_loop().create_future()
    machine.arr.test_health(
        str(request["farm"]),
        str(request["address"]),
        str(request["url"]),
        timedelta(seconds=float(request["timeout"])),
        str(request["status_code_match"]),
        str(request.get("response_match") or ""),
        lambda test: None if answer.done() else answer.set_result(test),
    )
    test = await answer
    return {"result": test.result.value, "http_status": test.http_status, "error_code": test.error_code}


async def _remove_mapping(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    _needs_arr(machine)
    _all_there(machine, request, [str(request["address"])])
    return {"removed": machine.arr.remove_mapping(str(request["farm"]), str(request["address"]))}


def _all_there(machine: Machine, request: Request, addresses: list[str]) -> None:
    """The scripts find every server before they tell the first."""
    reading = machine.config.reading
    farm = reading.farm(str(request["farm"]))
    if farm is None:
        raise NoSuchObject("farm", str(request["farm"]), tuple(one.name for one in reading.farms))
    for address in addresses:
        if farm.server(address) is None:
            raise NoSuchObject("server", address, tuple(one.address for one in farm.servers))


# -- private: configuration ---------------------------------------------------------------------------------


async def _read_config(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    digest = machine.config.digest
    if digest == request.get("unless"):
        return {"digest": digest, "unchanged": True}
    data = base64.b64encode(gzip.compress(machine.config.data(), 1)).decode()
    return {"digest": digest, "data": data, "path": CONFIG_PATH}


async def _commit(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    if request.get("expect") and str(request["expect"]) != machine.config.digest:
        text = "applicationHost.config changed on disk since it was read; nothing was written"
        raise ScriptError(text, "ChangedOnDisk")
    fault = faults.take(What.COMMIT, "commit")
    if fault is not None:
        raise _commit_failure(fault.how)
    return {"digest": machine.config.commit(list(request["edits"]))}


def _commit_failure(how: str) -> ScriptError:
    """CommitChanges failing as others have seen it (arr.md 5.11)."""
    place = f"Filename: \\\\?\\{CONFIG_PATH}\r\nError: "
    if how == "changed":
        text = "Cannot commit configuration changes because the file has changed on disk\r\n"
        return ScriptError(place + text, _FILE_LOAD, 0x80131621)
    if how == "denied":
        text = "Cannot write configuration file due to insufficient permissions\r\n"
        return ScriptError(place + text, _DENIED, 0x80070005)
    return ScriptError(place + "Cannot write configuration file\r\n", _COM, 0x80070020)


# -- private: sites and pools ---------------------------------------------------------------------------------

_DENIED = "System.UnauthorizedAccessException"


async def _sites(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    pools = machine.iis.pools([str(one) for one in request.get("pools") or ()])
    return {
        "sites": [{"name": one.name, "id": one.id, "state": one.state.value} for one in machine.iis.sites()],
        "pools": [_pool(one, bool(request.get("requests"))) for one in pools],
    }


def _pool(status: PoolStatus, requests: bool) -> Reply:
    return {
        "name": status.name,
        "state": status.state.value,
        "workers": [_worker(one) for one in status.workers],
        "requests": status.requests if requests else None,
    }


def _worker(worker: WorkerProcess) -> Reply:
    return {"pool": worker.pool, "pid": worker.pid, "started": _time(worker.started)}


async def _site_action(machine: Machine, request: Request, faults: Faults) -> Reply:
    _open_manager(machine)
    reading, calls = machine.config.reading, []
    for action in request["actions"]:
        kind, name, verb = str(action["kind"]), str(action["name"]), str(action["verb"])
        there = tuple(one.name for one in (reading.sites if kind == "site" else reading.pools))
        if name.casefold() not in {one.casefold() for one in there}:
            raise NoSuchObject(kind, name, there)
        calls.append((kind, name, verb))
    for kind, name, verb in calls:
        _act(machine, kind, name, verb)
    return {}


def _act(machine: Machine, kind: str, name: str, verb: str) -> None:
    iis = machine.iis
    verbs: dict[tuple[str, str], Callable[[str], None]] = {
        ("site", "start"): iis.start_site,
        ("site", "stop"): iis.stop_site,
        ("pool", "start"): iis.start_pool,
        ("pool", "stop"): iis.stop_pool,
        ("pool", "recycle"): iis.recycle_pool,
    }
    call = verbs.get((kind, verb))
    if call is None:
        raise ScriptError(f"no verb '{verb}'", "NoSuchObject")
    state = _state_of(machine, kind, name)
    if (verb == "start" and state in _UP) or (verb == "stop" and state in _DOWN):
        return
    call(name)


_UP = (RunState.STARTED, RunState.STARTING)
_DOWN = (RunState.STOPPED, RunState.STOPPING)


def _state_of(machine: Machine, kind: str, name: str) -> RunState:
    if kind == "pool":
        return machine.iis.pools([name])[0].state
    return next(one.state for one in machine.iis.sites() if one.name.casefold() == name.casefold())


# -- private: probe -------------------------------------------------------------------------------------------


async def _probe(machine: Machine, request: Request, faults: Faults) -> Reply:
    limit = asyncio.Semaphore(max(1, min(32, int(request.get("concurrency") or 1))))

    async def one(asked: Request) -> Reply:
        async with limit:
            return _told_answer(await _ask(machine, asked))

    return {"answers": list(await asyncio.gather(*(one(asked) for asked in request["requests"])))}


async def _ask(machine: Machine, asked: Request) -> ProbeAnswer:
    wanted = ProbeRequest(
        url=str(asked["url"]),
        host=str(asked.get("host") or ""),
        method=str(asked.get("method") or "GET"),
        headers=tuple((str(name), str(value)) for name, value in asked.get("headers") or ()),
        body=str(asked.get("body") or ""),
        timeout=timedelta(seconds=float(asked.get("timeout") or 5)),
        verify_tls=bool(asked.get("verify_tls")),
    )
    answer: asyncio.Future[ProbeAnswer] = asyncio.get_running_loop().create_future()
    machine.asker.ask(wanted, lambda got: None if answer.done() else answer.set_result(got))
    return await answer


def _told_answer(answer: ProbeAnswer) -> Reply:
    return {
        "status": answer.status,
        "headers": [list(one) for one in answer.headers],
        "text": answer.text,
        "seconds": answer.seconds,
        "error": answer.error,
    }


# -- private: what every script meets ---------------------------------------------------------------------------


def _open_manager(machine: Machine) -> None:
    """ServerManager: missing without IIS, denied without elevation (arr.md 4.4; winrm.md 1, filtered token)."""
    if not machine.settings.iis_version:
        dll = r"C:\Windows\System32\inetsrv\Microsoft.Web.Administration.dll"
        raise ScriptError(f"IIS is not installed here: there is no {dll}", "IisMissing")
    if not machine.settings.elevated:
        text = "Cannot read configuration file due to insufficient permissions"
        raise ScriptError(f"Filename: redirection.config\r\nError: {text}\r\n", _DENIED, 0x80070005)
    machine.config.poll()


def _needs_arr(machine: Machine) -> None:
    if not machine.settings.arr_installed:
        raise ScriptError("Application Request Routing is not installed here", "ArrMissing")


def _member(kind: type[NewState], name: str) -> NewState:
    try:
        return kind(name)
    except ValueError as error:
        raise ScriptError(f"Enum must be one of {', '.join(one.value for one in kind)}", _COM, 0x8007000D) from error


def _listening(machine: Machine) -> list[int]:
    """The ports of started sites, and those Windows itself listens on."""
    started = {one.name for one in machine.iis.sites() if one.state is RunState.STARTED}
    sites = (one for one in machine.config.reading.sites if one.name in started)
    ports = {binding.port for one in sites for binding in one.bindings if binding.port is not None}
    return sorted(ports | {135, 445, 5985})


def _ranges(text: str) -> list[list[int]]:
    parts = (one.partition("-") for one in text.split(",") if one.strip())
    return [[int(first), int(last or first)] for first, _, last in parts]


def _time(moment: datetime) -> str:
    """As .NET's round-trip format ("o") writes a UTC time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


SCRIPTS: dict[str, Script] = {
    "machine": _machine,
    "status": _status,
    "set_state": _set_state,
    "set_healthy": _set_healthy,
    "test_health": _test_health,
    "remove_mapping": _remove_mapping,
    "read_config": _read_config,
    "commit": _commit,
    "probe": _probe,
    "sites": _sites,
    "site_action": _site_action,
}
