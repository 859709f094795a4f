"""The plan: steps, what was seen when they were chosen, and which worker processes each commit will restart. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from arr_bluegreen.deployment.bake import BakeNew, Settle
from arr_bluegreen.deployment.deploy_content import DeployContent
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.drain import DrainOld
from arr_bluegreen.deployment.enable import ClearIdle, Enable, MakeDurable
from arr_bluegreen.deployment.events import RunStarted
from arr_bluegreen.deployment.gates import ArrGate, ProveVersion
from arr_bluegreen.deployment.hands import Identity, Roles
from arr_bluegreen.deployment.hooks import RunHook
from arr_bluegreen.deployment.now import Now
from arr_bluegreen.deployment.prepare import Fence, StartSlot
from arr_bluegreen.deployment.prove_front import ProveFront, WakeFront
from arr_bluegreen.deployment.retire_due import RetireDue
from arr_bluegreen.deployment.step import Step
from arr_bluegreen.deployment.switch import BringIn, FlipFile, TakeOut
from arr_bluegreen.deployment.switch_commit import Retarget, SwapEnabled
from arr_bluegreen.deployment.want import Want
from arr_bluegreen.deployment.warm_up import WarmSlot
from arr_bluegreen.deployment.weights import HoldStage, RestoreWeights, SetWeights
from arr_bluegreen.errors import StalePlanError
from arr_bluegreen.webfarm import receives_new


@dataclass(frozen=True)
class Plan:
    """What a run will do: ``kind`` is ``run`` or ``switch-back``; ``durable`` is the resolved ``[durable] by``.

    ``seen`` is what the choice rests on, in words; a plan is stale when the machines show something else. ``held``
    names the steps whose write is there already; ``epoch`` is the wanted record's, ``description`` deployment.toml.
    """

    kind: str
    roles: Roles
    durable: str
    steps: tuple[Step, ...]
    seen: Mapping[str, str]
    restarts: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    accept_gap: bool = field(default=False)
    held: tuple[str, ...] = ()
    epoch: int = 0
    description: str = ""

    @property
    def rests_on(self) -> dict[str, str]:
        """All that makes this plan this one, in words: what was seen, what was asked for, what it would do."""
        return {
            "kind": self.kind,
            "slots": f"{self.roles.old.name} to {self.roles.new.name}",
            "version": self.roles.version or "none",
            "steps": ", ".join(one.name for one in self.steps),
            "durable": self.durable,
            "gaps": "; ".join(self.gaps),
            "description": hashlib.sha256(self.description.encode()).hexdigest()[:12],
            **self.seen,
        }

    @property
    def fingerprint(self) -> str:
        """One hash of what it rests on."""
        return hashlib.sha256(json.dumps(self.rests_on, sort_keys=True).encode()).hexdigest()

    @property
    def writes(self) -> int:
        """How many steps commit configuration."""
        return sum(1 for one in self.steps if self._writes(one))

    def restarted_by(self, step: Step) -> tuple[str, ...]:
        """The pools, with their worker processes, that this step's commit restarts or may restart (arr.md 5.8)."""
        return self.restarts if self._writes(step) else ()

    def refuse_stale(self, seen: Mapping[str, str]) -> None:
        """Raises ``StalePlanError`` with the differences when the world has moved since."""
        _refuse_differing(self.seen, seen)

    def refuse_other(self, saved: Mapping[str, str]) -> None:
        """Raises ``StalePlanError`` with the differences when a saved plan rested on anything else than this one."""
        _refuse_differing(saved, self.rests_on)

    def _writes(self, step: Step) -> bool:
        return step.name not in self.held and (bool(step.commits()) or isinstance(step, Retarget | RestoreWeights))


def _refuse_differing(was: Mapping[str, str], found: Mapping[str, str]) -> None:
    keys = [key for key in {**was, **found} if was.get(key) != found.get(key)]
    if keys:
        told = "; ".join(f"{key}: was {was.get(key, 'not there')}, is {found.get(key, 'not there')}" for key in keys)
        raise StalePlanError(f"the plan is stale: {told}", hint="Make a new one with 'deploy plan'.")


