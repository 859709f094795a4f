"""One table of bad zips for all who judge them: the controller, ``folder.ps1`` (its rules read), the simulator."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from arr_bluegreen.control import framing, remote_files
from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.control.safe_extract import inspect_zip
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.deployment.content import ContentTools, ContentWish, put_content
from arr_bluegreen.errors import BadZip, ExitCode, RefusedError, UsageError
from arr_bluegreen.simulator.files import MemoryDrives
from tests.control.simulated import Machine, simulated
from tests.control.test_safe_extract import BAD, named, zeros
from tests.deployment.words import NOW


def of_method(method: int) -> bytes:
    """A good zip that says it is compressed otherwise."""
    data = bytearray(named("a.txt"))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = data.index(mark) + offset
        data[at : at + 2] = struct.pack("<H", method)
    return bytes(data)


def folder_with_content() -> bytes:
    """An entry whose name is a folder's and that holds something."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("a.txt", b"hello")
        info = zipfile.ZipInfo("x")
        info.filename = "bin/"
        archive.writestr(info, b"hello")
    return data.getvalue()


def shorter() -> bytes:
    """A stored entry that claims more than there is."""
    data = bytearray(named("a.txt"))
    for mark, offset in ((b"PK\x03\x04", 18), (b"PK\x01\x02", 20)):
        at = data.index(mark) + offset
        data[at : at + 8] = struct.pack("<II", 4, 9)
    return bytes(data)


def everything(drives: object) -> list[str]:
    """Every file and folder of the drives, in lower case."""
    assert isinstance(drives, MemoryDrives)
    return sorted([*drives._files, *drives._folders])


def inspected(path: str) -> FolderDigest:
    """As the command line hands it in."""
    return inspect_zip(Path(path))


