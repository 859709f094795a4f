"""Timestamped copies of one configuration file, in a folder of ours beside it, and the notes that undo our own edits.

Only names of our own making are ever read, pruned or restored: ``<file>.<UTC time>.<first 12 of its sha256>``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arr_bluegreen.control.disk import Disk, write_new
from arr_bluegreen.errors import ArrBlueGreenError, ConfigurationError, NoSuchObject, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import Patch, Undo


@dataclass(frozen=True, slots=True)
class Backup:
    """One copy: ``name`` is its file name, ``taken`` UTC, ``digest`` the first 12 hex digits of its sha256.

    ``undoes`` is how many commits of ours since then (also those noted beside later backups) can be undone.
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
        self._pattern = re.escape(file.name) + r"\.([0-9]{8}T[0-9]{12})Z\.([0-9a-f]{12})"

    def all(self) -> tuple[Backup, ...]:
        """Every backup, the oldest first."""
        names = (re.fullmatch(self._pattern, name) for name in self._disk.names(self._folder))
        found: list[Backup] = []
        undoes = 0
        for match in reversed([one for one in names if one]):
            one = self._backup(match[0], match[1], match[2])
            undoes += len(_lines(one))
            found.append(replace(one, undoes=undoes))
        return tuple(reversed(found))

    def get(self, name: str = "") -> Backup:
        """The backup of this name ("" = the newest); raises ``NoSuchObject`` naming the ones there."""
        found = self.all()
        chosen = [one for one in found if name in ("", one.name)]
        if not chosen:
            raise _no_backup(name, found, self._folder)
        return chosen[-1]

    def take(self, data: bytes, now: datetime) -> Backup:
        """A copy of ``data``; the newest one, when that holds the same bytes already. Older ones beyond ``keep`` go.

        Raises OSError when it cannot be made.
        """
        digest = _digest(data)
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
        if _digest(data) != backup.digest:
            raise ConfigurationError(
                "this backup is damaged: its sha256 is not that of its name", file=str(backup.path)
            )
        return data

    def note(self, backup: Backup, inverse: Sequence[object]) -> None:
        """Remember what undoes one commit made after ``backup``; if that fails, only the undoing is lost."""
        import json

        from arr_bluegreen.webfarm.change import Undo  # only writers pay for it

        undos = [[asdict(patch) for patch in one.patches] for one in inverse if isinstance(one, Undo)]
        line = json.dumps(undos, ensure_ascii=True) + "\n"
        with suppress(OSError), _notes(backup).open("a", encoding="ascii") as notes:
            notes.write(line)

    def undo(self, backup: Backup) -> tuple[Undo, ...]:
        """What puts back every commit noted beside this backup and later ones, the newest first."""
        from arr_bluegreen.webfarm.change import Undo

        since = [one for one in self.all() if one.name >= backup.name]
        return tuple(Undo(patches, ()) for one in reversed(since) for line in reversed(_lines(one)) for patches in line)

    def forget(self, backup: Backup) -> None:
        """The commits noted beside this backup and later ones are undone: their notes go."""
        for one in self.all():
            if one.name >= backup.name:
                _notes(one).unlink(missing_ok=True)

    # -- private ---------------------------------------------------------------------------------------

    def _backup(self, name: str, stamp: str, digest: str) -> Backup:
        taken = datetime.strptime(stamp, "%Y%m%dT%H%M%S%f").replace(tzinfo=UTC)
        return Backup(name, taken, digest, self._folder / name)

    def _sweep(self) -> None:
        """Half copies that a killed or failed writer left; the writers' lock is held whenever a backup is taken."""
        for name in self._disk.names(self._folder):
            if name.endswith(".tmp") and re.fullmatch(self._pattern, name.removeprefix(".").removesuffix(".tmp")):
                self._disk.remove(self._folder / name)

    def _prune(self) -> None:
        for old in self.all()[: -self._keep]:
            with suppress(OSError):
                self._disk.remove(old.path)
            _notes(old).unlink(missing_ok=True)


def _digest(data: bytes) -> str:
    import hashlib  # only writers pay for it

    return hashlib.sha256(data).hexdigest()[:12]


def _notes(backup: Backup) -> Path:
    return backup.path.with_name(backup.name + ".undo")


def _lines(backup: Backup) -> list[list[tuple[Patch, ...]]]:
    """One entry per commit, the oldest first: the patches that undo it, in the groups and order to apply them."""
    try:
        lines = _notes(backup).read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    import json

    found = []
    for line in lines:
        with suppress(ValueError, TypeError):  # a torn last line is no note
            found.append(_read_line(json.loads(line)))
    return found


def _read_line(groups: list[Any]) -> list[tuple[Patch, ...]]:
    from arr_bluegreen.webfarm.change import Patch

    if groups and isinstance(groups[0], dict):  # as versions before this one wrote: one group, not told from others
        groups = [groups]
    return [tuple(Patch(**patch) for patch in group) for group in groups]


def _no_backup(name: str, found: Sequence[Backup], folder: Path) -> ArrBlueGreenError:
    if name or found:
        return NoSuchObject("backup", name, tuple(one.name for one in found), where=str(folder))
    return UsageError(
        f"there is no backup in {folder}", hint="The first write makes one, and 'config backup' makes one now."
    )
