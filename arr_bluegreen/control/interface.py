"""What a machine can be asked and told. The sequence knows these Protocols and no adapter.

``state`` and ``healthy`` are run time (ARR's memory), ``enabled`` and every other setting configuration (the file).
Unknown is None. Every method may raise ``UnreachableError`` (``maybe_done``: the act may have happened),
``RemoteError`` or ``CapabilityMissing``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from arr_bluegreen.webfarm import FarmStatus, HealthTest, NewState, Proxy, RewriteMap, RuleList, WebFarm
    from arr_bluegreen.webfarm.change import ConfigChange
    from arr_bluegreen.webfarm.site import ApplicationPool, PoolStatus, Site, SiteStatus


class Capability(Enum):
    """What a machine's controls can do; the planner asks before anything is touched."""

    READ_CONFIG = "read the configuration"
    WRITE_CONFIG = "write the configuration"
    RUN_TIME = "read and set run-time state"
    SITES = "start and stop sites and pools"
    FILES = "read and write files"
    PROBE = "make HTTP requests from the machine"
    REQUEST_MONITOR = "list requests in flight per pool"


# -- run time ------------------------------------------------------------------------------------------


class FarmControl(Protocol):
    """One farm's run time on one ARR machine (or several, see ``nodes``)."""

    @property
    def farm(self) -> str:
        """The farm's name."""

    def status(self) -> FarmStatus:
        """The farm now; raises ``NoSuchObject`` when there is no such farm."""

    def set_state(self, states: Mapping[str, NewState]) -> None:
        """SetState for each address, in the order given. No configuration is written."""

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        """SetHealthy (True) or SetUnhealthy (False) for each address."""

    def test_health(
        self, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's own one-off test of a server. None of the arguments is inherited from the farm (issue 5)."""

    def remove_mapping(self, address: str) -> None:
        """Host-name affinity mappings to this server are removed (arr.md 5.5)."""


# -- configuration ---------------------------------------------------------------------------------------

class Configuration(Protocol):
    """The configuration as words. ``ApplicationHost`` is one. ``digest`` is the sha256 of its bytes, hex."""

    @property
    def digest(self) -> str: ...
    @property
    def farms(self) -> tuple[WebFarm, ...]: ...
    @property
    def rule_lists(self) -> tuple[RuleList, ...]: ...
    @property
    def rewrite_maps(self) -> tuple[RewriteMap, ...]: ...
    @property
    def proxy(self) -> Proxy: ...
    @property
    def sites(self) -> tuple[Site, ...]: ...
    @property
    def pools(self) -> tuple[ApplicationPool, ...]: ...
    @property
    def default_site(self) -> Site: ...
    def farm(self, name: str) -> WebFarm:
        """The farm of this name (without case); raises ``NoSuchObject`` naming the ones there."""


@dataclass(frozen=True, slots=True)
class Commit:
    """What ``apply`` did: how often it wrote (0: nothing differed), the changes that undo it, the digest after."""

    commits: int
    inverse: tuple[ConfigChange, ...]
    digest: str = ""


class ConfigControl(Protocol):
    """applicationHost.config on one machine. Many changes, one commit."""

    def read(self) -> Configuration:
        """The configuration as it is now."""

    def apply(self, changes: Sequence[ConfigChange]) -> Commit:
        """All changes or none, read back and compared. What already holds is not written again."""


# -- sites, pools -------------------------------------------------------------------------------------------


class SiteControl(Protocol):
    """Sites and pools as running. None of these verbs writes configuration (arr.md 3.1, 3.2)."""

    def sites(self) -> tuple[SiteStatus, ...]:
        """Every site with its state."""

    def pools(self, names: Sequence[str] = ()) -> tuple[PoolStatus, ...]:
        """The named pools (all, when none is named) with state, worker processes, and requests in flight."""

    def start_site(self, name: str) -> None:
        """Start; a started site stays started."""

    def stop_site(self, name: str) -> None:
        """Stop: closes its listeners; running requests go on (arr.md 3.1)."""

    def start_pool(self, name: str) -> None:
        """Start; a started pool stays started."""

    def stop_pool(self, name: str) -> None:
        """Stop gracefully; killed after the pool's shutdown time limit (arr.md 3.2)."""

    def recycle_pool(self, name: str) -> None:
        """Recycle: a new worker process."""


# -- files ------------------------------------------------------------------------------------------------


class RecordStore(Protocol):
    """Our small records of one farm on one machine, by plain file names (``%ProgramData%\\arr-bluegreen\\<farm>``)."""

    def read(self, name: str) -> str | None:
        """The text, or None when there is no such record."""

    def write(self, name: str, text: str) -> None:
        """Written whole or not at all."""

    def create(self, name: str, text: str) -> bool:
        """Created exclusively: False when the record was there."""

    def replace(self, name: str, expected: str, text: str) -> bool:
        """Compare and swap: False when the record no longer reads ``expected``."""

    def delete(self, name: str, expected: str | None = None) -> bool:
        """Removed (only while it reads ``expected``, if given); False when it was not there or reads otherwise."""

    def names(self) -> tuple[str, ...]:
        """The records there are, sorted."""


@dataclass(frozen=True, slots=True)
class FolderDigest:
    """What a folder holds: files, bytes, and one sha256 over sorted relative names and contents (hex)."""

    files: int
    bytes: int
    digest: str


class FileControl(Protocol):
    """Files and folders of the machine by absolute path (in the machine's own notation)."""

    def read_text(self, path: str) -> str | None:
        """Text (at most 4 MB; a byte order mark stays), or None when there is no file. Not UTF-8: ``UsageError``."""

    def write_text(self, path: str, text: str) -> None:
        """Written whole or not at all; missing folders are made."""

    def delete_file(self, path: str) -> None:
        """Gone afterwards, also when it was not there."""

    def folder_exists(self, path: str) -> bool:
        """Whether there is a folder of this path."""

    def digest_folder(self, path: str) -> FolderDigest | None:
        """Count and digest of a folder's content, None when there is no such folder."""

    def copy_folder(self, source: str, target: str) -> FolderDigest:
        """A folder of the machine copied to a new one, whole or not at all."""

    def expand_zip(self, source: str, target: str) -> FolderDigest:
        """A zip of the machine expanded to a new folder, whole or not at all, under the rules of a safe extract."""

    def check_zip(self, source: str) -> None:
        """A zip of the machine read whole under the same rules, nothing written; raises what ``expand_zip`` raises."""

    def upload(self, source: str, target: str) -> None:
        """A local file put on the machine (winrm: up to a stated size)."""

    def delete_folder(self, path: str) -> None:
        """Gone afterwards, with all below it."""

    def hosts_entries(self, owner: str | None = None) -> tuple[tuple[str, str], ...]:
        """(IP address, name) of each line in order, a line's names singly; with ``owner`` only lines marked as its."""

    def set_hosts_entries(self, owner: str, entries: Sequence[tuple[str, str]]) -> bool:
        """Lines ending in ``# owner`` become exactly these; a backup first, other bytes stay. True when written."""


# -- probe --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ProbeRequest:
    """One HTTP request to make on that machine: no proxy, no redirect followed.

    ``url`` says where to connect (scheme, address, port, path); ``host`` is the Host header (and SNI) to send.
    """

    url: str
    host: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    timeout: timedelta = timedelta(seconds=5)
    verify_tls: bool = False


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The answer: status 0 and ``error`` when there was none. ``text`` is at most the first 64 kB of the body."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""
    seconds: float = 0.0
    error: str = ""

    def header(self, name: str) -> str:
        """The first header of this name (without case), "" when there is none."""
        wanted = name.casefold()
        return next((value for key, value in self.headers if key.casefold() == wanted), "")


class Probe(Protocol):
    """HTTP requests made on the machine itself: slot addresses are its loopback."""

    def ask(self, requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        """One answer per request, in order; a request that fails is an answer with ``error``, never an exception."""


# -- the machine ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What a machine is; None where it could not be learned."""

    name: str
    now: datetime
    is_64_bit: bool | None = None
    elevated: bool | None = None
    arr_installed: bool | None = None
    rewrite_installed: bool | None = None
    request_monitor: bool | None = None
    redirected_to: str | None = None
    aspnetcore_module: str | None = None
    listening_ports: tuple[int, ...] | None = None
    reserved_ports: tuple[tuple[int, int], ...] | None = None


class Machine(Protocol):
    """All hands on one machine. ``name`` is how the user called it."""

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> frozenset[Capability]: ...
    @property
    def config(self) -> ConfigControl: ...
    @property
    def sites(self) -> SiteControl: ...
    @property
    def files(self) -> FileControl: ...
    @property
    def probe(self) -> Probe: ...
    def farm(self, name: str, front: Sequence[str] = ()) -> FarmControl:
        """The run time of a farm; ``front`` names the front sites, whose pools' workers hold ARR's state."""

    def records(self, farm: str) -> RecordStore:
        """Our records of a farm on this machine."""

    def facts(self) -> MachineFacts:
        """What the machine is."""

    def close(self) -> None:
        """Let go of shells and connections."""


@dataclass(frozen=True, slots=True)
class ApplicationFacts:
    """What a folder's web.config says of ASP.NET Core (arr.md 5.8); None where it could not be learned.

    ``disallow_rotation`` is ``handlerSetting disallowRotationOnConfigChange``: the setting, not whether it works.
    """

    path: str
    asp_net_core: bool | None = None
    in_process: bool | None = None
    disallow_rotation: bool = False
    module_version: str | None = None


@runtime_checkable
class ApplicationReader(Protocol):
    """A ``Machine`` that can tell (script ``web_config``). One that is none of these leaves it unknown."""

    def applications(self, paths: Sequence[str]) -> tuple[ApplicationFacts, ...]:
        """The facts of each folder, in order."""


# -- the controller's own ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended: exit code (None: timed out and killed), and the tail of its output."""

    exit_code: int | None
    output: str = ""


class CommandRunner(Protocol):
    """Commands on the controller (hooks)."""

    def run(
        self, command: Sequence[str], stdin: str, environment: Mapping[str, str], timeout: timedelta
    ) -> CommandResult:
        """Run to the end or to the timeout."""


class Clock(Protocol):
    """Time, so that tests need not wait for it."""

    def now(self) -> datetime:
        """UTC, aware."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
