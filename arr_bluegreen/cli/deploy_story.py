"""A run told as it happens: short phrases for people, JSON lines for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from arr_bluegreen.cli.output import Output
from arr_bluegreen.deployment.events import (
    Drained,
    Listener,
    RunPaused,
    RunStarted,
    Stamped,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    Switched,
    Warned,
    to_line,
)
from arr_bluegreen.errors import UsageError


@contextmanager
def listeners(out: Output, events: str | None) -> Iterator[tuple[Listener, ...]]:
    """The story on stderr; with ``--events`` JSON lines too, to stdout or a file. Raises ``UsageError``."""
    told: list[Listener] = [Story(lambda text: out.say(text), out.verbose)]
    if events is None:
        yield tuple(told)
    elif events == "-":
        yield (*told, _line_writer(lambda text: print(text, flush=True)))
    else:
        try:
            with Path(events).open("a", encoding="utf-8") as file:
                yield (*told, _line_writer(lambda text: print(text, file=file, flush=True)))
        except OSError as error:
            raise UsageError(f"cannot write events to {events}: {error.strerror or error}") from error


class Story:
    """Says each event in a phrase. A wait is told again when what it waits for changes, or after ten seconds."""

    def __init__(self, say: Callable[[str], None], verbose: int = 0) -> None:
        self._say, self._verbose = say, verbose
        self._last = ("", 0.0)

    def __call__(self, stamped: Stamped) -> None:
        """Take one event."""
        match stamped.event:
            case RunStarted() as one:
                version = f" version {one.version}" if one.version else ""
                self._say(f"run {stamped.run}: {one.new}{version} shall be live in '{one.farm}', {one.old} is")
            case StepStarted(_, title):
                self._say(f"  {title} ...")
            case StepProgress() as one:
                self._progress(one, stamped.at.timestamp())
            case StepDone(_, seconds):
                self._say(f"    done ({seconds:.1f} s)")
            case StepSkipped(step, reason) if self._verbose:
                self._say(f"  {step}: {reason}")
            case StepFailed(_, error, seconds):
                self._say(f"    failed ({seconds:.1f} s): {error}")
            case Switched(to, _):
                self._say(f"    from now on {to} gets requests")
            case Drained(slot, _, cut, how):
                self._say(f"    {slot} has finished ({how or 'empty'}{f', {cut} cut' if cut else ''})")
            case Warned(text):
                self._say(f"    note: {text}")
            case RunPaused() as one:
                until = f" until {one.until}" if one.until else ""
                where = f"stopped after '{one.after}'" if one.after else f"waiting before '{one.step}'{until}"
                self._say(f"  {where}; 'deploy resume' goes on")
            case _:
                pass

    def _progress(self, one: StepProgress, at: float) -> None:
        text = "".join(letter for letter in one.text if not letter.isdigit())
        if text == self._last[0] and at - self._last[1] < 10:
            return
        self._last = (text, at)
        spent = f" ({one.fraction:.0%} of its time)" if one.fraction and one.fraction >= 0.01 else ""
        self._say(f"    {one.text}{spent}")


# -- private -------------------------------------------------------------------------------------------------


def _line_writer(write: Callable[[str], None]) -> Listener:
    def listen(stamped: Stamped) -> None:
        try:
            write(to_line(stamped))
        except BrokenPipeError:
            sys.stderr.write("the reader of --events has left; the run goes on\n")

    return listen
