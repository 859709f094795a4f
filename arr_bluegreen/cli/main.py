"""``arr-bluegreen NOUN VERB``: finds the noun's file, parses, runs, and turns errors into one line and an exit code.

Only the noun that was typed is imported, so that a file target never pays for requests, winrm or rich.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from arr_bluegreen.errors import ArrBlueGreenError, ExitCode, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.cli.output import Output

NOUNS = {
    "demo": "a blue-green deployment under live traffic, against the simulator",
    "config": "applicationHost.config: show, check, diff, apply, backup, restore",
    "farm": "web farms: list, show, create, remove, reconcile",
    "server": "servers of a farm: list, add, remove, available, drain, unavailable, online, offline, ...",
    "rule": "URL Rewrite rules: list, show, add, remove, move, route",
    "site": "sites: list, show, add, remove, start, stop",
    "pool": "application pools: list, show, add, remove, start, stop, recycle",
    "port": "free ports for slots: next, list, free",
    "deploy": "the sequence: init, check, plan, run, resume, switch-back, abort, status, history, ...",
    "simulator": "a Windows host with IIS and ARR, played here: run, show, fault",
}


def run(argv: Sequence[str]) -> ExitCode:
    """Run one command; never raises but for a bug (which prints its traceback and is exit code 1)."""
    from arr_bluegreen.cli.output import Output

    out = Output(json="--json" in argv)
    try:
        code = _answer(list(argv), out)
        sys.stdout.flush()  # a reader that has left is noticed here, not while Python shuts down
        return code
    except ArrBlueGreenError as error:
        out.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        out.say("interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # whoever read us has left; no traceback for that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------


def _answer(argv: list[str], out: Output) -> ExitCode:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return ExitCode.DONE if argv else ExitCode.USAGE
    try:
        if argv[0] == "simulator":  # it hears signals on its own loop
            return _dispatch(argv, out)
        from arr_bluegreen.cli.interrupts import termination_is_an_interrupt

        with termination_is_an_interrupt():
            return _dispatch(argv, out)
    except SystemExit as left:  # argparse's --help leaves this way
        return ExitCode(int(left.code or 0))


def _dispatch(argv: list[str], out: Output) -> ExitCode:
    if argv[0] not in NOUNS:
        from difflib import get_close_matches

        near = get_close_matches(argv[0], NOUNS, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"Nouns: {', '.join(NOUNS)}."
        raise UsageError(f"no such noun '{argv[0]}'", hint=hint)
    from importlib import import_module

    from arr_bluegreen.cli.options import has_verbs, noun_parser

    noun, asked = argv[0], next(iter(argv[1:]), "")
    module = import_module(f"arr_bluegreen.cli.{noun}")
    parser = noun_parser(noun, NOUNS[noun], asked)
    module.add(parser)
    if not has_verbs(parser):  # none of that name: the error, or the help, names them all
        parser = noun_parser(noun, NOUNS[noun])
        module.add(parser)
    arguments = parser.parse_args(argv[1:])
    out.take(arguments)
    return ExitCode(arguments.run(arguments, out))


def _overview() -> str:
    lines = [
        "usage: arr-bluegreen NOUN VERB [options]",
        "",
        "Blue-green deployments behind IIS Application Request Routing.",
        "",
    ]
    lines += [f"  {noun:<10} {text}" for noun, text in NOUNS.items()]
    return "\n".join([*lines, "", "arr-bluegreen NOUN --help says more; arr-bluegreen --version names this one."])
