"""``port``: a free port for a slot, recorded so that nobody else gets it; the claims there are; one given back."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.ports import (
    MACHINE,
    QUARANTINE,
    RECORD,
    PortBook,
    PortRange,
    PortWish,
    free_port,
    give_port,
    owner_of,
    ports_in_use,
    unnamed_owner,
)
from arr_bluegreen.errors import ExitCode, UsageError


def add(parser: Parser) -> None:
    """The verbs of ``port``."""
    verbs = verbs_of(parser)
    one = verb(verbs, "next", "a port that nothing uses, recorded for the slot", _next, target=True)
    one.add_argument("--range", default="8000-8999", metavar="FROM-TO", help="where to look (default 8000-8999)")
    one.add_argument(
        "--slot",
        metavar="NAME",
        help="for this slot: asked again, the same port, until 'port free'; without, each call is new and holds "
        f"for {QUARANTINE.total_seconds() / 60:.0f} minutes",
    )
    one.add_argument("--farm", metavar="FARM", help="the slot's farm, when several farms have slots of one name")
    one.add_argument("--site", default="", metavar="SITE", help="the slot's site, whose own bindings are no obstacle")
    one.add_argument("--dry-run", action="store_true", help="say which it would be, record nothing")
    verb(verbs, "list", "the ports that are claimed, for whom and since when, and those that rest", _list, target=True)
    one = verb(verbs, "free", "a claim given back; the port rests, then it may be given again", _free, target=True)
    one.add_argument("name", metavar="NAME|PORT", help="the slot (or FARM/SLOT) or the port")
    one.add_argument("--dry-run", action="store_true", help="say which it would be, record nothing")


# -- private -------------------------------------------------------------------------------------------


def _next(arguments: argparse.Namespace, out: Output) -> ExitCode:
    named = arguments.slot is not None
    owner = owner_of(arguments.farm or "", arguments.slot) if named else unnamed_owner()
    wish = PortWish(owner, PortRange.parse(arguments.range), arguments.site)
    with machines(arguments, out) as found:
        machine = _one(found)
        port, replaced = give_port(machine, wish, machine.config.read(), record=not arguments.dry_run)
        if replaced:
            out.say(f"note: {replaced}")
        if machine.facts().listening_ports is None:
            out.say("note: listening sockets are not known here; only IIS's own configuration was looked at")
    out.result(
        {"port": port, "slot": arguments.slot, "machine": machine.name, "recorded": not arguments.dry_run}, [str(port)]
    )
    return ExitCode.DONE


def _list(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        seen = [one for machine in found for one in _seen(machine)]
        several = len(found) > 1
    columns = [*(["machine"] if several else []), "port", "owner", "since", "until", "used by"]
    rows = [[one[name.replace(" ", "_")] or "-" for name in columns] for one in seen]
    out.table(seen, columns, rows)
    return ExitCode.DONE


def _free(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        machine = _one(found)
        records, now = machine.records(MACHINE), machine.facts().now
        claim = PortBook.parse(records.read(RECORD)).at(now).find(arguments.name)
        user = ports_in_use([machine.config.read()]).get(claim.port, "")
        if not arguments.dry_run:
            free_port(records, claim.owner, now)
    verb = "would be free" if arguments.dry_run else "is free"
    still = f", but {user} still uses it" if user else ""
    value = {"port": claim.port, "owner": claim.owner, "machine": machine.name, "used_by": user or None}
    text = f"port {claim.port} of {claim.owner} {verb} and rests {QUARANTINE.total_seconds() / 60:.0f} minutes{still}"
    out.result({**value, "dry_run": arguments.dry_run}, [text])
    return ExitCode.DONE


def _seen(machine: Machine) -> list[Mapping[str, Any]]:
    """Every claim, then every port that rests, by port."""
    facts = machine.facts()
    book = PortBook.parse(machine.records(MACHINE).read(RECORD)).at(facts.now)
    used = ports_in_use([machine.config.read()], facts)

    def row(port: int, owner: str | None, since: datetime, until: datetime | None) -> Mapping[str, Any]:
        times = {"since": _time(since), "until": _time(until) if until else None}
        return {"machine": machine.name, "port": port, "owner": owner, **times, "used_by": used.get(port)}

    claims = [row(one.port, one.owner, one.since, one.until()) for one in book.claims]
    freed = [row(port, None, at, at + QUARANTINE) for port, at in book.freed]
    return sorted(claims, key=lambda one: int(one["port"])) + sorted(freed, key=lambda one: int(one["port"]))


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _one(found: tuple[Machine, ...]) -> Machine:
    if len(found) > 1:
        raise UsageError("a port is one machine's", hint="Name one machine in --on.")
    return found[0]
