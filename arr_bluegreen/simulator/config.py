"""The one applicationHost.config of a simulated host, on disk or in memory: read, committed, watched for foreign
edits."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from lxml import etree

from arr_bluegreen.errors import ConfigurationError, WriteError
from arr_bluegreen.simulator.editing import Edit, edited
from arr_bluegreen.simulator.reading import Reading, digest_of, read

Change = Callable[[Reading, Reading], None]


class ChangedOnDisk(WriteError):
    """A commit over a file that changed since it was read (arr.md 5.11); nothing was written."""

    hint = "Read it again and redo the change."


class Store(Protocol):
    """Where the bytes are."""

    def load(self) -> bytes: ...
    def save(self, data: bytes) -> None: ...
    def stamp(self) -> object:
        """Something cheap that differs when the bytes may differ."""


class MemoryStore:
    """The bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def load(self) -> bytes:
        return self.data

    def save(self, data: bytes) -> None:
        self.data = data

    def stamp(self) -> object:
        return self.data


class DiskStore:
    """The bytes in a file, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes:
        return self.path.read_bytes()

    def save(self, data: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=".applicationHost-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(self.path)

    def stamp(self) -> object:
        with contextlib.suppress(OSError):
            stat = self.path.stat()
            return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        return None


class HostConfig:
    """The configuration IIS works with: ``reading`` is the last version that could be loaded.

    ``listeners`` are called with the reading before and after each change, ours or foreign. A foreign edit that IIS
    could not load leaves the reading as it was, and ``broken`` says why (on Windows: 500.19 for all, not played).
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.listeners: list[Change] = []
        self.commits = 0
        self.broken = ""
        self._stamp = store.stamp()
        self.reading = read(store.load())

    @property
    def digest(self) -> str:
        """The sha256 of the file's bytes now, hex."""
        self.poll()
        return self.reading.digest

    def data(self) -> bytes:
        """The file's bytes now."""
        self.poll()
        return self.reading.data

    def text(self) -> str:
        """The file's text now."""
        return self.data().decode("utf-8-sig")

    def tree(self) -> etree._Element:
        """The root element of a tree of its own, free to change."""
        return etree.fromstring(self.data(), etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True))

    def commit(self, what: bytes | Sequence[Edit], *, expect: str | None = None) -> str:
        """New bytes, or primitive edits, in one commit; returns the new digest. What changes nothing is not written.

        Raises ``ChangedOnDisk`` when ``expect`` is another digest than the file's, ``ConfigurationError`` when IIS
        could not load the result; nothing is written then.
        """
        before = self.data()
        if expect is not None and expect.casefold() != self.reading.digest:
            raise ChangedOnDisk("Cannot commit configuration changes because the file has changed on disk")
        after = what if isinstance(what, bytes) else edited(before, what)
        if after == before:
            return self.reading.digest
        reading = read(after)
        self.store.save(after)
        self.commits += 1
        self._take(reading)
        return reading.digest

    def poll(self) -> bool:
        """Look for a foreign edit and take it; True when there was one."""
        stamp = self.store.stamp()
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            data = self.store.load()
            if digest_of(data) == self.reading.digest:
                return False
            reading = read(data)
        except (OSError, ConfigurationError) as error:
            self.broken = str(error)
            return False
        self._take(reading)
        return True

    # -- private -----------------------------------------------------------------------------------------

    def _take(self, reading: Reading) -> None:
        before, self.reading, self.broken = self.reading, reading, ""
        self._stamp = self.store.stamp()
        for listener in list(self.listeners):
            listener(before, reading)
