"""The schema of sites and application pools, where a field's own name and type do not say it (arr.md 3.1, 3.2)."""

from __future__ import annotations

from typing import Any

from arr_bluegreen.apphost.values import NON_EMPTY, Kind, Type, number, one_of, span
from arr_bluegreen.webfarm.site import (
    Application,
    ApplicationPool,
    Binding,
    FailedRequestTracing,
    Failure,
    ProcessModel,
    Recycling,
    Site,
    SiteLimits,
    VirtualDirectory,
)

_WAS_SPAN = span(1, 4294967)
PATHS: dict[tuple[type[Any], str], tuple[str, ...]] = {
    (Site, "limits"): ("limits",),
    (Site, "failed_request_tracing"): ("traceFailedRequestsLogging",),
    (ApplicationPool, "process_model"): ("processModel",),
    (ApplicationPool, "recycling"): ("recycling",),
    (ApplicationPool, "failure"): ("failure",),
    (Recycling, "periodic_restart_time"): ("periodicRestart",),
    (Recycling, "periodic_restart_memory"): ("periodicRestart",),
    (Recycling, "periodic_restart_private_memory"): ("periodicRestart",),
    (Recycling, "periodic_restart_requests"): ("periodicRestart",),
}
NAMES: dict[tuple[type[Any], str], str] = {
    (Binding, "information"): "bindingInformation",
    (Application, "pool"): "applicationPool",
    (FailedRequestTracing, "max_log_file_size_kb"): "maxLogFileSizeKB",
    (ApplicationPool, "clr_config_file"): "CLRConfigFile",
    (Recycling, "periodic_restart_time"): "time",
    (Recycling, "periodic_restart_memory"): "memory",
    (Recycling, "periodic_restart_private_memory"): "privateMemory",
    (Recycling, "periodic_restart_requests"): "requests",
}
TYPES: dict[tuple[type[Any], str], Type] = {
    (Binding, "protocol"): NON_EMPTY,
    (Binding, "information"): NON_EMPTY,
    (Application, "pool"): NON_EMPTY,
    (VirtualDirectory, "logon_method"): one_of("Interactive", "Batch", "Network", "ClearText"),
    (SiteLimits, "max_bandwidth"): number(0, 1023, exclude=True),
    (SiteLimits, "connection_timeout"): span(0, 65535),
    (SiteLimits, "max_url_segments"): number(0, 16383),
    (FailedRequestTracing, "max_log_files"): number(1, 10000),
    (FailedRequestTracing, "max_log_file_size_kb"): number(0, 1048576),
    (ApplicationPool, "queue_length"): number(10, 65535),
    (ApplicationPool, "managed_pipeline_mode"): one_of("Integrated", "Classic"),
    (ApplicationPool, "start_mode"): one_of("OnDemand", "AlwaysRunning"),
    (ProcessModel, "identity_type"): one_of(
        "LocalSystem", "LocalService", "NetworkService", "SpecificUser", "ApplicationPoolIdentity"
    ),
    (ProcessModel, "logon_type"): one_of("LogonBatch", "LogonService"),
    (ProcessModel, "idle_timeout"): span(0, 2592000, 60),
    (ProcessModel, "idle_timeout_action"): one_of("Terminate", "Suspend"),
    (ProcessModel, "max_processes"): number(0, 2147483647),
    (ProcessModel, "shutdown_time_limit"): _WAS_SPAN,
    (ProcessModel, "startup_time_limit"): _WAS_SPAN,
    (ProcessModel, "ping_interval"): _WAS_SPAN,
    (ProcessModel, "ping_response_time"): _WAS_SPAN,
    (ProcessModel, "log_event_on_process_model"): Type(Kind.FLAGS, names=("IdleTimeout",)),
    (Recycling, "periodic_restart_time"): span(0, 25920000, 60),
    (Recycling, "log_event_on_recycle"): Type(
        Kind.FLAGS,
        names=("Time", "Requests", "Schedule", "Memory", "IsapiUnhealthy", "OnDemand", "ConfigChange", "PrivateMemory"),
    ),
    (Failure, "load_balancer_capabilities"): one_of("TcpLevel", "HttpLevel"),
    (Failure, "rapid_fail_protection_interval"): span(60, 8640000, 60),
    (Failure, "rapid_fail_protection_max_crashes"): number(1, 2147483647),
}
SCHEDULE = span(0, 86399, 60)
"""``schedule/add/@value``: a time of day in whole minutes."""
