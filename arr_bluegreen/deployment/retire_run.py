"""A retire plan carried out on one machine, each act so that it can be cut off anywhere and done again.

Before anything is stopped: out of service on every ARR machine, and its requests in flight seen to be zero (arr.md 6).
What nobody can tell is unknown and waited for, never taken for zero. The record of a thing is forgotten last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, assert_never

from arr_bluegreen.control.interface import Clock, Configuration, FarmControl, Machine, RecordStore
from arr_bluegreen.deployment.aliases import remove_alias
from arr_bluegreen.deployment.clone import is_below
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.content import upload_of
from arr_bluegreen.deployment.lookup import find_farm
from arr_bluegreen.deployment.ownership import Instance, change_owned, read_owned
from arr_bluegreen.deployment.ports import free_port
from arr_bluegreen.deployment.retire import Act, Remove, RemoveFolder, RetirePlan, Stop
from arr_bluegreen.errors import ArrBlueGreenError, NoSuchObject, RefusedError, WaitRanOutError
from arr_bluegreen.webfarm import PoolStatus, receives_new
from arr_bluegreen.webfarm.change import ConfigChange, RemoveServer, SetServer


@dataclass(frozen=True, slots=True)
class RetireLimits:
    """How long requests are waited for, and worker processes to end; what ``then``: fail, or cut requests off."""

    within: timedelta = timedelta(seconds=60)
    workers_within: timedelta = timedelta(seconds=120)
    quiet: timedelta = timedelta(seconds=2)
    every: timedelta = timedelta(seconds=0.5)
    then: Literal["fail", "cut"] = "fail"


@dataclass(frozen=True, slots=True)
class RetireHands:
    """One machine, the farm on every ARR machine (``fronts``), the farm's records and the machine's port records."""

    farm: str
    machine: Machine
    fronts: Sequence[FarmControl]
    records: RecordStore
    port_records: RecordStore
    clock: Clock
    limits: RetireLimits = field(default_factory=RetireLimits)
    say: Callable[[str], None] = lambda text: None
    beat: Callable[[], None] = lambda: None
    """Called while it waits: the lock's lease is renewed."""
    commits: Commits | None = None
    """Who commits and judges it; None: the machine's own configuration, unjudged."""
    arr: Sequence[Machine] = ()
    """Every ARR machine: an instance's farm server and alias are on each, its site on ``machine`` only."""

    def commit(self, changes: Sequence[ConfigChange]) -> None:
        """The changes, each where it belongs: farm servers on every ARR machine, all else on the instance's."""
        arr = self.arr or (self.machine,)
        rest = [one for one in changes if not isinstance(one, (RemoveServer, SetServer))]
        for one in arr:
            there = one.config.read()
            servers = [change for change in changes if _has_server(there, change)]
            self._apply(one, [*servers, *(rest if one is self.machine else ())])
        if all(one is not self.machine for one in arr):
            self._apply(self.machine, rest)

    def _apply(self, machine: Machine, changes: Sequence[ConfigChange]) -> None:
        if self.commits is not None:
            self.commits.apply(machine, changes)
        elif changes:
            machine.config.apply(changes)


def perform_retire(plan: RetirePlan, hands: RetireHands) -> None:
    """Every act of the plan; what they write is one commit, since each wakes whoever watches the file (arr.md 5.8).

    Raises ``RefusedError`` for what turns out to be in service, ``WaitRanOutError`` when requests or worker processes
    do not end in time (with ``then="fail"``), after all else is done; the next retire goes on.
    """
    ready: list[Act] = []
    failed: ArrBlueGreenError | None = None
    for act in plan.acts:
        try:
            _make_ready(act, hands)
            ready.append(act)
        except (RefusedError, WaitRanOutError) as error:
            failed = failed or error
    hands.commit([change for act in ready if not isinstance(act, RemoveFolder) for change in act.changes])
    for act in ready:
        try:
            _conclude(act, hands)
        except WaitRanOutError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def in_flight(instance: Instance, hands: RetireHands) -> int | None:
    """Requests of the instance as seen now: the most any witness tells, None when no witness knows.

    Witnesses: ARR's counters (WebSockets too) on every ARR machine, and the pool's own requests where Request
    Monitor is there. No farm server, no pool, or a pool without worker process: none, as far as that witness goes.
    """
    told: list[int] = []
    for front in hands.fronts:
        status = front.status()
        if status.farm.server(instance.address) is None:
            told.append(0)
            continue
        seen = status.server(instance.address)
        counts = (seen.current_requests, seen.current_web_socket_requests)
        if all(one is not None for one in counts):
            told.append(sum(one for one in counts if one is not None))
        elif any(one is not None and one > 0 for one in counts):
            told.append(1)
    requests = [_requests(pool) for pool in _pools((instance.pool, *instance.more_pools), hands)]
    known = [one for one in requests if one is not None]
    if len(known) == len(requests) or any(known):
        told.append(sum(known))
    return max(told, default=None)


# -- private -------------------------------------------------------------------------------------------


