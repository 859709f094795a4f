"""``--on TARGET`` to machines: the only table of kinds. An adapter is imported when its kind is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from arr_bluegreen.errors import UsageError

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Machine


@dataclass(frozen=True, slots=True)
class Target:
    """``--on`` taken apart: kind (``file``, ``local``, ``winrm``), and what follows the colon."""

    kind: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """How to reach a machine and sign in. ``transport`` is pywinrm's name; ``timeout`` is for one message.

    ``lock_timeout`` and ``despite_redirection`` are for files (``configfile``). ``certificate`` and its key are PEM
    files (transport certificate); ``kept_powershell`` False starts a PowerShell per call; ``talk(text, level)`` hears
    what -v and -vv show.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    transport: str = "ntlm"
    tls: bool = False
    ca: str = ""
    allow_basic_over_http: bool = False
    timeout: timedelta = timedelta(seconds=30)
    connect_timeout: timedelta = timedelta(seconds=10)
    lock_timeout: timedelta = timedelta(seconds=10)
    despite_redirection: bool = False
    certificate: str = ""
    certificate_key: str = ""
    proxy: str = ""
    kept_powershell: bool = True
    talk: Callable[[str, int], None] | None = field(default=None, repr=False, compare=False)


def connect(target: str | Target, settings: ConnectSettings | None = None) -> tuple[Machine, ...]:
    """The machines ``target`` names, in its order; nothing is contacted yet.

    Raises ``UsageError`` for a target that cannot be taken as it is.
    """
    wanted = parse_target(target) if isinstance(target, str) else target
    return _KINDS[wanted.kind](wanted, settings or ConnectSettings())


def parse_target(text: str) -> Target:
    """``file:PATH``, ``local`` or ``winrm:HOST[:PORT][,HOST...]`` taken apart; raises ``UsageError``."""
    kind, _, rest = text.partition(":")
    if kind not in _KINDS:
        raise UsageError(f"--on {text}: no such kind of target '{kind}'", hint=_suggest(text, kind))
    if kind == "local":
        if rest:
            raise UsageError(f"--on {text}: 'local' takes nothing after it", hint="Write --on local.")
        return Target("local")
    names = (rest,) if kind == "file" else tuple(name.strip() for name in rest.split(","))
    if not all(names):
        raise UsageError(f"--on {text}: a name is missing after '{kind}:'", hint=f"Write --on {_FORMS[kind]}.")
    if len({name.casefold() for name in names}) < len(names):
        raise UsageError(f"--on {text}: a machine is named twice", hint="Name each once.")
    return Target(kind, names)


# -- private -------------------------------------------------------------------------------------------


def _file(target: Target, settings: ConnectSettings) -> tuple[Machine, ...]:
    from arr_bluegreen.control.configfile import ConfigFile
    from arr_bluegreen.control.filemachine import FileMachine

    file = ConfigFile(
        Path(target.names[0]).expanduser(),
        lock_timeout=settings.lock_timeout.total_seconds(),
        despite_redirection=settings.despite_redirection,
    )
    return (FileMachine(file),)


def _local(target: Target, settings: ConnectSettings) -> tuple[Machine, ...]:
    from arr_bluegreen.control.local import LocalMachine

    return (LocalMachine(settings),)


def _winrm(target: Target, settings: ConnectSettings) -> tuple[Machine, ...]:
    from arr_bluegreen.control.winrm_machine import WinrmMachine

    return tuple(WinrmMachine(name, settings) for name in target.names)


_KINDS: Mapping[str, Callable[[Target, ConnectSettings], tuple[Machine, ...]]] = {
    "file": _file,
    "local": _local,
    "winrm": _winrm,
}
_FORMS = {"file": "file:PATH", "local": "local", "winrm": "winrm:HOST[:PORT][,HOST...]"}


def _suggest(text: str, kind: str) -> str:
    if Path(text).exists():
        return f"Did you mean file:{text}?"
    from difflib import get_close_matches

    near = get_close_matches(kind, _KINDS, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Kinds: {', '.join(_FORMS.values())}."
