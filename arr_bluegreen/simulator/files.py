"""The simulated machine's drives: Windows paths over a folder here, or over nothing but memory.

``C:\\x\\y`` lies at ``<root>/C/x/y``; ``%ProgramData%`` and its like are expanded; names are compared without case.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ntpath
import os
import re
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.errors import RemoteError, UsageError
from arr_bluegreen.simulator.zips import unpacked

VARIABLES = {
    "windir": "C:\\Windows",
    "systemroot": "C:\\Windows",
    "systemdrive": "C:",
    "programdata": "C:\\ProgramData",
    "programfiles": "C:\\Program Files",
    "temp": "C:\\Windows\\Temp",
    "iis_sites_home": "C:\\inetpub",
}
HOSTS = "C:\\Windows\\System32\\drivers\\etc\\hosts"


class Drives(ABC):
    """Files by Windows path. Whatever is not there reads as None; what cannot be done raises ``RemoteError``."""

    # -- the five things a kind of drive must do -------------------------------------------------------

    @abstractmethod
    def read_bytes(self, path: str) -> bytes | None:
        """The file's bytes, None when there is no such file."""

    @abstractmethod
    def write_bytes(self, path: str, data: bytes) -> None:
        """Written whole or not at all; missing folders are made."""

    @abstractmethod
    def delete(self, path: str) -> bool:
        """The file goes; False when it was not there."""

    @abstractmethod
    def below(self, path: str) -> tuple[str, ...]:
        """Every file below a folder, as relative names with backslashes, sorted."""

    @abstractmethod
    def folder_exists(self, path: str) -> bool:
        """Whether there is such a folder."""

    @abstractmethod
    def make_folder(self, path: str) -> None:
        """The folder is there afterwards."""

    @abstractmethod
    def delete_folder(self, path: str) -> None:
        """Gone afterwards, with all below it."""

    # -- what follows ------------------------------------------------------------------------------------

    def read_text(self, path: str) -> str | None:
        """The file as UTF-8, None when there is none."""
        data = self.read_bytes(path)
        return None if data is None else data.decode("utf-8-sig")

    def write_text(self, path: str, text: str) -> None:
        """Written as UTF-8, whole or not at all."""
        self.write_bytes(path, text.encode())

    def create(self, path: str, text: str) -> bool:
        """Created exclusively; False when it was there."""
        if self.read_bytes(path) is not None:
            return False
        self.write_text(path, text)
        return True

    def replace(self, path: str, expected: str, text: str) -> bool:
        """Compare and swap."""
        if self.read_text(path) != expected:
            return False
        self.write_text(path, text)
        return True

    def delete_if(self, path: str, expected: str | None) -> bool:
        """Removed, if given only while it reads ``expected``."""
        if expected is not None and self.read_text(path) != expected:
            return False
        return self.delete(path)

    def names(self, path: str) -> tuple[str, ...]:
        """The files right in a folder, sorted; none when there is no such folder."""
        return tuple(name for name in self.below(path) if "\\" not in name)

    def digest(self, path: str) -> FolderDigest | None:
        """Files, bytes and the sha256 of ``NAME\\0BYTES\\0SHA256\\n`` per file; None when there is no such folder.

        Names with ``/``, in .NET's ordinal order; the machine's own way, which ``folder.ps1`` tells.
        """
        if not self.folder_exists(path):
            return None
        total, whole = 0, hashlib.sha256()
        names = sorted((one.replace("\\", "/") for one in self.below(path)), key=lambda one: one.encode("utf-16-be"))
        for name in names:
            data = self.read_bytes(ntpath.join(path, name.replace("/", "\\"))) or b""
            total += len(data)
            whole.update(f"{name}\0{len(data)}\0{hashlib.sha256(data).hexdigest()}\n".encode())
        return FolderDigest(len(names), total, whole.hexdigest())

    def copy_folder(self, source: str, target: str) -> FolderDigest:
        """A folder copied to a new one."""
        if not self.folder_exists(source):
            raise RemoteError(f"no such folder: {source}", code=0x80070003)
        files = {name: self.read_bytes(ntpath.join(source, name)) or b"" for name in self.below(source)}
        return self._fill(target, files)

    def expand(self, source: str, target: str) -> FolderDigest:
        """A zip expanded to a new folder; one that breaks a rule is refused (``BadZip``)."""
        return self._fill(target, self.check_zip(source))

    def check_zip(self, source: str) -> Mapping[str, bytes]:
        """What a zip would expand to; ``BadZip`` for one that breaks a rule."""
        data = self.read_bytes(source)
        if data is None:
            raise UsageError(f"no file '{source}'")
        return unpacked(data)

    def append(self, path: str, data: str, offset: int) -> int:
        """One piece (base64) of an upload; returns the size now. Offset 0 begins anew; another offset must be the
        size."""
        before = b"" if offset == 0 else (self.read_bytes(path) or b"")
        if len(before) != offset:
            raise RemoteError(f"{path} has {len(before)} bytes, not {offset}")
        after = before + base64.b64decode(data)
        self.write_bytes(path, after)
        return len(after)

    def hosts(self) -> Mapping[str, str]:
        """The hosts file: name in lower case to IP address, the first entry of a name counts."""
        found: dict[str, str] = {"localhost": "127.0.0.1"}
        for line in (self.read_bytes(HOSTS) or b"").decode("latin-1").split("\n"):
            ip, *names = line.split("#", 1)[0].split() or [""]
            for name in names:
                found.setdefault(name.casefold(), ip)
        return found

    def _fill(self, target: str, files: Mapping[str, bytes]) -> FolderDigest:
        if self.folder_exists(target) and self.below(target):
            raise RemoteError(f"the folder is there already: {target}", code=0x800700B7)
        self.make_folder(target)
        for name, data in files.items():
            self.write_bytes(ntpath.join(target, name), data)
        filled = self.digest(target)
        assert filled is not None, "it was just made"
        return filled


