"""A run: the lock taken, the plan carried out step by step with its intent journaled first, and an end that is told.

Resuming replays the journal and looks again: a step is done only if it holds now. Going back is a plan made
from what is seen. A lost reply is "unknown": look, then decide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from arr_bluegreen.deployment.approval import check_approval, held_back, stops_after
from arr_bluegreen.deployment.copies import Copies
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.events import (
    Event,
    Listener,
    RunEnded,
    RunPaused,
    RunResumed,
    Stamped,
    StepDone,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from arr_bluegreen.deployment.hands import Hands, Identity, Roles
from arr_bluegreen.deployment.hooks import tell_failure
from arr_bluegreen.deployment.journal import Journal
from arr_bluegreen.deployment.leases import Leased, locks_of
from arr_bluegreen.deployment.memory import BACK, CLEAR, FORWARD, Memory, refuse_abort
from arr_bluegreen.deployment.now import Controls, Now
from arr_bluegreen.deployment.plan import Plan, back_steps, clear_steps, forward_steps, run_started
from arr_bluegreen.deployment.proof import GateFailed, distrust
from arr_bluegreen.deployment.step import Step
from arr_bluegreen.deployment.superseded import refuse_by_hand, refuse_superseded, superseded_by
from arr_bluegreen.errors import (
    ArrBlueGreenError,
    ExitCode,
    FloorError,
    LockedError,
    PartlyDoneError,
    RemoteError,
    UnfinishedError,
    UnreachableError,
    WaitRanOutError,
)

TRIES = 3
"""How often a step whose reply was lost is looked at and done again before the run gives up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for: ``until`` a step or phase, who listens; ``over``: whether a run's journal here says that
    it has ended (its lock, left behind, is then nobody's)."""

    until: str = ""
    listeners: tuple[Listener, ...] = ()
    over: Callable[[str], bool] = lambda run: False


class Run:
    """One run, new or resumed. ``start``, ``resume``, ``switch_back`` or ``abort``, once; each returns how it ended."""

    def __init__(
        self,
        deployment: Deployment,
        controls: Controls,
        journal: Journal,
        identity: Identity,
        roles: Roles,
        durable: str,
        asked: Asked | None = None,
        events: Sequence[Stamped] = (),
    ) -> None:
        self.deployment, self.controls, self.journal = deployment, controls, journal
        self.identity, self.roles, self.durable = identity, roles, durable
        self._asked = asked or Asked()
        self._events = list(events)
        self._memory = Memory(events)
        self._locks = locks_of(deployment, controls, identity, self._asked.over)
        self._copies = Copies(controls, deployment, journal, identity.run)
        self._began = controls.clock.monotonic()
        self._acted = bool(events)
        self._hands = Hands(
            deployment,
            replace(controls, commands=Leased(controls.commands, self._locks.renew)),
            self._memory,
            roles,
            identity,
            self._tell,
            self._locks.renew,
            self._locks.machine_now,
        )

    def start(self, plan: Plan, check: Callable[[Now], None] = lambda now: None) -> RunEnded:
        """Carry out a plan. ``check`` is called under the lock with a new look, before anything is journaled."""
        self._locks.take()
        try:
            check(self._hands.look())
            self.journal.start()
            self._tell(run_started(plan, self.deployment, self.identity))
        except ArrBlueGreenError:
            self._locks.release(self._hands.warn)
            raise
        return self._go()

    def resume(self) -> RunEnded:
        """Go on where the journal ends."""

        def first() -> None:
            check_approval(self._events, self._hands)
            distrust(self._hands)

        return self._again(first)

    def switch_back(self) -> RunEnded:
        """Return to the old slot: back over the switch, or (before it) clear the idle slot. A run that has turned
        already goes on where it goes."""
        return self._again(lambda: self._turn(self._memory.turned, "asked"))

    def abort(self) -> RunEnded:
        """End before the switch. Raises ``RefusedError`` once it is over, nothing touched. A run that is superseded is
        only closed."""

        def first() -> None:
            refuse_abort(self.identity.run, self._memory)
            self._turn(CLEAR, "asked")

        return self._again(first, closes=True)

    # -- private -------------------------------------------------------------------------------------------------

    def _again(self, first: Callable[[], None], *, closes: bool = False) -> RunEnded:
        self._locks.take()
        try:
            later = superseded_by(self.identity.run, self._events, self._hands.now().wanted())
            by_hand = self._switched_by_hand()
            if not closes:
                refuse_superseded(self.identity.run, later)
                refuse_by_hand(self.identity.run, by_hand)
            self.journal.start()
            if later is not None or by_hand:
                return self._closed(later.slot if later is not None else by_hand)
            self._tell(RunResumed(self.identity.who, self.identity.where))
            first()
        except ArrBlueGreenError:
            self._locks.release(self._hands.warn)
            raise
        return self._go()

    def _switched_by_hand(self) -> str:
        """The new slot's name where it serves alone, though this run has not begun to bring it in; "" else."""
        if self._memory.way != FORWARD or self._memory.turned == BACK or self.roles.new.farm:
            return ""
        now = self._hands.now()
        return self.roles.new.name if now.receives(self.roles.new) and not now.may_receive(self.roles.old) else ""

    def _closed(self, live: str) -> RunEnded:
        ended = RunEnded("superseded", int(ExitCode.DONE), live, self._since(self._began))
        self._tell(ended)
        self._copies.bring(self._hands.warn)
        self._locks.release(self._hands.warn)
        return ended

    def _go(self) -> RunEnded:
        """To the end, whatever the end is. Only what is no error of ours passes through."""
        try:
            ended = self._ways()
        except KeyboardInterrupt:
            ended = self._end("interrupted", ExitCode.INTERRUPTED, "interrupted; 'deploy resume' goes on")
        except LockedError as error:  # somebody else has the farm, maybe this very run: the copies are theirs now
            return self._failed(error)
        except ArrBlueGreenError as error:
            ended = self._failed(error)
        try:
            self._locks.renew()
            self._copies.bring(self._hands.warn)
        except ArrBlueGreenError as error:
            self._hands.warn(f"the journal's last lines were not copied: {error}")
        self._locks.release(self._hands.warn)
        return ended

    def _ways(self) -> RunEnded:
        while True:
            try:
                paused = self._steps(self._plan())
            except GateFailed as error:
                self._turn_or_raise(error)
                continue
            except (
                FloorError
            ) as error:  # on the way forward: the new slot fell out of service; the old one still serves
                if self._memory.way != FORWARD or self._memory.turned != BACK:
                    raise
                self._turn_or_raise(error)
                continue
            if paused is not None:
                return paused
            return self._over()

    def _plan(self) -> tuple[Step, ...]:
        match self._memory.way:
            case "back":
                self._hands.roles = Roles(self.roles.old, self.roles.new, "", quick=True)
                return back_steps(self.deployment, self.roles, self.durable)
            case "clear":
                ours = tuple(self._memory.get("enabled_by_us", [], way=FORWARD))
                return clear_steps(self.deployment, self.roles, ours)
            case _:
                return forward_steps(self.deployment, self.roles, self.durable)

    def _turn_or_raise(self, error: ArrBlueGreenError) -> None:
        """A slot that fails its gate before the switch is cleared; after it, the old slot is made live again."""
        if self._memory.way != FORWARD:
            raise UnfinishedError(str(error), hint="Neither slot is proven now. See 'deploy status'.") from error
        self._turn(self._memory.turned, str(error))

    def _turn(self, way: str, why: str) -> None:
        """Once: a run never turns forward again, nor from the way back to clearing what serves."""
        if self._memory.way == FORWARD:
            self._hands.note("way", {"to": way, "why": why})
            self._hands.forget()

    def _steps(self, steps: tuple[Step, ...]) -> RunEnded | None:
        phase = ""
        for step in steps:
            if self._memory.way == FORWARD and (before := held_back(step, self._asked.until, self._hands)):
                return self._pause(before)
            if phase and step.phase not in (phase, "switch"):  # between gate and switch nothing shall lie
                self._locks.renew()  # with the lock lost, the copies are somebody else's
                self._copies.bring(self._hands.warn)
            phase = step.phase
            self._hands.step = step.name
            self._one(step)
            if self._memory.way == FORWARD and stops_after(self._asked.until, step):
                return self._pause(step.phase, step.name)
        return None

    def _one(self, step: Step) -> None:
        """Do one step, if it does not hold. What was lost on the way is looked for before it is done again."""
        self._locks.renew()
        self._hands.reassert()
        if self._retried(lambda: step.holds(self._hands)):
            self._tell(StepSkipped(step.name, "holds already"))
            return
        began = self.controls.clock.monotonic()
        self._tell(StepStarted(step.name, step.title()))
        self._acted = True
        try:
            self._perform(step)
        except ArrBlueGreenError as error:
            self._tell(StepFailed(step.name, str(error), self._since(began)))
            self._hands.put_back()
            raise
        self._tell(StepDone(step.name, self._since(began)))

    def _perform(self, step: Step) -> None:
        for left in reversed(range(TRIES)):
            try:
                step.perform(self._hands)
            except (UnreachableError, RemoteError, PartlyDoneError) as error:
                if not left:
                    raise
                self._hands.warn(f"{step.name}: {error}; looking what became of it")
                self.controls.clock.sleep(0.5)
                self._hands.forget()
            if self._retried(lambda: step.holds(self._hands)):
                return
        raise UnfinishedError(f"the step '{step.name}' was done and does not hold", hint="See 'deploy status'.")

    def _retried(self, look: Callable[[], bool]) -> bool:
        for left in reversed(range(TRIES)):
            try:
                return look()
            except UnreachableError:
                self._hands.forget()
                if not left:
                    raise
                self.controls.clock.sleep(0.5)
        return False

    def _pause(self, phase: str, after: str = "") -> RunEnded:
        approval = None if after else next((one for one in self.deployment.approvals if one.before == phase), None)
        until = (self._locks.machine_now() + approval.within).isoformat() if approval else ""
        otherwise = approval.otherwise if approval else "hold"
        self._tell(RunPaused(phase, until, otherwise, approval is not None, after))
        why = f"stopped after the step '{after}'" if after else f"stopped before the phase '{phase}'"
        if approval:
            why = f"waits for an approval before the phase '{phase}' until {until}"
        durable = self._durable("paused")
        return RunEnded("paused", int(ExitCode.DONE), self._live(), self._since(self._began), durable, why)

    def _over(self) -> RunEnded:
        asked = self._memory.reason == "asked"
        match self._memory.way:
            case "back":
                code = ExitCode.DONE if asked else ExitCode.OLD_SLOT_SERVES
                return self._end("old-slot-serves", code, "" if asked else self._memory.reason)
            case "clear":
                code = ExitCode.DONE if asked else ExitCode.OLD_SLOT_SERVES
                return self._end("aborted" if asked else "old-slot-serves", code, "" if asked else self._memory.reason)
            case _:
                return self._end("done", ExitCode.DONE, "")

    def _failed(self, error: ArrBlueGreenError) -> RunEnded:
        code = error.exit_code
        if self._acted and not isinstance(error, (UnfinishedError, WaitRanOutError)):
            code = ExitCode.UNFINISHED
        return self._end("failed", code, error.one_line())

    def _end(self, outcome: str, code: ExitCode, error: str) -> RunEnded:
        if error and outcome in ("failed", "old-slot-serves"):
            with suppress(ArrBlueGreenError, KeyboardInterrupt):  # the end stands, whether it could be told or not
                tell_failure(self._hands, error)
        ended = RunEnded(outcome, int(code), self._live(), self._since(self._began), self._durable(outcome), error)
        with suppress(UnfinishedError):  # the disk is full: the end is told, if not written
            self._tell(ended)
        return ended

    def _durable(self, outcome: str) -> bool | None:
        """Whether a restart of ARR leaves it so; None where nothing was switched, or a write may be half done."""
        lasting = self.deployment.switch.by in ("enabled", "rule")
        if outcome in ("done", "old-slot-serves"):  # with reconcile it takes the scheduled task to outlive ARR
            return self.durable != "reconcile" or lasting
        return False if self._memory.switched and not lasting and outcome != "aborted" else None

    def _live(self) -> str:
        """The slot that was to get the requests when last seen: the new one from its switch until the way back's."""
        forth = self._memory.get("out_since", way=FORWARD)
        return self.roles.new.name if forth and not self._memory.get("switched", way=BACK) else self.roles.old.name

    def _since(self, began: float) -> float:
        return round(self.controls.clock.monotonic() - began, 3)

    def _tell(self, event: Event) -> None:
        stamped = Stamped(self.controls.clock.now(), self.identity.run, event)
        self.journal.write(stamped)
        self._events.append(stamped)
        self._copies.hear(event)
        for listener in self._asked.listeners:
            listener(stamped)
