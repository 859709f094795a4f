"""What can be done to a simulated machine from outside while it runs: faults and an admin's acts, each as one text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

from arr_bluegreen.errors import UsageError
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import take
from arr_bluegreen.webfarm import NewState

T = TypeVar("T")
HOST_FAULTS = {
    "recycle": "recycle:pool=NAME (without a pool: ARR's own, all run-time state is lost)",
    "kill": "kill:pool=NAME, its worker process crashes and cuts its requests",
    "start-pool": "start-pool:pool=NAME",
    "stop-pool": "stop-pool:pool=NAME",
    "start-site": "start-site:site=NAME",
    "stop-site": "stop-site:site=NAME",
    "reboot": "reboot, as iisreset does",
    "drop-connections": "drop-connections, every HTTP connection to the machine is reset",
    "late-answers": "late-answers:seconds=N, whatever the machine itself asks (probes) is answered late",
    "state": "state:farm=NAME,address=A,to=Start|Drain|GracefulStop|ForcefulStop, as an admin would",
    "set": "set:NAME=VALUE, a setting of the simulator",
}


def is_host_fault(text: str) -> bool:
    """Whether ``do_fault`` knows this text's name."""
    return text.partition(":")[0] in HOST_FAULTS


def do_fault(host: SimulatedHost, text: str, drop_connections: Callable[[], int] = lambda: 0) -> str:
    """Do it now; returns what was done. Raises ``UsageError`` and ``NoSuchObject``."""
    name, _, rest = text.partition(":")
    if name not in HOST_FAULTS:
        raise UsageError(f"no simulator fault '{name}'", hint=f"There: {', '.join(HOST_FAULTS)}.")
    options = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    iis = host.iis
    match name:
        case "recycle" | "kill":
            act = iis.recycle_pool if name == "recycle" else iis.kill_pool
            pools = [options["pool"]] if "pool" in options else list(host.arr.front_pools())
            for pool in pools:
                act(pool)
            return f"{name} {', '.join(pools)}"
        case "start-pool" | "stop-pool":
            act = iis.start_pool if name == "start-pool" else iis.stop_pool
            act(_needed(options, "pool", name))
        case "start-site" | "stop-site":
            act = iis.start_site if name == "start-site" else iis.stop_site
            act(_needed(options, "site", name))
        case "reboot":
            iis.reboot()
        case "drop-connections":
            return f"dropped {drop_connections()} connections"
        case "late-answers":
            host.exchange.delay_next_asks = _read(options, "seconds", name, float)
        case "state":
            state = _read(options, "to", name, NewState)
            host.arr.set_state(_needed(options, "farm", name), {_needed(options, "address", name): state})
        case _:
            take(host.settings, options)
    return text


def told(host: SimulatedHost) -> dict[str, Any]:
    """The machine's state as JSON values, for ``simulator show``."""
    reading = host.config.reading
    return {
        "computer": host.settings.computer,
        "settings": asdict(host.settings),
        "digest": host.config.digest,
        "broken": host.config.broken,
        "sites": [{"name": one.name, "state": one.state.value} for one in host.iis.sites()],
        "pools": [
            {
                "name": one.name,
                "state": one.state.value,
                "workers": [{"pid": w.pid, "started": w.started.isoformat()} for w in one.workers],
                "requests": one.requests,
            }
            for one in host.iis.pools()
        ],
        "farms": [_farm(host, one.name) for one in reading.farms],
        "ports": [{"ip": ip, "port": port, "real": real} for ip, port, real in host.net.places()],
    }


# -- private ---------------------------------------------------------------------------------------------


def _needed(options: dict[str, str], key: str, name: str) -> str:
    if key not in options:
        raise UsageError(f"the simulator fault '{name}' needs {key}", hint=HOST_FAULTS[name])
    return options[key]


def _read(options: dict[str, str], key: str, name: str, kind: Callable[[str], T]) -> T:
    text = _needed(options, key, name)
    try:
        return kind(text)
    except ValueError as error:
        raise UsageError(f"in the simulator fault '{name}' {key} is '{text}'", hint=HOST_FAULTS[name]) from error


def _farm(host: SimulatedHost, name: str) -> dict[str, Any]:
    status = host.arr.status(name)
    return {
        "name": name,
        "enabled": status.farm.enabled,
        "in_service": list(host.arr.in_service(name)),
        "servers": [
            {
                "address": server.address,
                "enabled": server.enabled,
                "state": running.state.value if running.state else None,
                "is_healthy": running.is_healthy,
                "current_requests": running.current_requests,
                "current_web_socket_requests": running.current_web_socket_requests,
                "total_requests": running.total_requests,
                "failed_requests": running.failed_requests,
            }
            for server in status.farm.servers
            for running in [status.server(server.address)]
        ],
    }
