"""Zips: a good one lands whole, a bad one is refused with exit code 2, and nothing is written anywhere."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.control.local_files import LocalFiles
from arr_bluegreen.control.safe_extract import copy_folder, digest_folder, digest_of, expand_zip, inspect_zip
from arr_bluegreen.control.zip_rules import ZipEntry, ZipLimits, check_zip
from arr_bluegreen.errors import ArrBlueGreenError, BadZip, ExitCode, RefusedError, UsageError

SMALL = ZipLimits(entries=50, bytes=1 << 20, ratio_from=1 << 16)


def named(*names: str) -> bytes:
    """A zip of small files of these names, written as they are."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, b"" if name.endswith("/") else b"hello")
    return data.getvalue()


def of_mode(mode: int) -> bytes:
    """A zip of one entry of a Unix mode."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("entry")
        info.create_system = 3
        info.external_attr = mode << 16
        archive.writestr(info, b"/etc/passwd")
    return data.getvalue()


def zeros(size: int) -> bytes:
    """A zip of so many zero bytes, deflated."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", b"\0" * size)
    return data.getvalue()


def patched(old: bytes, new: bytes, data: bytes | None = None) -> bytes:
    """A good zip with bytes exchanged."""
    data = data or named("a.txt")
    assert old in data
    return data.replace(old, new)


def encrypted() -> bytes:
    """A good zip that says it is encrypted."""
    data = bytearray(named("a.txt"))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    return bytes(data)


def understated() -> bytes:
    """A deflated entry that claims to be one byte long."""
    data = bytearray(zeros(1000))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + offset
        data[at : at + 4] = struct.pack("<I", 1)
    return bytes(data)


def overlapping() -> bytes:
    """Two entries of the directory that share one content."""
    data = named("aaaa", "bbbb")
    first, second = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")
    entry = bytearray(data[second : second + 50])
    entry[42:46] = struct.pack("<I", 0)
    end = data[data.index(b"PK\x05\x06") :]
    return data[:first] + data[first:second] + bytes(entry) + end


def prefixed() -> bytes:
    """A program with a good zip behind it, as a self-extractor is; the zip's own offsets say so."""
    data = bytearray(b"MZ" * 50 + named("a.txt"))
    end, entry = data.index(b"PK\x05\x06"), data.index(b"PK\x01\x02")
    data[end + 16 : end + 20] = struct.pack("<I", entry)
    data[entry + 42 : entry + 46] = struct.pack("<I", 100)
    return bytes(data)


def of_disks(disk: int, here: int) -> bytes:
    """A good zip of one entry that says it is that part of several, with so many entries in this part."""
    data = bytearray(named("a.txt"))
    end = data.index(b"PK\x05\x06")
    data[end + 4 : end + 10] = struct.pack("<3H", disk, 0, here)
    return bytes(data)


def with_a_gap() -> bytes:
    """Something hidden between the directory and the end."""
    data = named("a.txt")
    end = data.index(b"PK\x05\x06")
    return data[:end] + b"hidden" + data[end:]


