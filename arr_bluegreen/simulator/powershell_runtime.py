"""What our scripts do with run time, played from their request: machine, status, states, health, affinity."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.powershell_errors import COM, ScriptError, needs_arr, open_manager
from arr_bluegreen.webfarm import FarmStatus, HealthTest, NewState, RunState, Server, WebFarm, WorkerProcess

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

Request = Mapping[str, Any]
Reply = dict[str, Any]


def worker_reply(worker: WorkerProcess) -> Reply:
    """One worker process as JSON."""
    return {"pool": worker.pool, "pid": worker.pid, "started": _time(worker.started)}


# -- private: machine, status ---------------------------------------------------------------------------

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
    open_manager(machine)
    needs_arr(machine)
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
    workers = [worker_reply(one.process) for pool in sorted(pools) for one in machine.iis.workers(pool)]
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
    plain = type(word)()
    for one in fields(word):
        value, default = getattr(word, one.name), getattr(plain, one.name)
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
    open_manager(machine)
    needs_arr(machine)
    pairs = [(str(address), _member(NewState, str(state))) for address, state in request["states"]]
    _all_there(machine, request, [address for address, _ in pairs])
    for address, state in pairs:
        machine.arr.set_state(str(request["farm"]), {address: state})
    return {}


async def _set_healthy(machine: Machine, request: Request, faults: Faults) -> Reply:
    open_manager(machine)
    needs_arr(machine)
    pairs = [(str(address), bool(healthy)) for address, healthy in request["healthy"]]
    _all_there(machine, request, [address for address, _ in pairs])
    for address, healthy in pairs:
        machine.arr.set_healthy(str(request["farm"]), {address: healthy})
    return {}


async def _test_health(machine: Machine, request: Request, faults: Faults) -> Reply:
    open_manager(machine)
    needs_arr(machine)
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
    open_manager(machine)
    needs_arr(machine)
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


# -- private: words as JSON ------------------------------------------------------------------------------


def _member(kind: type[NewState], name: str) -> NewState:
    try:
        return kind(name)
    except ValueError as error:
        raise ScriptError(f"Enum must be one of {', '.join(one.value for one in kind)}", COM, 0x8007000D) from error


def _listening(machine: Machine) -> list[int]:
    """The ports of started sites, of other programs, and those Windows itself listens on."""
    started = {one.name for one in machine.iis.sites() if one.state is RunState.STARTED}
    sites = (one for one in machine.config.reading.sites if one.name in started)
    ports = {binding.port for one in sites for binding in one.bindings if binding.port is not None}
    return sorted(ports | {135, 445, 5985} | machine.net.listening())


def _ranges(text: str) -> list[list[int]]:
    parts = (one.partition("-") for one in text.split(",") if one.strip())
    return [[int(first), int(last or first)] for first, _, last in parts]


def _time(moment: datetime) -> str:
    """As .NET's round-trip format ("o") writes a UTC time."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"

RUN_TIME_SCRIPTS = {
    "machine": _machine,
    "status": _status,
    "set_state": _set_state,
    "set_healthy": _set_healthy,
    "test_health": _test_health,
    "remove_mapping": _remove_mapping,
}
