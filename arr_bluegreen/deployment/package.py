"""Where a release's content comes from, and whether it can be put in place: judged before anything is made for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from arr_bluegreen.control.interface import FileControl, Machine
from arr_bluegreen.deployment.content import settings_made
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import DescriptionError, UsageError

_ABSOLUTE = re.compile(r"[A-Za-z]:[\\/]|\\\\|%\w+(\(\w+\))?%|/")


def source_of(deployment: Deployment, release: str) -> tuple[str, bool]:
    """The source of this release, and whether it is a zip of the controller's own that is uploaded.

    Raises ``DescriptionError`` when the source names a version and none is known, ``UsageError`` for a relative one
    that is not there: only files beside the description are named so.
    """
    wanted = deployment.content.source
    if "{version}" in wanted and not release:
        raise DescriptionError(f"the source '{wanted}' needs a version", where="content.source", hint="--version V")
    source = wanted.replace("{version}", release)
    local = Path(deployment.folder) / source
    if source and local.is_file():
        return str(local), True
    if source and not _ABSOLUTE.match(source):
        hint = "A relative source lies beside the description; one on the machine is named by its whole path."
        raise UsageError(f"there is no {local}", hint=hint)
    return source, False


def inspect_content(
    deployment: Deployment, controls: Controls, release: str, serving: Callable[[], Iterable[str]] = frozenset
) -> None:
    """The package judged where it lies, whole, and nothing written. ``serving`` tells the addresses in service: the
    machines of such slots need no package now.

    Raises ``BadZip``, ``UsageError`` for one that is not there, ``DescriptionError`` for tokens its files have not.
    """
    source, upload = source_of(deployment, release)
    if not source:
        return
    if upload:
        if source.casefold().endswith(".zip") and controls.inspect_zip is not None:
            controls.inspect_zip(source)
        return
    for machine in _machines(deployment, controls, {one.casefold() for one in serving()}):
        _inspect(deployment, controls, machine, source)


# -- private -------------------------------------------------------------------------------------------


def _machines(deployment: Deployment, controls: Controls, serving: set[str]) -> list[Machine]:
    idle = [s for s in deployment.slots.slots if not any(one.casefold() in serving for one in s.addresses)]
    names = dict.fromkeys(one.machine for slot in idle for one in slot.members)
    return [controls.machine(name) for name in names]


def _inspect(deployment: Deployment, controls: Controls, machine: Machine, source: str) -> None:
    files: FileControl = machine.files
    if source.casefold().endswith(".zip"):
        files.check_zip(source)
        return
    if not files.folder_exists(source):
        raise UsageError(f"there is no folder {source} on {machine.name}", hint="Put the release there first.")
    settings_made(files, source, deployment.content.settings, controls.edit_xml)
