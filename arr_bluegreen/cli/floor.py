"""The floor: how many servers must stay in service when a verb takes capacity away."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from arr_bluegreen.cli.options import count
from arr_bluegreen.cli.target import has_run_time
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.errors import FloorError, NoSuchObject
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.state import FarmStatus, certainly_receives, receives_new


def add_floor(parser: argparse.ArgumentParser) -> None:
    """--floor N and --force."""
    parser.add_argument(
        "--floor", type=count, default=1, metavar="N", help="refuse to leave fewer servers in service (default 1)"
    )
    parser.add_argument("--force", action="store_true", help="do it below the floor all the same")


def server_of(farm: WebFarm, address: str) -> Server:
    """The server of this address; raises ``NoSuchObject`` naming the ones there."""
    found = farm.server(address)
    if found is None:
        raise NoSuchObject("server", address, tuple(one.address for one in farm.servers), where=f"farm '{farm.name}'")
    return found


def keep_floor(
    arguments: argparse.Namespace,
    machine: Machine,
    configuration: Configuration,
    farm: str,
    going: Sequence[str],
    coming: Sequence[str] = (),
) -> None:
    """Raises ``FloorError`` when fewer than --floor servers would be in service without those ``going``.

    On a file, the servers enabled afterwards count (``coming`` too); on a machine those that certainly get new
    requests now and stay (arr.md 5.4). A server that is not in service takes nothing away by going.
    """
    if arguments.force:
        return
    leaving = {one.casefold() for one in going}
    if has_run_time(machine):
        status = machine.farm(farm).status()
        serving = [one for one in status.farm.servers if certainly_receives(one, status)]
        loses = any(one.address.casefold() in leaving and receives_new(one, status) for one in status.farm.servers)
        unknown = _unknown(status, leaving)
    else:
        word = configuration.farm(farm)
        serving = [one for one in word.servers if one.enabled]
        loses = any(one.address.casefold() in leaving for one in serving)
        unknown = ""
    left = [one.address for one in serving if one.address.casefold() not in leaving]
    if not has_run_time(machine):
        left += [one for one in coming if one not in left]
    if loses and len(left) < arguments.floor:
        raise FloorError(
            f"farm '{farm}' on {machine.name} would have {_counted(left)} in service; the floor is {arguments.floor}",
            hint=f"{unknown}Bring another one into service first, or insist with --force.",
        )


# -- private -------------------------------------------------------------------------------------------


def _counted(left: Sequence[str]) -> str:
    return f"only {', '.join(left)}" if left else "no server"


def _unknown(status: FarmStatus, leaving: set[str]) -> str:
    names = [
        one.address
        for one in status.farm.servers
        if one.address.casefold() not in leaving and receives_new(one, status) and not certainly_receives(one, status)
    ]
    return f"Not known to be in service: {', '.join(names)}. " if names else ""
