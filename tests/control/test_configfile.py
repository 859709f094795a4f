"""The file on disk: replaced whole or not at all, no foreign change lost, clear words when it cannot be done."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from arr_bluegreen.control.configfile import ConfigFile, digest_of, locate, native
from arr_bluegreen.control.disk import Disk
from arr_bluegreen.control.writerlock import writer_lock
from arr_bluegreen.errors import (
    ArrBlueGreenError,
    ConfigurationError,
    ExitCode,
    LockedError,
    RefusedError,
    UnfinishedError,
    UsageError,
    WriteError,
)

OLD = b'<?xml version="1.0" encoding="UTF-8"?>\r\n<configuration />\r\n'
NEW = OLD.replace(b"<configuration />", b"<configuration><webFarms /></configuration>")
SYSCALLS = ["read", "stat", "make_folder", "names", "create", "write", "take_after", "sync", "close", "replace"]
SYSCALLS += ["rename", "sync_folder"]


class InstantClock:
    """Time that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 2, 3, 4, 5, len(self.slept), tzinfo=UTC)

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


class FailingDisk(Disk):
    """A disk whose n-th call of one method fails (n = 0: every call)."""

    def __init__(self, method: str, nth: int, code: int = errno.EIO) -> None:
        self.calls = 0
        self.failed = 0
        self._method, self._nth, self._code = method, nth, code

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name.startswith("_") or name != object.__getattribute__(self, "_method"):
            return value
        return self._counted(value)

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            self.calls += 1
            if self._nth in (0, self.calls):
                self.failed += 1
                raise OSError(self._code, os.strerror(self._code))
            return call(*arguments)

        return counted


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "applicationHost.config"
    file.write_bytes(OLD)
    return file


def config(path: Path, **more: Any) -> ConfigFile:
    return ConfigFile(path, clock=InstantClock(), **more)


def to_new(_: bytes) -> bytes:
    return NEW


def leftovers(path: Path) -> list[str]:
    return [one.name for one in path.parent.iterdir() if one.name.endswith(".tmp")]


def test_an_edit_replaces_the_file_and_leaves_nothing_beside_it_but_our_folder(path: Path) -> None:
    update = config(path).update(to_new)
    assert path.read_bytes() == NEW
    assert (update.writes, update.digest) == (1, digest_of(NEW))
    assert sorted(one.name for one in path.parent.iterdir()) == ["applicationHost.config", "arr-bluegreen"]


def test_no_difference_is_no_write_no_lock_no_backup(path: Path) -> None:
    before = path.stat()
    assert config(path).update(lambda data: data).writes == 0
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not (path.parent / "arr-bluegreen").exists()


def test_mode_stays(path: Path) -> None:
    path.chmod(0o640)
    config(path).update(to_new)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.config"
    link.symlink_to(path)
    config(link).update(to_new)
    assert link.is_symlink()
    assert path.read_bytes() == NEW


def test_a_foreign_change_is_kept_and_the_edit_made_again(path: Path) -> None:
    seen: list[bytes] = []

    def edit(data: bytes) -> bytes:
        seen.append(data)
        if len(seen) == 1:  # somebody writes after we have read
            path.write_bytes(OLD + b"<!-- foreign -->")
        return data + b"<!-- ours -->"

    update = config(path).update(edit)
    assert path.read_bytes() == OLD + b"<!-- foreign --><!-- ours -->"
    assert (update.writes, len(seen)) == (1, 2)


def test_a_file_that_never_stands_still_is_given_up_after_five_tries(path: Path) -> None:
    count = 0

    class Restless(Disk):
        def create(self, path_: Path) -> int:
            nonlocal count
            if "backups" not in str(path_):
                count += 1
                path.write_bytes(OLD + b"%d" % count)
            return super().create(path_)

    with pytest.raises(WriteError, match="each of 5 tries"):
        config(path, disk=Restless()).update(lambda data: data + b"x")
    assert path.read_bytes() == OLD + b"5"
    assert leftovers(path) == []