def _make_ready(act: Act, hands: RetireHands) -> None:
    """Before anything is written: its requests have ended, and what is removed is stopped."""
    match act:
        case Stop(instance):
            _finish(instance, hands)
        case Remove(instance):
            _finish(instance, hands)
            _stop(instance, act.pools, hands)
        case RemoveFolder():
            pass
        case _:
            assert_never(act)


def _conclude(act: Act, hands: RetireHands) -> None:
    """After the commit: stopped, or cleared away with its record last."""
    match act:
        case Stop(instance):
            _stop(instance, act.pools, hands)
            stopped = replace(instance, stopped=hands.clock.now())
            change_owned(hands.records, lambda owned: owned.with_instance(stopped))
        case Remove():
            _clear(act, hands)
        case RemoveFolder(folder):
            _delete_folder(folder.path, hands)
        case _:
            assert_never(act)


def _finish(instance: Instance, hands: RetireHands) -> None:
    """Wait until the instance's requests are zero for the quiet time; it must be out of service all the while."""
    limits, clock = hands.limits, hands.clock
    begun = clock.monotonic()
    zero_since: float | None = None
    while True:
        _refuse_in_service(instance, hands)
        count = in_flight(instance, hands)
        now = clock.monotonic()
        zero_since = None if count != 0 else now if zero_since is None else zero_since
        if zero_since is not None and now - zero_since >= limits.quiet.total_seconds():
            return
        if now - begun >= limits.within.total_seconds():
            _ran_out(instance, count, hands)
            return
        hands.beat()
        clock.sleep(limits.every.total_seconds())


def _ran_out(instance: Instance, count: int | None, hands: RetireHands) -> None:
    what = "requests nobody can count" if count is None else f"{count} requests in flight"
    if hands.limits.then == "fail":
        raise WaitRanOutError(
            f"'{instance.slot}' still has {what} after {hands.limits.within.total_seconds():g} s",
            hint="It was not stopped. Retire again later.",
        )
    hands.say(f"'{instance.slot}' is stopped with {what}")


def _refuse_in_service(instance: Instance, hands: RetireHands) -> None:
    for front in hands.fronts:
        status = front.status()
        server = status.farm.server(instance.address)
        if server is not None and receives_new(server, status):
            raise RefusedError(
                f"'{instance.slot}' ({server.address}) is in service on {status.machine}",
                hint="Drain it first: deploy switch-back or server unavailable.",
            )


def _stop(instance: Instance, pools: Sequence[str], hands: RetireHands) -> None:
    sites = hands.machine.sites
    if any(one.name.casefold() == instance.site.casefold() for one in sites.sites()):
        sites.stop_site(instance.site)
    for pool in _pools(pools, hands):
        sites.stop_pool(pool.name)
    _workers_gone(pools, hands)


def _workers_gone(pools: Sequence[str], hands: RetireHands) -> None:
    begun = hands.clock.monotonic()
    while busy := next((one for one in _pools(pools, hands) if one.workers), None):
        if hands.clock.monotonic() - begun >= hands.limits.workers_within.total_seconds():
            pids = ", ".join(str(one.pid) for one in busy.workers)
            raise WaitRanOutError(
                f"worker process {pids} of pool '{busy.name}' does not end", hint="Retire again later."
            )
        hands.beat()
        hands.clock.sleep(hands.limits.every.total_seconds())


def _requests(pool: PoolStatus) -> int | None:
    return pool.requests if pool.workers else 0


def _pools(names: Sequence[str], hands: RetireHands) -> tuple[PoolStatus, ...]:
    """Those of the pools that are there."""
    found: list[PoolStatus] = []
    for name in names:
        try:
            found += hands.machine.sites.pools([name])
        except NoSuchObject:
            continue
    return tuple(found)


def _has_server(configuration: Configuration, change: ConfigChange) -> bool:
    if not isinstance(change, (RemoveServer, SetServer)):
        return False
    farm = find_farm(configuration, change.farm)
    return farm is not None and farm.server(change.address) is not None


def _delete_folder(path: str, hands: RetireHands) -> None:
    """A release folder goes, with what is left of its upload; what held only such folders goes with the last one."""
    hands.machine.files.delete_file(upload_of(path))
    folders = read_owned(hands.records).folders
    gone = next((one for one in folders if one.path.casefold() == path.casefold()), None)
    hands.machine.files.delete_folder(path)
    base = path.rpartition("\\")[0] or path.rpartition("/")[0]
    if gone is not None and gone.base_made and not any(is_below(one.path, base) for one in folders if one is not gone):
        inside = hands.machine.files.digest_folder(base)  # others' files in it keep it
        if inside is not None and inside.files == 0:
            hands.machine.files.delete_folder(base)
    change_owned(hands.records, lambda owned: owned.without_folder(path))


def _clear(act: Remove, hands: RetireHands) -> None:
    instance = act.instance
    for path in act.folders:
        _delete_folder(path, hands)
    for one in (hands.arr or (hands.machine,)) if instance.alias else ():
        remove_alias(one.files, hands.farm, instance.alias)
    free_port(hands.port_records, f"{hands.farm}/{instance.slot}", hands.clock.now())
    change_owned(hands.records, lambda owned: owned.without(instance.slot, instance.site))
