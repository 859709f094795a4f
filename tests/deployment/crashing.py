"""A process that dies at a chosen moment: at a control call (before or after its effect) or at a journal line."""

from __future__ import annotations

from pathlib import Path

from tests.deployment.world import World, append_quickly

BEFORE, AFTER, TORN = "before", "after", "torn"


class Killed(BaseException):
    """What ``kill -9`` is to a process: nothing catches it, nothing is tidied up."""


class Killer:
    """Kills at call ``number`` (counted from now) or at journal line ``number``, and only once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls = self.lines = 0
        self._first = len(world.machine.journal)

    def count(self) -> Killer:
        """Only count."""
        self.world.append = self._counting
        return self

    def counted(self) -> tuple[int, int]:
        """Calls and journal lines since the beginning."""
        return len(self.world.machine.journal) - self._first, self.lines

    def at_call(self, number: int, when: str) -> Killer:
        """Die at that control call."""
        at = self._first + number

        def hook(seen: int, name: str) -> None:
            if seen == at:
                self.disarm()
                raise Killed(f"{when} {name}")

        if when == BEFORE:
            self.world.machine.before_call = hook
        else:
            self.world.machine.after_call = hook
        return self

    def at_line(self, number: int, when: str) -> Killer:
        """Die at that journal line: before it is written, in the middle of it, after it."""

        def append(path: Path, data: bytes) -> None:
            self.lines += 1
            if self.lines - 1 != number:
                return append_quickly(path, data)
            self.disarm()
            if when == TORN:
                append_quickly(path, data[: len(data) // 2])
            elif when == AFTER:
                append_quickly(path, data)
            raise Killed(f"{when} line {number}")

        self.world.append = append
        return self

    def disarm(self) -> None:
        """Dead is dead: nothing more happens to the next process."""
        self.world.machine.before_call = self.world.machine.after_call = None
        self.world.append = append_quickly

    def _counting(self, path: Path, data: bytes) -> None:
        self.lines += 1
        append_quickly(path, data)
