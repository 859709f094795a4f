"""How every changing verb goes: decide from what is there, show or apply, say what was done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import each, machines
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode, NoSuchObject, PartlyDoneError

if TYPE_CHECKING:
    from arr_bluegreen.cli.judging import Judge
    from arr_bluegreen.control.interface import Commit, Configuration, Machine
    from arr_bluegreen.webfarm.change import ConfigChange

Decide: TypeAlias = "Callable[[Configuration, Machine], Sequence[ConfigChange]]"
"""The changes for a configuration; raises an error of ours to refuse. On a file it is asked again under the lock."""


After: TypeAlias = "Callable[[Machine], Sequence[str]]"
"""Lines about what is seen on a machine afterwards."""


def carry_out(arguments: argparse.Namespace, out: Output, decide: Decide, after: After | None = None) -> ExitCode:
    """Decide for every machine of ``--on``, then apply on each (with --dry-run: show). ``after`` adds lines.

    Result: ``{"changed", "dry_run", "machines": [{"machine", "changed", "commits", "changes", "diff", "digest"}]}``;
    a machine that only sees another's commit (shared configuration) has ``shared_with``.
    """
    from arr_bluegreen.cli.judging import Judge  # verbs that only look do not need it

    judge = Judge(arguments, out)
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        if len(found) == 1 and not arguments.dry_run:  # judged as it is changed
            results = [_apply(found[0], decide, judge)]
        else:  # every one may refuse before the first is changed
            plans = each(found, lambda one: _planned(one, decide))
            results = (
                [_preview(machine, changes, judge) for machine, (_, changes) in zip(found, plans, strict=True)]
                if arguments.dry_run
                else _apply_to_all(arguments, found, plans, judge)
            )
        seen = each(found, after) if after is not None and not arguments.dry_run else [()] * len(found)
    lines: list[str] = []
    for result, more in zip(results, seen, strict=True):
        prefix = f"{result['machine']}: " if len(results) > 1 else ""
        lines += [prefix + line for line in (*_told(result, arguments.dry_run), *more)]
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


def _apply(machine: Machine, decide: Decide, judge: Judge) -> dict[str, Any]:
    from arr_bluegreen.apphost import ApplicationHost
    from arr_bluegreen.control.filemachine import FileMachine

    changes: Sequence[ConfigChange] = ()

    def decided(configuration: Configuration) -> Sequence[ConfigChange]:
        nonlocal changes
        changes = decide(configuration, machine)
        if isinstance(configuration, ApplicationHost):
            judge.look(configuration, changes)
        return changes

    if isinstance(machine, FileMachine):
        commit = machine.config.change(decided, judge.decide)
    else:
        configuration, changes = _planned(machine, decide)
        _judge(configuration, changes, judge)
        commit = machine.config.apply(changes)
    return _committed(machine, changes, commit)


def _planned(machine: Machine, decide: Decide) -> tuple[Configuration, Sequence[ConfigChange]]:
    configuration = machine.config.read()
    return configuration, decide(configuration, machine)


def _judge(configuration: Configuration, changes: Sequence[ConfigChange], judge: Judge) -> None:
    from arr_bluegreen.apphost import ApplicationHost

    if isinstance(configuration, ApplicationHost):
        judge.look(configuration, changes)
        judge.decide(configuration.apply(changes).host)


def _apply_to_all(
    arguments: argparse.Namespace,
    found: Sequence[Machine],
    plans: Sequence[tuple[Configuration, Sequence[ConfigChange]]],
    judge: Judge,
) -> list[dict[str, Any]]:
    """One commit per configuration, in order. Raises ``PartlyDoneError`` that says what was done where."""
    from arr_bluegreen.control.clock import SystemClock
    from arr_bluegreen.control.interface import Commit
    from arr_bluegreen.control.shared_config import commit_on_all, sharing

    writers = {machine.name: group[0].name for group in sharing(found) for machine in group}
    changes: dict[str, Sequence[ConfigChange]] = {}
    for machine, (configuration, wanted) in zip(found, plans, strict=True):
        # what another machine of the same configuration would change may be what it has not seen yet
        changes[machine.name] = wanted if writers[machine.name] == machine.name else ()
        _judge(configuration, changes[machine.name], judge)
    commits: dict[str, Commit] = {}
    try:
        commit_on_all(
            found,
            lambda machine: changes[machine.name],
            SystemClock(),
            timedelta(seconds=arguments.seen_within),
            lambda machine, commit: commits.update({machine.name: commit}),
        )
    except PartlyDoneError as error:
        raise _partly(error, {name: one for name, one in commits.items() if one.commits}) from error
    results = []
    for machine in found:
        writer = writers[machine.name]
        result = _committed(machine, changes[writer], commits.get(writer, Commit(0, ())))
        results.append(result if writer == machine.name else {**result, "commits": 0, "shared_with": writer})
    return results


def _partly(error: PartlyDoneError, written: Mapping[str, Commit]) -> ArrBlueGreenError:
    """With how to undo what was written; where nothing was, the first failure itself: nothing was changed."""
    if not written and not error.unknown:
        return error.cause
    from arr_bluegreen.webfarm.telling import tell

    words = {name: ", ".join(map(tell, commit.inverse)).removeprefix("undo: ") for name, commit in written.items()}
    undo = [f"on {name}: {told}" for name, told in words.items()]
    hint = f"{error.cause.hint} Then run it again: what is done stays done.".strip()
    hint += f" Or undo it {'; '.join(undo)}." if undo else ""
    return PartlyDoneError("the change", error.done, error.not_done, error.unknown, error.cause, hint=hint)


def _committed(machine: Machine, changes: Sequence[ConfigChange], commit: Commit) -> dict[str, Any]:
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
    if "shared_with" in result:
        return [f"sees what was written on {result['shared_with']}: they share one configuration"]
    if result["diff"]:
        return str(result["diff"]).splitlines()
    return [f"would change: {one}" if dry_run else one for one in result["changes"]]
