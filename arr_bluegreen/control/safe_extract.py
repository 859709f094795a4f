"""A zip expanded to a new folder, whole or not at all: beside the target first, verified, then renamed into place."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import io
import os
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.control.zip_rules import ZipEntry, ZipLimits, check_frame, check_zip
from arr_bluegreen.errors import BadZip, RefusedError, UsageError

_CHUNK = 1 << 20


def digest_of(files: Iterator[tuple[str, int, str]]) -> FolderDigest:
    """Count, bytes and digest of files told as (name with ``/``, bytes, sha256 hex of the content), in any order.

    The digest is the sha256 of ``NAME\\0BYTES\\0SHA256\\n`` for every file, in UTF-8, names in ordinal order as .NET
    has it (by UTF-16 units); ``folder.ps1`` makes the same.
    """
    lines = sorted((name.encode("utf-16-be", "surrogatepass"), name, size, digest) for name, size, digest in files)
    whole = hashlib.sha256()
    for _, name, size, digest in lines:
        whole.update(f"{name}\0{size}\0{digest}\n".encode("utf-8", "surrogatepass"))
    return FolderDigest(len(lines), sum(size for _, _, size, _ in lines), whole.hexdigest())


def digest_folder(folder: Path) -> FolderDigest | None:
    """What the folder holds, None when there is none; ``RefusedError`` for a link inside (where would it lead?)."""
    if not folder.is_dir():
        return None
    return digest_of(_files_of(folder))


def expand_zip(source: Path, target: Path, limits: ZipLimits | None = None) -> FolderDigest:
    """The zip's files in the new folder ``target``, and nothing anywhere else; what the folder then holds.

    Raises ``BadZip`` (exit 2) for a zip that breaks a rule or is damaged, ``RefusedError`` when the target is there
    or cannot be written. In either case nothing is left behind.
    """
    limits = limits or ZipLimits()
    with _opened(source) as archive, new_folder(target) as partial:
        infos = archive.infolist()
        paths = check_zip(source.name, (_entry(one) for one in infos), limits, source.stat().st_size)
        told = []
        for info, parts in zip(infos, paths, strict=True):
            place = partial.joinpath(*parts)
            if info.filename.replace("\\", "/").endswith("/"):
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            told.append(("/".join(parts), info.file_size, _write(archive, info, place)))
        expected = digest_of(iter(told))
        if digest_folder(partial) != expected:
            raise RefusedError(f"what {source.name} expanded to is not what was in it", hint="Look at the disk.")
    return expected


def inspect_zip(source: Path, limits: ZipLimits | None = None) -> FolderDigest:
    """What the zip would expand to, every byte read and nothing written; ``BadZip`` as ``expand_zip`` raises it.

    For a package that is uploaded: judged here first, and what the machine made of it compared with this.
    """
    with _opened(source) as archive:
        infos = archive.infolist()
        paths = check_zip(source.name, (_entry(one) for one in infos), limits or ZipLimits(), source.stat().st_size)
        told = []
        for info, parts in zip(infos, paths, strict=True):
            if not info.filename.replace("\\", "/").endswith("/"):
                with io.BytesIO() as nowhere:
                    told.append(("/".join(parts), info.file_size, _unpack(archive, info, nowhere, keep=False)))
    return digest_of(iter(told))


def copy_folder(source: Path, target: Path) -> FolderDigest:
    """A folder copied to the new folder ``target``, verified by count and digest; what it holds.

    Raises ``UsageError`` when there is no source, ``RefusedError`` for a link inside, a target that is there or cannot
    be written, or a source that changed under the copy. In either case nothing is left behind.
    """
    before = digest_folder(source)
    if before is None:
        raise UsageError(f"no such folder: {source}")
    if target.resolve().is_relative_to(source.resolve()):
        raise UsageError(f"{target} lies inside {source}, which shall be copied", hint="Name a folder outside.")
    with new_folder(target) as partial:
        shutil.copytree(source, partial, dirs_exist_ok=True, symlinks=True)
        if digest_folder(partial) != before or digest_folder(source) != before:
            raise RefusedError(f"{source} changed while it was copied", hint="Try again when nothing writes there.")
    return before


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder beside ``target`` to fill; at the end it becomes ``target``, and on any error it goes.

    One that a killed process left for the same target goes too.
    """
    if target.exists():
        raise RefusedError(f"{target} is there already", hint="Each release gets a folder of its own.")
    partial = target.with_name(f"{_partial_name(target)}{uuid.uuid4().hex[:8]}")
    delete_partials(target)
    try:
        partial.mkdir(parents=True)
        yield partial
        partial.rename(target)
    except OSError as error:
        raise RefusedError(
            f"cannot write {target}: {error.strerror or error}", hint="Nothing was left behind."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def delete_partials(target: Path) -> None:
    """What a filling of ``target`` that was killed left beside it goes."""
    for left in target.parent.glob(f"{glob.escape(_partial_name(target))}*"):
        shutil.rmtree(left, ignore_errors=True)


# -- private -------------------------------------------------------------------------------------------


def _partial_name(target: Path) -> str:
    return f".{target.name[:60]}.partial-"


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[zipfile.ZipFile]:
    damaged = (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        UnicodeDecodeError,
        ValueError,
        RuntimeError,
    )
    try:
        with zipfile.ZipFile(source) as archive:
            _check_frame(source, archive)
            yield archive
    except FileNotFoundError as error:
        raise UsageError(f"no such file: {source}") from error
    except damaged as error:
        raise BadZip(
            f"{source.name} is no whole zip: {error}", hint="Nothing was written. Make the zip anew."
        ) from error


def _check_frame(source: Path, archive: zipfile.ZipFile) -> None:
    size = source.stat().st_size
    with source.open("rb") as file:
        file.seek(max(0, size - 22 - len(archive.comment)))
        ending = file.read()
    first = min((one.header_offset for one in archive.infolist()), default=0)
    check_frame(source.name, ending, archive.start_dir, first, size)


def _entry(info: zipfile.ZipInfo) -> ZipEntry:
    mode = info.external_attr >> 16
    # orig_filename: zipfile cuts the other at a NUL, which would hide what another reader sees
    return ZipEntry(
        info.orig_filename, info.file_size, info.compress_size, mode, bool(info.flag_bits & 1), info.compress_type
    )


def _write(archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: Path) -> str:
    with place.open("xb") as out:
        return _unpack(archive, info, out, keep=True)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, out: BinaryIO, *, keep: bool) -> str:
    digest, size = hashlib.sha256(), 0
    with archive.open(info) as packed:
        while chunk := packed.read(_CHUNK):
            size += len(chunk)
            if size > info.file_size:
                raise BadZip(f"{info.filename} is longer than the zip says", hint="Nothing was written.")
            digest.update(chunk)
            if keep:
                out.write(chunk)
    if size != info.file_size:
        raise BadZip(f"{info.filename} is shorter than the zip says", hint="Nothing was written.")
    return digest.hexdigest()


def _files_of(folder: Path) -> Iterator[tuple[str, int, str]]:
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(where, name)
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise RefusedError(f"{path} is a link or something else that is no file", hint="Take it out.")
        for name in names:
            path = Path(where, name)
            with path.open("rb") as file:
                size, digest = _hash(file)
            yield path.relative_to(folder).as_posix(), size, digest


def _hash(file: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()
