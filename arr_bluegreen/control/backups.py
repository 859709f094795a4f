"""Timestamped copies of one configuration file, in a folder of ours beside it, and the notes that undo our own edits.

Only names of our own making are ever read, pruned or restored: ``<file>.<UTC time>.<first 12 of its sha256>``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.control.disk import Disk, write_new
from arr_bluegreen.errors import ConfigurationError, NoSuchObject

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Patch, Undo


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy: ``name`` is its file name, ``taken`` UTC, ``digest`` the first 12 hex digits of its sha256.

    ``undoes`` is how many commits, made by us after it, its notes can undo.
    """

    name: str
    taken: datetime
    digest: str
    path: Path
    undoes: int = 0


class Backups:
    """The backups of ``file`` in ``folder``; at most ``keep`` of them stay."""

    def __init__(self, file: Path, folder: Path, *, keep: int = 20, disk: Disk | None = None) -> None:
        self._file, self._folder, self._keep = file, folder, keep
        self._disk = disk or Disk()
        self._pattern = re.compile(re.escape(file.name) + r"\.(\d{8}T\d{12})Z\.([0-9a-f]{12})\Z")

    def all(self) -> tuple[Backup, ...]:
        """Every backup, the oldest first."""
        names = (self._pattern.match(name) for name in self._disk.names(self._folder))
        return tuple(self._backup(match[0], match[1], match[2]) for match in names if match)

    def get(self, name: str = "") -> Backup:
        """The backup of this name ("" = the newest); raises ``NoSuchObject`` naming the ones there."""
        found = self.all()
        chosen = [one for one in found if name in ("", one.name)]
        if not chosen:
            raise NoSuchObject("backup", name or "(newest)", tuple(one.name for one in found), where=str(self._folder))
        return chosen[-1]

    def take(self, data: bytes, now: datetime) -> Backup:
        """A copy of ``data``; the newest one, when that holds the same bytes already. Older ones beyond ``keep`` go.

        Raises OSError when it cannot be made.
        """
        digest = hashlib.sha256(data).hexdigest()[:12]
        newest = next(reversed(self.all()), None)
        if newest is not None and newest.digest == digest and not newest.undoes:
            return newest
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%S%f")
        name = f"{self._file.name}.{stamp}Z.{digest}"
        self._disk.make_folder(self._folder)
        self._sweep()
        temporary = self._folder / f".{name}.tmp"
        write_new(self._disk, temporary, data)
        self._disk.rename(temporary, self._folder / name)
        self._prune()
        return self._backup(name, stamp, digest)

    def read(self, backup: Backup) -> bytes:
        """Its bytes; raises ``ConfigurationError`` when they are no longer those that were put there."""
        data = self._disk.read(backup.path)
        if hashlib.sha256(data).hexdigest()[:12] != backup.digest:
            raise ConfigurationError(
                "this backup is damaged: its sha256 is not that of its name", file=str(backup.path)
            )
        return data

    def note(self, backup: Backup, inverse: Sequence[object]) -> None:
        """Remember what undoes one commit made after ``backup``; if that fails, only the undoing is lost."""
        from arr_bluegreen.webfarm.change import Undo  # only writers pay for it

        patches = [asdict(patch) for undo in inverse if isinstance(undo, Undo) for patch in undo.patches]
        line = json.dumps(patches, ensure_ascii=True) + "\n"
        with suppress(OSError), _notes(backup).open("a", encoding="ascii") as notes:
            notes.write(line)

    def undo(self, backup: Backup) -> tuple[Undo, ...]:
        """What puts back every commit noted after ``backup``, the newest first."""
        from arr_bluegreen.webfarm.change import Undo

        return tuple(Undo(patches, ()) for patches in reversed(list(_noted(backup))))

    # -- private ---------------------------------------------------------------------------------------

    def _backup(self, name: str, stamp: str, digest: str) -> Backup:
        taken = datetime.strptime(stamp, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        plain = Backup(name, taken, digest, self._folder / name)
        return Backup(name, taken, digest, plain.path, sum(1 for _ in _noted(plain)))

    def _sweep(self) -> None:
        """Half copies that a killed or failed writer left; the writers' lock is held whenever a backup is taken."""
        for name in self._disk.names(self._folder):
            if name.endswith(".tmp") and self._pattern.match(name.removeprefix(".").removesuffix(".tmp")):
                self._disk.remove(self._folder / name)

    def _prune(self) -> None:
        for old in self.all()[: -self._keep]:
            with suppress(OSError):
                self._disk.remove(old.path)
            _notes(old).unlink(missing_ok=True)


def _notes(backup: Backup) -> Path:
    return backup.path.with_name(backup.name + ".undo")


def _noted(backup: Backup) -> Iterator[tuple[Patch, ...]]:
    try:
        lines = _notes(backup).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    from arr_bluegreen.webfarm.change import Patch

    for line in lines:
        with suppress(ValueError, TypeError):  # a torn last line is no note
            yield tuple(Patch(**patch) for patch in json.loads(line))
