"""Addresses of slots on one machine: loopback ones, or names in the hosts file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arr_bluegreen.control.local_files import LocalFiles
from arr_bluegreen.deployment.aliases import (
    add_alias,
    free_loopback,
    host_alias,
    is_loopback,
    our_aliases,
    refuse_elsewhere,
    remove_alias,
)
from arr_bluegreen.errors import DescriptionError, RefusedError, UsageError

FOREIGN = (
    b"# Copyright (c)\r\n127.0.0.1\tlocalhost # arr-bluegreen shop is great\r\n10.0.0.9  db db.example\r\n# gr\xfc\xdfe"
)


def test_the_first_free_loopback_address_is_taken() -> None:
    """127.0.0.1 stays with the machine, and a gap is filled."""
    assert free_loopback([]) == "127.0.0.2"
    assert free_loopback(["127.0.0.2", "WEB01", "127.0.0.4"]) == "127.0.0.3"
    with pytest.raises(RefusedError):
        free_loopback([f"127.0.0.{n}" for n in range(2, 255)])


def test_loopback_is_told_from_names() -> None:
    """A name may resolve to anything; only what is written as loopback is."""
    assert is_loopback("127.0.0.2")
    assert is_loopback("[::1]")
    assert not is_loopback("10.0.0.1")
    assert not is_loopback("localhost")


def test_an_alias_is_a_host_name() -> None:
    """Whatever farm and slot are called, and never the same for two of them."""
    assert host_alias("Shop", "blue") == "shop-blue"
    made = [host_alias("Shop & Söhne", "blue"), host_alias("ö", "ü"), host_alias("商", "店")]
    made += [host_alias("shop", release) for release in ("1.2.3", "1-2.3", "1-2-3")]
    assert made[0].startswith("shop-s-hne-blue-")
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]{1,62}(?<!-)", one) for one in made)
    with pytest.raises(DescriptionError):
        host_alias("x" * 70, "blue")


@pytest.mark.parametrize("farm", ["Grüße", "商店", "Anna's shop", "shop #2", " x ", "s" * 200, "ü" * 64, "\U0001f600"])
def test_our_lines_are_ascii_whatever_the_farm_is_called(tmp_path: Path, farm: str) -> None:
    """Nobody can tell the encoding of that file; the mark still tells farms apart and reads back."""
    hosts = tmp_path / "hosts"
    hosts.write_bytes(FOREIGN)
    files = LocalFiles(hosts)
    assert add_alias(files, farm, "shop-blue")
    assert hosts.read_bytes().removeprefix(FOREIGN).isascii()
    assert our_aliases(files, farm) == (("127.0.0.1", "shop-blue"),)
    assert our_aliases(files, farm + "x") == ()
    assert remove_alias(files, farm, "shop-blue")
    assert hosts.read_bytes() == FOREIGN + b"\r\n"


def test_an_ansi_comment_is_one_line_and_stays(tmp_path: Path) -> None:
    """The byte 0x85 (dots in ANSI) ends no line, 0xA0 no word, and a byte order mark is part of no address."""
    hosts = tmp_path / "hosts"
    text = b"\xef\xbb\xbf10.0.0.9 db\r\n# see\x85 10.0.0.1 shop-blue\r\n10.0.0.2 a\xa0b\r\n"
    hosts.write_bytes(text)
    assert LocalFiles(hosts).hosts_entries() == (("10.0.0.9", "db"), ("10.0.0.2", "a\xa0b"))
    assert add_alias(LocalFiles(hosts), "shop", "shop-blue")
    assert hosts.read_bytes().startswith(text)


def test_a_site_elsewhere_needs_an_address_of_its_own() -> None:
    """auto and alias mean the machine that asks, so the one ARR machine must be the site's."""
    refuse_elsewhere("auto", "WEB1", ["web1"])
    for arr in (["arr1"], ["web1", "arr2"]):
        with pytest.raises(RefusedError, match=arr[-1]):
            refuse_elsewhere("alias", "web1", arr)


def test_our_lines_come_and_go_and_no_other_byte_changes(tmp_path: Path) -> None:
    """CRLF, bytes that are no UTF-8, a comment that looks like our mark, a last line without end."""
    hosts = tmp_path / "hosts"
    hosts.write_bytes(FOREIGN)
    files = LocalFiles(hosts)
    assert add_alias(files, "shop", "shop-blue")
    assert add_alias(files, "shop", "shop-green")
    assert not add_alias(files, "shop", "SHOP-GREEN")
    assert hosts.read_bytes() == (
        FOREIGN + b"\r\n127.0.0.1 shop-blue # arr-bluegreen shop\r\n127.0.0.1 shop-green # arr-bluegreen shop\r\n"
    )
    assert our_aliases(files, "shop") == (("127.0.0.1", "shop-blue"), ("127.0.0.1", "shop-green"))
    assert remove_alias(files, "shop", "shop-blue")
    assert not remove_alias(files, "shop", "localhost")
    assert remove_alias(files, "shop", "shop-green")
    assert hosts.read_bytes() == FOREIGN + b"\r\n"


def test_a_backup_is_made_before_each_write(tmp_path: Path) -> None:
    """With the bytes as they were."""
    hosts = tmp_path / "hosts"
    hosts.write_bytes(FOREIGN)
    add_alias(LocalFiles(hosts), "shop", "shop-blue")
    (backup,) = tmp_path.glob("hosts.arr-bluegreen-*.bak")
    assert backup.read_bytes() == FOREIGN


def test_of_our_backups_the_newest_stay(tmp_path: Path) -> None:
    """A release may write the file several times; somebody else's copy stays too."""
    hosts, other = tmp_path / "hosts", tmp_path / "hosts.bak"
    other.write_bytes(b"x")
    for number in range(9):
        add_alias(LocalFiles(hosts), "shop", f"shop-{number}")
    backups = sorted(tmp_path.glob("hosts.arr-bluegreen-*.bak"))
    assert [one.read_bytes().count(b"\n") for one in backups] == [4, 5, 6, 7, 8]
    assert other.exists()


def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """The first line of a name wins, so ours would not be asked; one that leads to us already is enough."""
    hosts = tmp_path / "hosts"
    hosts.write_bytes(b"10.0.0.9 shop-blue\n127.0.0.1 Shop-Green\n")
    with pytest.raises(RefusedError, match=r"10\.0\.0\.9"):
        add_alias(LocalFiles(hosts), "shop", "shop-blue")
    assert not add_alias(LocalFiles(hosts), "shop", "shop-green")


@pytest.mark.parametrize(
    "pair", [("127.0.0.1", "a b"), ("127.0.0.1", "a\n6.6.6.6 bank"), ("not an ip", "a"), ("::1", "a#")]
)
def test_what_would_not_read_back_is_never_written(tmp_path: Path, pair: tuple[str, str]) -> None:
    """Line ends, blanks and comment signs in names come from outside."""
    hosts = tmp_path / "hosts"
    hosts.write_bytes(FOREIGN)
    with pytest.raises(UsageError):
        LocalFiles(hosts).set_hosts_entries("arr-bluegreen shop", [pair])
    assert hosts.read_bytes() == FOREIGN
