"""SIGTERM and Ctrl+Break end a command as Ctrl+C does: shells closed, a run's journal closed and resumable."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

SIGNALS = tuple(found for name in ("SIGTERM", "SIGBREAK") if (found := getattr(signal, name, None)) is not None)
"""What a cancelled CI job, ``kill`` and ``docker stop`` send; on Windows Ctrl+Break."""


@contextmanager
def termination_is_an_interrupt() -> Iterator[None]:
    """In this block the first of ``SIGNALS`` raises KeyboardInterrupt (exit code 130), as Ctrl+C does; more of them
    are not heard, so that what is being closed gets closed. One that is ignored stays so. No effect in a thread."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are heard by the main thread alone
        return
    before = {one: signal.getsignal(one) for one in SIGNALS}
    try:
        for one, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(one, _interrupt)
        yield
    finally:
        for one, handler in before.items():
            with suppress(TypeError):  # None: not Python's own
                signal.signal(one, handler)


# -- private -----------------------------------------------------------------------------------------------


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
