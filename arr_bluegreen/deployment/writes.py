"""Whether a write to webFarms restarts what serves: ASP.NET Core slots do, unless they opted out and the module obeys.

``[config] writes = "when-safe"`` refuses such writes; ``always`` makes them, told; ``never`` makes none (arr.md 5.8).
"""

from __future__ import annotations

from dataclasses import dataclass

from arr_bluegreen.control.interface import ApplicationFacts, ApplicationReader
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import RefusedError

BROKEN_FROM, MENDED_FROM = (18, 0, 24200), (19, 0, 25000)
"""Module versions between which the opt-out made the application answer 503: the .NET 8/9 modules of 2024, mended in
January 2025 (aspnetcore #54531, #59998; arr.md 5.8). The exact builds are not documented: taken wide."""


@dataclass(frozen=True, slots=True)
class WriteSafety:
    """``restarts``: the pools (with why) that a write to webFarms restarts, or may. Empty: writes are safe."""

    restarts: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether no commit restarts a slot."""
        return not self.restarts


def judge_writes(controls: Controls, deployment: Deployment) -> WriteSafety:
    """Every member's web.config and the module's version looked at. Unknown counts as not working."""
    found: list[str] = []
    by_machine: dict[str, list[tuple[str, str]]] = {}
    for slot in deployment.slots.slots:
        for member in slot.members:
            if member.path:
                by_machine.setdefault(member.machine, []).append((member.path, member.pool or member.address))
    for name, members in by_machine.items():
        machine = controls.machine(name)
        if not isinstance(machine, ApplicationReader):
            continue
        facts = machine.applications([path for path, _ in members])
        found += [
            f"{pool} ({why})" for (_, pool), one in zip(members, facts, strict=True) if (why := why_restarts(one))
        ]
    return WriteSafety(tuple(found))


def why_restarts(facts: ApplicationFacts) -> str:
    """Why a write restarts this application, "" when it does not (or is no ASP.NET Core)."""
    if not facts.asp_net_core:
        return ""
    if not facts.disallow_rotation:
        return "ASP.NET Core without disallowRotationOnConfigChange"
    version = _version(facts.module_version)
    if version is None:
        return "ASP.NET Core; whether its module keeps to disallowRotationOnConfigChange is not known"
    if BROKEN_FROM <= version < MENDED_FROM:
        return f"ASP.NET Core module {facts.module_version}, where disallowRotationOnConfigChange ends in 503"
    return ""


def resolve_durable(deployment: Deployment, safety: WriteSafety, needs_enabling: bool, accept_gap: bool) -> str:
    """The ``[durable] by`` that will be used (``auto``: enabled where writes are safe, else reconcile).

    Raises ``RefusedError`` when the description asks for writes that ``[config] writes`` does not allow.
    """
    may = deployment.writes == "always" or accept_gap or (deployment.writes == "when-safe" and safety.safe)
    by = deployment.switch.by
    durable = deployment.durable.by
    if durable == "auto":
        durable = "health-file" if by == "health-file" else "enabled" if may else "reconcile"
    if may:
        return durable
    reason = (
        '[config] writes = "never"'
        if deployment.writes == "never"
        else f"a write to webFarms restarts {', '.join(safety.restarts)}"
    )
    for wanted, what in (
        (by in ("enabled", "rule", "weights"), f'[switch] by = "{by}" writes at the switch'),
        (durable == "enabled", '[durable] by = "enabled" writes after the switch'),
        (needs_enabling, "the idle slot is not enabled yet, and enabling it is a write"),
    ):
        if wanted:
            raise RefusedError(
                f"{what}, and {reason}",
                hint='Keep both slots enabled with [switch] by = "state" and [durable] by = "reconcile", '
                "or accept the gap once with --accept-gap.",
            )
    return durable


# -- private -------------------------------------------------------------------------------------------------


def _version(text: str | None) -> tuple[int, ...] | None:
    parts = (text or "").split(".")
    if len(parts) < 3 or not all(one.isdigit() for one in parts):
        return None
    return tuple(int(one) for one in parts[:3])
