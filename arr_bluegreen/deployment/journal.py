"""The journal of a run: one JSON line per event, appended, flushed and fsynced, so that a run survives anything.

The intent is written before the act. A torn last line (the machine died while writing) is dropped on reading and cut
off before the next line is written. Lines of a newer version that are not known here are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from arr_bluegreen.deployment.events import (
    RunEnded,
    RunResumed,
    RunStarted,
    Stamped,
    StepProgress,
    StepStarted,
    from_line,
    to_line,
)
from arr_bluegreen.errors import DescriptionError, UnfinishedError

Append = Callable[[Path, bytes], None]


def append_durably(path: Path, data: bytes) -> None:
    """The bytes at the end of the file, on the disk when this returns."""
    with path.open("ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


class Journal:
    """One run's journal file. ``append`` writes bytes durably; tests give another."""

    def __init__(self, path: Path, append: Append = append_durably) -> None:
        self.path, self._append = path, append

    def start(self) -> None:
        """Make ready to write: the folder made, a torn last line cut off."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            data = self.path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(self.path, whole)

    def write(self, stamped: Stamped) -> None:
        """One line, unless the event is only progress. Raises ``UnfinishedError`` when the disk does not take it."""
        if isinstance(stamped.event, StepProgress):
            return
        try:
            self._append(self.path, (to_line(stamped) + "\n").encode())
        except OSError as error:
            raise UnfinishedError(
                f"cannot write the journal {self.path}: {error.strerror or error}",
                hint="Nothing is done that is not written down first; make room, then 'deploy resume'.",
            ) from error

    def read(self) -> tuple[Stamped, ...]:
        """All whole lines; empty when there is no file."""
        return parse_journal(self.text())

    def text(self) -> str:
        """The text as it is, "" when there is no file."""
        return self.path.read_bytes().decode("utf-8", "replace") if self.path.exists() else ""


def parse_journal(text: str) -> tuple[Stamped, ...]:
    """The events of a journal's text. Raises ``DescriptionError`` for a broken line that is not the last,
    ``RefusedError`` for one of a newer version."""
    lines = text.split("\n")
    found: list[Stamped] = []
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        try:
            event = from_line(line)
        except (ValueError, KeyError, TypeError) as error:
            if at == len(lines) - 1:
                break
            raise DescriptionError(f"the journal's line {at + 1} is not one of ours: {error}") from error
        if event is not None:
            found.append(event)
    return tuple(found)


class Journals:
    """The journals of one deployment under the state folder: ``<state>/<app>/<run>.jsonl``."""

    def __init__(self, folder: Path, append: Append = append_durably) -> None:
        self.folder, self._append = folder, append

    def of(self, run: str) -> Journal:
        """The journal of a run, there or not."""
        return Journal(self.folder / f"{run}.jsonl", self._append)

    def runs(self) -> tuple[str, ...]:
        """All runs there are, oldest first (a run's name begins with its time)."""
        if not self.folder.is_dir():
            return ()
        return tuple(sorted(one.stem for one in self.folder.glob("*.jsonl")))

    def last(self) -> tuple[str, tuple[Stamped, ...]] | None:
        """The newest run that began, with its events; None when there is none."""
        for run in reversed(self.runs()):
            events = self.of(run).read()
            if started(events) is not None:
                return run, events
        return None

    def is_over(self, run: str) -> bool:
        """Whether the run is known here and has come to its end."""
        return is_over(self.of(run).read())


def started(events: Iterable[Stamped]) -> RunStarted | None:
    """How the run began, None when nothing whole was written."""
    return next((one.event for one in events if isinstance(one.event, RunStarted)), None)


def ended(events: Iterable[Stamped]) -> RunEnded | None:
    """How the run ended, None while it goes on or after it died. A resumed run has no end until its next one."""
    found: RunEnded | None = None
    for one in events:
        match one.event:
            case RunEnded():
                found = one.event
            case RunStarted() | RunResumed() | StepStarted():  # a warning after its end (a copy failed) resumes nothing
                found = None
            case _:
                pass
    return found


def is_over(events: Iterable[Stamped]) -> bool:
    """Whether the run came to its end, so that there is nothing to resume."""
    end = ended(events)
    return end is not None and end.outcome not in ("failed", "interrupted")
