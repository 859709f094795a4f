"""``port next``: a free port for a slot, recorded so that nobody else gets it."""

from __future__ import annotations

import argparse
import uuid

from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.interface import Configuration, Machine, MachineFacts
from arr_bluegreen.deployment.ports import (
    MACHINE,
    RECORD,
    PortBook,
    PortRange,
    PortWish,
    claim_port,
    next_port,
)
from arr_bluegreen.errors import ExitCode, UsageError


def add(parser: Parser) -> None:
    """The verbs of ``port``."""
    verbs = verbs_of(parser)
    one = verb(verbs, "next", "a port that nothing uses, recorded for the slot", _next, target=True)
    one.add_argument("--range", default="8000-8999", metavar="FROM-TO", help="where to look (default 8000-8999)")
    one.add_argument(
        "--slot", metavar="NAME", help="for this slot: asked again, the same port; without, each call is new"
    )
    one.add_argument("--farm", metavar="FARM", help="the slot's farm, when several farms have slots of one name")
    one.add_argument("--site", default="", metavar="SITE", help="the slot's site, whose own bindings are no obstacle")
    one.add_argument("--dry-run", action="store_true", help="say which it would be, record nothing")


# -- private -------------------------------------------------------------------------------------------


def _next(arguments: argparse.Namespace, out: Output) -> ExitCode:
    owner = f"{arguments.farm or ''}/{arguments.slot}" if arguments.slot else f"/unnamed-{uuid.uuid4().hex[:12]}"
    wish = PortWish(owner, PortRange.parse(arguments.range), arguments.site)
    with machines(arguments, out) as found:
        if len(found) > 1:
            raise UsageError("a port is one machine's", hint="Name one machine in --on.")
        machine = found[0]
        facts = machine.facts()
        port = _port(machine, wish, machine.config.read(), facts, record=not arguments.dry_run)
        _tell_unknown(facts, out)
    out.result(
        {"port": port, "slot": arguments.slot, "machine": machine.name, "recorded": not arguments.dry_run}, [str(port)]
    )
    return ExitCode.DONE


def _port(machine: Machine, wish: PortWish, configuration: Configuration, facts: MachineFacts, *, record: bool) -> int:
    records = machine.records(MACHINE)

    def choose(book: PortBook) -> int:
        return next_port(wish, [configuration], facts, book, facts.now)

    if not record:
        return choose(PortBook.parse(records.read(RECORD)))
    return claim_port(records, wish, choose, facts.now)


def _tell_unknown(facts: MachineFacts, out: Output) -> None:
    if facts.listening_ports is None:
        out.say("note: listening sockets are not known here; only IIS's own configuration was looked at")
