"""Processes of the demo's own: started, read line by line, and gone afterwards whatever happened."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

STOP_SECONDS = 5.0

Lines = queue.Queue[tuple[str, str | None]]
"""What the processes say: the process's name and one line, None when it has said all."""


@contextlib.contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl+C and SIGTERM in this block come at its end: what is started in it is known to whoever stops it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are heard by the main thread alone
        return
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        if came:
            signal.raise_signal(came[0])


class Child:
    """One ``python -m ...`` process. Its stdout goes line by line to ``lines``, its stderr to a file in ``folder``.

    Its stdin is a pipe that closes with us, however we end: a process that heeds that is never an orphan.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        lines: Lines,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        own_session: bool = True,
    ) -> None:
        self.name = name
        self._talk = folder / f"{name}.stderr.txt"
        with self._talk.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env={**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **(environment or {})},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=own_session,  # Ctrl+C is ours to hear: we stop them in order
            )
        self._reader = threading.Thread(target=self._read, args=(lines,), daemon=True)
        self._reader.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait()

    def finish(self) -> None:
        """Tell it to come to its end: its stdin closes."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def stop(self) -> None:
        """Gone when this returns: asked by a closed stdin and a signal, then killed."""
        self.finish()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def last_words(self) -> str:
        """The last line of its stderr, "" when it said nothing."""
        text = self._talk.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else ""

    # -- private -------------------------------------------------------------------------------------------

    def _read(self, lines: Lines) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            lines.put((self.name, line.decode("utf-8", "replace").rstrip("\r\n")))
        lines.put((self.name, None))
