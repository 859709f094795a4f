"""Plans, runs and what stands on the machines, as values for programs and lines for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arr_bluegreen.deployment.events import (
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    Stamped,
    StepDone,
    StepFailed,
    StepStarted,
)
from arr_bluegreen.deployment.journal import ended, is_over, started
from arr_bluegreen.deployment.memory import FORWARD, Memory
from arr_bluegreen.deployment.plan import Plan
from arr_bluegreen.webfarm.telling import tell


def plan_value(plan: Plan) -> dict[str, Any]:
    """The plan as JSON."""
    return {
        "schema": 1,
        "kind": plan.kind,
        "new": plan.roles.new.name,
        "old": plan.roles.old.name,
        "version": plan.roles.version,
        "durable": plan.durable,
        "steps": [
            {
                "name": one.name,
                "title": one.title(),
                "explain": list(one.explain()),
                "restarts": list(plan.restarted_by(one)),
            }
            for one in plan.steps
        ],
        "commits": plan.writes,
        "restarts": list(plan.restarts),
        "gaps": list(plan.gaps),
        "seen": dict(plan.seen),
        "rests_on": plan.rests_on,
        "fingerprint": plan.fingerprint,
    }


def plan_lines(plan: Plan) -> list[str]:
    """The plan for people: what is seen, each step with what it does, the gaps."""
    version = f" version {plan.roles.version}" if plan.roles.version else ""
    lines = [f"{plan.roles.old.name} is live; {plan.roles.new.name}{version} shall be.", "Seen:"]
    lines += [f"  {key}: {value}" for key, value in plan.seen.items()]
    lines.append("Steps:")
    for number, step in enumerate(plan.steps, 1):
        lines.append(f"  {number:>2}. {step.name}: {step.title()}")
        lines += [f"      {text}" for text in step.explain()]
        writes = () if step.name in plan.held else step.commits()
        lines += [f"      writes: {tell(change)}" for change in writes]
        lines += [f"      restarts: {one}" for one in plan.restarted_by(step)]
    lines.append(f"Writes of the configuration: at most {plan.writes} (what holds already is not written).")
    if not plan.restarts:
        lines.append("No write restarts a worker process: none of the farms' applications is ASP.NET Core that would.")
    return [*lines, *(f"Gap: {one}." for one in plan.gaps)]


def run_value(run: str, events: tuple[Stamped, ...]) -> dict[str, Any]:
    """One run of the history."""
    begin, end = started(events), ended(events)
    return {
        "run": run,
        "kind": begin.kind if begin else "",
        "new": begin.new if begin else "",
        "old": begin.old if begin else "",
        "version": begin.version if begin else "",
        "who": begin.who if begin else "",
        "started": events[0].at.isoformat() if events else "",
        "outcome": end.outcome if end else "unfinished",
        "exit_code": end.exit_code if end else None,
        "live": end.live if end else None,
        "seconds": end.seconds if end else None,
        "error": end.error if end else "",
        "over": is_over(events),
    }


def end_lines(run: str, end: RunEnded, begin: RunStarted | None = None, *, switched: bool = True) -> list[str]:
    """How a run ended, for people: what serves first, then why. ``switched``: its switch had begun."""
    version, new = (begin.version, begin.new) if begin is not None else ("", "")
    when = f"({end.seconds:.1f} s, run {run})"
    match end.outcome:
        case "done":
            first = f"done: {end.live} is live {when}"
        case "old-slot-serves" if not switched:
            first = f"not switched: {end.live} is live as before {when}"
        case "old-slot-serves":
            first = f"went back: {end.live} is live {when}"
        case "aborted":
            first = f"aborted: {end.live} is live {when}"
        case "superseded":
            first = f"closed, nothing touched: {end.live} was made live or wanted otherwise {when}"
        case "paused":
            first = f"PAUSED, nothing is finished: {_serves(version, end.live, new)} {when}; 'deploy resume' goes on"
        case _:
            first = f"{end.outcome}, unfinished: {end.live} was live when last seen {when}"
    lines = [first, *([end.error] if end.error else [])]
    if end.durable is False:
        lines.append("After a restart of ARR both slots serve until 'farm reconcile' (its scheduled task) has run.")
    return lines


def _serves(version: str, live: str, new: str) -> str:
    """What a run that stopped has brought about."""
    what = f"version {version}" if version else f"the new version in {new}" if new else "the new version"
    return f"{live} is live" + ("" if live == new else f", {what} does not serve yet")


@dataclass(frozen=True, slots=True)
class Around:
    """What is known of a run besides its journal: whether a process here carries it out, who does elsewhere, which
    later run superseded it, and what time it is (None: not asked)."""

    running: bool = False
    elsewhere: str = ""
    later: str = ""
    now: datetime | None = None


def standing(run: str, events: tuple[Stamped, ...], around: Around | None = None) -> tuple[str, list[str]]:
    """Where a run stands in words, and the commands that make sense now."""
    around = around or Around()
    begin, end, memory = started(events), ended(events), Memory(events)
    if begin is None:
        return f"run {run} wrote nothing", []
    what = f"run {run} ({begin.old} -> {begin.new}{f', version {begin.version}' if begin.version else ''})"
    if is_over(events) and end is not None:
        why = f" ({end.error})" if end.error else ""
        back = ["deploy switch-back"] if end.outcome == "done" else []
        return f"{what} is over: {end.outcome}{why}", [*back, "deploy run"]
    where = _where(events)
    serves = f"{begin.new} gets requests" if memory.switched else f"{begin.old} serves"
    if around.running:
        return f"{what} is under way on this computer: {serves}; it is {_at(events)}", ["deploy status"]
    if around.elsewhere:
        return f"{what} is being carried out by {around.elsewhere}; last known: {serves}, {where}", ["deploy status"]
    if around.later:
        return f"{what} is superseded by run {around.later} and {where}", ["deploy abort"]
    if (late := _too_late(events, around.now)) is not None:
        ends = "deploy switch-back" if memory.switched else "deploy abort"
        return f"{what} has come to nothing more: {late[0]}", [ends] if late[1] == "hold" else ["deploy resume", ends]
    if memory.way == "back":
        return f"{what} was going back to {begin.old} and {where}", ["deploy resume"]
    if memory.way == "clear":
        return f"{what} was clearing {begin.new} and {where}", ["deploy resume"]
    if memory.switched:
        both = "" if memory.get("out_since", way=FORWARD) else f", and so may {begin.old}"
        done = f"{begin.new} gets requests{both}"
        return f"{what} has switched ({done}) and {where}", ["deploy resume", "deploy switch-back"]
    return f"{what} has not switched: {begin.old} serves; it {where}", ["deploy resume", "deploy abort"]


# -- private -------------------------------------------------------------------------------------------------


def _at(events: tuple[Stamped, ...]) -> str:
    for one in reversed(events):
        if isinstance(one.event, (StepStarted, StepDone)):
            return f"{'in' if isinstance(one.event, StepStarted) else 'past'} the step '{one.event.step}'"
    return "before its first step"


def _waits(one: RunPaused) -> str:
    if one.after:
        return f"stopped after the step '{one.after}', as --until said"
    if not one.approval:
        return f"stopped before the phase '{one.step}', as --until said"
    return f"waits for an approval before '{one.step}'{f' until {one.until}' if one.until else ''}"


def _too_late(events: tuple[Stamped, ...], now: datetime | None) -> tuple[str, str] | None:
    """That an approval did not come in time, and what the description says is done then; None while it may."""
    paused = next((one.event for one in reversed(events) if not isinstance(one.event, RunResumed)), None)
    if not isinstance(paused, RunPaused) or not paused.until or now is None:
        return None
    if now <= datetime.fromisoformat(paused.until):
        return None
    then = {"return": "'deploy resume' returns to the old slot", "go-on": "'deploy resume' goes on all the same"}
    text = f"the approval before '{paused.step}' was due by {paused.until} and did not come"
    return f"{text}; {then.get(paused.otherwise, 'it cannot be given any more')}", paused.otherwise


def _where(events: tuple[Stamped, ...]) -> str:
    step = ""
    for one in reversed(events):
        match one.event:
            case RunPaused() as paused:
                return _waits(paused)
            case StepFailed(name, error, _):
                return f"failed in the step '{name}': {error}"
            case StepStarted(name, _):
                return f"stopped in the step '{name}', whose outcome is not known"
            case StepDone(name, _):
                return f"stopped after the step '{name}'"
            case RunEnded():
                step = step or "ended"
            case _:
                pass
    return "stopped before its first step"
