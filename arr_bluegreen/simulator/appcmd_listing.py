"""list, as text and as ``/xml`` (arr.md 4.2). Nothing found: no text, ``<appcmd />``, exit code 1."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from lxml import etree

from arr_bluegreen.simulator.appcmd_errors import hresult_error
from arr_bluegreen.simulator.appcmd_objects import applications, find_object, virtual_directories
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.simulator.config_tree import Place
from arr_bluegreen.simulator.workers import Execution, Worker


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing: its tag and name, the text in parentheses, its XML attributes in order, its element."""

    tag: str
    name: str
    shown: str
    attributes: dict[str, str] = field(default_factory=dict)
    place: Place | None = None


def list_objects(run: Run) -> int:
    """The objects of the command's kind that fit its identifier and filters."""
    found = [one for one in _LIST[run.command.object](run) if _fits(run, one)]
    _print(run, found)
    return 0 if found else 1


# -- private: kinds -------------------------------------------------------------------------------------------


def _sites(run: Run) -> list[Listed]:
    states = {one.name: one for one in run.machine.iis.sites()}
    found: list[Listed] = []
    for site in run.machine.config.reading.sites:
        bindings = ",".join(f"{one.protocol}/{one.information}" for one in site.bindings)
        number, state = str(states[site.name].id), states[site.name].state.value
        told = {"SITE.NAME": site.name, "SITE.ID": number, "bindings": bindings, "state": state}
        shown = f"id:{number},bindings:{bindings},state:{state}"
        found.append(Listed("SITE", site.name, shown, told, find_object(run, "site", site.name)))
    return found


def _pools(run: Run) -> list[Listed]:
    found: list[Listed] = []
    for pool in run.machine.config.reading.pools:
        state = run.machine.iis.pools([pool.name])[0].state.value
        told = {
            "APPPOOL.NAME": pool.name,
            "PipelineMode": pool.managed_pipeline_mode,
            "RuntimeVersion": pool.managed_runtime_version,
            "state": state,
        }
        shown = f"MgdVersion:{pool.managed_runtime_version},MgdMode:{pool.managed_pipeline_mode},state:{state}"
        found.append(Listed("APPPOOL", pool.name, shown, told, find_object(run, "apppool", pool.name)))
    return found


def _apps(run: Run) -> list[Listed]:
    reading = run.machine.config.reading
    pools = {f"{site.name}{app.path}".casefold(): app.pool for site in reading.sites for app in site.applications}
    found: list[Listed] = []
    for name, app, site in applications(run):
        pool = pools.get(name.casefold(), "")
        told = {
            "path": app.get("path"),
            "APP.NAME": name,
            "APPPOOL.NAME": pool,
            "SITE.NAME": site.get("name"),
        }
        found.append(Listed("APP", name, f"applicationPool:{pool}", told, app))
    return found


def _vdirs(run: Run) -> list[Listed]:
    found: list[Listed] = []
    for name, app, vdir in virtual_directories(run):
        folder, path = vdir.get("physicalPath"), vdir.get("path")
        told = {"VDIR.NAME": name, "physicalPath": folder, "path": path, "APP.NAME": app.get("path")}
        found.append(Listed("VDIR", name, f"physicalPath:{folder}", told, vdir))
    return found


def _workers(run: Run) -> list[Worker]:
    pools = run.machine.config.reading.pools
    return [worker for pool in pools for worker in run.machine.iis.workers(pool.name)]


def _wps(run: Run) -> list[Listed]:
    return [
        Listed("WP", str(one.pid), f"applicationPool:{one.pool}", {"WP.NAME": str(one.pid), "APPPOOL.NAME": one.pool})
        for one in _workers(run)
    ]


def _requests(run: Run) -> list[Listed]:
    if not run.machine.settings.request_monitor:
        raise hresult_error(0x80004001, "Command execution failed.", "Not implemented")
    return [_request(run, worker, one) for worker in _workers(run) for one in sorted(worker.executions, key=id)]


def _request(run: Run, worker: Worker, execution: Execution) -> Listed:
    name = f"{id(execution) & 0xFFFFFFFFFFFFFFFF:016x}"
    milliseconds = int((run.machine.clock.monotonic() - execution.since) * 1000)
    told = {
        "REQUEST.NAME": name,
        "Url": execution.url,
        "Verb": execution.verb,
        "ClientIp": execution.client or "127.0.0.1",
        "Time": str(milliseconds),
        "WP.NAME": str(worker.pid),
        "APPPOOL.NAME": worker.pool,
        "SITE.NAME": execution.app.site.name,
        "SITE.ID": str(execution.app.site.id),
    }
    client = execution.client or "localhost"
    shown = f"url:{execution.verb} {execution.url},time:{milliseconds} msec,client:{client}"
    return Listed("REQUEST", name, shown, told)


_LIST: dict[str, Callable[[Run], list[Listed]]] = {
    "site": _sites,
    "apppool": _pools,
    "app": _apps,
    "vdir": _vdirs,
    "wp": _wps,
    "request": _requests,
}

# -- private: which, and how -----------------------------------------------------------------------------------

_FORMATS = ("xml", "text", "config", "commit", "metadata", "debug")


def _fits(run: Run, one: Listed) -> bool:
    command = run.command
    if command.identifier is not None and command.identifier.casefold() != one.name.casefold():
        return False
    known = {key.casefold(): value for key, value in one.attributes.items()}
    known |= {"name": one.name, "id": known.get("site.id", ""), "applicationpool": known.get("apppool.name", "")}
    for name, value in command.without(*_FORMATS, "elapsed"):
        there = known.get(name.casefold())
        if there is None and one.place is not None:
            there = one.place.get(name)
        if (there or "").casefold() != (value or "").casefold():
            return False
    return True


def _print(run: Run, found: list[Listed]) -> None:
    text = run.command.value("text")
    if run.command.value("xml") is not None:
        inner = "".join(f"  {_xml(one, run.command.value('config') is not None)}\n" for one in found)
        run.say('<?xml version="1.0" encoding="UTF-8"?>')
        run.say(f"<appcmd>\n{inner}</appcmd>" if found else "<appcmd />")
    elif run.command.value("config") is not None:
        for one in found:
            run.say(_config_text(one))
    elif text == "*":
        for one in found:
            run.say(f"{one.tag}\n" + "\n".join(f'  {key}:"{value}"' for key, value in one.attributes.items()))
    elif text is not None:
        for one in found:
            run.say(next((value for key, value in one.attributes.items() if _is(key, text)), ""))
    else:
        for one in found:
            run.say(f'{one.tag} "{one.name}" ({one.shown})')


def _is(key: str, asked: str) -> bool:
    return asked.casefold() in (key.casefold(), key.casefold().rsplit(".", 1)[-1])


def _xml(one: Listed, config: bool) -> str:
    attributes = " ".join(f"{key}={quoteattr(value)}" for key, value in one.attributes.items())
    inner = _config_text(one) if config else ""
    return f"<{one.tag} {attributes}>{inner}</{one.tag}>" if inner else f"<{one.tag} {attributes} />"


def _config_text(one: Listed) -> str:
    if one.place is None:
        return ""
    shown = copy.deepcopy(one.place.made())
    shown.tail = None
    etree.indent(shown, "  ")
    return etree.tostring(shown, encoding="unicode")
