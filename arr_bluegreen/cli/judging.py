"""The lint's word on a change before it is written: a new error is refused, a new warning said."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.lint import Finding, Severity, lint, refused_by_iis
from arr_bluegreen.cli.output import Output
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm.change import ConfigChange, SetServer


class Judge:
    """Compares the findings of a configuration before the changes with those after them."""

    def __init__(self, arguments: argparse.Namespace, out: Output) -> None:
        self._despite = {one.upper() for one in getattr(arguments, "despite", [])}
        self._out = out
        self._before: Counter[tuple[str, str]] | None = None

    def look(self, before: ApplicationHost, changes: Sequence[ConfigChange]) -> None:
        """Remember what is wrong already; nothing is looked at for changes that can make nothing wrong."""
        judged = any(not _plain(one) for one in changes)
        self._before = Counter(map(_key, lint(before))) if judged else None

    def decide(self, after: ApplicationHost) -> None:
        """Raises ``RefusedError`` for an error that was not there before and is not named by --despite."""
        if self._before is None:
            return
        new = _new(lint(after), self._before)
        errors = [one for one in new if one.severity is Severity.ERROR]
        refused = [one for one in errors if refused_by_iis(one.code) or one.code not in self._despite]
        if refused:
            codes = list(dict.fromkeys(one.code for one in refused))
            final = any(map(refused_by_iis, codes))
            flags = " ".join(f"--despite {one}" for one in codes)
            insist = "IIS would refuse the whole file." if final else f"Or insist with {flags}."
            what = "; ".join(f"{one.code}, {one.title}: {one.what}" for one in refused[:3])
            raise RefusedError(what, hint=f"{refused[0].fix.rstrip('.')}. {insist}")
        for one in new:
            if one.severity is not Severity.INFO:
                self._out.say(f"{one.severity.value}: {one.code}: {one.what}")


# -- private -------------------------------------------------------------------------------------------


def _plain(change: ConfigChange) -> bool:
    """Whether a change only turns a server on or off or gives it a weight: done often, also in very large files."""
    return isinstance(change, SetServer) and {name for name, _ in change.settings} <= {"enabled", "weight"}


def _key(finding: Finding) -> tuple[str, str]:
    return finding.code, finding.element


def _new(found: Sequence[Finding], before: Counter[tuple[str, str]]) -> list[Finding]:
    left = Counter(before)
    new = []
    for one in found:
        if left[_key(one)] > 0:
            left[_key(one)] -= 1
        else:
            new.append(one)
    return new