ONLY_WITH_SMALL_LIMITS = ("a bomb by ratio", "a bomb by size", "too many entries")
TABLE: dict[str, Callable[[], bytes]] = {
    **{kind: made for kind, made in BAD.items() if kind not in ONLY_WITH_SMALL_LIMITS},
    "a bomb": lambda: zeros(17 << 20),
    "an unknown method": lambda: of_method(12),
    "an unknown method, deflate64": lambda: of_method(9),
    "a folder with content": folder_with_content,
    "shorter than it says": shorter,
    "a console's name": lambda: named("conin$.txt"),
    "a device before spaces": lambda: named("nul  .txt"),
    "a folder of dots": lambda: named("a/.../b"),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine behind WinRM."""
    with simulated() as one:
        yield one


@pytest.fixture(scope="module")
def there(machine: Machine) -> Iterator[WinrmMachine]:
    """Its controls."""
    controls = machine.connect()
    yield controls
    controls.close()


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 36


@pytest.mark.parametrize("kind", TABLE)
def test_all_refuse_it_and_nothing_is_written(tmp_path: Path, machine: Machine, there: WinrmMachine, kind: str) -> None:
    """The controller before it sends it; the machine when it lies there already: ``BadZip``, exit code 2."""
    data = TABLE[kind]()
    package = tmp_path / "bad.zip"
    package.write_bytes(data)
    with pytest.raises(BadZip):
        inspect_zip(package)
    drives = MemoryDrives()
    drives.write_bytes(r"C:\in\bad.zip", data)
    with pytest.raises(BadZip):
        drives.expand(r"C:\in\bad.zip", r"C:\out\2")
    assert everything(drives) == [r"c:\in\bad.zip"]
    machine.host.files.write_bytes(r"C:\in\bad.zip", data)
    before = everything(machine.host.files)
    with pytest.raises(BadZip) as caught:
        there.files.expand_zip(r"C:\in\bad.zip", r"C:\out\2")
    assert caught.value.exit_code is ExitCode.USAGE
    with pytest.raises(BadZip):
        there.files.check_zip(r"C:\in\bad.zip")
    assert everything(machine.host.files) == before


@pytest.mark.parametrize("kind", ["climbs with slashes", "a symbolic link", "damaged content", "encrypted"])
def test_a_package_of_the_controller_is_refused_before_it_is_sent(
    tmp_path: Path, machine: Machine, there: WinrmMachine, kind: str
) -> None:
    """Not one byte goes to the machine, and no folder is recorded as settled."""
    package = tmp_path / "bad.zip"
    package.write_bytes(TABLE[kind]())
    before = everything(machine.host.files)
    wish = ContentWish("green", "2", r"C:\apps\green", str(package), True, "run-1")
    with pytest.raises(BadZip):
        put_content(wish, there.files, there.records("shop"), NOW, ContentTools(inspect_zip=inspected))
    assert everything(machine.host.files) == before


def test_a_good_package_is_compared_before_and_after(tmp_path: Path, machine: Machine, there: WinrmMachine) -> None:
    """What landed is what was in it, umlauts and emoji too; a package damaged on its way is refused and taken away."""
    package = tmp_path / "good.zip"
    package.write_bytes(named("web.config", "bin\\app.dll", "./wwwroot/gr\u00fc\u00dfe.html", "wwwroot/\U0001f600.txt"))
    tools = ContentTools(inspect_zip=inspected)
    wish = ContentWish("green", "3", r"C:\apps\green", str(package), True, "run-2")
    placed = put_content(wish, there.files, there.records("shop"), NOW, tools)
    machine.host.files.write_bytes(r"C:\in\good.zip", package.read_bytes())
    there.files.check_zip(r"C:\in\good.zip")
    with pytest.raises(UsageError, match="missing"):
        there.files.check_zip(r"C:\in\missing.zip")
    assert there.files.digest_folder(placed.path) == inspect_zip(package)
    assert not [one for one in machine.host.files.below(r"C:\apps\green") if one.endswith(".zip")]

    other = tmp_path / "other.zip"
    other.write_bytes(named("something-else"))
    lying = ContentTools(inspect_zip=lambda path: inspected(str(other)))
    wish = ContentWish("green", "4", r"C:\apps\green", str(package), True, "run-3")
    with pytest.raises(RefusedError, match="damaged on its way"):
        put_content(wish, there.files, there.records("shop"), NOW, lying)
    assert not there.files.folder_exists(r"C:\apps\green\4")


def test_more_than_the_limit_is_not_sent(tmp_path: Path, there: WinrmMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is said, and what to do."""
    package = tmp_path / "large.zip"
    package.write_bytes(b"x" * 2000)
    monkeypatch.setattr(remote_files, "LARGEST_UPLOAD", 1000)
    with pytest.raises(UsageError, match="256 MB are the most"):
        there.files.upload(str(package), r"C:\large.zip")
    assert there.files.digest_folder(r"C:\large.zip") is None


# -- folder.ps1, as far as it can be read here -----------------------------------------------------------------

SCRIPT = framing.script_text("folder")
PATTERNS = [
    re.compile(one.replace("\\x00-\\x1f\\x7f", "\x00-\x1f\x7f"), re.IGNORECASE)
    for one in re.findall(r"-match '([^']+)'", SCRIPT[SCRIPT.index("function Test-EntryName") :].split("\n}\n")[0])
]


@pytest.mark.parametrize(
    "part",
    ["/a", "\\a", "c:a", "a<b", "a\x07", "a\x7f", "a.", "a ", "NUL", "aux.txt", "com\u00b9.x", "conout$", "lpt1 .a"],
)  # fmt: skip
def test_the_scripts_own_patterns_refuse_it(part: str) -> None:
    """The regular expressions as they stand in ``Test-EntryName`` (.NET's and Python's agree on these)."""
    assert any(one.search(part) for one in PATTERNS)


@pytest.mark.parametrize("part", ["web.config", "gr\u00fc\u00dfe.html", "com.txt", "nullable", "a b", "\U0001f600"])
def test_and_let_the_honest_through(part: str) -> None:
    """Names that only look like it."""
    assert not any(one.search(part) for one in PATTERNS)


def test_the_script_checks_what_dot_net_does_not() -> None:
    """ZipArchive of .NET Framework neither compares CRCs nor tells encryption, method or mode."""
    for check in ("0xEDB88320u", "$told.crc", "$told.encrypted", "$told.method", "0xA000", "InvalidDataException"):
        assert check in SCRIPT
    limits = ("100000", "8589934592", "16777216", "200 *", "180", "$packed -gt $length", "holds no file")
    for limit in limits:
        assert limit in SCRIPT
    for frame in ("one part of a zip of several", "something behind its end", "something before its first entry"):
        assert frame in SCRIPT


def test_the_script_follows_no_link() -> None:
    """Neither for a digest nor for a copy: each file comes from the one walk that refuses them."""
    assert "AllDirectories" not in SCRIPT
    assert SCRIPT.count("Get-Files $") == 3
    assert "ReparsePoint" in SCRIPT.split("function Get-Files")[1].split("\n}\n")[0]
