"""Content of a release: a folder that is there already, or a folder or zip put into a new one, whole or not at all.

A release folder is recorded before it is made, belongs to one slot and release, and is never written again once a site
may serve from it. The live slot's folder is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from arr_bluegreen.control.interface import FileControl, FolderDigest, RecordStore
from arr_bluegreen.deployment.names import check_folder_name
from arr_bluegreen.deployment.ownership import Folder, Owned, change_owned, read_owned
from arr_bluegreen.deployment.tokens import EditXml, with_settings
from arr_bluegreen.errors import RefusedError, UsageError
from arr_bluegreen.webfarm.setting import FileSettings


@dataclass(frozen=True, slots=True)
class ContentWish:
    """What shall be in place: ``source`` is a folder or a ``.zip`` on the machine, or (``upload``) one zip of ours.

    ``base`` is the folder that holds the slot's release folders; an empty source means that ``base`` is the content.
    ``run`` tells a retry (same run: the folder it made) from a new deployment of the same release (a new folder).
    """

    slot: str
    release: str
    base: str
    source: str = ""
    upload: bool = False
    run: str = ""
    settings: tuple[FileSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class ContentTools:
    """What only the controller's adapters can do: XML settings, and a look into a zip of its own before it is sent.
    ``beat`` is called before what may take long: the lock must last."""

    edit_xml: EditXml | None = None
    inspect_zip: Callable[[str], FolderDigest] | None = None
    beat: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the content is, what it held before the slot's settings were made, and whether we made the folder."""

    path: str
    content: FolderDigest
    ours: bool


def put_content(
    wish: ContentWish, files: FileControl, records: RecordStore, now: datetime, tools: ContentTools | None = None
) -> Placed:
    """The content in its folder with the slot's settings made; a retry finds it there and does no more.

    Raises ``UsageError`` when the source or folder is not there or the zip breaks a rule, ``RefusedError`` when the
    target cannot be written or changed under our hands.
    """
    tools = tools or ContentTools()
    if not wish.source:
        return _there(wish, files, tools.edit_xml)
    check_folder_name(wish.release)
    inspected = tools.inspect_zip(wish.source) if wish.upload and tools.inspect_zip is not None else None
    folder = _recorded(wish, files, records, now)
    tools.beat()
    placed = files.digest_folder(folder.path)
    if placed is None:
        _sweep(files, read_owned(records), folder)
        placed = _put(wish, files, folder.path, inspected, tools.beat)
    if not folder.settled:
        make_settings(files, folder.path, wish.settings, tools.edit_xml)
        change_owned(records, lambda owned: owned.with_folder(replace(folder, settled=True)))
    return Placed(folder.path, placed, ours=True)


def make_settings(
    files: FileControl, path: str, wanted: Sequence[FileSettings], edit_xml: EditXml | None = None
) -> None:
    """The settings made in the files of a release folder; all are worked out before the first is written."""
    for place, text, after in settings_made(files, path, wanted, edit_xml):
        if after != text:
            files.write_text(place, after)


def settings_made(
    files: FileControl, path: str, wanted: Sequence[FileSettings], edit_xml: EditXml | None = None
) -> list[tuple[str, str, str]]:
    """Each file of the settings as (path, text, text with them), nothing written.

    Raises ``UsageError`` for a file that is not there, ``DescriptionError`` for a token or element that is not in it.
    """
    made = []
    for one in wanted:
        place = join(path, _inside(one.file))
        text = files.read_text(place)
        if text is None:
            raise UsageError(f"there is no {one.file} in {path}", hint="Look at [content] of the description.")
        made.append((place, text, with_settings(text, one, edit_xml)))
    return made


def join(folder: str, *names: str) -> str:
    """A path in the machine's own notation: backslashes unless the folder is written with slashes alone."""
    separator = "/" if "/" in folder and "\\" not in folder else "\\"
    return separator.join([folder.rstrip("\\/") or folder, *names])


def upload_of(folder: str) -> str:
    """Where a package lies on its way to this release folder: beside it, so that who clears the folder knows it."""
    at = max(folder.rfind("\\"), folder.rfind("/")) + 1
    return f"{folder[:at]}.{folder[at:]}.upload.zip"


