"""``config restore --undo``: our own writes taken back, all of them since a copy, or a clear no."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]


def copies(cli: Cli) -> list[tuple[str, int]]:
    return [(one["name"], one["undoes"]) for one in cli("config", "backup", "--list", "--json").json]


@pytest.fixture
def thrice(cli: Cli) -> list[tuple[str, int]]:
    """Three writes of three runs: the copies, the oldest first, each with the writes since."""
    cli("server", "weight", "shop", "10.0.0.1", "50")
    cli("server", "weight", "shop", "10.0.0.2", "60")
    cli("server", "offline", "shop", "10.0.0.3")
    return copies(cli)


def test_the_oldest_copy_counts_and_undoes_every_write_since(
    cli: Cli, path: Path, thrice: list[tuple[str, int]]
) -> None:
    assert [undoes for _, undoes in thrice] == [3, 2, 1]
    assert cli("config", "restore", "--undo", thrice[0][0], "--yes").code == 0
    assert path.read_bytes() == SHOP


def test_a_copy_in_the_middle_undoes_what_came_after_it(cli: Cli, path: Path, thrice: list[tuple[str, int]]) -> None:
    assert cli("config", "restore", "--undo", thrice[1][0], "--yes").code == 0
    assert path.read_bytes() == SHOP.replace(
        b'10.0.0.1" enabled="true" />',
        b'10.0.0.1" enabled="true">\r\n                <applicationRequestRouting weight="50" />\r\n'
        b"            </server>",
    )


def test_what_is_undone_is_not_undone_again(cli: Cli, path: Path, thrice: list[tuple[str, int]]) -> None:
    cli("config", "restore", "--undo", thrice[0][0], "--yes")
    assert cli("config", "restore", "--undo", thrice[0][0]).out == "nothing to do\n"
    assert cli("config", "restore", "--undo").out == "nothing to do\n"
    assert {undoes for _, undoes in copies(cli)} == {0}
    cli("server", "weight", "shop", "10.0.0.1", "5")
    assert cli("config", "restore", "--undo", "--yes").code == 0
    assert path.read_bytes() == SHOP


def test_after_a_whole_restore_nothing_of_ours_is_left_to_undo(
    cli: Cli, path: Path, thrice: list[tuple[str, int]]
) -> None:
    assert cli("config", "restore", thrice[0][0], "--yes").code == 0
    assert path.read_bytes() == SHOP
    assert cli("config", "restore", "--undo", thrice[0][0]).out == "nothing to do\n"


def test_our_place_changed_by_another_is_refused_and_named(cli: Cli, path: Path) -> None:
    cli("server", "weight", "shop", "10.0.0.1", "50")
    foreign = path.read_bytes().replace(b'weight="50"', b'weight="55"')
    path.write_bytes(foreign)
    ran = cli("config", "restore", "--undo", "--yes")
    assert ran.code == 2
    assert "reads otherwise than we left it" in ran.err
    assert f"{path}:23:" in ran.err
    assert "server[@address='10.0.0.1']" in ran.err
    assert path.read_bytes() == foreign


def test_no_copy_at_all_is_said_so(cli: Cli) -> None:
    for verb in ("diff", "restore"):
        ran = cli("config", verb)
        assert ran.code == 2
        assert "there is no backup in" in ran.err


def test_a_dry_run_under_shared_configuration_refuses_as_the_act_does(cli: Cli, path: Path) -> None:
    cli("server", "weight", "shop", "10.0.0.1", "50")
    path.with_name("redirection.config").write_text(
        '<configuration><configurationRedirection enabled="true" path="\\\\share\\iis" /></configuration>'
    )
    for command in (["server", "weight", "shop", "10.0.0.1", "7"], ["config", "restore"]):
        assert cli(*command, "--dry-run").code == 3
        assert cli(*command, "--dry-run", "--despite-redirection").code == 0
    for command in (["farm", "list"], ["farm", "show", "shop"], ["server", "list"], ["rule", "list"]):
        ran = cli(*command)
        assert ran.code == 0
        assert "warning: shared configuration is on" in ran.err


@pytest.mark.skipif(shutil.which("patch") is None, reason="no patch here")
@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["line end", "no line end"])
def test_the_diff_of_a_dry_run_is_a_patch(cli: Cli, path: Path, tmp_path: Path, end: bytes) -> None:
    before = SHOP.replace(b'address="10.0.0.3"', 'description="Käse" address="10.0.0.3"'.encode()).rstrip()
    path.write_bytes(b"\xef\xbb\xbf" + before + end)
    command = ["farm", "create", "Käse", "--server", "a"]
    diff = tmp_path / "diff"
    diff.write_bytes(cli(*command, "--dry-run").out.encode())
    patched = tmp_path / "patched"
    subprocess.run(["patch", "--binary", "-s", "-o", patched, path, diff], check=True)
    assert cli(*command).code == 0
    assert patched.read_bytes() == path.read_bytes()