BAD: dict[str, Callable[[], bytes]] = {
    "climbs with slashes": lambda: named("../evil.txt"),
    "climbs from inside": lambda: named("a/b/../../../evil.txt"),
    "climbs with backslashes": lambda: named("..\\evil.txt"),
    "absolute": lambda: named("/evil.txt"),
    "absolute with backslash": lambda: named("\\evil.txt"),
    "names a drive": lambda: named("C:/evil.txt"),
    "names a drive without slash": lambda: named("c:evil.txt"),
    "names a share": lambda: named("\\\\server\\share\\evil.txt"),
    "an alternate data stream": lambda: named("a.txt:evil"),
    "a symbolic link": lambda: of_mode(stat.S_IFLNK | 0o777),
    "a device node": lambda: of_mode(stat.S_IFCHR | 0o666),
    "a pipe": lambda: of_mode(stat.S_IFIFO | 0o666),
    "a reserved name": lambda: named("bin/NUL"),
    "a reserved name with extension": lambda: named("aux.config"),
    "a reserved name, superscript": lambda: named("com¹.txt"),
    "clashes in case": lambda: named("Web.config", "web.CONFIG"),
    "folders clash in case": lambda: named("Bin/a.dll", "bin/b.dll"),
    "the same name twice": lambda: named("a.txt", "a.txt"),
    "a file and a folder": lambda: named("a", "a/b"),
    "a name that ends with a dot": lambda: named("web.config."),
    "a folder that ends with a space": lambda: named("bin /a.dll"),
    "a character Windows has not": lambda: named("a|b.txt"),
    "a control character": lambda: named("a\x07b.txt"),
    "a NUL in the name": lambda: patched(b"a.txt", b"a.\0xt"),
    "too long a path": lambda: named("/".join(["folder"] * 40)),
    "a bomb by ratio": lambda: zeros(900_000),
    "a bomb by size": lambda: zeros(2 << 20),
    "a bomb by overlap": overlapping,
    "too many entries": lambda: named(*(f"{n}.txt" for n in range(51))),
    "encrypted": encrypted,
    "longer than it says": understated,
    "damaged content": lambda: patched(b"hello", b"jello"),
    "a program before it": lambda: b"MZ" * 50 + named("a.txt"),
    "a program before it that it knows of": prefixed,
    "something behind it": lambda: named("a.txt") + b"trailing",
    "something hidden before its end": with_a_gap,
    "one disk of several": lambda: of_disks(1, 1),
    "entries on other disks": lambda: of_disks(0, 0),
    "cut off": lambda: named("a.txt")[:-30],
    "no zip at all": lambda: b"MZ" * 500,
    "nothing in it": lambda: named(),
    "only folders in it": lambda: named("a/", "b/"),
    "an empty file": lambda: b"",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_zip_is_refused_and_nothing_is_written(tmp_path: Path, kind: str) -> None:
    """Exit code 2; no file but the zip itself lies anywhere afterwards."""
    package = tmp_path / "in" / "bad.zip"
    package.parent.mkdir()
    package.write_bytes(BAD[kind]())
    with pytest.raises(BadZip) as caught:
        LocalFiles(limits=SMALL).expand_zip(str(package), str(tmp_path / "out" / "2"))
    assert caught.value.exit_code is ExitCode.USAGE
    assert "bad.zip" in str(caught.value)
    with pytest.raises(BadZip):
        inspect_zip(package, SMALL)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [package]


def test_a_good_zip_lands_whole(tmp_path: Path) -> None:
    """Backslashes separate too, a leading ./ is nothing, and the digest is that of the folder."""
    package = tmp_path / "good.zip"
    package.write_bytes(named("web.config", "bin/", "bin\\app.dll", "./wwwroot/index.html"))
    digest = expand_zip(package, tmp_path / "2")
    assert digest.files == 3
    assert digest == digest_folder(tmp_path / "2") == inspect_zip(package)
    assert (tmp_path / "2" / "bin" / "app.dll").read_bytes() == b"hello"
    assert (tmp_path / "2" / "wwwroot" / "index.html").is_file()


def test_names_that_only_fold_to_the_same_are_two(tmp_path: Path) -> None:
    """Windows folds letter by letter, so that an eszett is not two; a zip may bear a comment."""
    package = tmp_path / "good.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.comment = b"made by hand, PK\x05\x05 and all"
        for name in ("stra\u00dfe.txt", "strasse.txt", "\ufb01n.txt", "fin.txt", "\U00010428", "\U00010400"):
            archive.writestr(name, name)
    assert expand_zip(package, tmp_path / "2").files == 6
    with pytest.raises(BadZip, match="differ only in case"):
        check_zip("x.zip", [ZipEntry("\u00e4.txt", 1, 1), ZipEntry("\u00c4.txt", 1, 1)])


def test_a_target_that_is_there_is_never_written_to(tmp_path: Path) -> None:
    """Each release gets a folder of its own."""
    package = tmp_path / "good.zip"
    package.write_bytes(named("a.txt"))
    (tmp_path / "2").mkdir()
    with pytest.raises(RefusedError):
        expand_zip(package, tmp_path / "2")
    assert list((tmp_path / "2").iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does any other failure of the system."""
    package = tmp_path / "good.zip"
    package.write_bytes(named("a.txt", "b.txt"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(RefusedError, match="No space"):
        expand_zip(package, tmp_path / "2")
    assert [one.name for one in tmp_path.iterdir()] == ["good.zip"]


def test_what_a_killed_filling_left_goes_with_the_next_or_with_the_folder(tmp_path: Path) -> None:
    """A killed process clears nothing up; other targets' partial folders stay."""
    package = tmp_path / "good.zip"
    package.write_bytes(named("a.txt"))
    for name in (".2.partial-0123abcd", ".2b.partial-0123abcd"):
        (tmp_path / name / "bin").mkdir(parents=True)
    expand_zip(package, tmp_path / "2")
    assert sorted(one.name for one in tmp_path.iterdir()) == [".2b.partial-0123abcd", "2", "good.zip"]
    LocalFiles().delete_folder(str(tmp_path / "2b"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["2", "good.zip"]


def test_a_folder_with_a_link_is_not_copied(tmp_path: Path) -> None:
    """Where would it lead on the other side?"""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "link").symlink_to("/etc")
    with pytest.raises(RefusedError, match="link"):
        copy_folder(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_folder_is_not_copied_into_itself(tmp_path: Path) -> None:
    """That would never end."""
    (tmp_path / "source").mkdir()
    with pytest.raises(UsageError):
        copy_folder(tmp_path / "source", tmp_path / "source" / "2")


def test_deleting_a_folder_leaves_what_its_links_lead_to(tmp_path: Path) -> None:
    """Also when the folder itself is a link, and never a whole drive."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("x")
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "gone2").symlink_to(tmp_path / "kept")
    files = LocalFiles()
    for name in ("gone", "gone2", "never"):
        files.delete_folder(str(tmp_path / name))
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").exists()
    with pytest.raises(RefusedError):
        files.delete_folder("/")


def test_the_digest_is_the_one_folder_ps1_makes() -> None:
    """Names in .NET's ordinal order, each line NAME NUL BYTES NUL SHA256 LF; worked out by hand."""
    import hashlib

    files = [("b", 1, "22"), ("a/c", 2, "11"), ("\U0001f600", 3, "33"), ("\uff00", 4, "44")]
    text = "a/c\x002\x0011\nb\x001\x0022\n\U0001f600\x003\x0033\n\uff00\x004\x0044\n"
    assert digest_of(iter(files)) == FolderDigest(4, 10, hashlib.sha256(text.encode()).hexdigest())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.sampled_from("aA./\\: \0~CON¹"), max_size=9), min_size=1, max_size=4))
def test_no_accepted_name_leaves_the_folder(names: list[str]) -> None:
    """Whatever the names: refused, or every part is a plain name."""
    try:
        paths = check_zip("x.zip", [ZipEntry(one, 0, 0) for one in names])
    except ArrBlueGreenError:
        return
    for parts in paths:
        assert parts
        assert all(one not in ("", ".", "..") and not set(one) & set("/\\:\0") for one in parts)
