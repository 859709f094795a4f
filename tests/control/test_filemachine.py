"""A file as a machine: one write for many changes, an inverse, undone commit by commit, a diff that is quick."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.control.configfile import ConfigFile
from arr_bluegreen.control.filemachine import FileMachine
from arr_bluegreen.control.textdiff import unified
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm.change import AddServer, RemoveServer, SetServer, settings
from arr_bluegreen.webfarm.farm import Server
from tests.cli.conftest import SHOP


@pytest.fixture
def machine(tmp_path: Path) -> FileMachine:
    (tmp_path / "a.config").write_bytes(SHOP)
    return FileMachine(ConfigFile(tmp_path / "a.config"))


def test_many_changes_are_one_commit_and_the_inverse_gives_every_byte_back(machine: FileMachine) -> None:
    commit = machine.config.apply(
        [
            SetServer("shop", "10.0.0.1", settings(enabled=False, weight=5)),
            AddServer("shop", Server("10.0.0.4", http_port=8080)),
            RemoveServer("shop", "10.0.0.2"),
        ]
    )
    assert commit.commits == 1
    assert commit.digest == machine.config.read().digest
    assert machine.config.apply(commit.inverse).commits == 1
    assert machine.file.read() == SHOP


def test_what_holds_already_is_not_written(machine: FileMachine) -> None:
    commit = machine.config.apply([SetServer("shop", "10.0.0.1", settings(enabled=True))])
    assert (commit.commits, commit.inverse) == (0, ())
    assert commit.digest == machine.config.read().digest


def test_one_change_that_does_not_fit_stops_them_all(machine: FileMachine) -> None:
    with pytest.raises(NoSuchObject):
        machine.config.apply(
            [SetServer("shop", "10.0.0.1", settings(weight=5)), SetServer("shop", "10.0.0.9", settings(weight=6))]
        )
    assert machine.file.read() == SHOP


def test_a_run_of_several_commits_is_undone_as_one(machine: FileMachine) -> None:
    for weight in (5, 6, 7):
        machine.config.apply([SetServer("shop", "10.0.0.1", settings(weight=weight))])
    backup = machine.file.backups.get()
    assert backup.undoes == 3
    machine.file.update(machine.config.undo(backup))
    assert machine.file.read() == SHOP


def test_a_backup_that_is_no_configuration_is_not_put_back(machine: FileMachine) -> None:
    backup = machine.file.backups
    machine.config.apply([SetServer("shop", "10.0.0.1", settings(weight=5))])
    backup.get().path.write_bytes(b"<configuration>")
    with pytest.raises(ConfigurationError):
        machine.config.whole(backup.get())


def test_the_diff_counts_the_lines_it_stepped_over() -> None:
    before = b"".join(b"line %d\r\n" % at for at in range(1, 2001))
    after = before.replace(b"line 1000\r\n", b"another\r\n")
    assert unified(before, after, "a").splitlines()[2:] == [
        "@@ -997,7 +997,7 @@",
        *[f" line {at}" for at in (997, 998, 999)],
        "-line 1000",
        "+another",
        *[f" line {at}" for at in (1001, 1002, 1003)],
    ]
    assert unified(before, before, "a") == ""
    assert unified(b"a\r\n", b"a\n", "a").endswith("-a\r\n+a\n")
