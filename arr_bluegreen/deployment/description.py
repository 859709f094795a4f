"""deployment.toml as frozen values; ``fixtures/deployment.toml`` is its manual. Reading it is ``description_read``."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from arr_bluegreen.webfarm.setting import FileSettings

By = Literal["state", "health-file", "enabled", "rule", "weights"]
DurableBy = Literal["auto", "enabled", "health-file", "reconcile"]
Writes = Literal["when-safe", "always", "never"]
Then = Literal["wait", "cut", "fail"]


@dataclass(frozen=True, slots=True)
class App:
    """``[app]``: public hosts, the farm, and the front sites by which traffic reaches ARR.

    ``from_site`` is the plain site whose first run makes farm, slots and rules (``deploy init --from-site``).
    """

    name: str
    farm: str
    hosts: tuple[str, ...] = ()
    front: tuple[str, ...] = ()
    from_site: str = ""


@dataclass(frozen=True, slots=True)
class Arr:
    """``[arr]``: the ARR machines (``--on`` overrides), how to reach them; files are PEM, no secrets. ``missing``: what
    one does that cannot be reached (``refuse`` a run, or ``exclude`` it). ``kept_powershell`` False: one per call.
    """

    machines: tuple[str, ...] = ()
    transport: str = "ntlm"
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    certificate_key: str = ""
    proxy: str = ""
    kept_powershell: bool = True
    missing: str = "refuse"


@dataclass(frozen=True, slots=True)
class Member:
    """One farm server with the site, pool and folder behind it. ``machine`` "" is the (first) ARR machine."""

    address: str
    http_port: int
    machine: str = ""
    site: str = ""
    pool: str = ""
    path: str = ""
    health_file: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A named set of members that go in and out of service together. ``farm`` only for ``by = "rule"``."""

    name: str
    members: tuple[Member, ...]
    farm: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """The farm servers' addresses."""
        return tuple(one.address for one in self.members)


@dataclass(frozen=True, slots=True)
class Slots:
    """``[slots]``: a fixed pair, or one slot per release. ``identity``: of a pool that is made, its own account or a
    copy of the other slot's."""

    naming: Literal["pair", "per-release"] = "pair"
    slots: tuple[Slot, ...] = ()
    identity: Literal["own", "copy"] = "own"


@dataclass(frozen=True, slots=True)
class Content:
    """``[content]``: what is put in the idle slot; an empty source: nothing, it is put there by others.

    ``{version}`` in the source is the release. ``settings`` are made in each slot's files; their values may hold
    ``{app}``, ``{slot}``, ``{release}``, ``{address}`` and ``{port}``.
    """

    source: str = ""
    version: str = ""
    settings: tuple[FileSettings, ...] = ()

    def of(self, release: str) -> Content:
        """The same with the release in the source's place for it, where one is named."""
        return replace(self, source=self.source.replace("{version}", release)) if release else self


@dataclass(frozen=True, slots=True)
class WarmUp:
    """``[warm_up]``: each path is asked until it answered well ``times`` times in a row, within the deadline.

    A path may name its own method (``POST /fill``). ``concurrency`` 0: all of a machine's at once.
    """

    paths: tuple[str, ...] = ("/",)
    method: str = "GET"
    host: str = ""
    status: str = "200-399"
    text: str = ""
    times: int = 1
    every: timedelta = timedelta(seconds=1)
    within: timedelta = timedelta(seconds=120)
    timeout: timedelta = timedelta(seconds=30)
    concurrency: int = 0
    slower_than: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """``[gate]``: ``passes`` good answers in a row that name the new version; then ARR's own eyes."""

    version_url: str = "/"
    version_header: str = ""
    version_json: str = ""
    version_text: str = ""
    status: str = "200"
    passes: int = 3
    every: timedelta = timedelta(seconds=0.5)
    within: timedelta = timedelta(seconds=60)
    timeout: timedelta = timedelta(seconds=5)
    slower_than: timedelta | None = None
    health_url: str = ""
    health_passes: int = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a canary: the share of new requests, and how long it is held and judged."""

    percent: int
    hold: timedelta


@dataclass(frozen=True, slots=True)
class Switch:
    """``[switch]``: what makes the new slot live."""

    by: By = "state"
    stages: tuple[Stage, ...] = ()
    up: str = "up"
    down: str = "down"
    within: timedelta = timedelta(seconds=120)
    prove: bool = True
    rule: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True)
class Durable:
    """``[durable]``: what keeps it live when ARR's worker process restarts; ``auto``: enabled where that is safe."""

    by: DurableBy = "auto"


