"""How every changing verb goes: decide from what is there, show or apply, say what was done."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import ExitCode

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import ConfigChange

Decide: TypeAlias = "Callable[[Configuration, Machine], Sequence[ConfigChange]]"
"""The changes for a configuration; raises an error of ours to refuse. On a file it is asked again under the lock."""


After = Callable[[Machine], Sequence[str]]
"""Lines about what is seen on a machine afterwards."""


def carry_out(arguments: argparse.Namespace, out: Output, decide: Decide, after: After | None = None) -> ExitCode:
    """Decide for every machine of ``--on``, then apply on each (with --dry-run: show). ``after`` adds lines.

    Result: ``{"changed", "dry_run", "machines": [{"machine", "changed", "commits", "changes", "diff", "digest"}]}``.
    """
    results = []
    lines: list[str] = []
    with machines(arguments, out) as found:
        for machine in found:
            warn_of_redirection(machine, out)
        # of several machines every one may refuse before the first is changed; a lone one is judged as it is changed
        alone = len(found) == 1 and not arguments.dry_run
        decided = [() if alone else decide(machine.config.read(), machine) for machine in found]
        for machine, changes in zip(found, decided, strict=True):
            result = _preview(machine, changes) if arguments.dry_run else _apply(machine, changes, decide)
            results.append(result)
            prefix = f"{machine.name}: " if len(found) > 1 else ""
            lines += [prefix + line for line in _told(result, arguments.dry_run)]
            if after is not None and not arguments.dry_run:
                lines += [prefix + line for line in after(machine)]
    changed = any(one["changed"] for one in results)
    out.result({"changed": changed, "dry_run": arguments.dry_run, "machines": results}, lines)
    return ExitCode.DONE


def warn_of_redirection(machine: Machine, out: Output) -> None:
    """Say aloud when a file is not the one that IIS reads (arr.md 5.13)."""
    from arr_bluegreen.control.filemachine import FileMachine

    if isinstance(machine, FileMachine) and (elsewhere := machine.file.redirected_to()):
        out.say(f"warning: shared configuration is on: IIS reads {elsewhere}, not {machine.name}")


# -- private -------------------------------------------------------------------------------------------


def _apply(machine: Machine, changes: Sequence[ConfigChange], decide: Decide) -> dict[str, Any]:
    from arr_bluegreen.control.filemachine import FileMachine

    def decided(configuration: Configuration) -> Sequence[ConfigChange]:
        nonlocal changes
        changes = decide(configuration, machine)
        return changes

    if isinstance(machine, FileMachine):
        commit = machine.config.change(decided)
    elif not changes:
        commit = machine.config.apply(decided(machine.config.read()))
    else:
        commit = machine.config.apply(changes)
    done = changes if commit.commits else ()
    return _result(machine, changed=commit.commits > 0, commits=commit.commits, changes=done, digest=commit.digest)


def _preview(machine: Machine, changes: Sequence[ConfigChange]) -> dict[str, Any]:
    from arr_bluegreen.control.filemachine import FileMachine

    if isinstance(machine, FileMachine):
        diff = machine.config.preview(changes)
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
    if result["diff"]:
        return str(result["diff"]).splitlines()
    return [f"would change: {one}" if dry_run else one for one in result["changes"]]
