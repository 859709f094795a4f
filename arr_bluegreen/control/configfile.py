"""One applicationHost.config on a disk: found, read with a digest, and replaced whole or not at all.

A write goes: our lock (and Octopus's mutex), a look whether the bytes are still those the edit was made from, a
backup before the first write, a temporary file beside it, synced, put in its place in one act, read back.
Whoever is killed in between leaves the old file or the new one (arr.md 5.11, 5.12, 5.13).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.control.backups import Backup, Backups
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.disk import Disk, cannot_read, cannot_write, is_shared, write_new
from arr_bluegreen.control.windows import is_32_bit_on_64
from arr_bluegreen.errors import ConfigurationError, RefusedError, UnfinishedError, WriteError

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Clock

TRIES = 5
OUR_FOLDER = "arr-bluegreen"


def digest_of(data: bytes) -> str:
    """The sha256 of these bytes, hex."""
    import hashlib  # 3 ms, and whoever only reads needs none

    return hashlib.sha256(data).hexdigest()


def locate(environment: Mapping[str, str] | None = None) -> Path:
    """Where IIS keeps applicationHost.config on this machine; by Sysnative from a 32-bit Python (arr.md 5.12)."""
    variables = os.environ if environment is None else environment
    windows = variables.get("windir") or variables.get("SystemRoot") or r"C:\Windows"
    return native(rf"{windows}\System32\inetsrv\config\applicationHost.config", variables)


def native(path: str, environment: Mapping[str, str] | None = None) -> Path:
    """The path as this process must say it: a 32-bit one sees SysWOW64 under the name of System32 (arr.md 5.12)."""
    if is_32_bit_on_64(environment):
        path = re.sub(r"(?i)([\\/])System32([\\/])", r"\1Sysnative\2", path, count=1)
    return Path(path)


@dataclass(frozen=True, slots=True)
class Update:
    """What ``ConfigFile.update`` did: how many writes (0: nothing differed), the digest now, the run's backup."""

    writes: int
    digest: str
    backup: Backup | None = None


