"""What is ours on a machine: made by us, or adopted and recorded. The record is ``owned.json`` in the farm's folder.

It is written before the act it tells of, so that after a crash nothing lies about that no record names. What was there
before (the site or pool of Octopus's own IIS step, say) is adopted: used as it is, its settings not fought over, and
retired like our own. What no record names is nobody's to take away.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from enum import Enum
from typing import Any

from arr_bluegreen.control.interface import RecordStore
from arr_bluegreen.errors import LockedError, RefusedError

RECORD = "owned.json"
_SWAPS = 200


class Origin(Enum):
    """How a piece came to be the instance's."""

    MADE = "made"
    ADOPTED = "adopted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of the application on this machine: a slot's member with its pieces and where each came from.

    ``since`` (UTC) orders the instances by age; ``left`` (UTC) is when a run took it out of service, None when none
    did; ``stopped`` (UTC) is when retire stopped it, None while it may run. ``making``: it is not known to be whole.
    ``served``: it was live once, so that it can be the way back.
    ``more_pools`` are those we made for its further applications; ``pool_origin`` NONE is a pool that was there and
    does not bear the name by our pattern: it is used and stays.
    """

    slot: str
    site: str
    pool: str
    address: str
    http_port: int
    since: datetime
    release: str = ""
    site_id: int = 0
    path: str = ""
    alias: str = ""
    site_origin: Origin = Origin.MADE
    pool_origin: Origin = Origin.MADE
    server_origin: Origin = Origin.MADE
    stopped: datetime | None = None
    left: datetime | None = None
    making: bool = False
    served: bool = True
    more_pools: tuple[str, ...] = ()

    @property
    def pools(self) -> tuple[str, ...]:
        """The pools that are the instance's own, made or adopted."""
        return (*(() if self.pool_origin is Origin.NONE else (self.pool,)), *self.more_pools)


@dataclass(frozen=True, slots=True)
class Folder:
    """A release folder that we made from ``source``, for ``slot``, in the run ``run``, at ``since`` (UTC).

    ``settled`` says that the slot's settings are made in it; from then on it is never written again. ``base_made``:
    the folder that holds it was not there before, so that it too is ours to take away once it is empty.
    """

    path: str
    slot: str
    release: str
    since: datetime
    source: str = ""
    run: str = ""
    settled: bool = False
    base_made: bool = False


@dataclass(frozen=True, slots=True)
class Owned:
    """All that is recorded as ours for one farm on one machine.

    ``first_done``: a first deployment came to its end here, its rules proven; whatever becomes of the rules later.
    """

    instances: tuple[Instance, ...] = ()
    folders: tuple[Folder, ...] = ()
    highest_site_id: int = 0
    first_done: bool = False

    def of(self, slot: str, site: str = "") -> Instance | None:
        """The instance of this slot (of this site, if named), without case; None when nothing is recorded."""
        mine = (one for one in self.instances if one.slot.casefold() == slot.casefold())
        return next((one for one in mine if not site or one.site.casefold() == site.casefold()), None)

    def owner_of_site(self, site: str) -> Instance | None:
        """The instance whose site this is (without case)."""
        return next((one for one in self.instances if one.site.casefold() == site.casefold()), None)

    def with_instance(self, instance: Instance) -> Owned:
        """The same with this instance recorded, in place of the one of its slot and site."""
        others = self.without(instance.slot, instance.site).instances
        highest = max(self.highest_site_id, instance.site_id)
        return replace(self, instances=(*others, instance), highest_site_id=highest)

    def without(self, slot: str, site: str) -> Owned:
        """The same with nothing recorded of this slot's site."""
        key = (slot.casefold(), site.casefold())
        kept = tuple(one for one in self.instances if (one.slot.casefold(), one.site.casefold()) != key)
        return replace(self, instances=kept)

    def with_folder(self, folder: Folder) -> Owned:
        """The same with this release folder recorded."""
        others = tuple(one for one in self.folders if one.path.casefold() != folder.path.casefold())
        return replace(self, folders=(*others, folder))

    def without_folder(self, path: str) -> Owned:
        """The same with this release folder forgotten."""
        kept = tuple(one for one in self.folders if one.path.casefold() != path.casefold())
        return replace(self, folders=kept)


def read_owned(records: RecordStore) -> Owned:
    """What is recorded, empty when there is no record; raises ``RefusedError`` when it cannot be read."""
    return _parse(records.read(RECORD))


def mark_served(records: RecordStore, slot: str) -> None:
    """The slot's instances are known to have been live. Nothing recorded of it: nothing to mark."""

    def marked(owned: Owned) -> Owned:
        for one in owned.instances:
            if one.slot.casefold() == slot.casefold() and not one.served:
                owned = owned.with_instance(replace(one, served=True))
        return owned

    change_owned(records, marked)


def change_owned(records: RecordStore, change: Callable[[Owned], Owned]) -> Owned:
    """The record changed by compare and swap; what it says afterwards."""
    for _ in range(_SWAPS):
        text = records.read(RECORD)
        before = _parse(text)
        after = change(before)
        if after == before:
            return after
        written = _text(after)
        if records.create(RECORD, written) if text is None else records.replace(RECORD, text, written):
            return after
    raise LockedError(f"{RECORD} changed {_SWAPS} times under our hands", hint="Try again.")


# -- private -------------------------------------------------------------------------------------------


def _text(owned: Owned) -> str:
    data = {"schema": 1, "highest_site_id": owned.highest_site_id, "first_done": owned.first_done}
    lists = {
        "instances": [_plain(asdict(one)) for one in owned.instances],
        "folders": [_plain(asdict(one)) for one in owned.folders],
    }
    return json.dumps(data | lists, indent=1) + "\n"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, Enum):
            return value.value
        return value.isoformat() if isinstance(value, datetime) else value

    return {key: plain(value) for key, value in values.items()}


def _parse(text: str | None) -> Owned:
    if text is None:
        return Owned()
    try:
        data = json.loads(text)
        if data["schema"] != 1:
            raise ValueError(f"schema {data['schema']} is not known to this version")
        instances = tuple(_instance(one) for one in data["instances"])
        folders = tuple(Folder(**{**one, "since": datetime.fromisoformat(one["since"])}) for one in data["folders"])
        return Owned(instances, folders, int(data["highest_site_id"]), bool(data.get("first_done", False)))
    except (ValueError, KeyError, TypeError) as error:
        hint = "Mend it or move it away: without it nothing is taken for ours."
        raise RefusedError(f"{RECORD} cannot be read: {error}", hint=hint) from error


def _instance(data: dict[str, Any]) -> Instance:
    known = {one.name for one in fields(Instance)}
    data = {key: value for key, value in data.items() if key in known}
    origins = {key: Origin(value) for key, value in data.items() if key.endswith("_origin")}
    times = {key: datetime.fromisoformat(data[key]) for key in ("since", "stopped", "left") if data.get(key)}
    return Instance(**{**data, **origins, **times, "more_pools": tuple(data.get("more_pools", ()))})
