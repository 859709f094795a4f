"""What the file scripts do on the simulated drives: files, folder, hosts_file, web_config. No run time, no IIS."""

from __future__ import annotations

import base64
import ntpath
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

from lxml import etree

from arr_bluegreen.simulator.files import HOSTS, Drives, expanded
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
            return {"text": _text(drives, path)}
        case "write":
            drives.write_text(path, str(op["text"]))
            return {"done": True}
        case "create":
            return {"done": drives.create(path, str(op["text"]))}
        case "replace":
            there = _is_expected(drives, path, op["expected"])
            if there:
                drives.write_text(path, str(op["text"]))
            return {"done": there}
        case "delete":
            return {"done": _is_expected(drives, path, op["expected"]) and drives.delete(path)}
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


def _text(drives: Drives, path: str) -> str | None:
    """Strictly, and with its byte order mark."""
    data = drives.read_bytes(path)
    if data is None:
        return None
    if len(data) > 4194304:
        raise ScriptError(f"{expanded(path)} is larger than 4 MB", "TooLarge")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ScriptError(f"'{expanded(path)}' is not UTF-8", "NotUtf8") from error


def _is_expected(drives: Drives, path: str, expected: object) -> bool:
    return drives.read_bytes(path) is not None and (expected is None or _text(drives, path) == expected)


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
    data = drives.read_bytes(HOSTS)
    before = (data or b"").decode("latin-1")
    match str(request["op"]):
        case "read":
            return {"text": before}
        case "set":
            after = _owned_lines(before, str(request["owner"]), request["lines"])
        case "remove":
            after = _owned_lines(before, str(request["owner"]), [])
        case other:
            raise ScriptError(f"no hosts file operation '{other}'", "NoSuchObject")
    if after != before:
        stamp = machine.clock.now().strftime("%Y%m%d-%H%M%S-%f")
        if data is not None:
            drives.write_bytes(f"{HOSTS}.arr-bluegreen-{stamp}.bak", data)
        drives.write_bytes(HOSTS, after.encode("latin-1"))
        _keep_newest_backups(drives)
    return {"changed": after != before}


def _keep_newest_backups(drives: Drives) -> None:
    folder, _, name = HOSTS.rpartition("\\")
    ours = sorted(one for one in drives.names(folder) if fnmatch(one, f"{name}.arr-bluegreen-*.bak"))
    for one in ours[:-5]:
        drives.delete(f"{folder}\\{one}")


def _owned_lines(text: str, owner: str, lines: list[list[str]]) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][\w .-]*", owner):
        raise ScriptError(f"'{owner}' cannot mark a line of the hosts file", "BadName")
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
