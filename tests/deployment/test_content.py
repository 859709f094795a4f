"""Content: in its own folder, whole or not at all, with the slot's settings made once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from arr_bluegreen.apphost.web_config import edit_xml
from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.control.local_files import LocalFiles
from arr_bluegreen.control.safe_extract import inspect_zip
from arr_bluegreen.deployment.content import ContentTools, ContentWish, Placed, put_content
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.tokens import replace_tokens
from arr_bluegreen.errors import ArrBlueGreenError, DescriptionError, UsageError
from arr_bluegreen.webfarm.setting import FileSettings, XmlSetting

from .words import NOW, MemoryRecords

WEB_CONFIG = (
    "\ufeff<configuration>\r\n  <!-- kept -->\r\n"
    "  <appSettings><add key=\"Slot\" value='__SLOT__'/></appSettings>\r\n</configuration>"
)


TOOLS = ContentTools(edit_xml, lambda zip_file: inspect_zip(Path(zip_file)))


@pytest.fixture
def drop(tmp_path: Path) -> Path:
    """What a build dropped."""
    folder = tmp_path / "drop"
    (folder / "bin").mkdir(parents=True)
    (folder / "web.config").write_bytes(WEB_CONFIG.encode())
    (folder / "bin" / "app.dll").write_bytes(b"\0" * 1000)
    return folder


def put(wish: ContentWish, records: MemoryRecords | None = None) -> Placed:
    """Put in place on this machine."""
    return put_content(wish, LocalFiles(), records or MemoryRecords(), NOW, TOOLS)


def test_a_folder_that_is_there_is_taken_as_it_is(drop: Path) -> None:
    """Not copied, not recorded as ours."""
    placed = put(ContentWish("blue", "2", str(drop)))
    assert (placed.path, placed.ours, placed.content.files) == (str(drop), False, 2)


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    """Before any site is pointed to it."""
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        with pytest.raises(UsageError, match=name):
            put(ContentWish("blue", "2", str(tmp_path / name)))


def test_a_folder_is_copied_into_a_new_release_folder(drop: Path, tmp_path: Path) -> None:
    """And another run of the same release gets another one (octopus.md 0.10)."""
    records = MemoryRecords()
    wish = ContentWish("blue", "2", str(tmp_path / "blue"), str(drop), run="a")
    assert put(wish, records).path == str(tmp_path / "blue" / "2")
    assert put(wish, records).path == str(tmp_path / "blue" / "2")
    other = ContentWish("blue", "2", str(tmp_path / "blue"), str(drop), run="b")
    assert put(other, records).path == str(tmp_path / "blue" / "2_2")
    assert [one.path for one in read_owned(records).folders] == [str(tmp_path / "blue" / n) for n in ("2", "2_2")]


def test_a_zip_is_expanded_also_when_it_is_uploaded(drop: Path, tmp_path: Path) -> None:
    """The uploaded package is gone afterwards."""
    package = tmp_path / "shop.2.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.write(drop / "web.config", "web.config")
        archive.write(drop / "bin" / "app.dll", "bin/app.dll")
    placed = put(ContentWish("blue", "2", str(tmp_path / "blue"), str(package), upload=True))
    assert placed.content.files == 2
    assert [one.name for one in (tmp_path / "blue").iterdir()] == ["2"]


def test_a_crash_after_the_record_leaves_nothing_unnamed(drop: Path, tmp_path: Path) -> None:
    """The folder is recorded before it is made; the retry makes it where it was recorded."""

    class Breaking(LocalFiles):
        def copy_folder(self, source: str, target: str) -> FolderDigest:
            raise KeyboardInterrupt

    records = MemoryRecords()
    wish = ContentWish("blue", "2", str(tmp_path / "blue"), str(drop), run="a")
    with pytest.raises(KeyboardInterrupt):
        put_content(wish, Breaking(), records, NOW)
    (recorded,) = read_owned(records).folders
    assert not recorded.settled
    assert put(wish, records).path == recorded.path
    assert read_owned(records).folders[0].settled


def test_settings_are_made_once_and_keep_every_other_byte(drop: Path, tmp_path: Path) -> None:
    """Tokens, then XML; the byte order mark, CRLF, comments and quotes stay; the source is untouched."""
    settings = FileSettings(
        tokens=(("__SLOT__", 'gr"ün & <blue>'),),
        xml=(XmlSetting("configuration/appSettings/add[@key='Slot']", "extra", "1"),),
    )
    wish = ContentWish("blue", "2", str(tmp_path / "blue"), str(drop), settings=(settings,))
    records = MemoryRecords()
    put(wish, records)
    put(wish, records)
    made = (tmp_path / "blue" / "2" / "web.config").read_bytes().decode()
    value = "value='gr&quot;ün &amp; &lt;blue&gt;' extra=\"1\"/>"
    assert made == WEB_CONFIG.replace("value='__SLOT__'/>", value)
    assert (drop / "web.config").read_bytes() == WEB_CONFIG.encode()


@pytest.mark.parametrize(
    "settings",
    [
        FileSettings(tokens=(("__NOT_THERE__", "x"),)),
        FileSettings(file="missing.config"),
        FileSettings(file="../outside.config"),
        FileSettings(file="C:/x"),
        FileSettings(xml=(XmlSetting("configuration/appSettings/add[@key='No']", "value", "1"),)),
        FileSettings(xml=(XmlSetting("configuration//add", "value", "1"),)),
        FileSettings(xml=(XmlSetting("configuration/appSettings", 'a="b" c', "1"),)),
    ],
)
def test_settings_that_cannot_be_made_change_no_file(drop: Path, settings: FileSettings) -> None:
    """All are worked out before the first is written."""
    good = FileSettings(tokens=(("__SLOT__", "blue"),))
    with pytest.raises(ArrBlueGreenError):
        put(ContentWish("blue", "2", str(drop), settings=(good, settings)))
    assert (drop / "web.config").read_bytes() == WEB_CONFIG.encode()


def test_a_value_never_becomes_a_token() -> None:
    """One pass: what a value brings in is not looked at again; longer tokens first."""
    assert replace_tokens("A AB", [("A", "AB"), ("AB", "A")], where="f") == "AB A"
    with pytest.raises(DescriptionError):
        replace_tokens("x", [("", "y")], where="f")


def test_an_uploaded_zip_is_judged_here_and_compared_there(drop: Path, tmp_path: Path) -> None:
    """A bad one is never sent; one that the machine expands to something else is not left there."""

    class Damaging(LocalFiles):
        uploads = 0

        def upload(self, source: str, target: str) -> None:
            self.uploads += 1
            super().upload(source, target)

        def expand_zip(self, source: str, target: str) -> FolderDigest:
            super().expand_zip(source, target)
            (Path(target) / "web.config").write_text("damaged")
            found = self.digest_folder(target)
            assert found is not None
            return found

    files = Damaging()
    for name, entry in (("good.zip", "web.config"), ("bad.zip", "../web.config")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.write(drop / "web.config", entry)
        wish = ContentWish("blue", name, str(tmp_path / "blue"), str(tmp_path / name), upload=True)
        with pytest.raises(ArrBlueGreenError, match=r"damaged|climbs"):
            put_content(wish, files, MemoryRecords(), NOW, TOOLS)
    assert files.uploads == 1
    assert list((tmp_path / "blue").iterdir()) == []
