"""What is recorded besides slots: release folders, and ports claimed for a slot of which nothing else is recorded."""

from __future__ import annotations

from typing import Any

from arr_bluegreen.cli.deploy_world import World
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.ports import MACHINE, RECORD, Claim, PortBook, claims_without
from arr_bluegreen.deployment.retire_due import member_machines


def recorded_folders(there: World) -> list[dict[str, Any]]:
    """Every release folder that we made, or were making, on each machine of a member."""
    farm = there.deployment.app.farm
    return [
        {
            "machine": machine.name,
            "path": one.path,
            "slot": one.slot,
            "release": one.release,
            "settled": one.settled,
            "text": f"{one.path} ('{one.slot}', release {one.release}{'' if one.settled else ', not whole'})",
        }
        for machine in member_machines(there.deployment, there.controls)
        for one in read_owned(machine.records(farm)).folders
    ]


def left_claims(there: World) -> list[dict[str, Any]]:
    """Ports claimed for a slot of this farm that is neither described nor recorded: a making that died in between.

    They stay until 'port free': what 'port next' claimed for a slot to come looks the same.
    """
    return [
        {
            "machine": machine.name,
            "port": one.port,
            "slot": one.slot,
            "text": f"port {one.port} is claimed for '{one.slot}', of which nothing else is recorded: "
            f"'port free {one.owner}' gives it back",
        }
        for machine in member_machines(there.deployment, there.controls)
        for one in _left(there, machine)
    ]


# -- private -------------------------------------------------------------------------------------------


def _left(there: World, machine: Machine) -> tuple[Claim, ...]:
    farm = there.deployment.app.farm
    known = [one.slot for one in read_owned(machine.records(farm)).instances]
    known += [one.name for one in there.deployment.slots.slots]
    return claims_without(PortBook.parse(machine.records(MACHINE).read(RECORD)), farm, known)
