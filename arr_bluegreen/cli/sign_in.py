"""How to reach and sign in to a machine: the option, else the environment, else ``[arr]`` of the description.

A password comes from the environment, a file that only its owner can read, or a prompt on a terminal; never a flag.
"""

from __future__ import annotations

import argparse
import os
import stat
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.cli.output import Output
from arr_bluegreen.control.connect import ConnectSettings
from arr_bluegreen.errors import UsageError

if TYPE_CHECKING:
    from arr_bluegreen.deployment.description import Arr

WITH_PASSWORD = ("ntlm", "basic", "credssp")
"""Transports that need a password; kerberos has its ticket, certificate its key."""


def settings_of(
    arguments: argparse.Namespace, target: str, out: Output | None = None, arr: Arr | None = None
) -> ConnectSettings:
    """How to sign in to ``target`` (``--on``); only ``winrm:`` is ever asked a password for.

    Raises ``UsageError`` for a password file that cannot be read or that others can read, and for a variable that says
    neither yes nor no.
    """
    talk = None if out is None else partial(_say, out)
    despite = bool(getattr(arguments, "despite_redirection", False))
    if not target.startswith("winrm:"):  # nobody is signed in to
        return ConnectSettings(despite_redirection=despite, talk=talk)
    from arr_bluegreen.deployment.description import Arr

    described = arr or Arr()
    transport = arguments.transport or described.transport
    user = arguments.user or os.environ.get("ARR_BLUEGREEN_USER", "")
    password = _password(arguments.password_file)
    if not password and user and transport in WITH_PASSWORD:
        password = _asked(user, target.removeprefix("winrm:"))
    return ConnectSettings(
        user=user,
        password=password,
        transport=transport,
        tls=arguments.tls or described.tls,
        ca=arguments.ca or described.ca,
        allow_basic_over_http=arguments.allow_basic_over_http,
        despite_redirection=despite,
        certificate=_given(arguments.certificate, "ARR_BLUEGREEN_CERTIFICATE", described.certificate),
        certificate_key=_given(arguments.certificate_key, "ARR_BLUEGREEN_CERTIFICATE_KEY", described.certificate_key),
        proxy=_given(None, "ARR_BLUEGREEN_PROXY", described.proxy),
        kept_powershell=_yes_or_no("ARR_BLUEGREEN_KEPT_POWERSHELL", described.kept_powershell),
        talk=talk,
    )


# -- private -------------------------------------------------------------------------------------------


def _say(out: Output, text: str, level: int) -> None:
    out.say(text, level=level)


def _given(option: str | None, variable: str, described: str) -> str:
    return option or os.environ.get(variable, "") or described


def _yes_or_no(variable: str, described: bool) -> bool:
    word = os.environ.get(variable, "").strip().casefold()
    if word and word not in _WORDS:
        raise UsageError(f"${variable} is '{word}'", hint="Write yes or no.")
    return _WORDS.get(word, described)


_WORDS = {"yes": True, "true": True, "1": True, "on": True, "no": False, "false": False, "0": False, "off": False}


def _password(file: str | None) -> str:
    if not file:
        return os.environ.get("ARR_BLUEGREEN_PASSWORD", "")
    try:
        with Path(file).open(encoding="utf-8-sig") as opened:
            _refuse_shared(file, os.fstat(opened.fileno()).st_mode)
            text = opened.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--password-file {file} cannot be read: {error}", hint="One line of UTF-8 text.") from error
    return text.rstrip("\r\n")


def _refuse_shared(file: str, mode: int) -> None:
    """A file that others can read is no secret, one that others can write is no password of ours. Windows has ACLs,
    which the mode does not tell; a pipe (``<(...)``) is nobody else's."""
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o066:
        raise UsageError(
            f"--password-file {file} can be read or written by others (mode {stat.S_IMODE(mode):03o})",
            hint=f"Make it yours alone: chmod 600 {file}",
        )


def _asked(user: str, hosts: str) -> str:
    """Asked on a terminal; "" where there is none, which the sign-in then says."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return ""
    from getpass import getpass

    try:
        return getpass(f"Password of {user} on {hosts}: ", stream=sys.stderr)
    except EOFError:
        return ""
