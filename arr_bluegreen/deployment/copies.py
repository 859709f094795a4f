"""The journal's copies on the ARR machines, for whoever looks there: a worker that ran this may be gone tomorrow."""

from __future__ import annotations

from collections.abc import Callable

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.journal import Journal
from arr_bluegreen.deployment.now import Controls, stores
from arr_bluegreen.errors import RemoteError, UnreachableError


def copy_name(run: str) -> str:
    """The record that is the copy of this run's journal."""
    return f"journal-{run}.jsonl"


class Copies:
    """The copies of one run's journal."""

    def __init__(self, controls: Controls, deployment: Deployment, journal: Journal, run: str) -> None:
        self._stores, self._journal, self._name = stores(controls, deployment), journal, copy_name(run)
        self._text = ""

    def bring(self, warn: Callable[[str], None]) -> None:
        """Up to date, where anything was written since; a machine that does not take its copy is warned of."""
        text = self._journal.text()
        if text == self._text:
            return
        self._text = text
        for store in self._stores:
            try:
                store.write(self._name, text)
            except (UnreachableError, RemoteError) as error:
                self._text = ""
                warn(f"the journal was not copied to an ARR machine: {error}")
