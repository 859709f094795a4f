"""Files, folders and our records of a machine through the scripts ``files``, ``folder`` and ``hosts_file``."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from arr_bluegreen.control import hosts_file, replies
from arr_bluegreen.control.hands import Hands, ask
from arr_bluegreen.control.interface import FolderDigest
from arr_bluegreen.errors import RemoteError, UnreachableError, UsageError

PIECE = 512 * 1024
"""Bytes of one piece of an upload."""
LARGEST_UPLOAD = 256 << 20
"""Bytes of the largest upload: beyond, use a share or a package feed; WinRM moves some MB per second at best."""
LONG = 1800.0


class RemoteFiles:
    """``interface.FileControl`` of one machine."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def read_text(self, path: str) -> str | None:
        """UTF-8 text (at most 4 MB), or None when there is no such file."""
        text = self._op("text", op="read", path=path)
        return None if text is None else str(text)

    def write_text(self, path: str, text: str) -> None:
        """Written whole or not at all; missing folders are made."""
        self._op("done", op="write", path=path, text=text)

    def delete_file(self, path: str) -> None:
        """Gone afterwards, also when it was not there."""
        try:
            self._op("done", op="delete", path=path, expected=None)
        except UnreachableError as lost:
            if not lost.maybe_done:
                raise
            self._op("done", op="delete", path=path, expected=None)

    def folder_exists(self, path: str) -> bool:
        """Whether there is a folder of this path."""
        return bool(self._op("done", op="folder_exists", path=path))

    def digest_folder(self, path: str) -> FolderDigest | None:
        """Count and digest of a folder's content, None when there is no such folder."""
        return ask(self._hands, "folder", {"op": "digest", "path": path}, replies.folder_digest, within=LONG)

    def copy_folder(self, source: str, target: str) -> FolderDigest:
        """A folder copied to a new one, whole or not at all."""
        return self._fill("copy", source, target)

    def expand_zip(self, source: str, target: str) -> FolderDigest:
        """A zip expanded to a new folder, whole or not at all; raises ``UsageError`` for one that breaks a rule."""
        return self._fill("expand", source, target)

    def check_zip(self, source: str) -> None:
        """The zip judged and read whole, nothing written; raises ``BadZip``, or ``UsageError`` when it is not there."""
        self._hands.call("folder", {"op": "check", "source": source}, within=LONG)

    def upload(self, source: str, target: str) -> None:
        """A local file put there in pieces; each may be sent twice, since it says where it belongs. At most 256 MB."""
        file = Path(source)
        try:
            size = file.stat().st_size
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}") from error
        if size > LARGEST_UPLOAD:
            raise UsageError(f"{source} has {size} bytes, and 256 MB are the most over WinRM", hint="Use a share.")
        offset = 0
        with file.open("rb") as opened:
            while offset < size or not size:
                offset = self._append(target, opened.read(PIECE), offset)
                if not size:
                    break
        if offset != size:
            raise RemoteError(f"{self._hands.name}: {target} has {offset} bytes after the upload, not {size}")

    def delete_folder(self, path: str) -> None:
        """Gone afterwards, with all below it."""
        self._op("done", op="delete_folder", path=path)

    def hosts_entries(self, owner: str | None = None) -> tuple[tuple[str, str], ...]:
        """The hosts file's entries as (IP address, name), in order; with ``owner`` only the lines marked as its."""
        text = ask(self._hands, "hosts_file", {"op": "read"}, lambda reply: str(reply["text"]))
        return hosts_file.entries(text, owner)

    def set_hosts_entries(self, owner: str, entries: Sequence[tuple[str, str]]) -> bool:
        """The owner's lines become exactly these; True when the file was written. Raises ``UsageError`` as locally."""
        hosts_file.check_entries(owner, entries)
        request: dict[str, Any] = {"op": "set", "owner": owner, "lines": [list(one) for one in entries]}
        if not entries:
            request = {"op": "remove", "owner": owner}
        return ask(self._hands, "hosts_file", request, lambda reply: bool(reply["changed"]))

    # -- private -------------------------------------------------------------------------------------------

    def _op(self, key: str, **op: Any) -> Any:
        return ask(self._hands, "files", {"ops": [op]}, lambda reply: replies.results(reply, key))

    def _append(self, target: str, piece: bytes, offset: int) -> int:
        data = base64.b64encode(piece).decode("ascii")
        request = {"op": "append", "path": target, "data": data, "offset": offset}
        return ask(self._hands, "folder", request, lambda reply: int(reply["size"]), within=120)

    def _fill(self, op: str, source: str, target: str) -> FolderDigest:
        """Both fill a partial folder and move it last: after a lost reply, a target that is there is whole."""
        try:
            request = {"op": op, "source": source, "target": target}
            filled = ask(self._hands, "folder", request, replies.folder_digest, within=LONG)
        except UnreachableError as lost:
            if not lost.maybe_done:
                raise
            filled = self.digest_folder(target)
            if filled is None:
                raise
        if filled is None:
            raise RemoteError(f"{self._hands.name}: {target} is not there after it was filled")
        return filled


class RemoteRecords:
    """``interface.RecordStore`` of one farm on one machine: ``%ProgramData%\\arr-bluegreen\\<farm>``."""

    def __init__(self, hands: Hands, folder: str) -> None:
        self._hands, self._folder = hands, rf"%ProgramData%\arr-bluegreen\{folder}"

    def read(self, name: str) -> str | None:
        """The text, or None when there is no such record."""
        text = self._op("text", "read", name)
        return None if text is None else str(text)

    def write(self, name: str, text: str) -> None:
        """Written whole or not at all."""
        self._op("done", "write", name, text=text)

    def create(self, name: str, text: str) -> bool:
        """Created exclusively. After a lost reply the record is looked at: ours it is if it reads as we wrote it."""
        return self._decided("create", name, text, text=text)

    def replace(self, name: str, expected: str, text: str) -> bool:
        """Compare and swap; after a lost reply as ``create``."""
        return self._decided("replace", name, text, expected=expected, text=text)

    def delete(self, name: str, expected: str | None = None) -> bool:
        """Removed; after a lost reply a record that is gone counts as removed by us."""
        return self._decided("delete", name, None, expected=expected)

    def names(self) -> tuple[str, ...]:
        """The records there are, sorted."""
        request = {"ops": [{"op": "names", "path": self._folder}]}
        return ask(
            self._hands,
            "files",
            request,
            lambda reply: tuple(sorted(str(one) for one in replies.results(reply, "names"))),
        )

    # -- private -------------------------------------------------------------------------------------------

    def _op(self, key: str, op: str, name: str, **more: Any) -> Any:
        if not _PLAIN.fullmatch(name):
            raise UsageError(f"'{name}' is no name for a record")
        one = {"op": op, "path": rf"{self._folder}\{name}", **more}
        return ask(self._hands, "files", {"ops": [one]}, lambda reply: replies.results(reply, key))

    def _decided(self, op: str, name: str, after: str | None, **more: Any) -> bool:
        """Done or not; after a lost reply: look, and if nothing was done, once more."""
        try:
            return bool(self._op("done", op, name, **more))
        except UnreachableError as lost:
            if not lost.maybe_done:
                raise
        if self.read(name) == after:
            return True
        return bool(self._op("done", op, name, **more))


# -- private -------------------------------------------------------------------------------------------

_PLAIN = re.compile(r"[A-Za-z0-9_=-][A-Za-z0-9_. =-]{0,120}(?<![. ])")
