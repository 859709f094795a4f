"""Every error this package raises on purpose: one tree, each class owning its exit code.

The message says what is wrong and where; the hint says what to do next. Both go on one line.
Exit codes are those of the README's table. Foreign exceptions (OSError, requests, winrm, lxml) are turned
into these once, at the adapter's edge, with ``raise ... from``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of every command; an unknown one must be taken for a failure."""

    DONE = 0
    BUG = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    UNFINISHED = 5
    WAIT_RAN_OUT = 6
    OLD_SLOT_SERVES = 7
    LOCKED = 8
    DIFFERENCES = 10
    INTERRUPTED = 130


class ArrBlueGreenError(Exception):
    """The root. ``str(error)`` is the message; ``hint`` (may be empty) is what to do next."""

    exit_code: ExitCode = ExitCode.BUG
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def one_line(self) -> str:
        """The message and the hint on one line, for people and logs."""
        text = " ".join(str(self).split())
        if not self.hint:
            return text
        return f"{text} {self.hint}" if text.endswith(("?", "!")) else f"{text.rstrip('.')}. {self.hint}"


# -- exit 2: what the user gave is wrong; nothing was changed ------------------------------------


class UsageError(ArrBlueGreenError):
    """Arguments that cannot be taken as they are."""

    exit_code = ExitCode.USAGE


class DescriptionError(UsageError):
    """deployment.toml (or another file of ours) is wrong at ``where`` (a key path)."""

    def __init__(self, message: str, *, where: str = "", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.where = where


class ConfigurationError(UsageError):
    """applicationHost.config cannot be read or the change does not fit it.

    ``line`` and ``column`` (both from 1, column in characters) and ``element`` (a path such as
    ``configuration/webFarms/webFarm[@name='shop']``) say where, when known.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str = "",
        line: int | None = None,
        column: int | None = None,
        element: str = "",
        hint: str | None = None,
    ) -> None:
        self.file, self.line, self.column, self.element = file, line, column, element
        self.detail = message
        super().__init__(message, hint=hint)

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part not in ("", None))
        return ": ".join(part for part in (place, self.element, self.detail) if part)


class NoSuchObject(UsageError):
    """A farm, server, rule, site or pool that is not there; the message names the ones that are."""

    def __init__(
        self, kind: str, name: str, there: tuple[str, ...] = (), *, where: str = "", hint: str | None = None
    ) -> None:
        place = f" in {where}" if where else ""
        listed = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "")
        known = f"There: {listed}." if there else f"There is no {kind} at all."
        super().__init__(f"no {kind} '{name}'{place}", hint=known if hint is None else hint)
        self.kind, self.name, self.there, self.where = kind, name, there, where


class BadZip(UsageError):
    """A zip that breaks a rule of safe extracting, or is damaged; nothing of it was written."""


# -- exit 3: refused; nothing was changed ---------------------------------------------------------


class RefusedError(ArrBlueGreenError):
    """The machine or the farm is not as the act requires it."""

    exit_code = ExitCode.REFUSED


class AmbiguousError(RefusedError):
    """Which slot is live cannot be told."""


class CapabilityMissing(RefusedError):
    """The target cannot do what is asked (a file has no run-time state, say)."""


class FloorError(RefusedError):
    """The act would leave fewer servers in service than the floor."""


class StalePlanError(RefusedError):
    """The world moved since the plan was made."""


class WriteError(RefusedError):
    """The configuration could not be written, and the old one is whole."""


# -- exit 4: the machine could not be reached -------------------------------------------------------


class UnreachableError(ArrBlueGreenError):
    """No connection, or it broke; whether the act was done may be unknown (``maybe_done``)."""

    exit_code = ExitCode.UNREACHABLE
    maybe_done: bool = False

    def __init__(self, message: str, *, hint: str | None = None, maybe_done: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.maybe_done = maybe_done


class SignInError(UnreachableError):
    """The machine answered and did not take the credentials."""


class RemoteError(ArrBlueGreenError):
    """The machine was reached and the act failed there; ``code`` is its HRESULT or exit code when known."""

    exit_code = ExitCode.REFUSED

    def __init__(self, message: str, *, code: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


# -- exits 5 to 8: a run that began ------------------------------------------------------------------


class UnfinishedError(ArrBlueGreenError):
    """A step failed midway; resume, switch-back or abort."""

    exit_code = ExitCode.UNFINISHED


class PartlyDoneError(ArrBlueGreenError):
    """Some machines did it, one did not: ``done`` and ``not_done`` name them, ``unknown`` those that may have.

    ``cause`` is the first failure. Nothing was undone: whoever asked for it decides that.
    """

    exit_code = ExitCode.UNFINISHED

    def __init__(
        self,
        act: str,
        done: Sequence[str],
        not_done: Sequence[str],
        unknown: Sequence[str],
        cause: ArrBlueGreenError,
        *,
        hint: str | None = None,
    ) -> None:
        told = [f"done on {', '.join(done) or 'none'}"]
        told += [f"not on {', '.join(not_done)}"] if not_done else []
        told += [f"unknown on {', '.join(unknown)}"] if unknown else []
        again = "Then run it again: what is done stays done."
        super().__init__(f"{act}: {'; '.join(told)}: {cause}", hint=hint or f"{cause.hint} {again}".strip())
        self.done, self.not_done, self.unknown, self.cause = tuple(done), tuple(not_done), tuple(unknown), cause


class WaitRanOutError(ArrBlueGreenError):
    """A wait (drain, health) ran out midway; resume, switch-back or abort."""

    exit_code = ExitCode.WAIT_RAN_OUT


class OldSlotServesError(ArrBlueGreenError):
    """The gate failed or the bake went back; the old slot serves as before."""

    exit_code = ExitCode.OLD_SLOT_SERVES


class LockedError(ArrBlueGreenError):
    """Another run, or another writer, holds what this one needs."""

    exit_code = ExitCode.LOCKED
