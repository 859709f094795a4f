"""The journal's copies on the ARR machines, for whoever looks there: a worker that ran this may be gone tomorrow."""

from __future__ import annotations

from collections.abc import Callable

from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.events import Event, StepProgress, StepSkipped
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
        self._due = False

    def hear(self, event: Event) -> None:
        """Something was journaled; that a step was passed over is no news that needs a copy of its own."""
        self._due = self._due or not isinstance(event, StepSkipped | StepProgress)

    def bring(self, warn: Callable[[str], None]) -> None:
        """Up to date, where anything was done since; a machine that does not take its copy is warned of."""
        if not self._due:
            return
        self._due, text = False, self._journal.text()
        for store in self._stores:
            try:
                store.write(self._name, text)
            except (UnreachableError, RemoteError) as error:
                warn(f"the journal was not copied to an ARR machine: {error}")
