"""applicationHost.config of a machine: read by digest, written by one appcmd command or one script, read back."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.document import Applied
from arr_bluegreen.apphost.edit import Edit, to_json
from arr_bluegreen.control import replies
from arr_bluegreen.control.appcmd import judge, set_config
from arr_bluegreen.control.hands import Hands, ask
from arr_bluegreen.control.hresults import ALREADY_EXISTS, NOT_FOUND, PASSING
from arr_bluegreen.control.interface import Commit
from arr_bluegreen.errors import (
    ConfigurationError,
    LockedError,
    NoSuchObject,
    RemoteError,
    UnreachableError,
    WriteError,
)
from arr_bluegreen.webfarm.change import ConfigChange, Undo

TRIES = 6
"""How often a commit is tried against other writers; the waits between grow from 0.2 s to some 3 s, with jitter."""
COMMIT_WITHIN = 90.0
JUST_READ = 10.0
"""Seconds for which a reading serves a commit that follows."""


class RemoteConfig:
    """``interface.ConfigControl`` of one machine."""

    def __init__(self, hands: Hands, jitter: Callable[[], float] = random.random) -> None:
        self._hands, self._jitter = hands, jitter
        self._host: ApplicationHost | None = None
        self._read_at = 0.0
        self._shared = False

    def read(self) -> ApplicationHost:
        """The configuration as it is now; its bytes travel only when its digest is new."""
        known = self._host
        found = ask(self._hands, "read_config", {"unless": known.digest if known else None}, replies.config_bytes)
        if found is not None:
            digest, data, path = found
            if hashlib.sha256(data).hexdigest() != digest:
                raise RemoteError(f"{self._hands.name}: the configuration arrived damaged", hint="Try again.")
            known = ApplicationHost.parse(data, file=f"{self._hands.name}:{path}")
            self._shared = not path.casefold().endswith(_OWN)
        if known is None:
            raise RemoteError(f"{self._hands.name}: 'unchanged', and nothing was read before", hint="Try again.")
        self._host = known
        self._read_at = self._hands.clock.monotonic()
        return known

    def apply(self, changes: Sequence[ConfigChange]) -> Commit:
        """All changes in one commit, or none; read back and compared. What holds already is not written again.

        Other writers are waited out. After a lost reply the configuration is looked at, and decided by what is there.
        Raises ``ConfigurationError`` and ``NoSuchObject`` for changes that do not fit, ``LockedError``, ``WriteError``.
        """
        changes = _in_words(changes)
        written, inverse = False, None
        for number in range(TRIES):
            before, wanted = self._against(changes, fresh=number > 0)
            inverse = inverse or wanted.inverse
            if not wanted.edits:
                return Commit(1, inverse, before.digest) if written else Commit(0, (), before.digest)
            try:
                self._commit(wanted.edits, before.digest)
            except UnreachableError as lost:
                if not lost.maybe_done:
                    raise
                written = True
            except RemoteError as error:
                # "it is there already": what was read a moment ago is old, another machine may have written it
                if error.code not in PASSING and not (error.code == ALREADY_EXISTS and number == 0):
                    raise
                if number == TRIES - 1 and error.code == NOT_FOUND:
                    raise
                if number == TRIES - 1:
                    raise LockedError(str(error), hint="Another program keeps writing; try again.") from error
            else:
                after = self.read()
                self._compare(wanted.host, after, changes)
                return Commit(1, inverse, after.digest)
            self._hands.clock.sleep((0.2 + 0.8 * self._jitter()) * (1 + 0.5 * number))
        raise UnreachableError(
            f"{self._hands.name}: whether the commit was made is not known",
            hint="Look, then try again.",
            maybe_done=True,
        )

    # -- private -------------------------------------------------------------------------------------------

    def _against(self, changes: Sequence[ConfigChange], *, fresh: bool) -> tuple[ApplicationHost, Applied]:
        """The changes applied to what was read a moment ago, or, where that says no or "nothing to do", to a
        fresh reading: a planner has just read, and reading back proves the rest. A shared configuration is always
        read afresh: other machines write it too."""
        just_read = self._hands.clock.monotonic() - self._read_at < JUST_READ
        if not fresh and self._host is not None and just_read and not self._shared:
            try:
                applied = self._host.apply(changes)
            except (ConfigurationError, NoSuchObject):
                pass
            else:
                if applied.edits:
                    return self._host, applied
        before = self.read()
        return before, before.apply(changes)

    def _commit(self, edits: tuple[Edit, ...], digest: str) -> None:
        line = set_config(edits)
        if line is None:
            request = {"edits": [to_json(one) for one in edits], "expect": digest}
            self._hands.call("commit", request, within=COMMIT_WITHIN)
            return
        request = {"arguments": list(line), "expect": digest}
        said, code = ask(self._hands, "appcmd", request, replies.appcmd_answer, within=COMMIT_WITHIN)
        judge(said, code, self._hands.name)

    def _compare(self, wanted: ApplicationHost, found: ApplicationHost, changes: Sequence[ConfigChange]) -> None:
        """Success texts lie (arr.md 4.3): what was meant must be what is read."""
        if _words(wanted) == _words(found):
            return
        # Somebody else may have written since; then each change for itself must hold.
        missing = [one for one in changes if not _holds(one, found)]
        if missing:
            raise WriteError(
                f"{self._hands.name}: written, but {type(missing[0]).__name__} is not there on reading back",
                hint="Another program may have undone it: look at the configuration, then try again.",
            )


# -- private -------------------------------------------------------------------------------------------


_OWN = r"\system32\inetsrv\config\applicationhost.config"


def _in_words(changes: Sequence[ConfigChange]) -> tuple[ConfigChange, ...]:
    """The changes with each ``Undo`` as the words it stands for: there is no text to patch on a machine."""
    flat: list[ConfigChange] = []
    for one in changes:
        flat += _in_words(one.changes) if isinstance(one, Undo) else (one,)
    return tuple(flat)


def _words(host: ApplicationHost) -> tuple[object, ...]:
    return (host.farms, host.rule_lists, host.rewrite_maps, host.proxy, host.sites, host.pools)


def _holds(change: ConfigChange, host: ApplicationHost) -> bool:
    try:
        return _words(host.apply([change]).host) == _words(host)
    except (ConfigurationError, NoSuchObject):
        return False