class ConfigFile:
    """The file at ``path`` (a symbolic link is followed, and stays). One object serves one run: it backs up once.

    ``lock_timeout`` is in seconds; ``keep`` is how many backups stay; ``despite_redirection`` lets a file be written
    that IIS does not read, because ``redirection.config`` beside it points elsewhere.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        disk: Disk | None = None,
        clock: Clock | None = None,
        lock_timeout: float = 10.0,
        keep: int = 20,
        despite_redirection: bool = False,
    ) -> None:
        given = native(os.fspath(path))
        self.path = given.resolve() if given.is_symlink() else given
        self._disk, self._clock = disk or Disk(), clock or SystemClock()
        self._lock_timeout, self._despite_redirection = lock_timeout, despite_redirection
        self._ours = self.path.parent / OUR_FOLDER
        self.backups = Backups(self.path, self._ours / "backups", keep=keep, disk=self._disk)
        self._backup: Backup | None = None

    def read(self) -> bytes:
        """The bytes; raises ``UsageError`` (no such file, a folder) or ``ConfigurationError`` (empty, unreadable)."""
        try:
            data = self._patiently(lambda: self._disk.read(self.path))
        except OSError as error:
            raise cannot_read(error, self.path) from error
        if not data.strip():
            raise ConfigurationError(
                "the file is empty", file=str(self.path), hint="Restore a backup: arr-bluegreen config restore."
            )
        return data

    def redirected_to(self) -> str | None:
        """Where the shared configuration lies, if ``redirection.config`` beside this file is in force (arr.md 5.13)."""
        beside = self.path.with_name("redirection.config")
        try:
            data = self._disk.read(beside)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise cannot_read(error, beside) from error
        from arr_bluegreen.apphost.redirection import redirected_path

        return redirected_path(data, str(beside))

    def update(self, edit: Callable[[bytes], bytes]) -> Update:
        """The file becomes ``edit`` of its bytes; a foreign change in between is kept, and the edit made again.

        Nothing is locked, backed up or written when ``edit`` gives back the same bytes. Raises what ``edit`` and
        ``read`` raise, ``LockedError``, ``RefusedError`` (shared configuration), ``WriteError`` (the old file is
        whole), and ``UnfinishedError`` when the new file is in place but could not be confirmed.
        """
        old = self.read()
        new = edit(old)
        if new == old:
            return Update(0, digest_of(old), self._backup)
        self.refuse_redirected()
        with self._locked():
            return self._update_locked(edit, old, new)

    def take_backup(self) -> Backup:
        """A copy of the file as it is now; raises what ``read`` raises, ``LockedError`` and ``WriteError``."""
        with self._locked():
            try:
                return self.backups.take(self.read(), self._clock.now())
            except OSError as error:
                raise cannot_write(error, self.path) from error

    # -- private ---------------------------------------------------------------------------------------

    def _update_locked(self, edit: Callable[[bytes], bytes], old: bytes, new: bytes) -> Update:
        writes = 0
        for attempt in range(TRIES):
            self._pause(attempt)
            now = self.read()
            if now != old:
                old, new = now, edit(now)
            if new == old:
                return Update(writes, digest_of(old), self._backup)
            if self._swap(old, new):
                writes += 1
                if self._reads_back(new):
                    return Update(writes, digest_of(new), self._backup)
        raise WriteError(
            f"{self.path} was changed or held by another program at each of {TRIES} tries",
            hint="The file is whole; find out who writes it, then run the same command again.",
        )

    def _swap(self, old: bytes, new: bytes) -> bool:
        """Put ``new`` in the place of ``old``; False when a later try may do better."""
        temporary = self.path.with_name(f"{self._temporary_prefix}{os.getpid()}-{os.urandom(4).hex()}.tmp")
        try:
            like = self._disk.stat(self.path)
            self._refuse_read_only(like)
            self._back_up(old)
            write_new(self._disk, temporary, new, like)
            try:
                if self._disk.read(self.path) == old:
                    self._disk.replace(temporary, self.path)
                    return True
            finally:
                with suppress(OSError):
                    self._disk.remove(temporary)
        except OSError as error:
            if self._holds(new):
                return True  # what failed came after the replacing, such as the old file's removal on Windows
            if not is_shared(error):
                raise cannot_write(error, self.path) from error
        return False

    def _holds(self, data: bytes) -> bool:
        try:
            return self._disk.read(self.path) == data
        except OSError:
            return False

    def _reads_back(self, new: bytes) -> bool:
        """Whether the file holds ``new`` now; False when somebody was quicker, and the edit must be made again."""
        try:
            self._disk.sync_folder(self.path.parent)
            return self._patiently(lambda: self._disk.read(self.path)) == new
        except OSError as error:
            raise UnfinishedError(
                f"{self.path} was replaced, but the disk did not confirm it: {error.strerror or error}",
                hint="Run the same command again: it says 'nothing to do' when the change is there.",
            ) from error

    def _back_up(self, data: bytes) -> None:
        if self._backup is None:
            self._disk.make_folder(self._ours)
            self._backup = self.backups.take(data, self._clock.now())

    def refuse_redirected(self) -> None:
        """Raises ``RefusedError`` when IIS does not read this file and nobody said to write it all the same."""
        elsewhere = self.redirected_to()
        if elsewhere and not self._despite_redirection:
            raise RefusedError(
                f"IIS does not read {self.path}: shared configuration is on, redirection.config points to {elsewhere}",
                hint=f"Edit --on file:{elsewhere}{os.sep}applicationHost.config, or insist with --despite-redirection.",
            )

    def _refuse_read_only(self, like: os.stat_result) -> None:
        if not like.st_mode & 0o222:
            raise WriteError(f"{self.path} is read-only", hint="Nothing was changed; take that attribute away first.")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from arr_bluegreen.control.writerlock import writer_lock  # only writers pay for it

        with ExitStack() as held:
            try:
                self._disk.make_folder(self._ours)
                held.enter_context(writer_lock(self._ours, self.path.name, self._lock_timeout))
            except OSError as error:
                raise cannot_write(error, self.path) from error
            self._sweep()
            yield

    def _sweep(self) -> None:
        """Temporary files of a writer that was killed, and old files that could not be removed: we hold the lock, so
        nobody needs them, unless the old file is all that is left."""
        with suppress(OSError):
            self._disk.stat(self.path)
            for name in self._disk.names(self.path.parent):
                if name.startswith(self._temporary_prefix) and name.endswith((".tmp", ".old")):
                    self._disk.remove(self.path.with_name(name))

    @property
    def _temporary_prefix(self) -> str:
        return f".{self.path.name}.arr-bluegreen-"

    def _patiently(self, read: Callable[[], bytes]) -> bytes:
        for attempt in range(TRIES - 1):
            try:
                return read()
            except OSError as error:
                if not is_shared(error):
                    raise
            self._pause(attempt + 1)
        return read()

    def _pause(self, attempt: int) -> None:
        if attempt:
            import random

            self._clock.sleep(random.uniform(0.05, 0.2) * attempt)
