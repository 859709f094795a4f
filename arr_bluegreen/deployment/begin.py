"""From a description and machines to a plan, and from a journal to the run it belongs to. Nothing is changed here."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime

from arr_bluegreen.control.interface import Capability
from arr_bluegreen.control.nodes import each
from arr_bluegreen.deployment.deploy_content import refuse_pointing
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Stamped
from arr_bluegreen.deployment.gates import health_gap
from arr_bluegreen.deployment.hands import Roles
from arr_bluegreen.deployment.health_file import refuse_unfit
from arr_bluegreen.deployment.journal import started
from arr_bluegreen.deployment.matching import asks_version
from arr_bluegreen.deployment.now import Controls, Now, refuse_missing
from arr_bluegreen.deployment.plan import Plan, forward_steps, what_is_seen
from arr_bluegreen.deployment.slots import find_roles
from arr_bluegreen.deployment.weights import refuse_unweighted, stage_gap
from arr_bluegreen.deployment.writes import judge_writes, resolve_durable
from arr_bluegreen.errors import CapabilityMissing, DescriptionError, RefusedError

NEEDED = (Capability.READ_CONFIG, Capability.WRITE_CONFIG, Capability.RUN_TIME, Capability.PROBE, Capability.FILES)


def new_run_id(now: datetime) -> str:
    """A run's name: its time (UTC, to the millisecond) and two random hex digits, so that names sort by time, also
    those of runs that follow each other within a second."""
    return f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}{secrets.token_hex(1)}"


def plan_run(
    deployment: Deployment, controls: Controls, *, live: str = "", version: str = "", accept_gap: bool = False
) -> Plan:
    """The plan that makes the idle slot live. All that can be refused is refused here, untouched."""
    _refuse_incapable(controls)
    version = version or deployment.content.version
    if asks_version(deployment.gate) and not version:
        raise DescriptionError(
            "the gate is to prove a version, and none is named", where="content.version", hint="Give --version V."
        )
    now = Now(controls, deployment)
    refuse_missing(now, deployment)
    found = find_roles(now, deployment, now.newest(), live)
    roles = Roles(found.idle, found.live, version)
    return _plan(deployment, controls, now, roles, "run", accept_gap)


def plan_switch_back(
    deployment: Deployment,
    controls: Controls,
    *,
    live: str = "",
    accept_gap: bool = False,
    kind: str = "switch-back",
    version: str = "",
) -> Plan:
    """The plan that makes the idle slot, kept warm, live (again): one quick probe plus the switch.

    ``kind`` is ``switch-back`` or ``switch``; with a ``version`` the probe must name it.
    """
    _refuse_incapable(controls)
    now = Now(controls, deployment)
    found = find_roles(now, deployment, now.newest(), live)
    roles = Roles(found.idle, found.live, version, quick=True)
    return _plan(deployment, controls, now, roles, kind, accept_gap)


def reopened(events: Sequence[Stamped]) -> tuple[Deployment, Roles, str]:
    """The description, roles and ``durable`` of a journal. Raises ``DescriptionError`` when it holds none."""
    begin = started(events)
    if begin is None:
        raise DescriptionError("the journal holds no run")
    deployment = parse_description(begin.description, begin.folder)
    quick = begin.kind in ("switch-back", "switch")
    return (
        deployment,
        Roles(deployment.slot(begin.new), deployment.slot(begin.old), begin.version, quick),
        begin.durable,
    )


# -- private -------------------------------------------------------------------------------------------------


def _plan(deployment: Deployment, controls: Controls, now: Now, roles: Roles, kind: str, accept_gap: bool) -> Plan:
    if deployment.switch.by == "health-file":
        for status in now.farms():
            refuse_unfit(deployment, status)
    if deployment.switch.by == "weights":
        for status in now.farms():
            refuse_unweighted(status)
    safety = judge_writes(controls, deployment)
    needs_enabling = deployment.switch.by != "enabled" and not now.enabled(roles.new)
    durable = resolve_durable(deployment, safety, needs_enabling, accept_gap)
    steps = forward_steps(deployment, roles, durable)
    gaps = (*_gaps(deployment, durable), *health_gap(deployment, now), *_uncounted(controls), *_several(now))
    if roles.version and not asks_version(deployment.gate):
        gaps += (f"[gate] names no version: nothing will prove that it is version {roles.version} that answers",)
    held: tuple[str, ...] = ("enable",) if now.enabled(roles.new) else ()
    held += refuse_pointing(deployment, controls, steps, safety, accept_gap)
    if safety.restarts and any(one.commits() for one in steps if one.name not in held):
        gaps += ("a write restarts what serves too: requests wait meanwhile, or are answered 503 (arr.md 5.8)",)
    seen, restarts = what_is_seen(now), safety.restarts
    epoch = max((one.epoch for one in now.wanted() if one is not None), default=0)
    return Plan(kind, roles, durable, steps, seen, restarts, gaps, accept_gap, held, epoch, deployment.text)


def _gaps(deployment: Deployment, durable: str) -> tuple[str, ...]:
    """The honest gap of each choice."""
    switch = {
        "state": "switch by state: none known; run-time state is lost when ARR's worker process restarts, so this run "
        "sets it again while it lives",
        "health-file": "switch by health file: ARR's probe decides, so it takes its interval (down: times retries)",
        "enabled": "switch by enabled: one write at the switch",
        "rule": "switch by rule: one write at the switch",
        "weights": stage_gap(deployment),
    }[deployment.switch.by]
    kept = {
        "enabled": "durable by enabled: none after its one commit",
        "health-file": "durable by health file: after a restart both slots serve until ARR's first probes",
        "reconcile": "durable by reconcile: after a restart of ARR both slots serve until the scheduled task has run",
    }[durable]
    return (switch, kept)


def _uncounted(controls: Controls) -> tuple[str, ...]:
    """Where the second way to count what is in flight is missing (arr.md 6)."""
    machines = (*controls.arr, *controls.others.values())
    names = [one.name for one in machines if Capability.REQUEST_MONITOR not in one.capabilities]
    if not names:
        return ()
    return (
        f"drain: Request Monitor is not installed on {', '.join(names)} (Install-WindowsFeature Web-Request-Monitor): "
        "should ARR's own counts not be trusted, the farm's request timeout is waited for",
    )


def _several(now: Now) -> tuple[str, ...]:
    """Where several worker processes run ARR, each with a state of its own (arr.md 8.1)."""
    return tuple(
        f"{len(status.arr_workers)} worker processes run ARR on {status.machine} "
        f"({', '.join(f'{one.pool} {one.pid}' for one in status.arr_workers)}): whether a state set reaches all of "
        "them is not documented; the switch is proven through every front binding, and the drain counts by the pool"
        for status in now.farms()
        if status.arr_workers is not None and len(status.arr_workers) > 1
    )


def _refuse_incapable(controls: Controls) -> None:
    for machine, capabilities in zip(controls.arr, each(controls.arr, lambda one: one.capabilities), strict=True):
        for one in NEEDED:
            if one not in capabilities:
                raise CapabilityMissing(
                    f"{machine.name} cannot {one.value}, which a run needs",
                    hint="A file has no run time: deploy to a machine, with --on local or --on winrm:HOST.",
                )
    if not controls.arr:
        raise RefusedError("no ARR machine is named", hint="Give --on, or [arr] machines in the description.")
