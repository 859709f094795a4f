"""What is due for retirement by ``[retire]``, and its being the last step of a run. ``deploy retire`` does the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.description import Deployment, Retire, Slot
from arr_bluegreen.deployment.ensure import in_service, previous_slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.ownership import Owned, change_owned, read_owned
from arr_bluegreen.deployment.per_release import is_per_release, live_instance
from arr_bluegreen.deployment.ports import MACHINE
from arr_bluegreen.deployment.retire import Remove, Retention, RetirePlan, Stop, plan_retire
from arr_bluegreen.deployment.retire_run import RetireHands, RetireLimits, perform_retire
from arr_bluegreen.deployment.unfinished import busy_slots
from arr_bluegreen.deployment.writes import judge_writes, refuse_writes
from arr_bluegreen.errors import ArrBlueGreenError, RemoteError, UnreachableError
from arr_bluegreen.webfarm.change import ConfigChange, RemoveServer, SetServer


@dataclass(frozen=True)
class RetireDue:
    """Older instances and release folders that ``[retire]`` lets go are stopped or removed. Never the two slots of the
    run: one is live, the other is the way back. What cannot go yet is told, and ``deploy retire`` takes it later: a
    deployment that is live and durable does not fail for it."""

    new: Slot
    old: Slot
    how: Retire
    name: str = "retire"
    phase: str = "retire"

    def title(self) -> str:
        return "Retire what is due of earlier releases"

    def explain(self) -> Sequence[str]:
        after = self.how.after.total_seconds()
        when = f", {after:g} s after they went out of service" if after else ""
        return (
            f"{self.how.keep} earlier release(s) stay, '{self.old.name}' among them; older ones are removed{when}.",
            "Before anything is stopped its requests in flight are seen to be zero.",
        )

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("retired"))

    def perform(self, hands: Hands) -> None:
        deployment, now = hands.deployment, hands.machine_now()
        for machine in member_machines(deployment, hands.controls):
            hands.forget()
            records = machine.records(deployment.app.farm)
            owned = change_owned(records, lambda before: _left(before, self.new.name, self.old.name, now))
            keep = Retention(self.new.name, self.old.name, self.how.keep, self.how.stop, after=self.how.after, now=now)
            busy = busy_slots(hands.controls, deployment, besides=hands.identity.run)
            keep = replace(keep, busy=busy, fronts=fronts_of(deployment))
            serving = in_service(deployment, hands.controls)
            arr = hands.controls.arr[0].config.read()
            plan = plan_retire(deployment.app.farm, owned, machine.config.read(), keep, serving, arr=arr)
            try:
                refuse_farm_writes([plan], deployment, hands.controls)
                perform_retire(plan, retire_hands(deployment, hands.controls, machine, hands.warn, hands.beat))
            except (UnreachableError, RemoteError):
                raise
            except ArrBlueGreenError as error:
                hands.warn(f"not all that is due is retired: {error}; 'deploy retire' goes on")
        hands.forget()
        hands.note("retired", True)


def plan_due(
    deployment: Deployment,
    controls: Controls,
    machine: Machine,
    *,
    keep: int | None = None,
    live: str = "",
    named: str = "",
    busy: Sequence[tuple[str, str]] = (),
) -> RetirePlan:
    """What ``deploy retire`` would do on this machine now; raises what ``plan_retire`` and ``live_instance`` raise.

    ``busy`` are the slots that unfinished runs are about (``busy_slots``).
    """
    owned = read_owned(machine.records(deployment.app.farm))
    serving = in_service(deployment, controls)
    kept = deployment.retire.keep if keep is None else keep
    retention = _retention(deployment, controls, owned, serving, kept, live)
    how, now = deployment.retire, machine.facts().now
    retention = replace(retention, after=how.after, now=now, busy=tuple(busy), fronts=fronts_of(deployment))
    arr = controls.arr[0].config.read()
    return plan_retire(deployment.app.farm, owned, machine.config.read(), retention, serving, named, arr)


def refuse_farm_writes(
    plans: Sequence[RetirePlan], deployment: Deployment, controls: Controls, accept_gap: bool = False
) -> None:
    """Raises ``RefusedError`` where a plan writes to webFarms and that would restart what serves (arr.md 5.8)."""
    acts = [act for plan in plans for act in plan.acts if isinstance(act, (Stop, Remove))]
    writing = [act for act in acts if any(isinstance(one, (RemoveServer, SetServer)) for one in act.changes)]
    if writing:
        names = ", ".join(f"'{act.instance.slot}'" for act in writing)
        what = f"retiring {names} takes its farm server away, and that is a write"
        refuse_writes(deployment, judge_writes(controls, deployment), accept_gap, what)


def fronts_of(deployment: Deployment) -> tuple[str, ...]:
    """The described front sites, and the site a first deployment stands beside."""
    app = deployment.app
    return (*app.front, *([app.from_site] if app.from_site else []))


def retire_hands(
    deployment: Deployment,
    controls: Controls,
    machine: Machine,
    say: Callable[[str], None],
    beat: Callable[[], None],
    *,
    cut: bool = False,
) -> RetireHands:
    """Hands to retire on this machine, every commit judged. ``cut``: requests that do not end in time are cut off."""
    farm, front = deployment.app.farm, deployment.app.front
    return RetireHands(
        farm,
        machine,
        [one.farm(farm, front) for one in controls.arr],
        machine.records(farm),
        machine.records(MACHINE),
        controls.clock,
        RetireLimits(
            deployment.drain.within,
            quiet=deployment.drain.quiet,
            every=deployment.drain.every,
            then="cut" if cut else "fail",
        ),
        say,
        beat,
        Commits(controls, farm, front, say),
        controls.arr,
    )


def member_machines(deployment: Deployment, controls: Controls) -> tuple[Machine, ...]:
    """Every machine that has a member of a slot, once."""
    found: list[Machine] = []
    for slot in deployment.slots.slots:
        for member in slot.members:
            machine = controls.machine(member.machine)
            if machine not in found:
                found.append(machine)
    return tuple(found)


# -- private -------------------------------------------------------------------------------------------


def _retention(
    deployment: Deployment, controls: Controls, owned: Owned, serving: frozenset[str], keep: int, live: str
) -> Retention:
    stop = deployment.retire.stop
    if not is_per_release(deployment):
        return Retention("", "", keep, stop, tuple(one.name for one in deployment.slots.slots))
    record = wanted.newest([one.records(deployment.app.farm) for one in controls.arr])
    current = live_instance(owned, serving, live).slot if owned.instances else ""
    previous = previous_slot(owned, record, current)
    return Retention(current, previous.slot if previous else "", keep, stop)


def _left(owned: Owned, new: str, old: str, now: datetime) -> Owned:
    """The record with the moment the old slot left service; the new one has not left."""
    for one in owned.instances:
        if one.slot.casefold() == old.casefold() and one.left is None:
            owned = owned.with_instance(replace(one, left=now))
        elif one.slot.casefold() == new.casefold() and one.left is not None:
            owned = owned.with_instance(replace(one, left=None))
    return owned