def test_a_writer_that_overwrites_us_at_once_meets_the_edit_again(path: Path) -> None:
    class Overwriter(Disk):
        overwritten = False

        def replace(self, source: Path, target: Path) -> None:
            super().replace(source, target)
            if not self.overwritten:
                self.overwritten = True
                target.write_bytes(OLD + b"<!-- foreign -->")

    update = config(path, disk=Overwriter()).update(lambda data: data if b"ours" in data else data + b"<!-- ours -->")
    assert path.read_bytes() == OLD + b"<!-- foreign --><!-- ours -->"
    assert update.writes == 2


@pytest.mark.parametrize("method", SYSCALLS)
@pytest.mark.parametrize("nth", [0, 1, 2, 3])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES, errno.EBUSY])
def test_whatever_call_fails_the_file_is_whole_and_old_unless_said_otherwise(
    path: Path, method: str, nth: int, code: int
) -> None:
    disk = FailingDisk(method, nth, code)
    try:
        config(path, disk=disk).update(to_new)
        said_done = True
    except UnfinishedError:
        said_done = True  # in place, not confirmed
    except ArrBlueGreenError as error:
        said_done = error.exit_code not in (ExitCode.USAGE, ExitCode.REFUSED)
    assert path.read_bytes() == (NEW if said_done else OLD)
    assert leftovers(path) == []
    if nth <= 1 and method != "names":
        assert disk.failed, f"{method} is on the way of a write"
    config(path).update(to_new)  # and no lock is left behind
    assert path.read_bytes() == NEW


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "file system is read-only"),
        (errno.EACCES, "no permission"),
        (errno.ENOENT, "is gone"),
    ],
)
def test_what_went_wrong_is_one_clear_line(path: Path, code: int, words: str) -> None:
    with pytest.raises(WriteError, match=words) as caught:
        config(path, disk=FailingDisk("create", 0, code)).update(to_new)
    assert "Nothing was changed" in caught.value.one_line()
    assert "\n" not in caught.value.one_line()


def test_a_sharing_violation_is_tried_again(path: Path) -> None:
    disk = FailingDisk("replace", 1, errno.EBUSY)
    file = ConfigFile(path, disk=disk, clock=(clock := InstantClock()))
    assert file.update(to_new).writes == 1
    assert path.read_bytes() == NEW
    assert clock.slept


def test_a_short_write_is_carried_on(path: Path) -> None:
    class Sipping(Disk):
        def write(self, descriptor: int, data: bytes) -> int:
            return super().write(descriptor, data[:7])

    config(path, disk=Sipping()).update(to_new)
    assert path.read_bytes() == NEW


def test_a_read_only_file_is_refused_even_to_root(path: Path) -> None:
    path.chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        config(path).update(to_new)
    assert path.read_bytes() == OLD


@pytest.mark.parametrize(("data", "error"), [(b"", ConfigurationError), (b" \r\n", ConfigurationError)])
def test_an_empty_file_is_said_to_be_empty(path: Path, data: bytes, error: type[Exception]) -> None:
    path.write_bytes(data)
    with pytest.raises(error, match="empty"):
        config(path).read()


def test_no_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        config(tmp_path / "nothing.config").read()
    with pytest.raises(UsageError, match="is a folder"):
        config(tmp_path).read()


def test_a_held_lock_names_its_holder_and_changes_nothing(path: Path) -> None:
    ours = path.parent / "arr-bluegreen"
    ours.mkdir()
    with writer_lock(ours, path.name, 1), pytest.raises(LockedError, match=f"process {os.getpid()} of ") as caught:
        config(path, lock_timeout=0.05).update(to_new)
    assert caught.value.exit_code == ExitCode.LOCKED
    assert path.read_bytes() == OLD


def test_what_a_killed_writer_left_is_swept_and_nothing_else(path: Path) -> None:
    ours, foreign = path.parent / ".applicationHost.config.arr-bluegreen-1-ab.tmp", path.parent / "other.tmp"
    ours.write_bytes(b"half")
    foreign.write_bytes(b"not ours")
    config(path).update(to_new)
    assert not ours.exists()
    assert foreign.exists()


