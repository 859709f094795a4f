"""What a run remembers over a crash: the facts noted in its journal, apart for the way forward and the way back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from arr_bluegreen.deployment.events import Noted, Stamped, Switched

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
        """A fact of the present way (or the named one)."""
        return self._facts.get((way or self.way, name), default)
