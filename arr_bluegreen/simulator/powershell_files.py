"""What the file scripts do on the simulated drives: files, folder, hosts_file, web_config. No run time, no IIS."""

from __future__ import annotations

import base64
import ntpath
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lxml import etree

from arr_bluegreen.simulator.files import HOSTS, Drives
from arr_bluegreen.simulator.powershell_errors import ScriptError

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

Request = Mapping[str, Any]
Reply = dict[str, Any]

# -- private: files -------------------------------------------------------------------------------------


def _files(machine: Machine, request: Request) -> Reply:
    return {"results": [_file_op(machine.files, op) for op in request["ops"]]}


def _file_op(drives: Drives, op: Request) -> Reply:
    path = _path(op["path"])
    match str(op["op"]):
        case "read":
            return {"text": drives.read_text(path)}
        case "write":
            drives.write_text(path, str(op["text"]))
            return {"done": True}
        case "create":
            return {"done": drives.create(path, str(op["text"]))}
        case "replace":
            return {"done": drives.replace(path, str(op["expected"]), str(op["text"]))}
        case "delete":
            return {"done": drives.delete_if(path, op.get("expected"))}
        case "names":
            return {"names": [one for one in drives.names(path) if not one.endswith((".lock", ".tmp"))]}
        case "folder_exists":
            return {"done": drives.folder_exists(path)}
        case "delete_folder":
            there = drives.folder_exists(path)
            drives.delete_folder(path)
            return {"done": there}
        case other:
            raise ScriptError(f"no file operation '{other}'", "NoSuchObject")


# -- private: folder ------------------------------------------------------------------------------------


def _folder(machine: Machine, request: Request) -> Reply:
    drives = machine.files
    match str(request["op"]):
        case "digest":
            return _folder_digest(drives, _path(request["path"]))
        case "copy" | "expand" as verb:
            source, target = _path(request["source"]), _path(request["target"])
            if drives.folder_exists(target) or drives.read_bytes(target) is not None:
                raise ScriptError(f"there is something at '{target}' already", "Exists")
            if verb == "copy" and not drives.folder_exists(source):
                raise ScriptError(f"no folder '{source}'", "NoSuchObject")
            (drives.copy_folder if verb == "copy" else drives.expand)(source, target)
            return _folder_digest(drives, target)
        case "check":
            if drives.read_bytes(source := _path(request["source"])) is None:
                raise ScriptError(f"no file '{source}'", "NoSuchObject")
            drives.check_zip(source)
            return {"done": True}
        case "append":
            return {"size": _append(drives, _path(request["path"]), str(request["data"]), int(request["offset"]))}
        case other:
            raise ScriptError(f"no folder operation '{other}'", "NoSuchObject")


def _folder_digest(drives: Drives, path: str) -> Reply:
    found = drives.digest(path)
    return {"missing": True} if found is None else asdict(found)


def _append(drives: Drives, path: str, data: str, offset: int) -> int:
    before = drives.read_bytes(path) or b""
    if len(before) < offset:
        raise ScriptError(f"'{path}' holds {len(before)} bytes, fewer than the piece's offset {offset}", "BadPath")
    after = before[:offset] + base64.b64decode(data)
    drives.write_bytes(path, after)
    return len(after)


# -- private: hosts_file, web_config ----------------------------------------------------------------------


def _hosts_file(machine: Machine, request: Request) -> Reply:
    drives = machine.files
    before = (drives.read_bytes(HOSTS) or b"").decode("latin-1")
    after = before
    if request["op"] in ("set", "remove"):
        lines = request.get("lines") or [] if request["op"] == "set" else []
        after = _owned_lines(before, str(request["owner"]), lines)
    if after != before:
        drives.write_bytes(HOSTS + ".arr-bluegreen.bak", before.encode("latin-1"))
        drives.write_bytes(HOSTS, after.encode("latin-1"))
    return {"text": after, "changed": after != before}


def _owned_lines(text: str, owner: str, lines: list[list[str]]) -> str:
    kept = re.sub(rf"(?m)^[^\r\n#]*# {re.escape(owner)}[ \t]*(\r?\n|\Z)", "", text)
    if lines and kept and not kept.endswith("\n"):
        kept += "\r\n"
    for ip, name in lines:
        if not re.fullmatch(r"[0-9A-Fa-f.:]+ [A-Za-z0-9.-]+", f"{ip} {name}"):
            raise ScriptError(f"'{ip} {name}' is no hosts entry", "BadName")
        kept += f"{ip} {name} # {owner}\r\n"
    return kept


def _web_config(machine: Machine, request: Request) -> Reply:
    version = machine.settings.aspnetcore_module or None
    return {"apps": [_web_app(machine.files, str(path), version) for path in request["paths"]]}


def _web_app(drives: Drives, path: str, version: str | None) -> Reply:
    app: Reply = {
        "path": path,
        "asp_net_core": False,
        "in_process": None,
        "disallow_rotation_on_config_change": False,
        "module_version": version,
    }
    data = drives.read_bytes(ntpath.join(path, "web.config"))
    if data is None:
        return app
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as error:
        raise ScriptError(str(error), "System.Xml.XmlException", 0x80131940) from error
    core = next(iter(root.iter("{*}aspNetCore")), None)
    if core is None:
        return app
    told = {one.get("name"): one.get("value") for one in core.iterfind("{*}handlerSettings/{*}handlerSetting")}
    off = str(told.get("disallowRotationOnConfigChange", "")).casefold() == "true"
    hosting = core.get("hostingModel", "").casefold()
    app |= {"asp_net_core": True, "in_process": hosting == "inprocess", "disallow_rotation_on_config_change": off}
    return app


def _path(text: object) -> str:
    path = str(text)
    if not re.match(r"^([A-Za-z]:\\|%[A-Za-z_()]+%|\\\\)", path):
        raise ScriptError(f"'{path}' is not an absolute path", "BadPath")
    return path


FILE_SCRIPTS: dict[str, Callable[[Machine, Request], Reply]] = {
    "files": _files,
    "folder": _folder,
    "hosts_file": _hosts_file,
    "web_config": _web_config,
}
