"""ConfigChange: every edit of applicationHost.config as a value.

The one language of edits: the file adapter applies it to bytes, the appcmd adapter renders it, the plan prints it,
its inverse (which ``ApplicationHost.apply`` returns, since only the text knows what was there) undoes it.
Settings name the fields of the words, nested ones with a dot (``"health_check.url"``, ``"action.url"``,
``"process_model.idle_timeout"``); a value of None takes the attribute away, back to its default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from arr_bluegreen.webfarm.rule import LAST, Condition, Position, RewriteMap, Rule, ServerVariable

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.farm import Server, WebFarm
    from arr_bluegreen.webfarm.site import Application, ApplicationPool, Binding, Site

Value = bool | int | str | timedelta | None
Settings = tuple[tuple[str, Value], ...]


def settings(values: Mapping[str, Value] | None = None, /, **more: Value) -> Settings:
    """Settings from a mapping (dotted names) and keywords (plain names), in the order given."""
    return tuple({**(values or {}), **more}.items())


# -- farms and servers -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddFarm:
    """A new farm with its servers and settings; what equals the default is left out."""

    farm: WebFarm


@dataclass(frozen=True, slots=True)
class RemoveFarm:
    """The farm element goes, with its servers. Rules that point to it are not this change's business."""

    name: str


@dataclass(frozen=True, slots=True)
class SetFarm:
    """Settings of a farm: "enabled", "health_check.url", "affinity.use_cookie", "protocol.cache.enabled", ..."""

    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class AddServer:
    """A new server in a farm."""

    farm: str
    server: Server


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """A server leaves a farm."""

    farm: str
    address: str


@dataclass(frozen=True, slots=True)
class SetServer:
    """Settings of a server: "enabled", "weight", "http_port", ..."""

    farm: str
    address: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class SetProxy:
    """Settings of system.webServer/proxy."""

    settings: Settings


@dataclass(frozen=True, slots=True)
class SetWebFarms:
    """Settings of the section webFarms: "on_demand_health_check"."""

    settings: Settings


# -- rules (location "" = globalRules, "." = the server's own rules) --------------------------------------


@dataclass(frozen=True, slots=True)
class AddRule:
    """A new rule at a position."""

    rule: Rule
    position: Position = LAST
    location: str = ""


@dataclass(frozen=True, slots=True)
class RemoveRule:
    """A rule goes."""

    name: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class MoveRule:
    """A rule takes another place among its neighbours."""

    name: str
    position: Position
    location: str = ""


@dataclass(frozen=True, slots=True)
class SetRule:
    """Settings of a rule: "enabled", "stop_processing", "match.url", "action.url", ..."""

    name: str
    settings: Settings
    location: str = ""


@dataclass(frozen=True, slots=True)
class SetConditions:
    """A rule's conditions become these, in this order; one that stays keeps its element as it is written."""

    name: str
    conditions: tuple[Condition, ...]
    location: str = ""


@dataclass(frozen=True, slots=True)
class SetServerVariables:
    """A rule's server variables become these, in this order; one that stays keeps its element as it is written."""

    name: str
    variables: tuple[ServerVariable, ...]
    location: str = ""


@dataclass(frozen=True, slots=True)
class AddRewriteMap:
    """A new rewrite map with its entries (its own ``location`` says where)."""

    map: RewriteMap


@dataclass(frozen=True, slots=True)
class RemoveRewriteMap:
    """A rewrite map goes."""

    name: str
    location: str = ""


@dataclass(frozen=True, slots=True)
class SetMapEntry:
    """One key of a rewrite map; a value of None takes the key away."""

    map: str
    key: str
    value: str | None
    location: str = ""


# -- sites and pools -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AddSite:
    """A new site with bindings and applications; its id must be chosen."""

    site: Site


@dataclass(frozen=True, slots=True)
class RemoveSite:
    """A site goes; its ``<location>`` blocks need ``RemoveLocation`` (arr.md 3.3)."""

    name: str


@dataclass(frozen=True, slots=True)
class SetSite:
    """Settings of a site: "server_auto_start"."""

    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class AddBinding:
    """A new binding of a site."""

    site: str
    binding: Binding


@dataclass(frozen=True, slots=True)
class RemoveBinding:
    """A binding leaves a site."""

    site: str
    binding: Binding


@dataclass(frozen=True, slots=True)
class AddApplication:
    """A new application of a site."""

    site: str
    application: Application


@dataclass(frozen=True, slots=True)
class RemoveApplication:
    """An application leaves a site."""

    site: str
    path: str


@dataclass(frozen=True, slots=True)
class SetApplication:
    """Settings of an application: "pool", "preload_enabled", "enabled_protocols"."""

    site: str
    path: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class SetVirtualDirectory:
    """Settings of a virtual directory: "physical_path"."""

    site: str
    application: str
    path: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class AddPool:
    """A new application pool; ``managed_runtime_version`` is always written (arr.md hazard 32)."""

    pool: ApplicationPool


@dataclass(frozen=True, slots=True)
class RemovePool:
    """A pool goes."""

    name: str


@dataclass(frozen=True, slots=True)
class SetPool:
    """Settings of a pool: "auto_start", "process_model.idle_timeout", "recycling.periodic_restart_time", ..."""

    name: str
    settings: Settings


@dataclass(frozen=True, slots=True)
class CopyIdentity:
    """The identity (type, user name, password as stored) of one pool becomes another's. Never by a command line."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class CopyLocation:
    """Every ``<location path="source...">`` block again for ``target`` (a cloned site's settings)."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class RemoveLocation:
    """Every ``<location>`` block of this path and below goes."""

    path: str


@dataclass(frozen=True, slots=True)
class Patch:
    """One exact piece of text put in place of another inside an element; made by ``ApplicationHost.apply`` only.

    ``anchor`` is an element path as errors print it; ``offset`` counts characters from the start of that element's
    text to ``old``, which becomes ``new``. ``before`` and ``after`` stand around it and must read so still.
    """

    anchor: str
    offset: int
    old: str
    new: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Undo:
    """The inverse of a change as the text knows it.

    ``patches`` put the very bytes back, as long as the places still read as they were left; where they do not
    (a foreign edit since), and on targets that have no text, ``changes`` say the same in words.
    """

    patches: tuple[Patch, ...]
    changes: tuple[ConfigChange, ...]


FarmChange = AddFarm | RemoveFarm | SetFarm | AddServer | RemoveServer | SetServer | SetProxy | SetWebFarms
RuleChange = AddRule | RemoveRule | MoveRule | SetRule | SetConditions | SetServerVariables
MapChange = AddRewriteMap | RemoveRewriteMap | SetMapEntry
SiteChange = AddSite | RemoveSite | SetSite | AddBinding | RemoveBinding
ApplicationChange = AddApplication | RemoveApplication | SetApplication | SetVirtualDirectory
PoolChange = AddPool | RemovePool | SetPool | CopyIdentity
ConfigChange = (
    FarmChange
    | RuleChange
    | MapChange
    | SiteChange
    | ApplicationChange
    | PoolChange
    | CopyLocation
    | RemoveLocation
    | Undo
)
