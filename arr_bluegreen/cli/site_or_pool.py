"""What the verbs of ``site`` and of ``pool`` share: list, show, and the acts of run time."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from arr_bluegreen.cli.acting import act_on_each
from arr_bluegreen.cli.options import Parser, Run, verb
from arr_bluegreen.cli.origins import origin_lines, with_origins
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.serving import add_force, refuse_serving
from arr_bluegreen.cli.target import each, machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import ExitCode
from arr_bluegreen.webfarm import ApplicationPool, Site
from arr_bluegreen.webfarm.change import ConfigChange

T = TypeVar("T", Site, ApplicationPool)
Seen = Mapping[str, Any]


@dataclass(frozen=True)
class Kind(Generic[T]):
    """How one of the two is found and told to act. ``sites`` are those that end with it; ``auto_start`` is whether it
    starts with the machine, ``set_auto_start`` the change that makes it so."""

    noun: str
    word: type[T]
    find: Callable[[Configuration, str], T]
    sites: Callable[[Configuration, T], Sequence[Site]]
    start: Callable[[Machine, T], None]
    stop: Callable[[Machine, T], None]
    recycle: Callable[[Machine, T], None]
    auto_start: Callable[[T], bool]
    set_auto_start: Callable[[T, bool], ConfigChange]


def named(verbs: Any, kind: Kind[T], name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    """A verb about one of them."""
    one = verb(verbs, name, text, run, target=True, changes=changes)
    one.add_argument("name", metavar=kind.noun.upper())
    return one


def add_acts(verbs: Any, kind: Kind[T], stops: str, recycles: str, setting: str) -> None:
    """start, stop, recycle; ``stops`` and ``recycles`` say what that means here, ``setting`` what --for-good sets."""
    start = named(verbs, kind, "start", "run time: start it", lambda a, o: _start(kind, a, o), changes=True)
    stop = named(verbs, kind, "stop", f"run time: {stops}", lambda a, o: _stop(kind, a, o), changes=True)
    for one, value in ((start, "true"), (stop, "false")):
        one.add_argument("--for-good", action="store_true", help=f"also after a reboot: {setting} = {value}")
    add_force(stop)
    named(verbs, kind, "recycle", f"run time: {recycles}", lambda a, o: _recycle(kind, a, o), changes=True)


def tell_list(
    arguments: argparse.Namespace,
    out: Output,
    look: Callable[[Machine], Sequence[Seen]],
    columns: Mapping[str, Callable[[Seen], object]],
    remark: Callable[[Sequence[Machine], Sequence[Seen]], str] = lambda machines, seen: "",
) -> ExitCode:
    """A table of all there are, with the machine where there are several; then what is to be remarked on it."""
    with machines(arguments, out) as found:
        seen = [one for records in each(found, look) for one in records]
        several, said = len(found) > 1, remark(found, seen)
    told = {**({"machine": lambda one: one["machine"]} if several else {}), **columns}
    out.table(seen, list(told), [[cell(one) for cell in told.values()] for one in seen])
    if said:
        out.say(said)
    return ExitCode.DONE


def tell_one(
    arguments: argparse.Namespace, out: Output, kind: Kind[T], look: Callable[[Machine, str], Sequence[Seen]]
) -> ExitCode:
    """Everything of one, on each machine."""
    with machines(arguments, out) as found:
        shown: list[Seen] = []
        for machine in found:
            configuration = machine.config.read()
            name = kind.find(configuration, arguments.name).name
            seen = look(machine, name)
            shown += with_origins(seen, configuration, kind.word, (name,)) if arguments.effective else seen
    lines = [line for one in shown for line in _lines(one)]
    out.result(shown[0] if len(shown) == 1 else shown, lines)
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------


def _lines(one: Seen) -> list[str]:
    lines = [f"{key.replace('_', ' '):18} {_plain(value)}" for key, value in one.items() if key != "settings"]
    return [*lines, "", *origin_lines(one["settings"])] if "settings" in one else lines


def _plain(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case Mapping():
            return " ".join(f"{key} {_plain(one)}" for key, one in value.items())
        case list():
            return ", ".join(map(_plain, value)) or "none"
        case _:
            return str(value)


def _start(kind: Kind[T], arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        found = kind.find(machine.config.read(), arguments.name)
        if not dry_run:
            _for_good(kind, arguments, machine, found, True)
            kind.start(machine, found)
        return _told("start", kind, arguments, found)

    return act_on_each(arguments, out, act)


def _stop(kind: Kind[T], arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        configuration = machine.config.read()
        found = kind.find(configuration, arguments.name)
        refuse_serving(arguments, configuration, *kind.sites(configuration, found))
        if not dry_run:
            kind.stop(machine, found)
            _for_good(kind, arguments, machine, found, False)
        return _told("stop", kind, arguments, found)

    return act_on_each(arguments, out, act)


def _recycle(kind: Kind[T], arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        found = kind.find(machine.config.read(), arguments.name)
        if not dry_run:
            kind.recycle(machine, found)
        pool = getattr(found, "pool", "")  # a site's
        of = f"pool '{pool}' of " if pool else ""
        return f"recycle {of}{kind.noun} '{found.name}'"

    return act_on_each(arguments, out, act)


def _for_good(kind: Kind[T], arguments: argparse.Namespace, machine: Machine, found: T, value: bool) -> None:
    if arguments.for_good and kind.auto_start(found) is not value:
        machine.config.apply([kind.set_auto_start(found, value)])


def _told(act: str, kind: Kind[T], arguments: argparse.Namespace, found: T) -> str:
    return f"{act} {kind.noun} '{found.name}'" + (" for good" if arguments.for_good else "")
