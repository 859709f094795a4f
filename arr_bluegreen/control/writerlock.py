"""One writer at a time: a file lock beside the configuration (so it works across a share), and Octopus's mutex."""

from __future__ import annotations

import getpass
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from arr_bluegreen.control.windows import METABASE_MUTEX, metabase_mutex
from arr_bluegreen.errors import LockedError


@contextmanager
def writer_lock(folder: Path, name: str, timeout: float) -> Iterator[None]:
    """Hold the lock of the file ``name``, kept in ``folder`` (which must exist), for the length of the block.

    The system frees it when this process dies, however it dies. Waits at most ``timeout`` seconds; raises
    ``LockedError`` naming the holder, and OSError when the lock file cannot be made.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f"{name}.lock", thread_local=False)
    holder = folder / f"{name}.holder"
    try:
        lock.acquire(timeout=timeout, poll_interval=0.01)
    except Timeout as error:
        raise LockedError(
            f"another writer holds {folder.parent / name}: {_who(holder)}", hint="Nothing was changed; wait for it."
        ) from error
    try:
        with metabase_mutex(timeout) as held:
            if not held:
                raise LockedError(
                    f"another tool (Octopus?) holds the mutex {METABASE_MUTEX}",
                    hint="Nothing was changed; wait for it.",
                )
            _sign(holder)
            yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


# -- private -------------------------------------------------------------------------------------------


def _sign(holder: Path) -> None:
    since = datetime.now(UTC).isoformat("T", "seconds")
    text = {"pid": os.getpid(), "machine": platform.node(), "user": _user(), "since": since}
    with suppress(OSError):  # a courtesy to whoever waits; the lock itself is the system's
        holder.write_text(json.dumps(text), encoding="utf-8")


def _who(holder: Path) -> str:
    try:
        told = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {told['pid']} of {told['user']} on {told['machine']} since {told['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "it has not said who it is"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "?"
