"""start, stop, recycle: run time only, configuration is not written (arr.md 3.1, 4.3)."""

from __future__ import annotations

from arr_bluegreen.errors import RemoteError
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, hresult_error
from arr_bluegreen.simulator.appcmd_objects import find_object
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.webfarm import RunState

_FAILED = "Command execution failed."


def run_verb(run: Run) -> int:
    """``start|stop site|apppool``, ``recycle apppool``."""
    verb, kind = run.command.verb, run.command.object
    name = run.identifier(f"{kind}.name", "name")
    if name is None:
        raise AppcmdError(f"Must use exact identifer for {kind.upper()} object with verb {verb.upper()}.", 50)
    name = find_object(run, kind, name).get("name")
    if kind == "site":
        _site(run, verb, name)
    else:
        _pool(run, verb, name)
    past = {"start": "started", "stop": "stopped", "recycle": "recycled"}[verb]
    run.say(f'"{name}" successfully {past}.')
    return 0


# -- private ------------------------------------------------------------------------------------------


def _site(run: Run, verb: str, name: str) -> None:
    iis = run.machine.iis
    try:
        (iis.start_site if verb == "start" else iis.stop_site)(name)
    except RemoteError as error:
        raise hresult_error(error.code or 0, _FAILED, str(error)) from error


def _pool(run: Run, verb: str, name: str) -> None:
    """A started pool cannot be started again, a stopped one not stopped or recycled: seen so by many, not in arr.md."""
    iis = run.machine.iis
    state = iis.pools([name])[0].state
    if verb == "start" and state is RunState.STARTED:
        raise hresult_error(0x80070420, _FAILED, "An instance of the service is already running.")
    if verb != "start" and state is RunState.STOPPED:
        raise hresult_error(0x80070426, _FAILED, "The service has not been started.")
    {"start": iis.start_pool, "stop": iis.stop_pool, "recycle": iis.recycle_pool}[verb](name)
