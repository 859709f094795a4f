"""The few acts on a file system that a safe write is made of, each a method, so that a test can make each fail."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from arr_bluegreen.control.windows import SHARING_VIOLATIONS, replace_file
from arr_bluegreen.errors import ArrBlueGreenError, ConfigurationError, UsageError, WriteError


class Disk:
    """Thin names over os; every method raises OSError and nothing else."""

    def read(self, path: Path) -> bytes:
        """The whole file."""
        return path.read_bytes()

    def stat(self, path: Path) -> os.stat_result:
        """Mode, owner, size."""
        return path.stat()

    def make_folder(self, path: Path) -> None:
        """The folder, for its owner only; there already is fine."""
        path.mkdir(mode=0o700, exist_ok=True)

    def names(self, folder: Path) -> list[str]:
        """What lies in the folder; nothing when there is none."""
        return sorted(one.name for one in folder.iterdir()) if folder.is_dir() else []

    def create(self, path: Path) -> int:
        """A new file, for its owner only; a descriptor to write to."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)

    def write(self, descriptor: int, data: bytes) -> int:
        """How many of the bytes were taken."""
        return os.write(descriptor, data)

    def take_after(self, descriptor: int, path: Path, like: os.stat_result) -> None:
        """Mode, owner and group as ``like`` has them, as far as we may (on Windows ReplaceFileW sees to the ACL)."""
        if os.name != "nt":
            with contextlib.suppress(PermissionError):  # only root gives a file away
                os.fchown(descriptor, like.st_uid, like.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(like.st_mode))

    def sync(self, descriptor: int) -> None:
        """On the platter."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """The descriptor is free again."""
        os.close(descriptor)

    def replace(self, source: Path, target: Path) -> None:
        """``source`` becomes ``target``, at once."""
        replace_file(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """A new name in the same folder."""
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        """The folder's entries on the platter; nothing on systems that have no such call."""
        if os.name == "nt":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
                raise
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Gone."""
        path.unlink()


def write_new(disk: Disk, path: Path, data: bytes, like: os.stat_result | None = None) -> None:
    """A new file at ``path`` holding ``data``, synced; on any error it is taken away again."""
    descriptor = disk.create(path)
    try:
        try:
            _write_all(disk, descriptor, data)
            if like is not None:
                disk.take_after(descriptor, path, like)
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            disk.remove(path)
        raise


def is_shared(error: OSError) -> bool:
    """Whether somebody has the file open in our way: a later try may do."""
    return getattr(error, "winerror", None) in SHARING_VIOLATIONS or error.errno in (errno.EBUSY, errno.ETXTBSY)


def cannot_read(error: OSError, path: Path) -> ArrBlueGreenError:
    """An OSError of reading, as one of ours."""
    match error:
        case FileNotFoundError():
            return UsageError(f"no such file: {path}", hint="Give the path of an applicationHost.config.")
        case IsADirectoryError():
            return UsageError(f"{path} is a folder", hint="Give the applicationHost.config in it.")
        case PermissionError() if path.is_dir():  # what Windows says when a folder is opened
            return UsageError(f"{path} is a folder", hint="Give the applicationHost.config in it.")
        case PermissionError():
            return UsageError(f"may not read {path}", hint="Run elevated (as administrator or root).")
        case _:
            return ConfigurationError(f"cannot be read: {error.strerror or error}", file=str(path))


def cannot_write(error: OSError, path: Path) -> WriteError:
    """An OSError of writing, as one of ours; the old file is whole."""
    if is_shared(error):
        return WriteError(
            f"{path} is held open by another program", hint="Nothing was changed; close what has it open."
        )
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            why, hint = "the disk is full", "Make room and run the same command again."
        case errno.EROFS:
            why, hint = "the file system is read-only", "Write where it lives."
        case errno.EACCES | errno.EPERM:
            why, hint = f"no permission in {path.parent}", "Run elevated (as administrator or root)."
        case errno.ENOENT | errno.ENOTDIR | errno.ESTALE:
            why, hint = f"the folder {path.parent} is gone", "Look whether the share is there."
        case _:
            why, hint = error.strerror or str(error), "Run the same command again when that is cured."
    return WriteError(f"cannot write {path}: {why}", hint=f"Nothing was changed. {hint}")


# -- private -------------------------------------------------------------------------------------------


def _write_all(disk: Disk, descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        taken = disk.write(descriptor, bytes(rest[: 1 << 20]))
        if taken <= 0:
            raise OSError(errno.EIO, "the disk takes no bytes")
        rest = rest[taken:]
