"""What every verb of ``deploy`` needs: the description, the machines, the journals, who asks."""

from __future__ import annotations

import argparse
import getpass
import os
import shlex
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from arr_bluegreen.apphost.web_config import edit_xml
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.sign_in import settings_of
from arr_bluegreen.cli.target import target_of
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.command import LocalCommands
from arr_bluegreen.control.connect import ConnectSettings, connect
from arr_bluegreen.control.interface import FolderDigest, Machine
from arr_bluegreen.control.nodes import close_all
from arr_bluegreen.control.safe_extract import inspect_zip
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import read_description
from arr_bluegreen.deployment.hands import Identity
from arr_bluegreen.deployment.journal import Journals
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import RefusedError, UnreachableError


@dataclass(frozen=True)
class World:
    """A description with its machines and journals. ``flags`` is what a next command must be given too (``where`` alone
    for one that needs no description); ``missing`` are the ARR machines left out, with why."""

    deployment: Deployment
    controls: Controls
    journals: Journals
    flags: str = ""
    where: str = ""
    missing: Mapping[str, str] = field(default_factory=dict)

    def typed(self, commands: Sequence[str]) -> list[str]:
        """The commands as they can be typed."""
        return [f"arr-bluegreen {one}{self.flags if one.startswith('deploy') else self.where}" for one in commands]


@contextmanager
def world(arguments: argparse.Namespace, out: Output, *, looks: bool = False) -> Iterator[World]:
    """The world of the arguments; machines are closed afterwards. ``--on`` overrides ``[arr]`` of the description.

    For a verb that only ``looks``, and where ``[arr] missing`` says so, an ARR machine that cannot be reached is left
    out.
    """
    deployment = read_description(Path(arguments.file))
    flags = _flags(arguments)
    with ExitStack() as stack:
        target = _target(arguments, deployment)
        settings = settings_of(arguments, target, out, deployment.arr)
        arr = connect(target, settings)
        stack.callback(close_all, arr)
        others = _others(settings, deployment, arr)
        stack.callback(close_all, tuple(others.values()))
        missing: dict[str, str] = {}
        if len(arr) > 1 and (looks or deployment.arr.missing == "exclude"):
            arr, missing = _reached(arr, deployment, looks)
            for name in () if looks else missing:
                out.say(f"note: {name} cannot be reached and is left out: 'farm reconcile' follows when it is back")
        controls = Controls(arr, SystemClock(), LocalCommands(), others, edit_xml, _inspect_zip)
        where = f" --on {shlex.quote(arguments.on)}" if arguments.on else ""
        yield World(deployment, controls, journals(arguments, deployment), flags, where, missing)


def refuse_missing_commands(deployment: Deployment) -> None:
    """Raises ``RefusedError`` for a hook or a judge that cannot be run from here: it would stop the run midway."""
    commands = [(f"hook {one.when}", one.command) for one in deployment.hooks]
    commands += [("the bake's command", deployment.bake.command)] if deployment.bake.command else []
    for what, command in commands:
        if shutil.which(command[0]) is None:
            raise RefusedError(f"{what}: there is no program '{command[0]}' here", hint="Install it or mend [hooks].")


def journals(arguments: argparse.Namespace, deployment: Deployment) -> Journals:
    """Where the runs of this deployment are written: ``--state-dir``, the environment, else the user's data folder."""
    given = arguments.state_dir or os.environ.get("ARR_BLUEGREEN_STATE_DIR")
    if not given:
        from platformdirs import user_data_dir

        given = user_data_dir("arr-bluegreen", appauthor=False)
    return Journals(Path(given) / _file_name(deployment.app.name))


def identity(run: str, folder: Path | None = None) -> Identity:
    """Who runs it where, with its journal in this folder."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        who = "unknown"
    return Identity(run, who, socket.gethostname(), str(folder.resolve()) if folder is not None else "")


# -- private -------------------------------------------------------------------------------------------------


def _flags(arguments: argparse.Namespace) -> str:
    file = arguments.file if arguments.file != "deployment.toml" else ""
    given = [("", file), ("--on ", arguments.on), ("--state-dir ", arguments.state_dir)]
    return "".join(f" {name}{shlex.quote(value)}" for name, value in given if value)


def _target(arguments: argparse.Namespace, deployment: Deployment) -> str:
    named = deployment.arr.machines
    if arguments.on is None and named and not os.environ.get("ARR_BLUEGREEN_ON"):
        plain = "local" in named
        arguments.on = "local" if plain else "winrm:" + ",".join(named)
    return target_of(arguments)


def _others(settings: ConnectSettings, deployment: Deployment, arr: tuple[Machine, ...]) -> dict[str, Machine]:
    """The machines of members that are no ARR machine, reached the same way."""
    known = {one.name.casefold() for one in arr}
    names = {member.machine for slot in deployment.slots.slots for member in slot.members if member.machine}
    missing = sorted(name for name in names if name.casefold() not in known)
    return {name: connect(f"winrm:{name}", settings)[0] for name in missing}


def _reached(
    arr: tuple[Machine, ...], deployment: Deployment, looks: bool
) -> tuple[tuple[Machine, ...], dict[str, str]]:
    """Those that answer, and why the others do not. Raises ``UnreachableError`` when none does, or not the first, where
    members lie that name no machine: they would be looked for on another."""
    found: list[Machine] = []
    missing: dict[str, UnreachableError] = {}
    for one in arr:
        try:
            one.facts()
            found.append(one)
        except UnreachableError as error:
            missing[one.name] = error
    unnamed = any(not member.machine for slot in deployment.slots.slots for member in slot.members)
    if not found or (unnamed and not looks and found[0] is not arr[0]):
        raise next(iter(missing.values()))
    return tuple(found), {name: str(error) for name, error in missing.items()}


def _inspect_zip(path: str) -> FolderDigest:
    return inspect_zip(Path(path))


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name) or "_"
