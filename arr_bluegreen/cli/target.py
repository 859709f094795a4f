"""From ``--on`` and its kin to machines. Secrets come from the environment or a file, never from a flag."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.connect import ConnectSettings, connect
from arr_bluegreen.errors import CapabilityMissing, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Machine


@contextmanager
def machines(arguments: argparse.Namespace, out: Output) -> Iterator[tuple[Machine, ...]]:
    """The machines of ``--on``, closed afterwards. Raises ``UsageError`` when target or secret cannot be taken."""
    found = connect(target_of(arguments), settings_of(arguments, out))
    try:
        yield found
    finally:
        for one in found:
            one.close()


def target_of(arguments: argparse.Namespace) -> str:
    """``--on``, else $ARR_BLUEGREEN_ON, else ``local`` on Windows; raises ``UsageError`` elsewhere."""
    given = getattr(arguments, "on", None) or os.environ.get("ARR_BLUEGREEN_ON")
    if given:
        return str(given)
    if os.name == "nt":
        return "local"
    raise UsageError("which machine? This one has no IIS", hint="Say --on file:PATH or --on winrm:HOST.")


def settings_of(arguments: argparse.Namespace, out: Output | None = None) -> ConnectSettings:
    """How to sign in, from the options and the environment."""
    return ConnectSettings(
        user=arguments.user or os.environ.get("ARR_BLUEGREEN_USER", ""),
        password=_password(arguments.password_file),
        transport=arguments.transport or "ntlm",
        tls=arguments.tls,
        ca=arguments.ca or "",
        allow_basic_over_http=arguments.allow_basic_over_http,
        despite_redirection=bool(getattr(arguments, "despite_redirection", False)),
        talk=None if out is None else lambda text, level: out.say(text, level=level),
    )


def has_run_time(machine: Machine) -> bool:
    """Whether the machine can be asked for states and health."""
    from arr_bluegreen.control.interface import Capability

    return Capability.RUN_TIME in machine.capabilities


def need_run_time(machine: Machine, what: str) -> None:
    """Raises ``CapabilityMissing`` when the machine is only a file."""
    if not has_run_time(machine):
        raise CapabilityMissing(
            f"{what} is run time, and {machine.name} is only a file",
            hint="Say --on local or --on winrm:HOST. In a file, a server can be taken online and offline.",
        )


# -- private -------------------------------------------------------------------------------------------


def _password(file: str | None) -> str:
    if not file:
        return os.environ.get("ARR_BLUEGREEN_PASSWORD", "")
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file {file} cannot be read: {error}", hint="One line of UTF-8 text.") from error
    return text.rstrip("\r\n")
