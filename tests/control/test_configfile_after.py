"""What fails after the file was replaced did not undo it: the write counts, and what lies about is swept."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from arr_bluegreen.control.configfile import ConfigFile
from arr_bluegreen.control.disk import Disk
from arr_bluegreen.control.filemachine import FileConfig
from arr_bluegreen.webfarm.change import SetServer, settings
from tests.cli.conftest import SHOP
from tests.control.test_configfile import NEW, OLD, InstantClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "applicationHost.config"
    file.write_bytes(OLD)
    return file


class Late(Disk):
    """Replaces, and then fails, as Windows does when the old file cannot be removed."""

    def __init__(self, code: int) -> None:
        self._code = code

    def replace(self, source: Path, target: Path) -> None:
        super().replace(source, target)
        raise OSError(self._code, os.strerror(self._code))


@pytest.mark.parametrize("code", [errno.EBUSY, errno.EACCES])
def test_a_failure_after_the_replacing_is_a_write(path: Path, code: int) -> None:
    update = ConfigFile(path, disk=Late(code), clock=InstantClock()).update(lambda _: NEW)
    assert (update.writes, path.read_bytes()) == (1, NEW)


def test_such_a_write_has_its_inverse_and_its_note(path: Path) -> None:
    path.write_bytes(SHOP)
    config = FileConfig(ConfigFile(path, disk=Late(errno.EBUSY), clock=InstantClock()))
    commit = config.apply([SetServer("shop", "10.0.0.1", settings(weight=7))])
    assert commit.commits == 1
    assert commit.inverse
    (backup,) = config.file.backups.all()
    assert backup.undoes == 1
    assert config.undo(backup)(path.read_bytes()) == SHOP


def test_old_files_left_behind_are_swept_unless_they_are_all_there_is(path: Path) -> None:
    old = path.with_name(".applicationHost.config.arr-bluegreen-1-ab.old")
    old.write_bytes(OLD)
    ConfigFile(path, clock=InstantClock()).update(lambda _: NEW)
    assert not old.exists()
    old.write_bytes(OLD)
    path.unlink()
    with pytest.raises(Exception, match="no such file"):
        ConfigFile(path, clock=InstantClock()).take_backup()
    assert old.read_bytes() == OLD