def free_release_folder(base: str, release: str, taken: Callable[[str], bool]) -> str:
    """``base\\release``, or ``base\\release_2``, ``_3``, ... the first that is not taken."""
    names = (release, *(f"{release}_{number}" for number in range(2, 1000)))
    found = next((path for path in (join(base, name) for name in names) if not taken(path)), None)
    if found is None:
        raise RefusedError(f"{join(base, release)} and its successors up to _999 are all there", hint="Clear up there.")
    return found


# -- private -------------------------------------------------------------------------------------------


def _there(wish: ContentWish, files: FileControl, edit_xml: EditXml | None) -> Placed:
    content = files.digest_folder(wish.base)
    if content is None:
        hint = "Put the content there first, or name a source in [content]."
        raise UsageError(f"there is no folder {wish.base} for slot '{wish.slot}'", hint=hint)
    if not content.files:
        raise UsageError(f"the folder {wish.base} for slot '{wish.slot}' is empty", hint="Put the content there first.")
    make_settings(files, wish.base, wish.settings, edit_xml)
    return Placed(wish.base, content, ours=False)


def _recorded(wish: ContentWish, files: FileControl, records: RecordStore, now: datetime) -> Folder:
    had = _same(wish, read_owned(records))
    if had is not None:
        return had
    known = {one.path.casefold() for one in read_owned(records).folders}
    path = free_release_folder(wish.base, wish.release, lambda one: one.casefold() in known or files.folder_exists(one))
    within = join(wish.base, "").casefold()
    below = [one for one in read_owned(records).folders if one.path.casefold().startswith(within)]
    base_made = any(one.base_made for one in below) or not (below or files.folder_exists(wish.base))
    folder = Folder(path, wish.slot, wish.release, now, source=wish.source, run=wish.run, base_made=base_made)
    change_owned(records, lambda owned: owned.with_folder(folder))
    return folder


def _same(wish: ContentWish, owned: Owned) -> Folder | None:
    def same(one: Folder) -> bool:
        mine = (wish.slot.casefold(), wish.release, wish.source, wish.run)
        return (one.slot.casefold(), one.release, one.source, one.run) == mine

    below = join(wish.base, "").casefold()
    return next((one for one in owned.folders if same(one) and one.path.casefold().startswith(below)), None)


def _sweep(files: FileControl, owned: Owned, besides: Folder) -> None:
    """Packages of runs that were killed between upload and expanding; the farm's lock says that no other run is."""
    for one in owned.folders:
        if not one.settled and one.path != besides.path and one.source.casefold().endswith(".zip"):
            files.delete_file(upload_of(one.path))


def _put(
    wish: ContentWish, files: FileControl, path: str, expected: FolderDigest | None, beat: Callable[[], None]
) -> FolderDigest:
    if not wish.source.casefold().endswith(".zip"):
        if wish.upload:
            raise UsageError(f"{wish.source} is a folder of the controller", hint="Zip it, or put it on the machine.")
        source = files.digest_folder(wish.source)
        beat()
        placed = files.copy_folder(wish.source, path)
        if placed != source:
            raise RefusedError(f"{path} is not what {wish.source} was: it changed meanwhile", hint="Try again.")
        return placed
    if not wish.upload:
        return files.expand_zip(wish.source, path)
    package = upload_of(path)
    try:
        files.upload(wish.source, package)
        beat()
        placed = files.expand_zip(package, path)
    finally:
        files.delete_file(package)
    if expected is not None and placed != expected:
        files.delete_folder(path)
        raise RefusedError(f"{path} is not what {wish.source} holds: it was damaged on its way", hint="Try again.")
    return placed


def _inside(file: str) -> str:
    parts = file.replace("\\", "/").split("/")
    if not file or file[0] in "\\/" or ":" in file or any(part in ("", ".", "..") for part in parts):
        raise UsageError(f"'{file}' is no file inside the release folder", hint="Name it from there, like web.config.")
    return file
