"""``config diff``, ``backup`` and ``restore``: the file now against a copy, and back to one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from arr_bluegreen.cli.changing import warn_of_redirection
from arr_bluegreen.cli.options import verb
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.filemachine import FileMachine
from arr_bluegreen.errors import CapabilityMissing, ExitCode, RefusedError


def add_copies(verbs: Any) -> None:
    """diff, backup, restore."""
    one = verb(verbs, "diff", "what changed since a backup, or against another file", _diff, target=True)
    one.add_argument("other", nargs="?", default="", metavar="BACKUP|FILE", help="default: the newest backup")
    one.add_argument("--exit-code", action="store_true", help="exit 10 when there are differences")
    one = verb(verbs, "backup", "a copy now, in our own folder beside the file", _backup, target=True)
    one.add_argument("--list", action="store_true", help="only list the copies there are")
    one = verb(
        verbs, "restore", "back to a copy, whole or by undoing our own edits", _restore, target=True, changes=True
    )
    one.add_argument("backup", nargs="?", default="", metavar="BACKUP", help="default: the newest one")
    one.add_argument("--undo", action="store_true", help="only undo our own writes since; what others wrote stays")


# -- private -------------------------------------------------------------------------------------------


@contextmanager
def _file(arguments: argparse.Namespace, out: Output) -> Iterator[FileMachine]:
    with machines(arguments, out) as found:
        if len(found) != 1 or not isinstance(found[0], FileMachine):
            raise CapabilityMissing("backups are kept beside a file", hint="Say --on file:PATH.")
        warn_of_redirection(found[0], out)
        yield found[0]


def _diff(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with _file(arguments, out) as machine:
        name, old = _other(machine, arguments.other)
        diff = machine.config.diff(old, machine.file.read(), name, machine.name)
    if diff:
        out.diff({"differs": True, "diff": diff}, diff)
    else:
        out.result({"differs": False, "diff": ""}, ["no differences"])
    return ExitCode.DIFFERENCES if diff and arguments.exit_code else ExitCode.DONE


def _other(machine: FileMachine, name: str) -> tuple[str, bytes]:
    if name and Path(name).is_file():
        return name, Path(name).read_bytes()
    backup = machine.file.backups.get(name)
    return backup.name, machine.file.backups.read(backup)


def _backup(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with _file(arguments, out) as machine:
        if arguments.list:
            all_ = machine.file.backups.all()
            records = [
                {"name": one.name, "taken": one.taken.isoformat("T", "seconds"), "undoes": one.undoes} for one in all_
            ]
            rows = [[one["name"], one["taken"], one["undoes"]] for one in records]
            out.table(records, ["backup", "taken", "our writes since"], rows)
            return ExitCode.DONE
        backup = machine.file.take_backup()
    out.result({"name": backup.name, "path": str(backup.path)}, [str(backup.path)])
    return ExitCode.DONE


def _restore(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with _file(arguments, out) as machine:
        backup = machine.file.backups.get(arguments.backup)
        restore = machine.config.undo(backup) if arguments.undo else machine.config.whole(backup)
        current = machine.file.read()
        diff = machine.config.diff(current, restore(current), machine.name)
        result = {"backup": backup.name, "changed": bool(diff), "dry_run": arguments.dry_run, "diff": diff}
        if not diff:
            out.result(result, ["nothing to do"])
            return ExitCode.DONE
        machine.file.refuse_redirected()
        if arguments.dry_run:
            out.diff(result, diff)
            return ExitCode.DONE
        _ask(arguments, f"restore {machine.name} to {backup.name} of {backup.taken.astimezone():%Y-%m-%d %H:%M:%S}?")
        update = machine.file.update(restore)
        machine.file.backups.forget(backup)
    kept = update.backup.name if update.backup is not None else ""
    out.result({**result, "kept": kept}, [f"restored {backup.name}", f"what was there is kept as {kept}"])
    return ExitCode.DONE


def _ask(arguments: argparse.Namespace, question: str) -> None:
    if arguments.yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise RefusedError("not confirmed", hint="Nothing was changed.")
