"""The run-time verbs of ``server``: ARR's states and health, which it forgets when its process restarts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from arr_bluegreen.cli.floor import add_floor, keep_floor, server_of
from arr_bluegreen.cli.options import Parser, Run, verb
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines, need_run_time
from arr_bluegreen.control.interface import Machine
from arr_bluegreen.control.nodes import FarmNodes, each
from arr_bluegreen.errors import ExitCode, RefusedError, UsageError
from arr_bluegreen.webfarm.state import NewState, TestResult


def add_state_verbs(verbs: Any) -> None:
    """available, drain, unavailable, healthy, unhealthy, test-health."""
    _several(verbs, "available", "run time: gets requests again (Start)", _available)
    add_floor(_several(verbs, "drain", "run time: no new clients; those with an affinity cookie stay (Drain)", _drain))
    one = _several(verbs, "unavailable", "run time: no requests; those in flight finish (GracefulStop)", _unavailable)
    one.add_argument("--now", action="store_true", help="ForcefulStop: requests in flight are cut")
    add_floor(one)
    _several(verbs, "healthy", "run time: SetHealthy, until the next health test says otherwise", _healthy)
    add_floor(
        _several(verbs, "unhealthy", "run time: SetUnhealthy, until the next health test says otherwise", _unhealthy)
    )
    one = verb(
        verbs, "test-health", "ARR's own test of one server, with the farm's settings", _test_health, target=True
    )
    one.add_argument("farm", metavar="FARM")
    one.add_argument("address", metavar="ADDRESS")
    one.add_argument("--url", help="another url than the farm's")


# -- private -------------------------------------------------------------------------------------------


def _several(verbs: Any, name: str, text: str, run: Run) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=True)
    one.add_argument("farm", metavar="FARM")
    one.add_argument("addresses", metavar="ADDRESS", nargs="+")
    return one


def _available(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return _set_state(arguments, out, NewState.START)


def _drain(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return _set_state(arguments, out, NewState.DRAIN)


def _unavailable(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if not arguments.now:
        return _set_state(arguments, out, NewState.GRACEFUL_STOP)
    _ask(arguments, f"cut the requests in flight to {', '.join(arguments.addresses)}?")
    return _set_state(arguments, out, NewState.FORCEFUL_STOP)


def _healthy(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return _set(arguments, out, None, True)


def _unhealthy(arguments: argparse.Namespace, out: Output) -> ExitCode:
    return _set(arguments, out, None, False)


def _set_state(arguments: argparse.Namespace, out: Output, state: NewState) -> ExitCode:
    return _set(arguments, out, state, None)


def _set(arguments: argparse.Namespace, out: Output, state: NewState | None, healthy: bool | None) -> ExitCode:
    takes_away = healthy is False or state not in (None, NewState.START)
    what = state.value if state is not None else "SetHealthy" if healthy else "SetUnhealthy"
    with machines(arguments, out) as found:
        # every machine is judged before the first is touched
        names, *_ = each(found, lambda one: _judged(arguments, one, what, takes_away))
        if not arguments.dry_run:
            farm = FarmNodes(found, arguments.farm)
            if state is not None:
                farm.set_state(dict.fromkeys(names, state))
            else:
                farm.set_healthy(dict.fromkeys(names, healthy is True))
        seen = [one for some in each(found, lambda one: _read_back(arguments.farm, one, names)) for one in some]
    verb_ = f"would be told {what}; is" if arguments.dry_run else f"{what}: is now"
    out.result(
        {"asked": what, "dry_run": arguments.dry_run, "servers": seen}, [_line(one, verb_, len(found)) for one in seen]
    )
    return ExitCode.DONE


def _judged(arguments: argparse.Namespace, machine: Machine, what: str, takes_away: bool) -> list[str]:
    need_run_time(machine, what)
    configuration = machine.config.read()
    farm = configuration.farm(arguments.farm)
    names = [server_of(farm, one).address for one in arguments.addresses]
    if takes_away:
        keep_floor(arguments, machine, configuration, farm.name, names)
    return names


def _read_back(farm: str, machine: Machine, addresses: list[str]) -> list[dict[str, Any]]:
    status = machine.farm(farm).status()
    running = [status.server(one) for one in addresses]
    return [
        {
            "machine": machine.name,
            "farm": farm,
            "address": one.address,
            "state": None if one.state is None else one.state.value,
            "is_healthy": one.is_healthy,
            "current_requests": one.current_requests,
            "current_web_socket_requests": one.current_web_socket_requests,
        }
        for one in running
    ]


def _line(one: Mapping[str, Any], verb_: str, machines_: int) -> str:
    where = f"{one['machine']}: " if machines_ > 1 else ""
    health = {True: "healthy", False: "unhealthy", None: "health unknown"}[one["is_healthy"]]
    flight = "?" if one["current_requests"] is None else one["current_requests"]
    return f"{where}{one['farm']}/{one['address']} {verb_} {one['state'] or '?'}, {health}, {flight} in flight"


def _test_health(arguments: argparse.Namespace, out: Output) -> ExitCode:
    with machines(arguments, out) as found:
        results = each(found, lambda one: _tested(arguments, one))
    out.result(
        results[0] if len(results) == 1 else results,
        [
            f"{one['machine']}: {one['result']}, status {one['http_status']}, error {one['error_code']}"
            for one in results
        ],
    )
    bad = [one for one in results if one["result"] != TestResult.SUCCESS.value]
    if bad and not out.json:
        raise RefusedError(f"the health test of {arguments.address} did not succeed on {bad[0]['machine']}", hint="")
    return ExitCode.REFUSED if bad else ExitCode.DONE


def _ask(arguments: argparse.Namespace, question: str) -> None:
    """Ask a person; where there is none (no terminal), the command itself was the answer."""
    if arguments.yes or arguments.dry_run or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
        raise RefusedError("not confirmed", hint="Nothing was changed.")


def _tested(arguments: argparse.Namespace, machine: Machine) -> dict[str, Any]:
    need_run_time(machine, "TestHealth")
    farm = machine.config.read().farm(arguments.farm)
    address = server_of(farm, arguments.address).address
    url = arguments.url or farm.health_check.url
    if not url:
        raise UsageError(f"farm '{farm.name}' has no health test url", hint="Say --url URL.")
    check = farm.health_check
    test = machine.farm(farm.name).test_health(
        address, url, check.timeout, check.status_code_match, check.response_match
    )
    return {
        "machine": machine.name,
        "farm": farm.name,
        "address": address,
        "url": url,
        "result": test.result.value,
        "http_status": test.http_status,
        "error_code": test.error_code,
    }
