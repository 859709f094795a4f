"""What our scripts do with configuration, sites and probes, played from their request; and the table of all scripts."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.simulator.appcmd import run_appcmd
from arr_bluegreen.simulator.argv import split_arguments
from arr_bluegreen.simulator.faults import Faults, What
from arr_bluegreen.simulator.powershell_errors import (
    COM,
    CONFIG_PATH,
    DENIED,
    FILE_LOAD,
    ScriptError,
    may_open,
    open_manager,
)
from arr_bluegreen.simulator.powershell_runtime import RUN_TIME_SCRIPTS, worker_reply
from arr_bluegreen.webfarm import PoolStatus, RunState

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

Request = Mapping[str, Any]
Reply = dict[str, Any]
Script = Callable[["Machine", Request, Faults], Awaitable[Reply]]

# -- private: configuration ---------------------------------------------------------------------------------


async def _read_config(machine: Machine, request: Request, faults: Faults) -> Reply:
    """The bytes are read from the file, so that one that is broken is told as it is."""
    may_open(machine)
    _opens_share(machine)
    plain = machine.config.store.load()
    digest = hashlib.sha256(plain).hexdigest()
    if digest == request.get("unless"):
        return {"digest": digest, "unchanged": True}
    folder = machine.settings.redirected_to.rstrip("\\")
    path = f"{folder}\\applicationHost.config" if folder else CONFIG_PATH
    return {"digest": digest, "data": base64.b64encode(gzip.compress(plain, 1)).decode(), "path": path}


async def _commit(machine: Machine, request: Request, faults: Faults) -> Reply:
    open_manager(machine)
    _opens_share(machine)
    if request.get("expect") and str(request["expect"]) != machine.config.digest:
        raise ScriptError(_CHANGED, "ChangedOnDisk")
    fault = faults.take(What.COMMIT, "commit")
    if fault is not None:
        raise _commit_failure(fault.how)
    return {"digest": machine.config.commit(list(request["edits"]))}


def _opens_share(machine: Machine) -> None:
    """ServerManager reads the share with the redirection's own user; a script that opens the file has only its
    sign-in, which does not reach there (winrm.md 1, double hop)."""
    folder = machine.settings.redirected_to
    if not machine.settings.second_hop and folder.startswith("\\\\"):
        text = f"Access to the path '{folder.rstrip(chr(92))}\\applicationHost.config' is denied."
        raise ScriptError(text, DENIED, 0x80070005)


async def _appcmd(machine: Machine, request: Request, faults: Faults) -> Reply:
    """The played appcmd with the command line it gets; what it prints is in the shell's UTF-8."""
    may_open(machine)
    expect = request["expect"]
    if expect and expect != hashlib.sha256(machine.config.store.load()).hexdigest():
        raise ScriptError(_CHANGED, "ChangedOnDisk")
    await asyncio.sleep(machine.settings.appcmd_start_seconds)
    line = " ".join(("appcmd.exe", *request["arguments"]))
    answer = run_appcmd(machine, split_arguments(line)[1:], faults, machine.settings.appcmd_language)
    said = answer.text.replace("\n", "\r\n").encode()
    return {"exit_code": answer.exit_code, "output": base64.b64encode(said).decode()}


_CHANGED = "applicationHost.config changed on disk since it was read; nothing was written"


def _commit_failure(how: str) -> ScriptError:
    """CommitChanges failing as others have seen it (arr.md 5.11)."""
    place = f"Filename: \\\\?\\{CONFIG_PATH}\r\nError: "
    if how == "changed":
        text = "Cannot commit configuration changes because the file has changed on disk\r\n"
        return ScriptError(place + text, FILE_LOAD, 0x80131621)
    if how == "denied":
        text = "Cannot write configuration file due to insufficient permissions\r\n"
        return ScriptError(place + text, DENIED, 0x80070005)
    return ScriptError(place + "Cannot write configuration file\r\n", COM, 0x80070020)


# -- private: sites and pools ---------------------------------------------------------------------------------


async def _sites(machine: Machine, request: Request, faults: Faults) -> Reply:
    open_manager(machine)
    pools = machine.iis.pools([str(one) for one in request.get("pools") or ()])
    return {
        "sites": [{"name": one.name, "id": one.id, "state": one.state.value} for one in machine.iis.sites()],
        "pools": [_pool(one, bool(request.get("requests"))) for one in pools],
    }


def _pool(status: PoolStatus, requests: bool) -> Reply:
    return {
        "name": status.name,
        "state": status.state.value,
        "workers": [worker_reply(one) for one in status.workers],
        "requests": status.requests if requests else None,
    }


async def _site_action(machine: Machine, request: Request, faults: Faults) -> Reply:
    open_manager(machine)
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


SCRIPTS: dict[str, Script] = {
    **RUN_TIME_SCRIPTS,
    "read_config": _read_config,
    "commit": _commit,
    "appcmd": _appcmd,
    "probe": _probe,
    "sites": _sites,
    "site_action": _site_action,
}
