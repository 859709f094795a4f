"""What a look tells: good, bad, or that nobody could tell. Unknown is ``None`` everywhere: neither zero nor good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.errors import UnreachableError


@dataclass(frozen=True, slots=True)
class Verdict:
    """``good`` is None when nobody could tell; ``why`` says what is bad, or why nobody could."""

    good: bool | None
    why: str = ""


GOOD = Verdict(True)


def bad(why: str) -> Verdict:
    """It was seen, and is bad."""
    return Verdict(False, why)


def unknown(why: str) -> Verdict:
    """Nobody could see it."""
    return Verdict(None, why)


@dataclass(frozen=True, slots=True)
class Watch:
    """For so long, looked at every so often; ``failures`` bad looks in a row end it. ``what`` is told to people."""

    time: timedelta
    every: timedelta
    failures: int
    what: str


def watch(hands: Hands, how: Watch, look: Callable[[], Verdict]) -> Verdict:
    """Bad after ``failures`` bad looks in a row. Good when it was seen good for more than half of the time and at the
    end; what is in doubt then is looked at ``failures`` times more. Else unknown, which neither promotes nor reverts.
    """
    clock, limit = hands.controls.clock, how.time.total_seconds()
    began = clock.monotonic()
    good, in_a_row, late, gone, last = 0.0, 0, 0, 0.0, unknown("nobody has looked yet")
    while gone < limit or (last.good is not True and late < how.failures):
        late += gone >= limit
        last = _looked(look)
        in_a_row = in_a_row + 1 if last.good is False else 0 if last.good else in_a_row
        if in_a_row >= how.failures:
            return last
        why = {True: "", False: f": {last.why}", None: f": cannot be judged just now: {last.why}"}[last.good]
        hands.progress(f"{how.what} for {max(limit - gone, 0):.0f} s more{why}", gone / limit if limit else None)
        hands.pause(how.every)
        before, gone = gone, clock.monotonic() - began
        good += gone - before if last.good else 0.0
    if last.good is not True:
        return unknown(last.why)
    return GOOD if good * 2 > gone else unknown(f"good answers for {good:.0f} s of {gone:.0f} s are too few")


# -- private -------------------------------------------------------------------------------------------------


def _looked(look: Callable[[], Verdict]) -> Verdict:
    try:
        return look()
    except UnreachableError as error:
        return unknown(str(error))