def what_is_seen(now: Now) -> dict[str, str]:
    """What a plan rests on: per ARR machine each server's place, and the wanted record."""
    found: dict[str, str] = {}
    farms = {slot.farm or now.deployment.app.farm for slot in now.deployment.slots.slots}
    for farm in sorted(farms):
        for status in now.farms(farm):
            for server in status.farm.servers:
                enabled = "enabled" if server.enabled else "not enabled"
                service = "in service" if receives_new(server, status) else "not in service"
                found[f"{status.machine} {farm}/{server.address}"] = f"{enabled}, {service}, port {server.http_port}"
    for machine, record in zip(now.controls.arr, now.wanted(), strict=True):
        found[f"{machine.name} wanted"] = f"{record.slot}, epoch {record.epoch}" if record else "nothing"
    return found


def run_started(plan: Plan, deployment: Deployment, me: Identity) -> RunStarted:
    """The first event of a run that carries out the plan: all that it takes to go on from the journal alone."""
    return RunStarted(
        kind=plan.kind,
        app=deployment.app.name,
        farm=deployment.app.farm,
        new=plan.roles.new.name,
        old=plan.roles.old.name,
        version=plan.roles.version,
        by=deployment.switch.by,
        durable=plan.durable,
        steps=tuple(step.name for step in plan.steps),
        accept_gap=plan.accept_gap,
        who=me.who,
        where=me.where,
        folder=deployment.folder,
        description=deployment.text,
        epoch=plan.epoch,
    )


def forward_steps(deployment: Deployment, roles: Roles, durable: str) -> tuple[Step, ...]:
    """The sequence that makes ``roles.new`` live (design of a run: prepare, prove, enable, switch, prove, drain, bake,
    make durable). With ``roles.quick`` (going back to a slot that was kept warm): a quick probe and the switch."""
    steps = (*_prepare(deployment, roles), *_switch(deployment, roles), *_after(deployment, roles, durable))
    return _with_hooks(deployment, steps, roles)


def back_steps(deployment: Deployment, roles: Roles, durable: str) -> tuple[Step, ...]:
    """The sequence back to ``roles.old``, after the switch began: made from what is seen, never a blind undo."""
    turned = replace(roles, new=roles.old, old=roles.new, version="", quick=True)
    steps = (*_prepare(deployment, turned), *_switch(deployment, turned), *_after(deployment, turned, durable))
    return _with_hooks_back(deployment, tuple(one for one in steps if not isinstance(one, (BakeNew, Fence, WakeFront))))


def clear_steps(deployment: Deployment, roles: Roles, enabled_by_us: tuple[str, ...]) -> tuple[Step, ...]:
    """The idle slot put back as it was, before any switch."""
    weights = [RestoreWeights(roles.new, roles.old, deployment.app.farm)] if deployment.switch.by == "weights" else []
    down = deployment.switch.down if deployment.switch.by == "health-file" else ""
    return (
        ClearIdle(roles.new, roles.new.farm or deployment.app.farm, enabled_by_us, down),
        *weights,
        Want(roles.old, roles.new, begins=False, name="want-old"),
        Settle(roles.old),
    )


# -- private -------------------------------------------------------------------------------------------------


def _prepare(deployment: Deployment, roles: Roles) -> tuple[Step, ...]:
    by, new = deployment.switch.by, roles.new
    prove = ProveVersion(new, deployment.gate, roles.version, roles.quick)
    steps: list[Step] = [WakeFront(deployment.gate)] if deployment.app.front else []
    if not roles.quick:
        steps.append(Want(roles.old, new, begins=False, name="want-old", phase="deploy"))
    if by != "rule":
        steps.append(Fence(new))
    if (deployment.content.source or deployment.content.settings) and not roles.quick:
        steps.append(DeployContent(new, deployment.content.of(roles.version), roles.version))
    steps.append(StartSlot(new))
    if not roles.quick:
        steps.append(WarmSlot(new, deployment.warm_up))
    steps.append(prove)
    if by == "health-file" and not roles.quick:
        steps.append(FlipFile(new, deployment.switch))
    if by == "weights" and not roles.quick:
        steps.append(SetWeights(new, roles.old, deployment.switch.stages[0], deployment.app.farm, phase="enable"))
    if by != "enabled":
        steps.append(Enable(new, deployment.app.farm))
        steps += _again(deployment, roles, "after-enable")
    steps.append(ArrGate(new, deployment.gate, tests_health_url=by != "health-file"))
    return tuple(steps)


