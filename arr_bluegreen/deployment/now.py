"""What is there now: one look at every machine, each part read once and only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from arr_bluegreen.control.interface import (
    Clock,
    CommandRunner,
    Configuration,
    FarmControl,
    FolderDigest,
    Machine,
    RecordStore,
)
from arr_bluegreen.control.nodes import close_all, each
from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.tokens import EditXml
from arr_bluegreen.deployment.wanted import Wanted
from arr_bluegreen.errors import NoSuchObject, RefusedError
from arr_bluegreen.webfarm import (
    FarmStatus,
    PoolStatus,
    RunState,
    Server,
    SiteStatus,
    certainly_receives,
    receives_new,
)


@dataclass(frozen=True)
class Controls:
    """All hands of one run: the ARR machines, the machines of members that lie elsewhere, time, hooks, XML settings."""

    arr: tuple[Machine, ...]
    clock: Clock
    commands: CommandRunner
    others: Mapping[str, Machine] = field(default_factory=dict)
    edit_xml: EditXml | None = None
    inspect_zip: Callable[[str], FolderDigest] | None = None

    def machine(self, name: str) -> Machine:
        """The machine a member names; "" is the first ARR machine. Raises ``NoSuchObject``."""
        if not name:
            return self.arr[0]
        wanted_name = name.casefold()
        for one in (*self.arr, *self.others.values()):
            if one.name.casefold() == wanted_name:
                return one
        if name in self.others:
            return self.others[name]
        raise NoSuchObject("machine", name, tuple(one.name for one in self.arr) + tuple(self.others))

    def close(self) -> None:
        """Let go of every machine."""
        close_all((*self.arr, *self.others.values()))


WorkerKey = tuple[str, str, int, str]
"""Machine, pool, process id, start time: one worker process."""


class Now:
    """One look. What was read stays as it was; take a new one to look again."""

    def __init__(self, controls: Controls, deployment: Deployment) -> None:
        self.controls, self.deployment = controls, deployment
        self.at = controls.clock.monotonic()
        self._farms: dict[str, tuple[FarmStatus, ...]] = {}
        self._pools: dict[tuple[str, str], PoolStatus | None] = {}
        self._sites: dict[str, tuple[SiteStatus, ...]] = {}
        self._configs: tuple[Configuration, ...] | None = None
        self._records: tuple[str | None, ...] | None = None

    # -- farms, per ARR machine -----------------------------------------------------------------------------

    def farms(self, name: str = "") -> tuple[FarmStatus, ...]:
        """The farm as each ARR machine sees it, in their order."""
        key = name or self.deployment.app.farm
        if key not in self._farms:
            front = self.deployment.app.front
            self._farms[key] = each(self.controls.arr, lambda one: one.farm(key, front).status())
        return self._farms[key]

    def of(self, slot: Slot) -> tuple[FarmStatus, ...]:
        """The farm a slot is in, as each ARR machine sees it."""
        return self.farms(slot.farm or self.deployment.app.farm)

    def servers(self, slot: Slot, status: FarmStatus) -> tuple[Server, ...]:
        """A slot's servers as configured. Raises ``NoSuchObject`` for a member that is no server of the farm."""
        return tuple(server_of(status, address) for address in slot.addresses)

    def receives(self, slot: Slot) -> bool:
        """Whether every server of the slot certainly gets new requests, on every ARR machine."""
        looks = self.of(slot)
        return all(certainly_receives(one, status) for status in looks for one in self.servers(slot, status))

    def may_receive(self, slot: Slot) -> bool:
        """Whether any server of the slot may get a new request on any ARR machine (unknown counts as may)."""
        return any(receives_new(one, status) for status in self.of(slot) for one in self.servers(slot, status))

    def enabled(self, slot: Slot) -> bool:
        """Whether every server of the slot is enabled, everywhere."""
        return all(one.enabled for status in self.of(slot) for one in self.servers(slot, status))

    def any_enabled(self, slot: Slot) -> bool:
        """Whether any server of the slot is enabled anywhere."""
        return any(one.enabled for status in self.of(slot) for one in self.servers(slot, status))

    # -- sites and worker processes ----------------------------------------------------------------------------

    def started(self, slot: Slot) -> bool:
        """Whether every site and pool the slot names is started."""
        return all(self._member_started(member) for member in slot.members)

    def pools(self, slot: Slot) -> tuple[tuple[str, PoolStatus], ...]:
        """The slot's pools with their machine's name; a member without a pool is left out. Raises ``NoSuchObject``."""
        self._read_pools(slot.members)
        found: list[tuple[str, PoolStatus]] = []
        for member in slot.members:
            pool = self._pools.get((member.machine, member.pool.casefold())) if member.pool else None
            if member.pool and pool is None:
                raise NoSuchObject("pool", member.pool, where=self.controls.machine(member.machine).name)
            if pool is not None:
                found.append((member.machine, pool))
        return tuple(found)

    def workers(self, slot: Slot) -> tuple[WorkerKey, ...]:
        """The slot's worker processes, sorted; empty when none runs or none is known."""
        return worker_keys(self.pools(slot))

    def pool_requests(self, slot: Slot) -> int | None:
        """Requests in flight in the slot's pools, None when any is not known (no Request Monitor: arr.md 6)."""
        counts = [pool.requests for _, pool in self.pools(slot)]
        known = [one for one in counts if one is not None]
        return sum(known) if counts and len(known) == len(counts) else None

    # -- configuration and records ----------------------------------------------------------------------------

    def configs(self) -> tuple[Configuration, ...]:
        """The configuration of every ARR machine."""
        if self._configs is None:
            self._configs = each(self.controls.arr, lambda one: one.config.read())
        return self._configs

    def records(self) -> tuple[str | None, ...]:
        """The text of the wanted record of every ARR machine."""
        if self._records is None:
            farm = self.deployment.app.farm
            self._records = each(self.controls.arr, lambda one: one.records(farm).read(wanted.RECORD))
        return self._records

    def wanted(self) -> tuple[wanted.Wanted | None, ...]:
        """The wanted record of every ARR machine."""
        return tuple(None if text is None else wanted.from_text(text) for text in self.records())

    def newest(self) -> Wanted | None:
        """The wanted record of the highest epoch over all ARR machines."""
        return wanted.newest_of(self.wanted())

    def keep_records(self, texts: tuple[str | None, ...] | None) -> None:
        """They were written, and are these now; None: the next to ask reads them again."""
        self._records = texts

    def forget_pools(self) -> None:
        """What ran in the pools may be another process by now."""
        self._pools.clear()

    # -- private -------------------------------------------------------------------------------------------------

    def _member_started(self, member: Member) -> bool:
        if member.site and self._site(member) is not RunState.STARTED:
            return False
        if not member.pool:
            return True
        self._read_pools((member,))
        pool = self._pools[(member.machine, member.pool.casefold())]
        return pool is not None and pool.state is RunState.STARTED

    def _site(self, member: Member) -> RunState:
        if member.machine not in self._sites:
            self._sites[member.machine] = self.controls.machine(member.machine).sites.sites()
        wanted_name = member.site.casefold()
        for one in self._sites[member.machine]:
            if one.name.casefold() == wanted_name:
                return one.state
        there = tuple(one.name for one in self._sites[member.machine])
        raise NoSuchObject("site", member.site, there, where=self.controls.machine(member.machine).name)

    def _read_pools(self, members: Sequence[Member]) -> None:
        missing: dict[str, list[str]] = {}
        for one in members:
            if one.pool and (one.machine, one.pool.casefold()) not in self._pools:
                missing.setdefault(one.machine, []).append(one.pool)
        for machine, names in missing.items():
            for name in names:
                self._pools[(machine, name.casefold())] = None
            for pool in self.controls.machine(machine).sites.pools(names):
                self._pools[(machine, pool.name.casefold())] = pool


