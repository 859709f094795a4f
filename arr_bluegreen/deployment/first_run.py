"""A first deployment carried out: idle first, gated, then the rules; what fails before them is cleared away again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from arr_bluegreen.control.interface import Clock, Machine, ProbeRequest, RecordStore
from arr_bluegreen.deployment.aliases import LOOPBACK, add_alias, remove_alias
from arr_bluegreen.deployment.first import FirstDeployment, FirstWish, plan_first, unmake
from arr_bluegreen.deployment.front_rule import public_hosts
from arr_bluegreen.deployment.instance import find_site
from arr_bluegreen.deployment.ownership import Instance, Owned, change_owned, read_owned
from arr_bluegreen.deployment.ports import free_port
from arr_bluegreen.errors import ArrBlueGreenError, OldSlotServesError
from arr_bluegreen.webfarm import NewState


@dataclass(frozen=True, slots=True)
class FirstGate:
    """What the new slot must do before traffic goes there: ``passes`` good answers in a row, for every public host."""

    path: str = "/"
    passes: int = 3
    every: timedelta = timedelta(seconds=1)
    within: timedelta = timedelta(seconds=120)
    timeout: timedelta = timedelta(seconds=10)
    lowest: int = 200
    highest: int = 399


@dataclass(frozen=True, slots=True)
class FirstHands:
    """One machine with its records, and who listens to what goes on."""

    machine: Machine
    records: RecordStore
    port_records: RecordStore
    clock: Clock
    gate: FirstGate = field(default_factory=FirstGate)
    say: Callable[[str], None] = lambda text: None


def run_first(wish: FirstWish, hands: FirstHands) -> FirstDeployment:
    """The first deployment; run again after a crash it goes on. What it did, as planned from what was there.

    Raises what a plan raises, and ``OldSlotServesError`` when the slot is not good: then all that was made is cleared
    away, and the site serves as it did all along.
    """
    machine = hands.machine
    plan = _plan(wish, hands)
    for one in plan.instances:
        change_owned(hands.records, _recorder(one))
    try:
        _make(wish, plan, hands)
        _pass(wish, hands)
        machine.config.apply(plan.enable)
        _pass(wish, hands)  # the commit may have restarted it (arr.md 5.8)
        machine.farm(wish.farm, (wish.site,)).set_state({wish.slots[0].address: NewState.START})
    except ArrBlueGreenError as error:
        clear_first(wish, hands)
        raise OldSlotServesError(
            f"the first deployment of '{wish.farm}' failed before its switch: {error}",
            hint=f"Site '{wish.site}' serves as before; what was made is cleared away.",
        ) from error
    _switch(wish, plan, hands)
    return plan


def clear_first(wish: FirstWish, hands: FirstHands) -> None:
    """All that a first deployment made goes: rules first, then the farm, sites, pools, aliases, ports, records."""
    machine, owned = hands.machine, read_owned(hands.records)
    instances = [one for slot in wish.slots if (one := owned.of(slot.name, slot.site)) is not None]
    running = {one.name.casefold() for one in machine.sites.sites()}
    for one in instances:
        if one.site.casefold() in running:
            machine.sites.stop_site(one.site)
    machine.config.apply(unmake(wish.farm, instances, machine.config.read()))
    for one in instances:
        if one.alias:
            remove_alias(machine.files, wish.farm, one.alias)
        free_port(hands.port_records, f"{wish.farm}/{one.slot}", hands.clock.now())
        change_owned(hands.records, _forgetter(one))


# -- private -------------------------------------------------------------------------------------------


def _plan(wish: FirstWish, hands: FirstHands) -> FirstDeployment:
    machine = hands.machine
    return plan_first(wish, machine.config.read(), read_owned(hands.records), machine.facts(), hands.clock.now())


def _recorder(instance: Instance) -> Callable[[Owned], Owned]:
    return lambda owned: owned.with_instance(instance)


def _forgetter(instance: Instance) -> Callable[[Owned], Owned]:
    return lambda owned: owned.without(instance.slot, instance.site)


def _make(wish: FirstWish, plan: FirstDeployment, hands: FirstHands) -> None:
    machine = hands.machine
    for slot in wish.slots:
        if slot.alias:
            add_alias(machine.files, wish.farm, slot.alias, LOOPBACK)
    hands.say(f"making farm '{wish.farm}' with two idle slots")
    machine.config.apply(plan.make)
    for slot in wish.slots:
        machine.sites.start_pool(slot.pool)
        machine.sites.start_site(slot.site)


def _pass(wish: FirstWish, hands: FirstHands) -> None:
    """Wait for the gate; raises ``OldSlotServesError`` with the last answer when it does not open in time."""
    gate, clock = hands.gate, hands.clock
    requests = _requests(wish, hands)
    begun, passes, last = clock.monotonic(), 0, "no answer"
    while passes < gate.passes:
        answers = hands.machine.probe.ask(requests)
        bad = next((one for one in answers if not gate.lowest <= one.status <= gate.highest), None)
        passes = passes + 1 if bad is None else 0
        if bad is not None:
            last = bad.error or f"status {bad.status}"
        if passes < gate.passes:
            if clock.monotonic() - begun >= gate.within.total_seconds():
                raise OldSlotServesError(f"slot '{wish.slots[0].name}' is not good: {last}")
            clock.sleep(gate.every.total_seconds())


def _requests(wish: FirstWish, hands: FirstHands) -> tuple[ProbeRequest, ...]:
    slot = wish.slots[0]
    site = find_site(hands.machine.config.read(), wish.site)
    hosts = public_hosts(site) if site else ("",)
    url = f"http://{slot.address}:{slot.http_port}{hands.gate.path}"
    return tuple(ProbeRequest(url, host.removeprefix("*."), timeout=hands.gate.timeout) for host in hosts)


def _switch(wish: FirstWish, plan: FirstDeployment, hands: FirstHands) -> None:
    machine = hands.machine
    hands.say(f"switching: {len(plan.switch)} rule(s)")
    machine.config.apply(plan.switch)
    try:
        _pass(wish, hands)
    except ArrBlueGreenError as error:
        machine.config.apply(plan.back)
        raise OldSlotServesError(
            f"the new slot failed after the switch: {error}",
            hint=f"The rules are gone and site '{wish.site}' serves; the idle slots stay for a look.",
        ) from error
