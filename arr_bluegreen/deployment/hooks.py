"""Hooks: a command before or after a phase, told the facts as JSON on stdin; its failure counts or not, as declared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from arr_bluegreen.deployment.asking import host_header
from arr_bluegreen.deployment.description import Hook, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import server_of
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.errors import ArrBlueGreenError, UnfinishedError, UsageError
from arr_bluegreen.webfarm.change import ConfigChange


@dataclass(frozen=True)
class RunHook:
    """One hook. It runs once; after a crash in the middle it runs again, so it must bear that.

    ``early``: it stands before the enabling of this slot, and is for a slot that is not enabled yet: whether a fence
    outlives that commit nobody documents (arr.md 8.1), and where it does not the slot is live from then on. Its twin at
    the usual place does not run again. Without ``counts`` (on the way back) a failure is told and stops nothing.
    """

    hook: Hook
    phase: str
    gates: bool = False
    early: Slot | None = None
    counts: bool = True

    @property
    def name(self) -> str:
        return f"hook-{self.hook.when}{'-early' if self.early else ''}"

    def title(self) -> str:
        return f"Hook {self.hook.when}: {self.hook.command[0]}"

    def explain(self) -> Sequence[str]:
        counts = "its failure stops the run" if self._counts else "its failure does not count"
        text = f"{' '.join(self.hook.command)} here, at most {self.hook.timeout.total_seconds():g} s; {counts}."
        if self.early is None:
            return (text,)
        return (text, f"Now, where {self.early.name} is not enabled yet: enabling it may already be the switch.")

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        ran = bool(hands.memory.get(f"ran:{self.hook.when}"))
        return ran or (self.early is not None and hands.now().enabled(self.early))

    def perform(self, hands: Hands) -> None:
        problem = run_hook(hands, self.hook)
        if problem and self._counts:
            if self.gates:
                raise GateFailed(problem)
            raise UnfinishedError(problem, hint="Mend it, then 'deploy resume'.")
        if problem:
            hands.warn(f"{problem} (does not count)")
        hands.note(f"ran:{self.hook.when}", True)

    @property
    def _counts(self) -> bool:
        return self.counts and not self.hook.ignore_failure


def run_hook(hands: Hands, hook: Hook, reason: str = "") -> str:
    """Run it; what went wrong, "" when nothing did. A command that is not there is a hook that failed, no more."""
    facts = hook_facts(hands, hook.when, reason)
    try:
        found = hands.controls.commands.run(hook.command, json.dumps(facts), as_environment(facts), hook.timeout)
    except UsageError as error:
        return f"hook {hook.when}: {error}"
    if found.exit_code == 0:
        return ""
    how = "took too long and was killed" if found.exit_code is None else f"exited {found.exit_code}"
    return f"hook {hook.when} {how}: {found.output.strip()[-300:]}"


def tell_failure(hands: Hands, reason: str) -> None:
    """``on_failure``, last of all: while a hook runs no bad version shall be live, and no client be lost."""
    for hook in hands.deployment.hook("on_failure"):
        problem = run_hook(hands, hook, reason)
        if problem:
            hands.warn(problem)


def hook_facts(hands: Hands, moment: str, reason: str = "") -> dict[str, str]:
    """What a hook (and the bake's command) is told: texts only, no secrets; several values with commas between them.

    ``new`` and ``old`` are as the run began, also on the way back, which ``way`` tells (forward, back, clear).
    """
    roles = hands.first_roles
    return {
        "moment": moment,
        "run": hands.identity.run,
        "app": hands.deployment.app.name,
        "farm": hands.deployment.app.farm,
        "new": roles.new.name,
        "old": roles.old.name,
        "version": roles.version,
        "way": hands.memory.way,
        "reason": reason or hands.memory.reason,
        "host": _host(hands, roles.new),
        **_places(hands, "new", roles.new),
        **_places(hands, "old", roles.old),
    }


def as_environment(facts: Mapping[str, str]) -> dict[str, str]:
    """The same facts as environment variables."""
    return {f"ARR_BLUEGREEN_{name.upper()}": value for name, value in facts.items()}


# -- private -------------------------------------------------------------------------------------------------


def _host(hands: Hands, slot: Slot) -> str:
    """The Host header ARR sends to it, the first public host where the machine cannot be asked."""
    public = hands.deployment.app.hosts
    with suppress(ArrBlueGreenError):
        return host_header(hands.deployment, hands.now().of(slot)[0], slot.addresses[0])
    return public[0] if public else ""


def _places(hands: Hands, role: str, slot: Slot) -> dict[str, str]:
    """Where a slot answers: on its own machine, which need not be this one."""
    ports = [str(one.http_port or _port(hands, slot, one.address) or "") for one in slot.members]
    urls = [f"http://{one.address}:{port}" for one, port in zip(slot.members, ports, strict=True)]
    lists = {
        "addresses": list(slot.addresses),
        "ports": ports,
        "urls": urls,
        "sites": [one.site for one in slot.members],
        "machines": [hands.controls.machine(one.machine).name for one in slot.members],
    }
    return {f"{role}_{name}": ",".join(values) for name, values in lists.items()}


def _port(hands: Hands, slot: Slot, address: str) -> int | None:
    with suppress(ArrBlueGreenError):
        return server_of(hands.now().of(slot)[0], address).http_port
    return None
