"""What a machine's controls stand on: our scripts, whichever way they are run there."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol, TypeVar

from arr_bluegreen.control.interface import Clock
from arr_bluegreen.control.powershell import PowerShell
from arr_bluegreen.control.winrm import Connection
from arr_bluegreen.control.winrm_shell import Shell
from arr_bluegreen.errors import RemoteError

T = TypeVar("T")

_UNCLOSED: set[WinrmHands] = set()
"""Hands with a lane: they are kept for ``_close_all``, also when whoever made them has let go of them."""


class Hands(Protocol):
    """One machine's hands. ``name`` is how errors call it."""

    @property
    def name(self) -> str: ...
    @property
    def clock(self) -> Clock: ...
    def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        """One of our scripts; raises as ``PowerShell.call`` does."""

    def close(self) -> None:
        """Let go of everything."""


def ask(
    hands: Hands, script: str, request: Mapping[str, Any], read: Callable[[dict[str, Any]], T], *, within: float = 60.0
) -> T:
    """One of our scripts and its reply, read. Raises as ``PowerShell.call`` does, and ``RemoteError`` when the reply is
    not of the script's shape."""
    reply = hands.call(script, request, within=within)
    try:
        return read(reply)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as cause:
        raise RemoteError(
            f"{hands.name}: {script} answered in another form than ours: {type(cause).__name__} {cause}"[:300],
            hint="Is that Windows PowerShell 5.1? Please report it, with the version of Windows there.",
        ) from cause


class Lane:
    """One connection with its shell and its kept PowerShell: for one thread at a time."""

    def __init__(self, connection: Connection, *, kept: bool) -> None:
        self.connection = connection
        self.shell = Shell(connection)
        self.powershell = PowerShell(self.shell, connection.to.host, connection.clock, connection.talk, kept=kept)

    def close(self) -> None:
        """End what runs there, delete the shell, close the connection."""
        self.powershell.close()
        self.shell.close()
        self.connection.close()


class WinrmHands:
    """Hands over WinRM: as many lanes as threads ask at once, each kept for the next."""

    def __init__(self, name: str, clock: Clock, open_lane: Callable[[], Lane]) -> None:
        self.name, self.clock, self._open = name, clock, open_lane
        self._lock = threading.Lock()
        self._all: list[Lane] = []
        self._idle: list[Lane] = []

    def __repr__(self) -> str:
        return f"WinrmHands({self.name!r})"

    @property
    def messages(self) -> dict[str, int]:
        """Messages sent so far, by kind."""
        total: dict[str, int] = {}
        for lane in self._all:
            for kind, count in lane.connection.messages.items():
                total[kind] = total.get(kind, 0) + count
        return total

    def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        """One of our scripts."""
        with self._lane() as lane:
            return lane.powershell.call(script, request, within=within)

    def close(self) -> None:
        """Close every lane, also one that a thread was interrupted in. One whose closing is interrupted stays known,
        so that closing again, at the latest when Python ends, comes to it."""
        with self._lock:
            self._idle.clear()
        for lane in list(self._all):
            lane.close()
            with self._lock:
                if lane in self._all:
                    self._all.remove(lane)
        _UNCLOSED.discard(self)

    # -- private -------------------------------------------------------------------------------------------

    @contextmanager
    def _lane(self) -> Iterator[Lane]:
        with self._lock:
            lane = self._idle.pop() if self._idle else None
        if lane is None:
            lane = self._open()
            with self._lock:
                self._all.append(lane)
                _UNCLOSED.add(self)
        try:
            yield lane
        finally:
            with self._lock:
                if lane in self._all:
                    self._idle.append(lane)


# -- private -------------------------------------------------------------------------------------------


@atexit.register
def _close_all() -> None:
    """Ctrl+C and a forgotten ``close`` leave no shell behind."""
    for one in list(_UNCLOSED):
        with suppress(Exception):
            one.close()
