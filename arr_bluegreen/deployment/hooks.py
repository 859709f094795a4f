"""Hooks: a command before or after a phase, told the facts as JSON on stdin; its failure counts or not, as declared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.deployment.description import Hook
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.errors import UnfinishedError, UsageError
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True)
class RunHook:
    """One hook. It runs once; after a crash in the middle it runs again, so it must bear that."""

    hook: Hook
    phase: str
    gates: bool = False

    @property
    def name(self) -> str:
        return f"hook-{self.hook.when}"

    def title(self) -> str:
        return f"Hook {self.hook.when}: {self.hook.command[0]}"

    def explain(self) -> Sequence[str]:
        counts = "its failure does not count" if self.hook.ignore_failure else "its failure stops the run"
        return (f"{' '.join(self.hook.command)} here, at most {self.hook.timeout.total_seconds():g} s; {counts}.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get(f"ran:{self.hook.when}"))

    def perform(self, hands: Hands) -> None:
        problem = run_hook(hands, self.hook)
        if problem and not self.hook.ignore_failure:
            if self.gates:
                raise GateFailed(problem)
            raise UnfinishedError(problem, hint="Mend it, then 'deploy resume'.")
        if problem:
            hands.warn(f"{problem} (does not count)")
        hands.note(f"ran:{self.hook.when}", True)


def run_hook(hands: Hands, hook: Hook) -> str:
    """Run it; what went wrong, "" when nothing did. A command that is not there is a hook that failed, no more."""
    facts = hook_facts(hands)
    environment = {f"ARR_BLUEGREEN_{name.upper()}": str(value) for name, value in facts.items()}
    try:
        found = hands.controls.commands.run(hook.command, json.dumps(facts), environment, hook.timeout)
    except UsageError as error:
        return f"hook {hook.when}: {error}"
    if found.exit_code == 0:
        return ""
    how = "took too long and was killed" if found.exit_code is None else f"exited {found.exit_code}"
    return f"hook {hook.when} {how}: {found.output.strip()[-300:]}"


def tell_failure(hands: Hands) -> None:
    """``on_failure``, last of all: while a hook runs no bad version shall be live, and no client be lost."""
    for hook in hands.deployment.hook("on_failure"):
        problem = run_hook(hands, hook)
        if problem:
            hands.warn(problem)


def hook_facts(hands: Hands) -> dict[str, str]:
    """What a hook is told: run, app, farm, new and old slot, version, and which way the run goes."""
    return {
        "run": hands.identity.run,
        "app": hands.deployment.app.name,
        "farm": hands.deployment.app.farm,
        "new": hands.roles.new.name,
        "old": hands.roles.old.name,
        "version": hands.roles.version,
        "way": hands.memory.way,
    }
