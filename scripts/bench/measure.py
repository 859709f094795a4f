"""Fair numbers on a busy machine: every sample a fresh process, the ways alternating, medians of the lot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Sample:
    """One way's medians: wall-clock ``seconds``, and ``peak`` memory in bytes (None where it cannot be learned)."""

    seconds: float
    peak: float | None


def alternating(
    ways: Mapping[str, Sequence[str]],
    *,
    rounds: int = 7,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
) -> dict[str, Sample]:
    """The medians of each way (name -> command line), run in turn ``rounds`` times after one round to warm the caches.

    Raises ``RuntimeError`` with the tail of the output when a command fails: a failed command measures nothing.
    """
    taken: dict[str, list[Sample]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, command in ways.items():
            sample = run_once(command, cwd=cwd, env=env)
            if turn:
                taken[name].append(sample)
    return {name: _middle(samples) for name, samples in taken.items()}


def run_once(command: Sequence[str], *, cwd: str | Path | None = None, env: Mapping[str, str] | None = None) -> Sample:
    """One fresh process, its time from start to end and its peak memory."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    talk = process.stderr.read()
    peak = _wait(process)
    seconds = time.perf_counter() - started
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"{command!r} ended with {process.returncode}: {talk.decode(errors='replace')[-500:]}")
    return Sample(seconds, peak)


def python(code: str, *arguments: str) -> list[str]:
    """The command line of this Python running a piece of code."""
    return [sys.executable, "-c", code, *arguments]


# -- private --------------------------------------------------------------------------------------------------


def _middle(samples: Sequence[Sample]) -> Sample:
    peaks = [sample.peak for sample in samples if sample.peak is not None]
    return Sample(median(sample.seconds for sample in samples), median(peaks) if peaks else None)


def _wait(process: subprocess.Popen[bytes]) -> float | None:
    """Waits, and answers the child's own peak. Keep the asking process small: a child starts as its copy."""
    if sys.platform == "win32":
        process.wait()
        return None
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return float(usage.ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
