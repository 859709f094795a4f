"""start, stop, recycle: run time only, configuration is not written (arr.md 3.1, 4.3)."""

from __future__ import annotations

from arr_bluegreen.simulator.appcmd_errors import AppcmdError, hresult_error
from arr_bluegreen.simulator.appcmd_objects import find_object
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.webfarm import RunState, Site

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
    if verb == "start" and _invalid(run, name):
        raise hresult_error(0x800710D8, _FAILED, "The object identifier does not represent a valid object.")
    (iis.start_site if verb == "start" else iis.stop_site)(name)


def _invalid(run: Run, name: str) -> bool:
    """A site WAS would not start: no root application, or a binding that a started site has (arr.md 4.4)."""
    reading = run.machine.config.reading
    site = reading.site(name)
    if site is None or not any(one.path == "/" for one in site.applications):
        return True
    started = {one.name for one in run.machine.iis.sites() if one.state is RunState.STARTED} - {site.name}
    others = (one for one in reading.sites if one.name in started)
    return any(_bindings(site) & _bindings(other) for other in others)


def _bindings(site: Site) -> set[tuple[str, str]]:
    return {(one.protocol, one.information.casefold()) for one in site.bindings}


def _pool(run: Run, verb: str, name: str) -> None:
    """A started pool cannot be started again, a stopped one not stopped or recycled: seen so by many, not in arr.md."""
    iis = run.machine.iis
    state = iis.pools([name])[0].state
    if verb == "start" and state is RunState.STARTED:
        raise hresult_error(0x80070420, _FAILED, "An instance of the service is already running.")
    if verb != "start" and state is RunState.STOPPED:
        raise hresult_error(0x80070426, _FAILED, "The service has not been started.")
    {"start": iis.start_pool, "stop": iis.stop_pool, "recycle": iis.recycle_pool}[verb](name)
