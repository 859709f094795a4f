"""``pool``: application pools. add and remove are configuration; start, stop and recycle are run time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from arr_bluegreen.cli.acting import act_on_each
from arr_bluegreen.cli.changing import carry_out
from arr_bluegreen.cli.options import Parser, Run, verb, verbs_of
from arr_bluegreen.cli.origins import add_effective, record_lines, with_origins
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.serving import add_force, pool_of, pool_sites, refuse_serving
from arr_bluegreen.cli.target import has_run_time, machines
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.deployment.instance import slot_pool
from arr_bluegreen.deployment.names import check_pool_name
from arr_bluegreen.errors import ExitCode, RefusedError, UsageError
from arr_bluegreen.webfarm.change import AddPool, ConfigChange, CopyIdentity, RemovePool, SetPool, settings


def add(parser: Parser) -> None:
    """The verbs of ``pool``."""
    verbs = verbs_of(parser)
    verb(verbs, "list", "pools; on a machine, their state and worker processes", _list, target=True)
    add_effective(_named(verbs, "show", "one pool, everything", _show))
    one = _named(verbs, "add", "a new pool, fit for a slot: always running, never recycled by time", _add, changes=True)
    one.add_argument("--runtime", default="", metavar="VERSION", help='managedRuntimeVersion, "" = No Managed Code')
    one.add_argument("--identity-of", metavar="POOL", help="run as that pool does; the password is never shown")
    _named(verbs, "remove", "a pool no site uses goes", _remove, changes=True)
    _named(verbs, "start", "run time: start it", _start, changes=True)
    one = _named(
        verbs, "stop", "run time: stop it when its requests are done, by force after its time", _stop, changes=True
    )
    one.add_argument("--for-good", action="store_true", help="also after a reboot: autoStart = false")
    add_force(one)
    _named(verbs, "recycle", "run time: a new worker process takes over", _recycle, changes=True)


# -- private -------------------------------------------------------------------------------------------


def _named(verbs: Any, name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=changes)
    one.add_argument("name", metavar="POOL")
    return one


def seen_pools(machine: Machine, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The pools of a machine as plain values; state, workers and requests only where it has a run time."""
    running = {one.name.casefold(): one for one in machine.sites.pools(names)} if has_run_time(machine) else {}
    configuration = machine.config.read()
    wanted = {one.casefold() for one in names}
    seen = []
    for one in configuration.pools:
        if wanted and one.name.casefold() not in wanted:
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


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        seen = [one for machine in found for one in seen_pools(machine)]
        several = len(found) > 1
    columns = [
        *(["machine"] if several else []),
        "name",
        "state",
        "workers",
        "requests",
        "start mode",
        "runtime",
        "sites",
    ]
    rows = [
        [
            *([one["machine"]] if several else []),
            one["name"],
            one["state"] or "-",
            "-" if one["workers"] is None else " ".join(str(w["pid"]) for w in one["workers"]) or "none",
            "-" if one["workers"] is None else one["requests"],
            one["start_mode"],
            one["runtime"],
            ", ".join(one["sites"]),
        ]
        for one in seen
    ]
    out.table(seen, columns, rows)
    return ExitCode.DONE


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    from arr_bluegreen.webfarm.site import ApplicationPool

    with machines(arguments, out) as found:
        shown = []
        for machine in found:
            configuration = machine.config.read()
            name = pool_of(configuration, arguments.name).name
            seen = seen_pools(machine, [name])
            shown += with_origins(seen, configuration, ApplicationPool, (name,)) if arguments.effective else seen
    lines = [line for one in shown for line in record_lines(one)]
    out.result(shown[0] if len(shown) == 1 else shown, lines)
    return ExitCode.DONE


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
        return [RemovePool(pool.name)]

    return carry_out(arguments, out, decide)


def _start(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        pool = pool_of(machine.config.read(), arguments.name)
        if not dry_run:
            machine.sites.start_pool(pool.name)
        return f"start pool '{pool.name}'"

    return act_on_each(arguments, out, act)


def _stop(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        configuration = machine.config.read()
        pool = pool_of(configuration, arguments.name)
        refuse_serving(arguments, configuration, *pool_sites(configuration, pool.name))
        if not dry_run:
            machine.sites.stop_pool(pool.name)
            if arguments.for_good and pool.auto_start:
                machine.config.apply([SetPool(pool.name, settings(auto_start=False))])
        return f"stop pool '{pool.name}'" + (" for good" if arguments.for_good else "")

    return act_on_each(arguments, out, act)


def _recycle(arguments: argparse.Namespace, out: Output) -> ExitCode:
    def act(machine: Machine, dry_run: bool) -> str:
        pool = pool_of(machine.config.read(), arguments.name)
        if not dry_run:
            machine.sites.recycle_pool(pool.name)
        return f"recycle pool '{pool.name}'"

    return act_on_each(arguments, out, act)