def _again(deployment: Deployment, roles: Roles, when: str) -> list[Step]:
    """What a commit restarted is warmed and proven again; these hold where nothing was."""
    return [
        WarmSlot(
            roles.new,
            deployment.warm_up,
            again=True,
            name=f"warm-up-{when}",
            phase="enable" if "enable" in when else "durable",
        ),
        replace(
            ProveVersion(roles.new, deployment.gate, roles.version, roles.quick),
            again=True,
            name=f"gate-{when}",
            phase="enable" if "enable" in when else "durable",
        ),
    ]


def _switch(deployment: Deployment, roles: Roles) -> tuple[Step, ...]:
    how, new, old = deployment.switch, roles.new, roles.old
    steps: list[Step] = [Want(new, old, begins=True, version=roles.version)]
    match how.by:
        case "state" | "health-file":
            steps += [BringIn(new, how), TakeOut(old, how, deployment.drain)]
        case "enabled":
            steps += [SwapEnabled(new, old, how, deployment.app.farm)]
        case "rule":
            steps += [BringIn(new, how), Retarget(new, old, how)]
        case "weights":
            steps += [BringIn(new, how), *_stages(deployment, roles), TakeOut(old, how, deployment.drain)]
        case _:
            assert_never(how.by)
    if how.prove:
        steps.append(ProveFront(new, deployment.gate, roles.version))
    return tuple(steps)


def _stages(deployment: Deployment, roles: Roles) -> list[Step]:
    """The canary's stages; the first one's weights are there already. Going back is at once."""
    if roles.quick:
        return []
    steps: list[Step] = []
    for stage in deployment.switch.stages:
        steps.append(SetWeights(roles.new, roles.old, stage, deployment.app.farm))
        steps.append(HoldStage(roles.new, roles.old, stage, deployment.gate, roles.version))
    return steps[1:]


def _after(deployment: Deployment, roles: Roles, durable: str) -> tuple[Step, ...]:
    steps: list[Step] = [DrainOld(roles.old, deployment.drain)]
    if deployment.bake.time or deployment.bake.command:
        steps.append(BakeNew(roles.new, deployment.bake, deployment.gate))
    if deployment.switch.by == "weights":
        steps.append(RestoreWeights(roles.new, roles.old, deployment.app.farm))
    if durable == "enabled" and deployment.switch.by in ("state", "weights", "health-file"):
        steps += [MakeDurable(roles.old, deployment.app.farm), *_again(deployment, roles, "after-durable")]
    steps.append(Settle(roles.new))
    if deployment.retire.in_run and not roles.quick:
        steps.append(RetireDue(roles.new, roles.old, deployment.retire))
    return tuple(steps)


def _with_hooks(deployment: Deployment, steps: tuple[Step, ...], roles: Roles) -> tuple[Step, ...]:
    """Hooks stand before the first and after the last step of their phase; the smoke test closes the gates.

    Enabling may already be the switch, so what must precede that stands before it too, for a slot not enabled yet.
    """
    enabling = next((one for one in steps if one.phase == "enable" and one.commits()), None)
    smoke = () if roles.quick else deployment.hook("smoke_test")
    found: list[Step] = []
    for at, step in enumerate(steps):
        if at == 0 or steps[at - 1].phase != step.phase:
            found += [RunHook(one, step.phase) for one in deployment.hook(f"before_{step.phase}")]
        if step is enabling:
            found += [RunHook(one, "enable", early=roles.new) for one in deployment.hook("before_switch")]
        found.append(step)
        if step.phase not in [one.phase for one in steps[at + 1 :]]:
            if step.phase == "gate" and enabling:
                found += [RunHook(one, "gate", gates=True, early=roles.new) for one in smoke]
            if step.phase == "enable":
                found += [RunHook(one, "enable", gates=True) for one in smoke]
            found += [RunHook(one, step.phase) for one in deployment.hook(f"after_{step.phase}")]
    return tuple(found)


def _with_hooks_back(deployment: Deployment, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """On the way back none stands before the switch, which none may delay or prevent; from then on they tell."""
    phases = [one.phase for one in steps]
    found: list[Step] = []
    for at, step in enumerate(steps):
        if step.phase in ("drain", "durable") and step.phase not in phases[:at]:
            found += [RunHook(one, step.phase, counts=False) for one in deployment.hook(f"before_{step.phase}")]
        found.append(step)
        if step.phase in ("switch", "drain", "durable") and step.phase not in phases[at + 1 :]:
            found += [RunHook(one, step.phase, counts=False) for one in deployment.hook(f"after_{step.phase}")]
    return tuple(found)
