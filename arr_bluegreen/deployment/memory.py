"""What a run remembers over a crash: the facts noted in its journal, apart for the way forward and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from arr_bluegreen.deployment.events import Noted, Stamped, Switched
from arr_bluegreen.errors import RefusedError

FORWARD, BACK, CLEAR = "forward", "back", "clear"
WAYS = (FORWARD, BACK, CLEAR)


class Memory:
    """Facts by name. ``way`` is where the run is going: forward, back to the old slot, or clearing the idle one."""

    def __init__(self, events: Iterable[Stamped] = ()) -> None:
        self.way = FORWARD
        self.reason = ""
        self._facts: dict[tuple[str, str], Any] = {}
        for one in events:
            match one.event:
                case Noted(name, value):
                    self.take(name, value)
                case Switched():
                    self._facts[(self.way, "switched")] = True
                case _:
                    pass

    def take(self, name: str, value: Any) -> None:
        """Remember a fact (already in the journal) of the present way; ``way`` itself turns the run."""
        if name == "way":
            self.way, self.reason = value["to"], value["why"]
        else:
            self._facts[(self.way, name)] = value

    def get(self, name: str, default: Any = None, *, way: str = "") -> Any:
        """A fact of the present way (or the named one). A step asks for its own way's; whoever judges the run as a
        whole names the way: on the way back, what was noted on the way forward is no fact of the present one."""
        return self._facts.get((way or self.way, name), default)

    @property
    def switched(self) -> bool:
        """Whether the new slot may have got requests: the way forward came to its switch."""
        return bool(self.get("switched", way=FORWARD))

    @property
    def turned(self) -> str:
        """Where a run on its way forward must turn to undo itself: back over a switch that began, else clear."""
        return BACK if self.get("switch_begun", way=FORWARD) else CLEAR


def refuse_abort(run: str, memory: Memory) -> None:
    """Raises ``RefusedError`` when the run is past what ``abort`` can end: after its switch, or on the way back."""
    if memory.way == BACK:
        raise RefusedError(f"run {run} is on its way back already", hint="'deploy resume' brings it to its end.")
    if memory.switched:
        raise RefusedError(f"run {run} has switched already", hint="'deploy switch-back' returns to the old slot.")
