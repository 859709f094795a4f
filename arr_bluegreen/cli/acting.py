"""How verbs of run time go: the same act on each machine of ``--on``; a file has no run time (exit code 3)."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines, need_run_time
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.control.nodes import in_order
from arr_bluegreen.errors import ExitCode

Act = Callable[[Machine, bool], str]
"""Acts on a machine unless told that it is a dry run; what it did or would do, in words."""


def act_on_each(arguments: argparse.Namespace, out: Output, act: Act) -> ExitCode:
    """Every machine is asked first whether it can, then each is acted on.

    Result: ``{"dry_run", "machines": [{"machine", "act"}]}``.
    """
    with machines(arguments, out) as found:
        for machine in found:
            need_run_time(machine, "that")
        acts = in_order("that", {one.name: one for one in found}, lambda one: act(one, arguments.dry_run))
    done = [{"machine": name, "act": told} for name, told in acts.items()]
    prefix = "would " if arguments.dry_run else ""
    several = len(done) > 1
    lines = [(f"{one['machine']}: " if several else "") + prefix + one["act"] for one in done]
    out.result({"dry_run": arguments.dry_run, "machines": done}, lines)
    return ExitCode.DONE
