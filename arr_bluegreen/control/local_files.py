"""Files, folders and records of this machine: ``FileControl`` and ``RecordStore`` on its own disk."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from arr_bluegreen.control import hosts_file, safe_extract
from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.control.windows import replace_file
from arr_bluegreen.control.zip_rules import ZipLimits
from arr_bluegreen.errors import LockedError, RefusedError, UsageError

LARGEST_TEXT = 4 << 20
"""Bytes of the largest text that is read."""


class LocalFiles:
    """``FileControl`` on this machine. Environment variables such as ``%windir%`` in paths are expanded."""

    def __init__(self, hosts: Path | None = None, limits: ZipLimits | None = None) -> None:
        self._hosts = hosts or _hosts_path()
        self._limits = limits or ZipLimits()

    def read_text(self, path: str) -> str | None:
        """UTF-8 text (at most 4 MB; a byte order mark stays in it), or None when there is no such file."""
        place = _path(path)
        with _told("read", place):
            if not place.is_file():
                return None
            if place.stat().st_size > LARGEST_TEXT:
                raise RefusedError(f"{place} is larger than {LARGEST_TEXT} bytes", hint="That is no settings file.")
            try:
                return place.read_bytes().decode("utf-8")
            except UnicodeDecodeError as error:
                raise UsageError(f"{place} is not UTF-8: {error.reason} at byte {error.start}") from error

    def write_text(self, path: str, text: str) -> None:
        """Written whole or not at all; missing folders are made."""
        place = _path(path)
        with _told("write", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, text.encode("utf-8"))

    def delete_file(self, path: str) -> None:
        """Gone afterwards, also when it was not there."""
        place = _path(path)
        with _told("delete", place):
            place.unlink(missing_ok=True)

    def folder_exists(self, path: str) -> bool:
        """Whether there is a folder of this path."""
        return _path(path).is_dir()

    def digest_folder(self, path: str) -> FolderDigest | None:
        """Count and digest of a folder's content, None when there is no such folder."""
        place = _path(path)
        with _told("read", place):
            return safe_extract.digest_folder(place)

    def copy_folder(self, source: str, target: str) -> FolderDigest:
        """A folder copied to a new one, whole or not at all."""
        with _told("copy", _path(source)):
            return safe_extract.copy_folder(_path(source), _path(target))

    def expand_zip(self, source: str, target: str) -> FolderDigest:
        """A zip expanded to a new folder, whole or not at all; ``BadZip`` for one that breaks a rule."""
        with _told("expand", _path(source)):
            return safe_extract.expand_zip(_path(source), _path(target), self._limits)

    def check_zip(self, source: str) -> None:
        """The zip judged and read whole, nothing written; ``BadZip`` as ``expand_zip`` raises it."""
        with _told("read", _path(source)):
            safe_extract.inspect_zip(_path(source), self._limits)

    def upload(self, source: str, target: str) -> None:
        """A file copied, whole or not at all."""
        place = _path(target)
        with _told("copy", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            partial = _beside(place)
            try:
                shutil.copyfile(_path(source), partial)
                replace_file(partial, place)
            finally:
                partial.unlink(missing_ok=True)

    def delete_folder(self, path: str) -> None:
        """Gone afterwards, with all below it and what a killed filling of it left; links go, not what they lead to."""
        place = _path(path)
        if place == Path(place.anchor):
            raise RefusedError(f"{place} is a whole drive", hint="Name a folder.")
        with _told("delete", place):
            safe_extract.delete_partials(place)
            if place.is_symlink():
                place.unlink()
            elif place.is_dir():
                shutil.rmtree(place)

    def hosts_entries(self, owner: str | None = None) -> tuple[tuple[str, str], ...]:
        """The hosts file's entries, with ``owner`` only the lines marked as its."""
        return hosts_file.entries(self._hosts_text(), owner)

    def set_hosts_entries(self, owner: str, entries: Sequence[tuple[str, str]]) -> bool:
        """The owner's lines become exactly these; a backup (``hosts.arr-bluegreen-TIME.bak``) first."""
        with _told("write", self._hosts):
            before = self._hosts_text()
            after = hosts_file.with_entries(before, owner, entries)
            if after == before:
                return False
            self._back_up_hosts(before)
            if self._hosts_text() != before:
                raise RefusedError(f"{self._hosts} was changed by another program meanwhile", hint="Try again.")
            write_whole(self._hosts, after.encode("latin-1"), like=self._hosts)
            return True

    def _back_up_hosts(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        write_whole(self._hosts.with_name(f"hosts.arr-bluegreen-{stamp}.bak"), text.encode("latin-1"))
        for old in sorted(self._hosts.parent.glob("hosts.arr-bluegreen-*.bak"))[: -hosts_file.BACKUPS]:
            old.unlink(missing_ok=True)

    def _hosts_text(self) -> str:
        with _told("read", self._hosts):  # latin-1: any byte of the admin's comments comes back as it was
            return self._hosts.read_bytes().decode("latin-1") if self._hosts.exists() else ""


class LocalRecords:
    """``RecordStore`` in one folder of this machine; compare and swap under a lock beside the record."""

    def __init__(self, folder: Path, timeout: float = 30) -> None:
        self._folder = folder
        self._timeout = timeout

    def read(self, name: str) -> str | None:
        """The text, or None when there is no such record."""
        place = self._place(name)
        with _told("read", place):
            try:
                return place.read_bytes().decode("utf-8")
            except FileNotFoundError:
                return None

    def write(self, name: str, text: str) -> None:
        """Written whole or not at all."""
        with self._locked(name) as place:
            write_whole(place, text.encode("utf-8"))

    def create(self, name: str, text: str) -> bool:
        """Created exclusively: False when the record was there."""
        with self._locked(name) as place:
            if place.exists():
                return False
            write_whole(place, text.encode("utf-8"))
            return True

    def replace(self, name: str, expected: str, text: str) -> bool:
        """Compare and swap: False when the record no longer reads ``expected``."""
        with self._locked(name) as place:
            if self.read(name) != expected:
                return False
            write_whole(place, text.encode("utf-8"))
            return True

    def delete(self, name: str, expected: str | None = None) -> bool:
        """Removed (only while it reads ``expected``, if given); False when it was not there or reads otherwise."""
        with self._locked(name) as place:
            there = self.read(name)
            if there is None or (expected is not None and there != expected):
                return False
            place.unlink()
            return True

    def names(self) -> tuple[str, ...]:
        """The records there are, sorted."""
        if not self._folder.is_dir():
            return ()
        return tuple(
            sorted(one.name for one in self._folder.iterdir() if one.is_file() and _RECORD.fullmatch(one.name))
        )

    def _place(self, name: str) -> Path:
        if not _RECORD.fullmatch(name):
            raise UsageError(f"{name!a} is no name for a record")
        return self._folder / name

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[Path]:
        place = self._place(name)
        with _told("write", place):
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with FileLock(place.with_name(f".{name}.lock"), timeout=self._timeout):
                    yield place
            except Timeout as error:
                raise LockedError(f"{place} is held by another command", hint="Try again.") from error


def state_folder() -> Path:
    """Where this command keeps its own state: ``$ARR_BLUEGREEN_STATE_DIR``, else the user's folder for such things."""
    named = os.environ.get("ARR_BLUEGREEN_STATE_DIR")
    return Path(named) if named else Path(platformdirs.user_state_dir("arr-bluegreen", appauthor=False))


def file_records(file: Path, farm: str) -> LocalRecords:
    """The records of a farm in a file that stands alone: in ``records`` beside the journal, told by the file's path."""
    told = hashlib.sha256(os.path.normcase(file.absolute()).encode()).hexdigest()[:16]
    return LocalRecords(state_folder() / "records" / told / folder_name(farm))


def machine_records(farm: str) -> LocalRecords:
    """The records of a farm on this machine: ``%ProgramData%\\arr-bluegreen\\<farm>``, else in the state folder."""
    program_data = os.environ.get("PROGRAMDATA")
    base = Path(program_data, "arr-bluegreen") if program_data else state_folder() / "records" / "local"
    return LocalRecords(base / folder_name(farm))


def folder_name(farm: str) -> str:
    """A farm's name as a folder's, case folded as IIS does; what Windows does not take is written as ``=XX``."""
    plain = "".join(one if one.isalnum() or one in "-_. " else f"={ord(one):02X}" for one in farm.casefold())
    kept = plain.rstrip(". ")
    return kept + "".join(f"={ord(one):02X}" for one in plain[len(kept) :])


def write_whole(place: Path, data: bytes, like: Path | None = None) -> None:
    """The file holds ``data``, whole or not at all, synced; with the mode of ``like`` where that is. Raises OSError."""
    partial = _beside(place)
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if like is not None and like.exists():
            shutil.copymode(like, partial)
        replace_file(partial, place) if place.exists() else partial.rename(place)
    finally:
        partial.unlink(missing_ok=True)


# -- private -------------------------------------------------------------------------------------------

_RECORD = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_VARIABLE = re.compile(r"%([^%\\/]+)%")


def _beside(place: Path) -> Path:
    return place.with_name(f".{place.name[:80]}.{uuid.uuid4().hex[:8]}.new")


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise UsageError("an empty path, or one with a NUL, is no path")
    return Path(_VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), text))


def _hosts_path() -> Path:
    if os.name == "nt":
        return Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "drivers", "etc", "hosts")
    return Path("/etc/hosts")


@contextlib.contextmanager
def _told(act: str, place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = "Run elevated." if isinstance(error, PermissionError) else None
        raise RefusedError(f"cannot {act} {place}: {error.strerror or error}", hint=hint) from error
