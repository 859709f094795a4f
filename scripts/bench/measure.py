"""Fair numbers on a busy machine: every sample a fresh process, the ways alternating, medians of the lot."""

from __future__ import annotations

import json
import subprocess
import sys
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
    """One fresh process, its time from start to end and its peak memory.

    A small process of its own starts it: on Linux a child's peak is at least what its parent held when it began.
    """
    launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    done = subprocess.run(launch, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        talk = done.stderr.decode(errors="replace")[-500:]
        raise RuntimeError(f"{command!r} ended with {done.returncode}: {talk}")
    found = json.loads(done.stdout)
    return Sample(found["seconds"], found["peak"])


def python(code: str, *arguments: str) -> list[str]:
    """The command line of this Python running a piece of code."""
    return [sys.executable, "-c", code, *arguments]


# -- private --------------------------------------------------------------------------------------------------


def _middle(samples: Sequence[Sample]) -> Sample:
    peaks = [sample.peak for sample in samples if sample.peak is not None]
    return Sample(median(sample.seconds for sample in samples), median(peaks) if peaks else None)


_LAUNCHER = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
if hasattr(os, "wait4"):
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
else:
    code, peak = process.wait(), "null"
print('{"seconds": %r, "peak": %s}' % (time.perf_counter() - began, peak))
sys.stdout.flush()
os._exit(code if 0 <= code < 256 else 1)
"""
