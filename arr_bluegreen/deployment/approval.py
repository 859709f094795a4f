"""A run that waits for an approval or stops where it was told to: when, and what resuming it means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from arr_bluegreen.deployment.events import RunPaused, RunResumed, Stamped
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.hooks import RunHook
from arr_bluegreen.deployment.memory import FORWARD
from arr_bluegreen.deployment.step import Step
from arr_bluegreen.errors import RefusedError


def held_back(step: Step, until: str, hands: Hands) -> str:
    """The phase that ``--until`` or an approval holds back at this step, "" for none.

    What holds back the switch holds back enabling too: whether a fence outlives the commit nobody documents
    (arr.md 8.1), and where it does not, enabling is the switch. So is what a ``before_switch`` hook announces.
    """
    enables = step.phase == "enable" and bool(step.commits()) and not step.holds(hands)
    announces = isinstance(step, RunHook) and step.hook.when == "before_switch"
    phases = (step.phase, "switch") if enables or announces else (step.phase,)
    return next((one for one in phases if _waits(one, step, until, hands)), "")


def stops_after(until: str, step: Step) -> bool:
    """Whether ``--until`` names this step: by its name, or ``after:NAME`` where a phase is called so too."""
    return until in (step.name, f"after:{step.name}")


def check_approval(events: Sequence[Stamped], hands: Hands) -> None:
    """``deploy resume`` is the approval. Too late, what the description says is done: go on, go back, or hold.

    Raises ``RefusedError`` for ``hold``: an approval that came too late is none.
    """
    paused = _pause_of(events)
    if paused is None:
        return
    if paused.until and hands.machine_now() > datetime.fromisoformat(paused.until):
        match paused.otherwise:
            case "return":
                hands.note("way", {"to": hands.memory.turned, "why": "no approval came in time"})
                return
            case "go-on":
                pass
            case _:
                raise RefusedError(
                    f"the approval before '{paused.step}' was due by {paused.until}",
                    hint="'deploy switch-back' or 'deploy abort' ends the run.",
                )
    if paused.after:
        return
    if paused.approval:
        hands.note(f"approved:{paused.step}", True)
    hands.note(f"passed:{paused.step}", True)


# -- private -------------------------------------------------------------------------------------------------


def _waits(phase: str, step: Step, until: str, hands: Hands) -> bool:
    if until and until == phase:
        skipped = isinstance(step, RunHook) and step.holds(hands)  # its turn is later, or was before
        return not hands.memory.get(f"passed:{phase}", way=FORWARD) and not skipped
    waits = any(one.before == phase for one in hands.deployment.approvals)
    return waits and not hands.memory.get(f"approved:{phase}", way=FORWARD) and not step.holds(hands)


def _pause_of(events: Sequence[Stamped]) -> RunPaused | None:
    """The pause this resumption answers: the last event but resumptions."""
    for one in reversed(events):
        match one.event:
            case RunResumed():
                continue
            case RunPaused():
                return one.event
            case _:
                return None
    return None
