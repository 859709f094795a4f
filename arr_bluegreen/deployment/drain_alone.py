"""A slot drained by itself, outside a run: out of service above the floor, then finished by count."""

from __future__ import annotations

from collections.abc import Callable

from arr_bluegreen.deployment.description import Deployment, Slot
from arr_bluegreen.deployment.drain import DrainOld
from arr_bluegreen.deployment.events import Drained, Event
from arr_bluegreen.deployment.hands import Beat, Hands, Identity, Roles
from arr_bluegreen.deployment.memory import Memory
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.switch import TakeOut
from arr_bluegreen.errors import NoSuchObject


def drain_slot(
    deployment: Deployment,
    controls: Controls,
    slot: Slot,
    identity: Identity,
    tell: Callable[[Event], None],
    beat: Beat,
) -> Drained:
    """How the slot finished, by ``[drain]``'s deadline and policy. The caller holds the lock, which ``beat`` renews.

    Nothing is written to the configuration: a restart of ARR brings an enabled slot back (arr.md 5.6). Raises
    ``FloorError`` when too few would stay in service, ``WaitRanOutError`` with ``then = "fail"``.
    """
    told: list[Drained] = []

    def listen(event: Event) -> None:
        if isinstance(event, Drained):
            told.append(event)
        tell(event)

    other = next(one for one in deployment.slots.slots if one.name != slot.name)
    hands = Hands(
        deployment, controls, Memory(), Roles(other, slot), identity, listen, beat, lambda: controls.arr[0].facts().now
    )
    for step in (TakeOut(slot, deployment.switch, deployment.drain), DrainOld(slot, deployment.drain)):
        hands.step = step.name
        step.perform(hands)
    return told[-1]


def named_slot(deployment: Deployment, name: str) -> Slot:
    """The slot of this name, without case. Raises ``NoSuchObject`` naming the ones there."""
    for one in deployment.slots.slots:
        if one.name.casefold() == name.casefold():
            return one
    raise NoSuchObject("slot", name, tuple(one.name for one in deployment.slots.slots))
