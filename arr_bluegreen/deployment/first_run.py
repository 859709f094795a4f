"""A first deployment carried out: idle first, gated, then the rules; what fails before them is cleared away again.

From the rules' commit on, nothing that fails is "unchanged": what became of it is looked for, and told with what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from arr_bluegreen.control.interface import Clock, Machine, RecordStore
from arr_bluegreen.deployment.aliases import LOOPBACK, add_alias, remove_alias
from arr_bluegreen.deployment.description import Gate, WarmUp
from arr_bluegreen.deployment.first import FirstDeployment, FirstWish, plan_first, rules_to_add, unmake
from arr_bluegreen.deployment.first_proof import (
    Before,
    Measure,
    Target,
    Way,
    answers_now,
    pass_gate,
    pass_warm_up,
    prove_front,
    ways_of,
)
from arr_bluegreen.deployment.front_rule import rule_names
from arr_bluegreen.deployment.lookup import find_farm, find_site
from arr_bluegreen.deployment.ownership import Instance, Owned, change_owned, read_owned
from arr_bluegreen.deployment.ports import free_port
from arr_bluegreen.errors import ArrBlueGreenError, OldSlotServesError, RefusedError, UnfinishedError
from arr_bluegreen.webfarm import NewState, certainly_receives
from arr_bluegreen.webfarm.change import ConfigChange, RemoveRule

_QUIET_WITHIN, _QUIET_EVERY = timedelta(seconds=60), timedelta(seconds=1)
_NEXT = "'deploy run' goes on with it, 'deploy abort' clears it away."


@dataclass(frozen=True, slots=True)
class FirstHands:
    """One machine with its records, what a slot must show, the public hosts, and who listens to what goes on."""

    machine: Machine
    records: RecordStore
    port_records: RecordStore
    clock: Clock
    measure: Measure = field(default_factory=lambda: Measure(Gate(), WarmUp()))
    hosts: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda text: None


def run_first(wish: FirstWish, hands: FirstHands) -> FirstDeployment:
    """The first deployment; run again after a crash it goes on. What it did, as planned from what was there.

    Raises what a plan raises; ``OldSlotServesError`` when the slot is not good: then all that was made is cleared
    away (after the switch: its rules), and the site serves as it did all along; ``UnfinishedError`` when it is left
    half way, with what to do.
    """
    machine = hands.machine
    plan = _plan(wish, hands)
    for one in plan.instances:
        change_owned(hands.records, _recorder(one))
    front = _Front(wish, hands)
    target = _target(wish)
    try:
        _make(wish, plan, hands)
        front.passes(target, warm=True)
        machine.config.apply(plan.enable)
        front.passes(target, warm=True)  # the commit may have restarted it (arr.md 5.8)
        machine.farm(wish.farm, (wish.site,)).set_state({target.address: NewState.START})
    except ArrBlueGreenError as error:
        raise _cleared(wish, hands, error) from error
    front.switch(plan.switch, target, f"farm '{wish.farm}' and its slots are made, idle; {_NEXT}")
    try:
        change_owned(hands.records, lambda owned: _done(owned, wish.slots[0].name))
    except ArrBlueGreenError as error:
        raise UnfinishedError(
            f"'{target.name}' is live, and that could not be recorded: {error}", hint="'deploy run' again records it."
        ) from error
    return plan


def restore_rules(wish: FirstWish, hands: FirstHands) -> tuple[ConfigChange, ...]:
    """The rules of a first deployment that is over, put back to what is in service now; () when none is missing.

    Nothing else is changed. Raises ``RefusedError`` where nothing is in service, ``OldSlotServesError`` where what is
    does not prove itself: then the site serves.
    """
    configuration = hands.machine.config.read()
    missing = rules_to_add(wish, configuration)
    if not missing:
        return ()
    status = hands.machine.farm(wish.farm, (wish.site,)).status()
    serving = [one for one in status.farm.servers if certainly_receives(one, status)]
    if not serving:
        raise RefusedError(
            f"the rules to farm '{wish.farm}' are gone, and no server of it is in service",
            hint="Bring the slot that shall be live in service: server available.",
        )
    front = _Front(wish, hands)
    names = {one.address.casefold(): one.slot for one in read_owned(hands.records).instances}
    targets = [Target(names.get(one.address.casefold(), one.address), one.address, one.http_port) for one in serving]
    for one in targets:
        front.passes(one)
    front.switch(missing, targets[0], f"site '{wish.site}' serves; 'deploy run' tries again.")
    return missing


def clear_first(wish: FirstWish, hands: FirstHands) -> None:
    """All that a first deployment made goes: rules first, then the farm, sites, pools, aliases, ports, records."""
    machine, owned = hands.machine, read_owned(hands.records)
    instances = [one for slot in wish.slots if (one := owned.of(slot.name, slot.site)) is not None]
    changes = unmake(wish.farm, instances, machine.config.read())
    rules = [one for one in changes if isinstance(one, RemoveRule)]
    if rules:  # before anything stops: until they are gone, requests come, and those that came shall end
        machine.config.apply(rules)
        _quiet(wish, hands)
    running = {one.name.casefold() for one in machine.sites.sites()}
    for one in instances:
        if one.site.casefold() in running:
            machine.sites.stop_site(one.site)
    machine.config.apply([one for one in changes if not isinstance(one, RemoveRule)])
    for one in instances:
        if one.alias:
            remove_alias(machine.files, wish.farm, one.alias)
        free_port(hands.port_records, f"{wish.farm}/{one.slot}", hands.clock.now())
        change_owned(hands.records, _forgetter(one))
    change_owned(hands.records, lambda before: replace(before, first_done=False))


# -- private -------------------------------------------------------------------------------------------


class _Front:
    """The site as the public reaches it, with what it answered before our rules (nothing, where they are there)."""

    def __init__(self, wish: FirstWish, hands: FirstHands) -> None:
        self._wish, self._hands = wish, hands
        configuration = hands.machine.config.read()
        site = find_site(configuration, wish.site)
        self._ways: tuple[Way, ...] = ways_of(site, hands.hosts) if site is not None else ()
        own = not _our_rules(wish, hands)
        self._before: Before = answers_now(self._ways, hands.machine, hands.measure.gate) if own else {}

    def passes(self, target: Target, *, warm: bool = False) -> None:
        """The slot proves itself, asked on the machine; raises ``OldSlotServesError``."""
        hands = self._hands
        if warm:
            pass_warm_up(target, self._ways, hands.machine, hands.clock, hands.measure.warm)
        pass_gate(target, self._ways, hands.machine, hands.clock, hands.measure, self._before)

    def switch(self, rules: tuple[ConfigChange, ...], target: Target, left: str) -> None:
        """The rules written and proven through every public binding, or taken away again.

        Raises ``OldSlotServesError`` (they are gone), ``UnfinishedError`` (``left`` says what stands, and what next).
        """
        wish, hands = self._wish, self._hands
        hands.say(f"switching: {len(rules)} rule(s)")
        try:
            hands.machine.config.apply(rules)
        except ArrBlueGreenError as error:
            self._look_for(len(rules), error, left)
        try:
            self.passes(target)
            prove_front(
                self._ways, hands.machine, hands.clock, hands.measure, self._before, lambda: self._total(target)
            )
        except ArrBlueGreenError as error:
            self._take_back(error, left)
            raise OldSlotServesError(
                f"the new slot failed after the switch: {error}",
                hint=f"The rules are gone and site '{wish.site}' serves; the slots stay for a look: {_NEXT}",
            ) from error

    def _look_for(self, count: int, error: ArrBlueGreenError, left: str) -> None:
        """A commit that failed, or whose reply was lost: with its rules there, it was made."""
        try:
            there = len(_our_rules(self._wish, self._hands))
        except ArrBlueGreenError as second:
            text = f"whether the rules were written is not known: {error}; {second}"
            raise UnfinishedError(text, hint=left[0].upper() + left[1:]) from error
        if there < count:
            site = self._wish.site
            raise UnfinishedError(
                f"the rules were not written, site '{site}' serves: {error}", hint=left[0].upper() + left[1:]
            ) from error

    def _take_back(self, error: ArrBlueGreenError, left: str) -> None:
        try:
            self._hands.machine.config.apply([RemoveRule(one) for one in _our_rules(self._wish, self._hands)])
        except ArrBlueGreenError as second:
            text = f"the new slot failed after the switch ({error}), and its rules could not be taken away: {second}"
            raise UnfinishedError(text, hint=left[0].upper() + left[1:]) from error

    def _total(self, target: Target) -> int | None:
        status = self._hands.machine.farm(self._wish.farm, (self._wish.site,)).status()
        counts = [status.server(one.address).total_requests for one in status.farm.servers]
        known = [one for one in counts if one is not None]
        return sum(known) if counts and len(known) == len(counts) else None


def _quiet(wish: FirstWish, hands: FirstHands) -> None:
    """Wait until ARR counts no request in flight to the farm, for a while at most: cleared away it is all the same.

    The first look comes a moment later: a request may be on its way by a rule that was read before it went.
    """
    begun = hands.clock.monotonic()
    while hands.clock.monotonic() - begun < _QUIET_WITHIN.total_seconds():
        hands.clock.sleep(_QUIET_EVERY.total_seconds())
        if find_farm(hands.machine.config.read(), wish.farm) is None:
            return
        status = hands.machine.farm(wish.farm, (wish.site,)).status()
        if not any(status.server(one.address).current_requests for one in status.farm.servers):
            return


def _our_rules(wish: FirstWish, hands: FirstHands) -> tuple[str, ...]:
    lists = [one for one in hands.machine.config.read().rule_lists if one.is_global and not one.location]
    return rule_names(wish.farm, [rule for one in lists for rule in one.rules])


def _plan(wish: FirstWish, hands: FirstHands) -> FirstDeployment:
    machine = hands.machine
    return plan_first(wish, machine.config.read(), read_owned(hands.records), machine.facts(), hands.clock.now())


def _target(wish: FirstWish) -> Target:
    return Target(wish.slots[0].name, wish.slots[0].address, wish.slots[0].http_port)


def _recorder(instance: Instance) -> Callable[[Owned], Owned]:
    return lambda owned: owned.with_instance(instance)


def _forgetter(instance: Instance) -> Callable[[Owned], Owned]:
    return lambda owned: owned.without(instance.slot, instance.site)


def _done(owned: Owned, live: str) -> Owned:
    for one in owned.instances:
        if one.slot.casefold() == live.casefold():
            owned = owned.with_instance(replace(one, served=True))
    return replace(owned, first_done=True)


def _cleared(wish: FirstWish, hands: FirstHands, error: ArrBlueGreenError) -> ArrBlueGreenError:
    """All that was made cleared away; the error to raise then."""
    text = f"the first deployment of '{wish.farm}' failed before its switch: {error}"
    try:
        clear_first(wish, hands)
    except ArrBlueGreenError as second:
        return UnfinishedError(
            f"{text}; clearing away what was made failed too: {second}", hint=f"Site '{wish.site}' serves. {_NEXT}"
        )
    return OldSlotServesError(text, hint=f"Site '{wish.site}' serves as before; what was made is cleared away.")


def _make(wish: FirstWish, plan: FirstDeployment, hands: FirstHands) -> None:
    machine = hands.machine
    for slot in wish.slots:
        if slot.alias:
            add_alias(machine.files, wish.farm, slot.alias, LOOPBACK)
    hands.say(f"making farm '{wish.farm}' with two idle slots")
    machine.config.apply(plan.make)
    for instance in plan.instances:
        for pool in (instance.pool, *instance.more_pools):
            machine.sites.start_pool(pool)
        machine.sites.start_site(instance.site)
