"""The application a simulated slot serves, told by two files of its root folder.

``simulated-app.json`` says how it behaves, ``web.config`` with ``<aspNetCore>`` makes it an ASP.NET Core slot (arr.md
5.8). Both are read when the pool's worker process starts, so a new version needs a recycle, as on Windows.
"""

from __future__ import annotations

import json
import ntpath
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import parse_qs

from lxml import etree

from arr_bluegreen.errors import DescriptionError
from arr_bluegreen.simulator.files import Drives
from arr_bluegreen.webfarm import Site, VirtualDirectory

APP_FILE = "simulated-app.json"


@dataclass(frozen=True, slots=True)
class AppSpec:
    """How a version behaves. Times are seconds."""

    version: str = "1"
    start_seconds: float = 0.0
    """From the worker process's start until it answers; requests wait so long, as IIS queues them."""
    broken: bool = False
    """Every answer is ``broken_status``, and it never gets healthy."""
    broken_status: int = 500
    health_path: str = "/health"
    healthy_after: float = 0.0
    """Seconds after its start during which the health path says 503."""
    fail_after: int | None = None
    """So many answers, then every one is 500."""
    answer_seconds: float = 0.0
    """How long an ordinary answer takes."""
    serves_files: bool = True
    """False: the application's own handler swallows files of its folder (issue 5: a health file)."""


@dataclass(frozen=True, slots=True)
class CoreModule:
    """What web.config says of the ASP.NET Core module (arr.md 5.8)."""

    in_process: bool = True
    disallow_rotation: bool = False


@dataclass(slots=True)
class App:
    """An application in a worker process: what it is, when it can answer (monotonic seconds), and how often it did."""

    site: Site
    spec: AppSpec
    core: CoreModule | None
    ready_at: float
    started_at: float
    answered: int = 0
    stopped: bool = False
    """The module stopped it for good (``disallow_rotation = "breaks"``): 503 until the worker process is a new one."""


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """One request as the slot sees it; ``path`` has no query."""

    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class SlotAnswer:
    """What comes back, ``seconds`` after the request."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    version: str = ""
    seconds: float = 0.0


def read_spec(drives: Drives, folder: str) -> AppSpec:
    """The folder's ``simulated-app.json``; the default application when there is none.

    Raises ``DescriptionError`` for a file that is no JSON object of the known names.
    """
    text = drives.read_text(ntpath.join(folder, APP_FILE)) if folder else None
    if text is None:
        return AppSpec()
    known = {one.name for one in fields(AppSpec)}
    try:
        return AppSpec(**{name: value for name, value in json.loads(text).items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise DescriptionError(f"not a simulated application: {error}", where=ntpath.join(folder, APP_FILE)) from error


def read_core_module(drives: Drives, folder: str) -> CoreModule | None:
    """What the folder's web.config says of ASP.NET Core; None when it is no such application, or cannot be read."""
    data = drives.read_bytes(ntpath.join(folder, "web.config")) if folder else None
    if data is None:
        return None
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return None
    element = root.find(".//aspNetCore")
    if element is None:
        return None
    setting = element.find("handlerSettings/handlerSetting[@name='disallowRotationOnConfigChange']")
    wanted = setting is not None and setting.get("value", "").casefold() == "true"
    return CoreModule(element.get("hostingModel", "inprocess").casefold() == "inprocess", wanted)


def answer(app: App, request: SlotRequest, drives: Drives, now: float) -> SlotAnswer:
    """What the application says now (monotonic seconds) to a request it has taken.

    Health path, ``/slow?seconds=N``, ``/headers`` (those it got); files of other virtual directories come from the
    disk alone; every other path is 200 with the version.
    """
    app.answered += 1
    spec = app.spec
    if app.stopped:
        return SlotAnswer(503, b"Service Unavailable", "text/html")
    found = _file(app, request.path, drives)
    if found is not None:
        return found
    if spec.broken and request.path == spec.health_path:
        return SlotAnswer(503, b"broken", "text/plain", spec.version)
    if spec.broken or (spec.fail_after is not None and app.answered > spec.fail_after):
        return SlotAnswer(spec.broken_status if spec.broken else 500, b"failed", "text/plain", spec.version)
    if request.path == spec.health_path:
        healthy = now - app.ready_at >= spec.healthy_after
        return SlotAnswer(200 if healthy else 503, b"healthy" if healthy else b"starting", "text/plain", spec.version)
    if request.path == "/headers":
        return SlotAnswer(200, json.dumps(dict(request.headers)).encode(), "application/json", spec.version)
    seconds = spec.answer_seconds
    if request.path == "/slow":
        seconds = float(parse_qs(request.query).get("seconds", ["1"])[0])
    return SlotAnswer(200, _body(app, request), "application/json", spec.version, seconds)


# -- private ---------------------------------------------------------------------------------------------


def _file(app: App, path: str, drives: Drives) -> SlotAnswer | None:
    """A static file: of a virtual directory beside the root (404 when it is not there), or of the root folder."""
    for directory in _directories(app.site):
        start = directory.path.rstrip("/").casefold() + "/"
        if path.casefold().startswith(start):
            name = ntpath.join(directory.physical_path, *path[len(start) :].split("/"))
            data = drives.read_bytes(name)
            return SlotAnswer(404, b"not found", "text/plain") if data is None else SlotAnswer(200, data, "text/html")
    if (
        not app.spec.serves_files
        or not path.casefold().endswith((".html", ".htm", ".txt"))
        or not app.site.physical_path
    ):
        return None
    data = drives.read_bytes(ntpath.join(app.site.physical_path, *path.strip("/").split("/")))
    return None if data is None else SlotAnswer(200, data, "text/html")


def _directories(site: Site) -> list[VirtualDirectory]:
    found = [
        VirtualDirectory(application.path.rstrip("/") + directory.path, directory.physical_path)
        for application in site.applications
        for directory in application.virtual_directories
    ]
    return [one for one in found if one.path not in ("", "/")]


def _body(app: App, request: SlotRequest) -> bytes:
    said = {
        "version": app.spec.version,
        "slot": app.site.name,
        "path": request.path,
        "method": request.method,
        "received": len(request.body),
    }
    return json.dumps(said, separators=(",", ":")).encode()