def server_of(status: FarmStatus, address: str) -> Server:
    """The server of this address; raises ``NoSuchObject`` naming the ones there."""
    found = status.farm.server(address)
    if found is None:
        there = tuple(one.address for one in status.farm.servers)
        raise NoSuchObject("server", address, there, where=f"farm '{status.farm.name}' on {status.machine}")
    return found


def worker_keys(pools: Iterable[tuple[str, PoolStatus]]) -> tuple[WorkerKey, ...]:
    """Worker processes as keys that can be compared and kept."""
    keys = [
        (machine, pool.name, worker.pid, worker.started.isoformat())
        for machine, pool in pools
        for worker in pool.workers
    ]
    return tuple(sorted(keys))


def farm_control(machine: Machine, deployment: Deployment, slot: Slot | None = None) -> FarmControl:
    """The run time of the farm a slot is in, on one ARR machine."""
    name = slot.farm if slot is not None and slot.farm else deployment.app.farm
    return machine.farm(name, deployment.app.front)


def stores(controls: Controls, deployment: Deployment) -> tuple[RecordStore, ...]:
    """Our record stores on every ARR machine."""
    return tuple(one.records(deployment.app.farm) for one in controls.arr)


def check_floor(now: Now, leaving: Slot, floor: int) -> str:
    """Why ``leaving`` must not go out of service now, "" when it may: fewer than ``floor`` servers would certainly
    be in service on some ARR machine. Only what is known to be in service counts."""
    gone = {address.casefold() for address in leaving.addresses}
    looks = list(now.of(leaving))
    if leaving.farm:  # by rule: the other slot is in another farm, and it is that one which must be in service
        looks = [status for slot in now.deployment.slots.slots if slot.name != leaving.name for status in now.of(slot)]
        gone = set()
    for status in looks:
        left = [
            one for one in status.farm.servers if one.address.casefold() not in gone and certainly_receives(one, status)
        ]
        if len(left) < floor:
            names = ", ".join(one.address for one in left) or "none"
            return (
                f"taking {', '.join(leaving.addresses)} out of service would leave {len(left)} server(s) ({names}) "
                f"in service in '{status.farm.name}' on {status.machine}, and the floor is {floor}"
            )
    return ""


def refuse_missing(now: Now, deployment: Deployment) -> None:
    """Raises ``NoSuchObject`` or ``RefusedError`` when a member is not on its machine as described."""
    for slot in deployment.slots.slots:
        for status in now.of(slot):
            for member, server in zip(slot.members, now.servers(slot, status), strict=True):
                if member.http_port and server.http_port != member.http_port:
                    raise RefusedError(
                        f"the farm server '{server.address}' on {status.machine} has httpPort {server.http_port}, "
                        f"the description says {member.http_port}",
                        hint="Correct the one that is wrong.",
                    )
