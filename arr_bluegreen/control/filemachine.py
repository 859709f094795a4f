"""A machine that is only a file: its configuration can be read and written, and it has no run time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from arr_bluegreen.apphost import ApplicationHost, Applied
from arr_bluegreen.control.backups import Backup
from arr_bluegreen.control.configfile import ConfigFile, digest_of
from arr_bluegreen.errors import CapabilityMissing, ConfigurationError

if TYPE_CHECKING:  # with its Protocols the interface takes longer to import than the file to read
    from arr_bluegreen.control.interface import (
        Capability,
        Commit,
        Configuration,
        FarmControl,
        FileControl,
        MachineFacts,
        Probe,
        RecordStore,
        SiteControl,
    )
    from arr_bluegreen.webfarm.change import ConfigChange, Undo


class FileConfig:
    """``interface.ConfigControl`` on one file."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file

    def read(self) -> ApplicationHost:
        """The configuration as it is now; raises ``UsageError`` or ``ConfigurationError``."""
        return ApplicationHost.parse(self.file.read(), file=str(self.file.path))

    def apply(self, changes: Sequence[ConfigChange]) -> Commit:
        """All changes in one write, or none; what ``ConfigFile.update`` raises."""
        return self.change(lambda _: changes)

    def change(
        self,
        decide: Callable[[Configuration], Sequence[ConfigChange]],
        judge: Callable[[ApplicationHost], None] | None = None,
    ) -> Commit:
        """The changes that ``decide`` finds for the configuration as it is, in one write, or none.

        ``decide`` may be asked again, under the lock, when somebody else wrote meanwhile; what it raises is raised,
        and what ``judge`` raises, who is shown the configuration that is about to be written.
        """
        from arr_bluegreen.control.interface import Commit

        inverse: tuple[ConfigChange, ...] = ()

        def edit(data: bytes) -> bytes:
            nonlocal inverse
            applied = self._applied(data, decide)
            inverse = applied.inverse
            if applied.differs and judge is not None:
                judge(applied.host)
            return applied.to_bytes()

        update = self.file.update(edit)
        if update.writes and update.backup is not None:
            self.file.backups.note(update.backup, inverse)
        return Commit(update.writes, inverse if update.writes else (), update.digest)

    def preview(self, changes: Sequence[ConfigChange], judge: Callable[[ApplicationHost], None] | None = None) -> str:
        """The unified diff that applying the changes would make; "" when nothing differs. What the act would refuse,
        and what ``judge`` refuses, is refused here too."""
        before = self.file.read()
        applied = self._applied(before, lambda _: changes)
        if applied.differs:
            self.file.refuse_redirected()
            if judge is not None:
                judge(applied.host)
        return self.diff(before, applied.to_bytes(), str(self.file.path))

    def diff(self, before: bytes, after: bytes, name: str, after_name: str = "") -> str:
        """The unified diff from ``before`` (called ``name``) to ``after``; "" when nothing differs."""
        from arr_bluegreen.control.textdiff import unified

        return unified(before, after, name, after_name)

    def whole(self, backup: Backup) -> Callable[[bytes], bytes]:
        """The edit for ``ConfigFile.update`` that puts the backup back whole, whatever was written since."""
        data = self.file.backups.read(backup)
        ApplicationHost.parse(data, file=str(backup.path))
        return lambda _: data

    def undo(self, backup: Backup) -> Callable[[bytes], bytes]:
        """The edit for ``ConfigFile.update`` that undoes our own writes since the backup; what others wrote stays.

        Raises ``ConfigurationError`` when a place reads otherwise than we left it.
        """
        undone = self.file.backups.undo(backup)

        def edit(data: bytes) -> bytes:
            if digest_of(data).startswith(backup.digest):
                return data
            host = ApplicationHost.parse(data, file=str(self.file.path))
            for one in undone:
                applied = host.apply([one])
                if one.patches and not applied.differs:
                    raise self._left_otherwise(one, host)
                host = applied.host
            return host.to_bytes()

        return edit

    # -- private ---------------------------------------------------------------------------------------

    def _applied(self, data: bytes, decide: Callable[[Configuration], Sequence[ConfigChange]]) -> Applied:
        host = ApplicationHost.parse(data, file=str(self.file.path))
        return host.apply(decide(host))

    def _left_otherwise(self, undo: Undo, host: ApplicationHost) -> ConfigurationError:
        patch = next((one for one in undo.patches if not host.can_undo(one)), undo.patches[0])
        line, column = host.position_of(patch.anchor) or (None, None)
        return ConfigurationError(
            "reads otherwise than we left it: somebody else changed it since, so it is not undone",
            file=str(self.file.path),
            line=line,
            column=column,
            element=patch.anchor,
            hint="Nothing was changed. See 'config diff', and edit by hand or restore the copy whole (without --undo).",
        )


class FileMachine:
    """``interface.Machine`` for ``file:PATH``. Everything of run time raises ``CapabilityMissing``."""

    def __init__(self, file: ConfigFile) -> None:
        self.file = file
        self.config = FileConfig(file)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Reading and writing configuration."""
        from arr_bluegreen.control.interface import Capability

        return frozenset({Capability.READ_CONFIG, Capability.WRITE_CONFIG})

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self.file.path)

    @property
    def sites(self) -> SiteControl:
        """A file has none as running."""
        self._refuse("SITES")

    @property
    def files(self) -> FileControl:
        """Files are a machine's."""
        self._refuse("FILES")

    @property
    def probe(self) -> Probe:
        """Requests are made from a machine."""
        self._refuse("PROBE")

    def farm(self, name: str, front: Sequence[str] = ()) -> FarmControl:
        """A file has no run time."""
        self._refuse("RUN_TIME")

    def records(self, farm: str) -> RecordStore:
        """A file's records lie with the command's own state (``local_files.state_folder``), one folder per file."""
        from arr_bluegreen.control.local_files import file_records  # dear: it brings filelock

        return file_records(self.file.path, farm)

    def facts(self) -> MachineFacts:
        """Its name, the time here, and where shared configuration points to."""
        from arr_bluegreen.control.interface import MachineFacts

        return MachineFacts(self.name, datetime.now(UTC), redirected_to=self.file.redirected_to())

    def close(self) -> None:
        """Nothing is held between calls."""

    # -- private ---------------------------------------------------------------------------------------

    def _refuse(self, missing: str) -> NoReturn:
        from arr_bluegreen.control.interface import Capability

        raise CapabilityMissing(
            f"{self.name} is a file and cannot {Capability[missing].value}",
            hint="That needs the machine itself: --on local, or --on winrm:HOST.",
        )
