"""What a proof is worth: it is of certain worker processes, and gone with them."""

from __future__ import annotations

from arr_bluegreen.deployment.description import Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.memory import FORWARD
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode


class GateFailed(ArrBlueGreenError):
    """The slot is not good enough to go (or stay) live. The run turns this into its own end; it seldom leaves it."""

    exit_code = ExitCode.OLD_SLOT_SERVES


def workers_now(hands: Hands, slot: Slot) -> list[list[str | int]]:
    """The slot's worker processes as they can be kept in the journal, read again."""
    return [list(one) for one in hands.workers(slot)]


def remembered(hands: Hands, slot: Slot, fact: str) -> bool:
    """Whether this proof was given for exactly the worker processes that run now."""
    proven = hands.memory.get(fact)
    return proven is not None and proven == [list(one) for one in hands.now().workers(slot)]


def distrust(hands: Hands) -> None:
    """A run goes on after a pause before its switch: what was proven hours ago, maybe of the same worker process, says
    nothing of now. Both gates, and the smoke test, are passed again; the front pools may have gone to sleep."""
    if hands.memory.way != FORWARD or hands.memory.get("switch_begun"):
        return
    if hands.memory.get("gated") is not None:
        hands.note("unproven", True)
    for fact in ("woken", "arr_gated", "ran:smoke_test"):
        if hands.memory.get(fact) is not None:
            hands.note(fact, None)