# -- finding it ----------------------------------------------------------------------------------------


def test_a_32_bit_python_is_sent_to_sysnative() -> None:
    wow = {"windir": r"D:\Win", "PROCESSOR_ARCHITEW6432": "AMD64"}
    assert str(locate(wow)) == r"D:\Win\Sysnative\inetsrv\config\applicationHost.config"
    assert str(locate({"windir": r"D:\Win"})) == r"D:\Win\System32\inetsrv\config\applicationHost.config"
    assert str(native(r"C:\windows\SYSTEM32\inetsrv\x", wow)) == r"C:\windows\Sysnative\inetsrv\x"
    assert native("C:/Windows/System32/inetsrv/x", wow).as_posix() == "C:/Windows/Sysnative/inetsrv/x"


REDIRECTION = (
    '<configuration><configSections><section name="configurationRedirection" /></configSections>'
    '<configurationRedirection enabled="{}" path="{}" userName="u" password="[enc:x:y:enc]" /></configuration>'
)


def test_shared_configuration_is_refused_unless_told(path: Path) -> None:
    path.with_name("redirection.config").write_text(REDIRECTION.format("true", r"\\share\iis"))
    with pytest.raises(RefusedError, match="share") as caught:
        config(path).update(to_new)
    assert "--despite-redirection" in caught.value.hint
    assert path.read_bytes() == OLD
    assert config(path).redirected_to() == r"\\share\iis"
    config(path, despite_redirection=True).update(to_new)
    assert path.read_bytes() == NEW


def test_a_redirection_that_is_off_is_none(path: Path) -> None:
    path.with_name("redirection.config").write_text(REDIRECTION.format("false", r"\\share\iis"))
    assert config(path).redirected_to() is None


# -- backups -------------------------------------------------------------------------------------------


def test_a_run_backs_up_once_before_its_first_write(path: Path) -> None:
    file = config(path)
    first = file.update(to_new)
    second = file.update(lambda data: data + b"<!-- more -->")
    assert first.backup is not None
    assert second.backup == first.backup
    assert [file.backups.read(one) for one in file.backups.all()] == [OLD]


def test_only_backups_of_our_making_are_pruned(path: Path) -> None:
    folder = path.parent / "arr-bluegreen" / "backups"
    folder.mkdir(parents=True)
    foreign = folder / "applicationHost.config.20200101T000000000000Z.bak"
    foreign.write_bytes(b"an admin's own")
    clock = InstantClock()
    for number in range(6):
        clock.slept.append(0)
        ConfigFile(path, clock=clock, keep=3).update(lambda data, number=number: data + b"<!-- %d -->" % number)  # type: ignore[misc]  # a default argument mypy cannot see through
    kept = ConfigFile(path).backups.all()
    assert len(kept) == 3
    assert kept[-1].path.read_bytes().endswith(b"<!-- 4 -->")
    assert foreign.exists()


def test_a_damaged_backup_is_not_restored(path: Path) -> None:
    file = config(path)
    file.update(to_new)
    backup = file.backups.get()
    backup.path.write_bytes(OLD[:20])
    with pytest.raises(ConfigurationError, match="damaged"):
        file.backups.read(backup)


def test_an_unknown_backup_names_those_there(path: Path) -> None:
    file = config(path)
    file.update(to_new)
    with pytest.raises(UsageError) as caught:
        file.backups.get("nonsense")
    assert file.backups.get().name in caught.value.hint
    assert json.dumps(caught.value.hint)


def test_the_new_bytes_are_on_the_platter_before_they_are_the_file_and_its_name_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could leave an empty file under the old name."""
    done: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real(descriptor)

    class Telling(Disk):
        def replace(self, source: Path, target: Path) -> None:
            done.append("replace")
            super().replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    config(path, disk=Telling()).update(to_new)
    at = done.index("replace")
    assert done[at - 1] == "file"
    assert os.name == "nt" or "folder" in done[at:]
