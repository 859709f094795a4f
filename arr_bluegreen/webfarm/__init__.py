"""The words of this field as frozen values: farms, rules, sites, pools, as configured and running. No I/O, no XML."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.farm import (
        Affinity,
        AffinityHost,
        Cache,
        FarmProtocol,
        HealthCheck,
        LoadBalancing,
        Server,
        WebFarm,
    )
    from arr_bluegreen.webfarm.proxy import Proxy
    from arr_bluegreen.webfarm.rule import (
        FIRST,
        LAST,
        Action,
        Condition,
        Match,
        Position,
        RewriteMap,
        Rule,
        RuleList,
        ServerVariable,
        Where,
    )
    from arr_bluegreen.webfarm.site import (
        Application,
        ApplicationPool,
        Binding,
        FailedRequestTracing,
        Failure,
        PoolStatus,
        ProcessModel,
        Recycling,
        RunState,
        Site,
        SiteLimits,
        SiteStatus,
        VirtualDirectory,
    )
    from arr_bluegreen.webfarm.state import (
        READS_BACK,
        FarmStatus,
        HealthTest,
        NewState,
        ServerState,
        ServerStatus,
        TestResult,
        WorkerProcess,
        certainly_receives,
        counts_as_healthy,
        receives_new,
    )
    from arr_bluegreen.webfarm.webfarms import WebFarms

__all__ = [
    "FIRST",
    "LAST",
    "READS_BACK",
    "Action",
    "Affinity",
    "AffinityHost",
    "Application",
    "ApplicationPool",
    "Binding",
    "Cache",
    "Condition",
    "FailedRequestTracing",
    "Failure",
    "FarmProtocol",
    "FarmStatus",
    "HealthCheck",
    "HealthTest",
    "LoadBalancing",
    "Match",
    "NewState",
    "PoolStatus",
    "Position",
    "ProcessModel",
    "Proxy",
    "Recycling",
    "RewriteMap",
    "Rule",
    "RuleList",
    "RunState",
    "Server",
    "ServerState",
    "ServerStatus",
    "ServerVariable",
    "Site",
    "SiteLimits",
    "SiteStatus",
    "TestResult",
    "VirtualDirectory",
    "WebFarm",
    "WebFarms",
    "Where",
    "WorkerProcess",
    "certainly_receives",
    "counts_as_healthy",
    "receives_new",
]


def __getattr__(name: str) -> object:
    """Import the file a word lives in when it is first asked for: making all of them takes 20 ms."""
    if name not in __all__:
        raise AttributeError(f"module 'arr_bluegreen.webfarm' has no attribute '{name}'")
    from importlib import import_module

    files = ("farm", "proxy", "rule", "site", "state", "webfarms")
    homes = (import_module(f"arr_bluegreen.webfarm.{file}") for file in files)
    return next(getattr(one, name) for one in homes if hasattr(one, name))
