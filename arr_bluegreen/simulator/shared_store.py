"""A configuration that other machines write too (shared configuration, arr.md 5.13): their changes are seen late."""

from __future__ import annotations

from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import ChangedOnDisk, Store
from arr_bluegreen.simulator.settings import SimulatorSettings


class SharedStore:
    """A store as this machine sees it: what others wrote shows ``config_seen_after_seconds`` after it was noticed.

    A write over what this machine has not seen is refused, as CommitChanges refuses it (arr.md 5.11).
    """

    def __init__(self, store: Store, clock: Timers, settings: SimulatorSettings) -> None:
        self._store, self._clock, self._settings = store, clock, settings
        self._stamp, self._data = store.stamp(), store.load()
        self._noticed: float | None = None

    def load(self) -> bytes:
        """The bytes, or, while a change is not seen here, those before it."""
        return self._data if self._late() else self._store.load()

    def save(self, data: bytes) -> None:
        """Written at once; raises ``ChangedOnDisk``."""
        if self._late():
            raise ChangedOnDisk("Cannot commit configuration changes because the file has changed on disk")
        self._store.save(data)
        self._stamp, self._data = self._store.stamp(), data

    def stamp(self) -> object:
        """That of the bytes that ``load`` gives."""
        return self._stamp if self._late() else self._store.stamp()

    # -- private -----------------------------------------------------------------------------------------

    def _late(self) -> bool:
        """Whether somebody else's change is there and not seen yet; the moment of seeing passes here."""
        now = self._clock.monotonic()
        stamp = self._store.stamp()
        if stamp == self._stamp:
            self._noticed = None
            return False
        self._noticed = now if self._noticed is None else self._noticed
        if now - self._noticed < self._settings.config_seen_after_seconds:
            return True
        self._stamp, self._data, self._noticed = stamp, self._store.load(), None
        return False
