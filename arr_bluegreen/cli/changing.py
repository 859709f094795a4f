"""How every changing verb goes: decide from what is there, show or apply, say what was done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.errors import ExitCode, NoSuchObject

if TYPE_CHECKING:
    from arr_bluegreen.cli.judging import Judge
    from arr_bluegreen.control.interface import Configuration, Machine
    from arr_bluegreen.webfarm.change import ConfigChange

Decide: TypeAlias = "Callable[[Configuration, Machine], Sequence[ConfigChange]]"
"""The changes for a configuration; raises an error of ours to refuse. On a file it is asked again under the lock."""


After: TypeAlias = "Callable[[Machine], Sequence[str]]"
"""Lines about what is seen on a machine afterwards."""


def carry_out(arguments: argparse.Namespace, out: Output, decide: Decide, after: After | None = None) -> ExitCode:
    """Decide for every machine of ``--on``, then apply on each (with --dry-run: show). ``after`` adds lines.

    Result: ``{"changed", "dry_run", "machines": [{"machine", "changed", "commits", "changes", "diff", "digest"}]}``.
    """
    from arr_bluegreen.cli.judging import Judge  # verbs that only look do not need it

    results = []
    lines: list[str] = []
    judge = Judge(arguments, out)
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        # of several machines every one may refuse before the first is changed; a lone one is judged as it is changed
        alone = len(found) == 1 and not arguments.dry_run
        decided = [() if alone else decide(machine.config.read(), machine) for machine in found]
        for machine, changes in zip(found, decided, strict=True):
            preview = arguments.dry_run
            result = _preview(machine, changes, judge) if preview else _apply(machine, changes, decide, judge)
            results.append(result)
            prefix = f"{machine.name}: " if len(found) > 1 else ""
            lines += [prefix + line for line in _told(result, arguments.dry_run)]
            if after is not None and not arguments.dry_run:
                lines += [prefix + line for line in after(machine)]
    value = {"changed": any(one["changed"] for one in results), "dry_run": arguments.dry_run, "machines": results}
    if len(results) == 1 and results[0]["diff"]:
        out.diff(value, results[0]["diff"])
    else:
        out.result(value, lines)
    return ExitCode.DONE


def judged(parser: argparse.ArgumentParser) -> None:
    """--despite CODE, for verbs whose changes the lint may refuse."""
    parser.add_argument(
        "--despite",
        action="append",
        default=[],
        metavar="CODE",
        help="write it although 'config check' calls it an error",
    )


@contextmanager
def gone_already() -> Iterator[None]:
    """What is to be removed and is not there is an error, since it may be misspelt; the hint says the other reading."""
    try:
        yield
    except NoSuchObject as error:
        hint = f"{error.hint} If it was removed before, nothing is left to do."
        raise NoSuchObject(error.kind, error.name, error.there, where=error.where, hint=hint) from error


def warn_of_redirection(machine: Machine, out: Output) -> None:
    """Say aloud when a file is not the one that IIS reads (arr.md 5.13)."""
    from arr_bluegreen.control.filemachine import FileMachine

    if isinstance(machine, FileMachine) and (elsewhere := machine.file.redirected_to()):
        out.say(f"warning: shared configuration is on: IIS reads {elsewhere}, not {machine.name}")


# -- private -------------------------------------------------------------------------------------------


def _apply(machine: Machine, changes: Sequence[ConfigChange], decide: Decide, judge: Judge) -> dict[str, Any]:
    from arr_bluegreen.apphost import ApplicationHost
    from arr_bluegreen.control.filemachine import FileMachine

    def decided(configuration: Configuration) -> Sequence[ConfigChange]:
        nonlocal changes
        changes = decide(configuration, machine)
        if isinstance(configuration, ApplicationHost):
            judge.look(configuration, changes)
        return changes

    if isinstance(machine, FileMachine):
        commit = machine.config.change(decided, judge.decide)
    else:
        configuration = machine.config.read()
        changes = changes or decide(configuration, machine)
        if isinstance(configuration, ApplicationHost):
            judge.look(configuration, changes)
            judge.decide(configuration.apply(changes).host)
        commit = machine.config.apply(changes)
    done = changes if commit.commits else ()
    return _result(machine, changed=commit.commits > 0, commits=commit.commits, changes=done, digest=commit.digest)


def _preview(machine: Machine, changes: Sequence[ConfigChange], judge: Judge) -> dict[str, Any]:
    from arr_bluegreen.control.filemachine import FileMachine

    if isinstance(machine, FileMachine):
        judge.look(machine.config.read(), changes)
        diff = machine.config.preview(changes, judge.decide)
        return _result(machine, changed=bool(diff), changes=changes if diff else (), diff=diff)
    return _result(machine, changed=bool(changes), changes=changes)


def _result(
    machine: Machine,
    *,
    changed: bool,
    commits: int = 0,
    changes: Sequence[ConfigChange] = (),
    diff: str = "",
    digest: str = "",
) -> dict[str, Any]:
    from arr_bluegreen.webfarm.telling import tell  # verbs that only look do not need it

    return {
        "machine": machine.name,
        "changed": changed,
        "commits": commits,
        "changes": [tell(one) for one in changes],
        "diff": diff,
        "digest": digest,
    }


def _told(result: dict[str, Any], dry_run: bool) -> list[str]:
    if not result["changed"]:
        return ["nothing to do"]
    return [f"would change {one}" if dry_run else one for one in result["changes"]]
