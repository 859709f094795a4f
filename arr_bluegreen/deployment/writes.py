"""Whether a write to webFarms restarts what serves: ASP.NET Core slots do, unless they opted out and the module obeys.

``[config] writes = "when-safe"`` refuses such writes, ``--accept-gap`` makes them this once; ``always`` makes them,
told; ``never`` makes none. What is not known counts as a restart (arr.md 5.8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from arr_bluegreen.control.interface import ApplicationFacts, ApplicationReader, Configuration, Machine
from arr_bluegreen.control.nodes import each
from arr_bluegreen.deployment.description import Deployment
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.errors import RefusedError, RemoteError
from arr_bluegreen.webfarm import Site

OPT_OUT_SINCE = 17
"""Major version of the first module that knows disallowRotationOnConfigChange: .NET 7 (arr.md 5.8)."""
SUSPECT_MAJORS, SUSPECT_FROM = (18, 19), 24000
"""In the .NET 8 and 9 modules of 2024 the opt-out makes the application answer 503 on a configuration change; mended
in January 2025, in which of their builds is not documented (aspnetcore #54531, #59998; arr.md 5.8). A build begins
with its year: 12.2.19024 is of January 2019."""
MENDED_FROM = 25101
"""From this build on a module of .NET 10 (20.0) or later has that repair, however the days of its year are counted."""


@dataclass(frozen=True, slots=True)
class WriteSafety:
    """``restarts``: the pools (with their worker processes, and why) that a write to webFarms restarts, or may."""

    restarts: tuple[str, ...]

    @property
    def safe(self) -> bool:
        """Whether no commit restarts a slot."""
        return not self.restarts


def judge_writes(controls: Controls, deployment: Deployment) -> WriteSafety:
    """Every application behind any farm of every ARR machine looked at; what another machine runs no commit here
    restarts (arr.md 5.8). A web.config or module version that could not be read counts as a restart."""
    found: list[str] = []
    for machine, configuration in zip(controls.arr, each(controls.arr, lambda one: one.config.read()), strict=True):
        behind = _applications(machine, configuration, controls, deployment)
        why: dict[str, str] = {}
        for (pool, _), facts in zip(behind, _facts(machine, [path for _, path in behind]), strict=True):
            reason = why_restarts(facts)
            if reason:
                why.setdefault(pool, reason)
        there = [one.name for one in configuration.pools if one.name.casefold() in {pool.casefold() for pool in why}]
        found += _told(machine, why, there, len(controls.arr) > 1)
    return WriteSafety(tuple(found))


def why_restarts(facts: ApplicationFacts) -> str:
    """Why a write restarts this application, "" when it surely does not."""
    if facts.asp_net_core is None:
        return "whether it is ASP.NET Core is not known"
    if not facts.asp_net_core:
        return ""
    if not facts.disallow_rotation:
        return "ASP.NET Core without disallowRotationOnConfigChange"
    return why_module_fails(facts.module_version)


def why_module_fails(version: str | None) -> str:
    """Why this version of aspnetcorev2.dll may not keep to disallowRotationOnConfigChange; "" when it surely does."""
    found = _version(version)
    if found is None:
        return "ASP.NET Core; whether its module keeps to disallowRotationOnConfigChange is not known"
    major, build = found
    if major < OPT_OUT_SINCE:
        return f"ASP.NET Core module {version} does not know disallowRotationOnConfigChange"
    if major in SUSPECT_MAJORS and build >= SUSPECT_FROM:
        return f"ASP.NET Core module {version}, in which disallowRotationOnConfigChange may end in 503"
    if major > max(SUSPECT_MAJORS) and build < MENDED_FROM:
        return f"ASP.NET Core module {version}, a preview in which disallowRotationOnConfigChange may end in 503"
    return ""


def resolve_durable(deployment: Deployment, safety: WriteSafety, needs_enabling: bool, accept_gap: bool) -> str:
    """The ``[durable] by`` that will be used (``auto``: enabled where writes are safe, else reconcile).

    Raises ``RefusedError`` when the description asks for writes that ``[config] writes`` does not allow.
    """
    by, durable = deployment.switch.by, deployment.durable.by
    if durable == "auto":
        lasting = may_write(deployment, safety)  # a gap accepted once is none to be made in every release
        durable = "health-file" if by == "health-file" else "enabled" if lasting else "reconcile"
    for wanted, what in (
        (by in ("enabled", "rule", "weights"), f'[switch] by = "{by}" writes at the switch'),
        (durable == "enabled", '[durable] by = "enabled" writes after the switch'),
        (needs_enabling, "the idle slot is not enabled yet, and enabling it is a write"),
    ):
        if wanted:
            refuse_writes(deployment, safety, accept_gap, what)
    return durable


def may_write(deployment: Deployment, safety: WriteSafety, accept_gap: bool = False) -> bool:
    """Whether ``[config] writes`` allows a write to webFarms now. ``--accept-gap`` does not lift "never"."""
    if deployment.writes == "when-safe":
        return safety.safe or accept_gap
    return deployment.writes == "always"


def refuse_writes(deployment: Deployment, safety: WriteSafety, accept_gap: bool, what: str) -> None:
    """Raises ``RefusedError`` where a write may not be made; ``what`` says which one was wanted."""
    if may_write(deployment, safety, accept_gap):
        return
    never = deployment.writes == "never"
    reason = '[config] writes = "never"' if never else f"a write to webFarms restarts {'; '.join(safety.restarts)}"
    otherwise = "change [config] writes in the description" if never else "accept the gap once with --accept-gap"
    raise RefusedError(
        f"{what}, and {reason}",
        hint='Keep a fixed pair, both enabled, with [switch] by = "state" and [durable] by = "reconcile", '
        f"or {otherwise}.",
    )


# -- private -------------------------------------------------------------------------------------------------


def _applications(
    machine: Machine, configuration: Configuration, controls: Controls, deployment: Deployment
) -> list[tuple[str, str]]:
    """Pool and folder of each application of this machine that is, or may be, a server of one of its farms."""
    members = [
        one for slot in deployment.slots.slots for one in slot.members if controls.machine(one.machine) is machine
    ]
    names = {one.site.casefold() for one in members if one.site}
    ports = {server.http_port for farm in configuration.farms for server in farm.servers}
    ports |= {one.http_port for one in members}
    behind = [one for one in configuration.sites if one.name.casefold() in names or _listens(one, ports)]
    found = [
        (app.pool, folder.physical_path)
        for site in behind
        for app in site.applications
        for folder in app.virtual_directories
        if folder.path == "/"
    ]
    found += [(one.pool or one.address, one.path) for one in members if one.path and not one.site]
    return list(dict.fromkeys(found))


def _listens(site: Site, ports: set[int]) -> bool:
    return any(one.protocol in ("http", "https") and one.port in ports for one in site.bindings)


def _facts(machine: Machine, paths: Sequence[str]) -> Sequence[ApplicationFacts]:
    if not isinstance(machine, ApplicationReader) or not paths:
        return [ApplicationFacts(one) for one in paths]
    try:
        return machine.applications(paths)
    except RemoteError:  # a web.config that is no XML, a folder that may not be read: not known
        return [ApplicationFacts(one) for one in paths]


def _told(machine: Machine, why: dict[str, str], there: Sequence[str], several: bool) -> list[str]:
    """One phrase per pool, with the worker processes it has now; ``there`` are the pools that can be asked for."""
    workers = {one.name.casefold(): one.workers for one in (machine.sites.pools(there) if there else ())}
    where = f" on {machine.name}" if several else ""
    found = []
    for pool, reason in why.items():
        pids = ", ".join(str(one.pid) for one in workers.get(pool.casefold(), ()))
        found.append(f"pool '{pool}'{where} (worker process {pids or 'none now'}: {reason})")
    return found


def _version(text: str | None) -> tuple[int, int] | None:
    """Major version and build; None for what is no module version."""
    parts = (text or "").split(".")
    if len(parts) < 3 or not all(one.isascii() and one.isdigit() for one in parts):
        return None
    return (int(parts[0]), int(parts[2])) if len(parts[2]) == 5 else None
