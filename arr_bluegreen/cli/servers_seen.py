"""Servers as one flat record each: configuration always, run time where the machine has it (else null)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from arr_bluegreen.cli.target import has_run_time
from arr_bluegreen.control.interface import Configuration, Machine
from arr_bluegreen.webfarm.farm import Server, WebFarm
from arr_bluegreen.webfarm.state import FarmStatus, receives_new

_CONFIGURED = {"farm": "farm", "address": "address", "enabled": "enabled", "http_port": "port", "weight": "weight"}
_RUNNING = {
    "state": "state",
    "is_healthy": "healthy",
    "in_service": "in service",
    "current_requests": "in flight",
    "total_requests": "total",
}


def seen_servers(machine: Machine, configuration: Configuration, farm: str | None = None) -> list[dict[str, Any]]:
    """One record per server: ``machine``, ``farm``, the fields of ``Server``, ``in_service``, then ``ServerStatus``."""
    farms = [configuration.farm(farm)] if farm else list(configuration.farms)
    return [record for one in farms for record in _records(machine, one)]


def columns(*, run_time: bool, several: bool) -> list[str]:
    """The heads of the table's columns."""
    return [*(["machine"] if several else []), *_CONFIGURED.values(), *(_RUNNING.values() if run_time else [])]


def rows(seen: Sequence[dict[str, Any]], *, run_time: bool, several: bool) -> list[list[object]]:
    """The rows under ``columns``."""
    keys = [*(["machine"] if several else []), *_CONFIGURED, *(_RUNNING if run_time else [])]
    return [[one[key] for key in keys] for one in seen]


# -- private -------------------------------------------------------------------------------------------


def _records(machine: Machine, farm: WebFarm) -> list[dict[str, Any]]:
    status = machine.farm(farm.name).status() if has_run_time(machine) else None
    known = status.farm if status is not None else farm
    return [_record(machine.name, known, one, status) for one in known.servers]


def _record(machine: str, farm: WebFarm, server: Server, status: FarmStatus | None) -> dict[str, Any]:
    running = status.server(server.address) if status is not None else None
    return {
        "machine": machine,
        "farm": farm.name,
        **asdict(server),
        "in_service": receives_new(server, status) if status is not None else None,
        "state": running.state.value if running is not None and running.state is not None else None,
        "is_healthy": running.is_healthy if running is not None else None,
        "current_requests": running.current_requests if running is not None else None,
        "current_web_socket_requests": running.current_web_socket_requests if running is not None else None,
        "total_requests": running.total_requests if running is not None else None,
        "failed_requests": running.failed_requests if running is not None else None,
    }
