"""Sites and application pools as configured (arr.md 3.1, 3.2) and as running (arr.md 3.2, run-time additions)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from arr_bluegreen.webfarm.farm import seconds
from arr_bluegreen.webfarm.state import WorkerProcess


@dataclass(frozen=True, slots=True)
class Binding:
    """``site/bindings/binding``. http and https information is ``IP:PORT:HOST``; ssl_flags is opaque (arr.md 3.1)."""

    protocol: str
    information: str
    ssl_flags: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the site's other bindings, without case: the combined key (arr.md 3.1)."""
        return self.protocol.casefold(), self.information.casefold()

    @property
    def address(self) -> str:
        """The IP part (``*`` for all, ``[::1]`` for IPv6), "" when the binding has none."""
        return self.information.rsplit(":", 2)[0] if self.information.count(":") >= 2 else ""

    @property
    def port(self) -> int | None:
        """The TCP port of an http, https, ftp or net.tcp binding; None when it has none."""
        parts = self.information.rsplit(":", 2)
        text = parts[1] if len(parts) == 3 else parts[0]
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def host(self) -> str:
        """The host-header part, "" when any host will do."""
        return self.information.rsplit(":", 2)[2] if self.information.count(":") >= 2 else ""


@dataclass(frozen=True, slots=True)
class VirtualDirectory:
    """``application/virtualDirectory``."""

    path: str = "/"
    physical_path: str = ""
    user_name: str = ""
    logon_method: str = "ClearText"
    allow_sub_dir_config: bool = True


@dataclass(frozen=True, slots=True)
class Application:
    """``site/application``."""

    path: str = "/"
    pool: str = ""
    enabled_protocols: str = "http"
    preload_enabled: bool = False
    virtual_directories: tuple[VirtualDirectory, ...] = ()
    service_auto_start_enabled: bool = False
    service_auto_start_provider: str = ""


@dataclass(frozen=True, slots=True)
class SiteLimits:
    """``site/limits``: bytes per second, connections, and the idle time of a connection."""

    max_bandwidth: int = 4294967295
    max_connections: int = 4294967295
    connection_timeout: timedelta = seconds(120)
    max_url_segments: int = 32


@dataclass(frozen=True, slots=True)
class FailedRequestTracing:
    """``site/traceFailedRequestsLogging``."""

    enabled: bool = False
    directory: str = "%SystemDrive%\\inetpub\\logs\\FailedReqLogFiles"
    max_log_files: int = 50
    max_log_file_size_kb: int = 1024
    custom_actions_enabled: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """``sites/site``; ``id`` 0 means not chosen yet (only before it is added)."""

    name: str
    id: int = 0
    server_auto_start: bool = True
    bindings: tuple[Binding, ...] = ()
    applications: tuple[Application, ...] = ()
    limits: SiteLimits = field(default_factory=SiteLimits)
    failed_request_tracing: FailedRequestTracing = field(default_factory=FailedRequestTracing)

    @property
    def pool(self) -> str:
        """The pool of the root application, "" when there is none."""
        return next((one.pool for one in self.applications if one.path == "/"), "")

    @property
    def physical_path(self) -> str:
        """The root application's root folder, "" when there is none."""
        roots = (v for a in self.applications if a.path == "/" for v in a.virtual_directories if v.path == "/")
        return next((one.physical_path for one in roots), "")


@dataclass(frozen=True, slots=True)
class ProcessModel:
    """``add/processModel``. The password is never read into a word."""

    identity_type: str = "ApplicationPoolIdentity"
    user_name: str = ""
    load_user_profile: bool = False
    idle_timeout: timedelta = seconds(1200)
    idle_timeout_action: str = "Terminate"
    max_processes: int = 1
    shutdown_time_limit: timedelta = seconds(90)
    startup_time_limit: timedelta = seconds(90)
    pinging_enabled: bool = True
    ping_interval: timedelta = seconds(30)
    ping_response_time: timedelta = seconds(90)
    set_profile_environment: bool = True
    logon_type: str = "LogonBatch"
    manual_group_membership: bool = False
    log_event_on_process_model: str = "IdleTimeout"


@dataclass(frozen=True, slots=True)
class Recycling:
    """``add/recycling`` with its ``periodicRestart``; memory in KB, 0 = off."""

    disallow_overlapping_rotation: bool = False
    disallow_rotation_on_config_change: bool = False
    periodic_restart_time: timedelta = timedelta(hours=29)
    periodic_restart_memory: int = 0
    periodic_restart_private_memory: int = 0
    periodic_restart_requests: int = 0
    schedule: tuple[timedelta, ...] = ()
    log_event_on_recycle: str = (
        "Time, Requests, Schedule, Memory, IsapiUnhealthy, OnDemand, ConfigChange, PrivateMemory"
    )


@dataclass(frozen=True, slots=True)
class Failure:
    """``add/failure``: rapid-fail protection."""

    rapid_fail_protection: bool = True
    rapid_fail_protection_interval: timedelta = seconds(300)
    rapid_fail_protection_max_crashes: int = 5
    load_balancer_capabilities: str = "HttpLevel"
    orphan_worker_process: bool = False
    orphan_action_exe: str = ""
    orphan_action_params: str = ""
    auto_shutdown_exe: str = ""
    auto_shutdown_params: str = ""


@dataclass(frozen=True, slots=True)
class ApplicationPool:
    """``applicationPools/add``. An empty ``managed_runtime_version`` is "No Managed Code" (arr.md 3.2)."""

    name: str
    auto_start: bool = True
    start_mode: str = "OnDemand"
    managed_runtime_version: str = ""
    managed_pipeline_mode: str = "Integrated"
    enable32_bit_app_on_win64: bool = False
    queue_length: int = 1000
    process_model: ProcessModel = field(default_factory=ProcessModel)
    recycling: Recycling = field(default_factory=Recycling)
    failure: Failure = field(default_factory=Failure)
    environment_variables: tuple[tuple[str, str], ...] = ()
    managed_runtime_loader: str = "webengine4.dll"
    enable_configuration_override: bool = True
    clr_config_file: str = ""
    pass_anonymous_token: bool = True


class RunState(Enum):
    """The run-time state of a site or pool (arr.md 3.1)."""

    STARTING = "Starting"
    STARTED = "Started"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """One site as running."""

    name: str
    id: int
    state: RunState


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """One pool as running; ``requests`` in flight is None where Request Monitor is missing (arr.md 6)."""

    name: str
    state: RunState
    workers: tuple[WorkerProcess, ...] = ()
    requests: int | None = None
