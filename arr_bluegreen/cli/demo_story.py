"""The demo's story: what the run and the load say, told line by line as it happens, and summed up in one object."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from arr_bluegreen.cli.demo_scene import NEW_VERSION, OLD_VERSION
from arr_bluegreen.deployment.events import (
    Drained,
    Event,
    RunEnded,
    RunStarted,
    StepDone,
    StepFailed,
    StepProgress,
    StepSkipped,
    StepStarted,
    Switched,
    Warned,
    from_line,
)
from arr_bluegreen.errors import ExitCode

Tell = Callable[[str], None]
PROGRESS = timedelta(seconds=1)
"""A wait says how far it is once in so long."""
QUIET_SECONDS = 1.0
"""So long the old version must have answered nothing before the new one counts as the only one live."""


@dataclass
class Story:
    """What is known so far. ``tell`` gets each line of the story."""

    tell: Tell
    width: int = 120
    """Columns a line may take."""
    seen: dict[str, Any] = field(default_factory=dict)
    """The load's newest line."""
    started: RunStarted | None = None
    ended: RunEnded | None = None
    switched: Switched | None = None
    drained: Drained | None = None
    deploy_code: int | None = None
    steps: list[dict[str, object]] = field(default_factory=list)
    _titles: dict[str, str] = field(default_factory=dict)
    _told_at: datetime = field(default=datetime.min.replace(tzinfo=UTC))

    def load_said(self, line: str) -> None:
        """One JSON line of the load."""
        self.seen = json.loads(line)

    def deploy_said(self, line: str) -> None:
        """One event of the run as a JSON line; what is no event is passed over."""
        try:
            stamped = from_line(line)
        except (ValueError, KeyError, TypeError):
            return
        if stamped is None:
            return
        if not isinstance(stamped.event, StepProgress):
            self._told_at = stamped.at
        elif stamped.at - self._told_at < PROGRESS:
            return
        self._told_at = stamped.at
        self._take(stamped.event)

    def tally(self) -> str:
        """Requests answered so far, by version, and failures."""
        versions = "  ".join(f"v{name} {count}" for name, count in sorted(self.seen.get("by_version", {}).items()))
        return f"{versions or 'no answer yet'}  failed {self.seen.get('failed', 0)}"

    def result(self) -> dict[str, object]:
        """The object of ``demo --json``."""
        return {
            "requests": self.seen.get("requests", 0),
            "failed": self.seen.get("failed", 0),
            "by_version": self.seen.get("by_version", {}),
            "live_before": self.started.old if self.started else None,
            "live_after": self.ended.live if self.ended else None,
            "switch_ms": self._switch_ms(),
            "drain_seconds": self.drained.seconds if self.drained else None,
            "cut": self.drained.cut if self.drained else None,
            "p99_ms": self.seen.get("p99_ms"),
            "steps": self.steps,
            "exit_code": int(self.exit_code()),
        }

    def exit_code(self) -> ExitCode:
        """0 only if nothing failed and the traffic itself says that the new version alone is live.

        The run's own code when it did not bring the new version live; 1 when the traffic contradicts the run.
        """
        code = ExitCode.BUG if self.deploy_code is None else ExitCode(self.deploy_code)
        fits = self._only(NEW_VERSION) if code is ExitCode.DONE else self._only(OLD_VERSION)
        if self.seen.get("failed") != 0 or (code in (ExitCode.DONE, ExitCode.OLD_SLOT_SERVES) and not fits):
            return ExitCode.BUG if code in (ExitCode.DONE, ExitCode.OLD_SLOT_SERVES) else code
        return code

    def verdict(self) -> list[str]:
        """The last lines."""
        found, code = self.result(), self.exit_code()
        head = {
            ExitCode.DONE: f"Version {NEW_VERSION} is live, and no request failed.",
            ExitCode.OLD_SLOT_SERVES: f"Version {OLD_VERSION} still serves: version {NEW_VERSION} was never let in.",
        }.get(code, f"Not as it should be (exit code {int(code)}).")
        lines = ["", head, f"  {self.seen.get('requests', 0)} requests: {self.tally()}"]
        if found["switch_ms"] is not None:
            lines.append(f"  first answer of version {NEW_VERSION}: {found['switch_ms']} ms after the switch began")
        if self.drained is not None:
            cut = "nobody knows how many" if self.drained.cut is None else self.drained.cut
            lines.append(f"  drained in {self.drained.seconds:g} s, cut {cut}")
        if found["p99_ms"] is not None:
            lines.append(f"  99 of 100 requests took less than {found['p99_ms']} ms")
        if self.ended is not None and self.ended.error:
            lines.append(f"  the run ended: {self.ended.error}")
        lines += [f"  failed: {count} x {reason}" for reason, count in self.seen.get("reasons", {}).items()]
        return lines

    # -- private -------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        match event:
            case RunStarted():
                self.started = event
                self.tell(f"  '{event.old}' is live; '{event.new}' gets version {event.version}")
            case StepStarted():
                self._titles[event.step] = event.title
            case StepProgress():
                self._line("...", "", event.text)
            case StepDone():
                self._step(event.step, "done", event.seconds)
            case StepSkipped():
                self._step(event.step, "skipped", 0.0, event.reason)
            case StepFailed():
                self._step(event.step, "failed", event.seconds, event.error)
            case Switched():
                self.switched = event
            case Drained():
                self.drained = event
            case Warned():
                self.tell(f"  note: {event.text}")
            case RunEnded():
                self.ended = event
            case _:
                pass  # what the run only notes for itself

    def _step(self, name: str, state: str, seconds: float, why: str = "") -> None:
        self.steps.append({"name": name, "state": state, "seconds": round(seconds, 3)})
        if state == "skipped":
            return  # nothing to see
        title = self._titles.get(name, name)
        self._line(state, f"{seconds:.1f} s", f"{title} ({why})" if why else title)

    def _line(self, state: str, time: str, said: str) -> None:
        """One line of the story; what does not fit beside the tally is cut, but for what failed and why."""
        head, tally = f"  {state:<8} {time:>7}  ", self.tally()
        room = max(self.width - len(head) - len(tally) - 2, 24)
        if len(said) > room and state != "failed":
            said = said[: room - 3] + "..."
        self.tell(f"{head}{said:<{room}}  {tally}")

    def _switch_ms(self) -> float | None:
        first = self.seen.get("first_seen", {}).get(NEW_VERSION)
        if first is None or self.switched is None:
            return None
        began = datetime.fromisoformat(self.switched.at).astimezone(UTC)
        return round((float(first) - began.timestamp()) * 1000, 1)

    def _only(self, version: str) -> bool:
        """Whether the load's last second or more was answered by this version alone."""
        last = dict(self.seen.get("last_seen", {}))
        newest = last.pop(version, None)
        return newest is not None and all(newest - other >= QUIET_SECONDS for other in last.values())