@dataclass(frozen=True, slots=True)
class Drain:
    """``[drain]``: how long the old slot may finish, and what then."""

    sessions: Literal["move", "keep"] = "move"
    sessions_within: timedelta = timedelta(seconds=1200)
    within: timedelta = timedelta(seconds=60)
    web_sockets_within: timedelta | None = None
    quiet: timedelta = timedelta(seconds=2)
    every: timedelta = timedelta(seconds=0.5)
    then: Then = "cut"


@dataclass(frozen=True, slots=True)
class Bake:
    """``[bake]``: how long, and by what, the new slot is judged after the switch."""

    time: timedelta = timedelta(seconds=0)
    url: str = ""
    status: str = "200-399"
    every: timedelta = timedelta(seconds=1)
    failures: int = 3
    command: tuple[str, ...] = ()
    command_timeout: timedelta = timedelta(seconds=60)
    on_fail: Literal["return", "hold"] = "return"


@dataclass(frozen=True, slots=True)
class Retire:
    """``[retire]``: how many earlier releases are kept (the previous one among them), for how long an old one is kept
    warm before it may stop or go, and whether kept ones beyond the previous are stopped. ``in_run``: the table is
    there, so that a run retires what is due as its last step; ``deploy retire`` does the same at any time."""

    keep: int = 1
    after: timedelta = timedelta(seconds=0)
    stop: bool = True
    in_run: bool = False


@dataclass(frozen=True, slots=True)
class Hook:
    """One command before or after a phase; ``ignore_failure`` says that its failure does not count."""

    when: str
    command: tuple[str, ...]
    timeout: timedelta = timedelta(seconds=60)
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class Approval:
    """``[approval]``: the run stops before ``before`` and waits for ``deploy resume``; then ``otherwise``."""

    before: str
    within: timedelta
    otherwise: Literal["hold", "return", "go-on"] = "hold"


@dataclass(frozen=True, slots=True)
class Deployment:
    """The whole description. ``text`` is what was read, ``folder`` where it lay (content paths are relative to it)."""

    app: App
    slots: Slots
    arr: Arr = field(default_factory=Arr)
    writes: Writes = "when-safe"
    seen_within: timedelta = timedelta(seconds=60)
    """Shared configuration: how long every ARR machine gets to see a commit."""
    floor: int = 1
    content: Content = field(default_factory=Content)
    warm_up: WarmUp = field(default_factory=WarmUp)
    gate: Gate = field(default_factory=Gate)
    switch: Switch = field(default_factory=Switch)
    durable: Durable = field(default_factory=Durable)
    drain: Drain = field(default_factory=Drain)
    bake: Bake = field(default_factory=Bake)
    retire: Retire = field(default_factory=Retire)
    hooks: tuple[Hook, ...] = ()
    approvals: tuple[Approval, ...] = ()
    text: str = field(default="", compare=False)
    folder: str = field(default="", compare=False)

    def slot(self, name: str) -> Slot:
        """The slot of this name; raises ``NoSuchObject`` naming the ones there."""
        from arr_bluegreen.errors import NoSuchObject

        wanted = name.casefold()
        for one in self.slots.slots:
            if one.name.casefold() == wanted:
                return one
        raise NoSuchObject("slot", name, tuple(one.name for one in self.slots.slots), where="the deployment")

    def hook(self, when: str) -> tuple[Hook, ...]:
        """The hooks of one moment, such as ``before_switch``."""
        return tuple(one for one in self.hooks if one.when == when)