@lru_cache(maxsize=4096)
def expanded(path: str) -> str:
    """An absolute Windows path with its variables expanded and its dots resolved; raises ``RemoteError`` for any
    other."""
    text = re.sub(r"%([^%]+)%", lambda found: VARIABLES.get(found[1].casefold(), found[0]), path)
    text = ntpath.normpath(text)
    if not re.match(r"^[A-Za-z]:\\?", text) or "%" in text:
        raise RemoteError(f"not an absolute path: {path}", code=0x8007007B)
    return text


class MemoryDrives(Drives):
    """Files in a dictionary."""

    def __init__(self) -> None:
        self._files: dict[str, tuple[str, bytes]] = {}
        self._folders: set[str] = set()

    def read_bytes(self, path: str) -> bytes | None:
        found = self._files.get(expanded(path).casefold())
        return None if found is None else found[1]

    def write_bytes(self, path: str, data: bytes) -> None:
        full = expanded(path)
        self._files[full.casefold()] = (full, data)

    def delete(self, path: str) -> bool:
        return self._files.pop(expanded(path).casefold(), None) is not None

    def below(self, path: str) -> tuple[str, ...]:
        start = expanded(path).casefold() + "\\"
        return tuple(sorted(full[len(start) :] for key, (full, _) in self._files.items() if key.startswith(start)))

    def folder_exists(self, path: str) -> bool:
        full = expanded(path).casefold()
        known = any(one == full or one.startswith(full + "\\") for one in self._folders)
        return known or any(key.startswith(full + "\\") for key in self._files)

    def make_folder(self, path: str) -> None:
        self._folders.add(expanded(path).casefold())

    def delete_folder(self, path: str) -> None:
        full = expanded(path).casefold()
        start = full + "\\"
        self._files = {key: value for key, value in self._files.items() if not key.startswith(start)}
        self._folders = {one for one in self._folders if one != full and not one.startswith(start)}


class DiskDrives(Drives):
    """Files below a folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def real(self, path: str) -> Path:
        """Where a Windows path lies here; each part is found without case if there is no exact one."""
        drive, rest = ntpath.splitdrive(expanded(path))
        at = self.root / drive[0].upper()
        for part in filter(None, rest.split("\\")):
            at = _any_case(at, part)
        return at

    def read_bytes(self, path: str) -> bytes | None:
        real = self.real(path)
        try:
            return real.read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def write_bytes(self, path: str, data: bytes) -> None:
        real = self.real(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=real.parent, prefix=".write-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(real)

    def delete(self, path: str) -> bool:
        try:
            self.real(path).unlink()
        except FileNotFoundError:
            return False
        return True

    def below(self, path: str) -> tuple[str, ...]:
        real = self.real(path)
        found = (
            one.relative_to(real) for one in real.rglob("*") if one.is_file() and not one.name.startswith(".write-")
        )
        return tuple(sorted("\\".join(one.parts) for one in found))

    def folder_exists(self, path: str) -> bool:
        return self.real(path).is_dir()

    def make_folder(self, path: str) -> None:
        self.real(path).mkdir(parents=True, exist_ok=True)

    def delete_folder(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self.real(path))


# -- private ---------------------------------------------------------------------------------------------


def _any_case(folder: Path, name: str) -> Path:
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    return next((one for one in folder.iterdir() if one.name.casefold() == name.casefold()), exact)
