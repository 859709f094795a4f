"""``pool``: application pools. add and remove are configuration; start, stop and recycle are run time."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from arr_bluegreen.cli.changing import carry_out
from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.origins import add_effective
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.serving import pool_of, pool_sites
from arr_bluegreen.cli.site_or_pool import Kind, add_acts, named, tell_list, tell_one
from arr_bluegreen.cli.target import has_run_time
from arr_bluegreen.control.interface import Capability, Configuration, Machine
from arr_bluegreen.deployment.instance import slot_pool
from arr_bluegreen.deployment.lookup import is_default_pool
from arr_bluegreen.deployment.names import check_pool_name
from arr_bluegreen.errors import ExitCode, RefusedError, UsageError
from arr_bluegreen.webfarm import ApplicationPool
from arr_bluegreen.webfarm.change import AddPool, ConfigChange, CopyIdentity, RemovePool, SetPool, settings

POOL = Kind(
    "pool",
    ApplicationPool,
    pool_of,
    lambda configuration, pool: pool_sites(configuration, pool.name),
    lambda machine, pool: machine.sites.start_pool(pool.name),
    lambda machine, pool: machine.sites.stop_pool(pool.name),
    lambda machine, pool: machine.sites.recycle_pool(pool.name),
    lambda pool: pool.auto_start,
    lambda pool, value: SetPool(pool.name, settings(auto_start=value)),
)


def add(parser: Parser) -> None:
    """The verbs of ``pool``."""
    verbs = verbs_of(parser)
    verb(verbs, "list", "pools; on a machine, their state and worker processes", _list, target=True)
    add_effective(named(verbs, POOL, "show", "one pool, everything", _show))
    text = "a new pool, fit for a slot: always running, never recycled by time"
    one = named(verbs, POOL, "add", text, _add, changes=True)
    one.add_argument("--runtime", default="", metavar="VERSION", help='managedRuntimeVersion, "" = No Managed Code')
    one.add_argument("--identity-of", metavar="POOL", help="run as that pool does; the password is never shown")
    named(verbs, POOL, "remove", "a pool no site uses goes", _remove, changes=True)
    add_acts(
        verbs,
        POOL,
        "stop it when its requests are done, by force after its time",
        "a new worker process takes over",
        "autoStart",
    )


def seen_pools(machine: Machine, name: str = "") -> list[dict[str, Any]]:
    """The pools of a machine (the one of this name, if given) as plain values; state, workers and requests only where
    it has a run time."""
    names = [name] if name else []
    running = {one.name.casefold(): one for one in machine.sites.pools(names)} if has_run_time(machine) else {}
    configuration = machine.config.read()
    seen = []
    for one in configuration.pools:
        if name and one.name != name:
            continue
        status = running.get(one.name.casefold())
        seen.append(
            {
                "machine": machine.name,
                "name": one.name,
                "state": status.state.value if status else None,
                "workers": [{"pid": w.pid, "started": w.started} for w in status.workers] if status else None,
                "requests": status.requests if status else None,
                "auto_start": one.auto_start,
                "start_mode": one.start_mode,
                "runtime": one.managed_runtime_version or "No Managed Code",
                "identity": one.process_model.user_name or one.process_model.identity_type,
                "idle_timeout": str(one.process_model.idle_timeout),
                "recycled_every": str(one.recycling.periodic_restart_time),
                "sites": [site.name for site in pool_sites(configuration, one.name)],
            }
        )
    return seen


# -- private -------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    columns = {
        "name": lambda one: one["name"],
        "state": lambda one: one["state"] or "-",
        "workers": lambda one: _pids(one["workers"]),
        "requests": lambda one: "-" if one["workers"] is None else one["requests"],
        "start mode": lambda one: one["start_mode"],
        "runtime": lambda one: one["runtime"],
        "sites": lambda one: ", ".join(one["sites"]),
    }
    return tell_list(arguments, out, seen_pools, columns, _blind)


def _pids(workers: Sequence[dict[str, Any]] | None) -> str:
    return "-" if workers is None else " ".join(str(one["pid"]) for one in workers) or "none"


def _blind(machines: Sequence[Machine], seen: Sequence[Mapping[str, Any]]) -> str:
    """Where requests are unknown, and why; "" where nowhere."""
    blind = [one.name for one in machines if _is_blind(one, seen)]
    feature = "the IIS feature Request Monitor (Web-Request-Monitor)"
    return f"requests ?: {feature} is not installed on {', '.join(blind)}" if blind else ""


def _is_blind(machine: Machine, seen: Sequence[Mapping[str, Any]]) -> bool:
    """Whether requests are unknown there for want of Request Monitor (which is asked only where one is unknown)."""
    unknown = any(
        one["machine"] == machine.name and one["workers"] is not None and one["requests"] is None for one in seen
    )
    return unknown and Capability.REQUEST_MONITOR not in machine.capabilities


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return tell_one(arguments, out, POOL, seen_pools)


def _add(arguments: argparse.Namespace, out: Output) -> ExitCode:
    name = check_pool_name(arguments.name)

    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        if any(one.name.casefold() == name.casefold() for one in configuration.pools):
            raise UsageError(f"there is a pool '{name}' already", hint="See 'pool show'.")
        made = AddPool(slot_pool(name, runtime=arguments.runtime))
        if not arguments.identity_of:
            return [made]
        return [made, CopyIdentity(pool_of(configuration, arguments.identity_of).name, name)]

    return carry_out(arguments, out, decide)


def _remove(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def decide(configuration: Configuration, machine: Machine) -> Sequence[ConfigChange]:
        pool = pool_of(configuration, arguments.name)
        users = pool_sites(configuration, pool.name)
        if users:
            listed = ", ".join(f"'{one.name}'" for one in users)
            raise RefusedError(
                f"pool '{pool.name}' serves {listed}", hint="Remove those first, or give them another pool."
            )
        if is_default_pool(configuration, pool.name):
            raise RefusedError(
                f"applications that name no pool run in '{pool.name}'",
                hint="Name another in applicationDefaults first.",
            )
        return [RemovePool(pool.name)]

    return carry_out(arguments, out, decide)
