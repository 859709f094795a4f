"""The run-time verbs of ``server`` against machines in memory: all are judged before one is touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arr_bluegreen.cli import target
from arr_bluegreen.control.interface import Capability, Commit, MachineFacts
from arr_bluegreen.webfarm.change import ConfigChange
from arr_bluegreen.webfarm.farm import HealthCheck, Server, WebFarm
from arr_bluegreen.webfarm.state import (
    READS_BACK,
    FarmStatus,
    HealthTest,
    NewState,
    ServerState,
    ServerStatus,
    TestResult,
)
from tests.cli.ran import Ran

Cli = Callable[..., Ran]
BLUE, GREEN = "127.0.0.1", "127.0.0.2"


class Memory:
    """A machine with one farm, shop, of two servers; also its own configuration and farm control."""

    capabilities = frozenset({Capability.READ_CONFIG, Capability.WRITE_CONFIG, Capability.RUN_TIME})

    def __init__(self, name: str) -> None:
        self.name = name
        self.shop = WebFarm(
            "shop", servers=(Server(BLUE), Server(GREEN)), health_check=HealthCheck(url="http://shop/up")
        )
        self.running = {one: ServerStatus(one, ServerState.ACTIVE, True, 3, 0, 10, 0) for one in (BLUE, GREEN)}
        self.told: list[tuple[str, object]] = []
        self.applied: list[ConfigChange] = []
        self.tested = TestResult.SUCCESS
        self.digest = ""

    @property
    def config(self) -> Any:
        return self

    @property
    def farms(self) -> tuple[WebFarm, ...]:
        return (self.shop,)

    def read(self) -> Any:
        return _Configuration(self.shop)

    def apply(self, changes: Sequence[ConfigChange]) -> Commit:
        self.applied += changes
        return Commit(1 if changes else 0, ())

    def farm(self, name: str, front: Sequence[str] = ()) -> Any:
        return self

    def facts(self) -> MachineFacts:
        return MachineFacts(self.name, datetime(2026, 1, 1, tzinfo=UTC))

    def close(self) -> None:
        self.told.append(("close", None))

    def status(self) -> FarmStatus:
        return FarmStatus(self.name, self.shop, tuple(self.running.values()))

    def set_state(self, states: Mapping[str, NewState]) -> None:
        for address, state in states.items():
            self.told.append((address, state))
            self.running[address] = replace(self.running[address], state=READS_BACK[state])

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        for address, value in healthy.items():
            self.told.append((address, value))
            self.running[address] = replace(self.running[address], is_healthy=value)

    def test_health(self, address: str, url: str, timeout: timedelta, status: str, response: str) -> HealthTest:
        self.told.append((address, url))
        return HealthTest(self.tested, 200, 0)


class _Configuration:
    digest = ""

    def __init__(self, farm: WebFarm) -> None:
        self.farms = (farm,)

    def farm(self, name: str) -> WebFarm:
        return self.farms[0]


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> list[Memory]:
    found = [Memory("WEB01"), Memory("WEB02")]
    monkeypatch.setattr(target, "connect", lambda *_: tuple(found))
    return found


def told(machine: Memory) -> list[tuple[str, object]]:
    return [one for one in machine.told if one[0] != "close"]


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (["drain"], NewState.DRAIN),
        (["unavailable"], NewState.GRACEFUL_STOP),
        (["unavailable", "--now"], NewState.FORCEFUL_STOP),
        (["available"], NewState.START),
    ],
)
def test_a_state_is_set_by_name_on_every_machine_and_read_back(
    cli: Cli, pair: list[Memory], verb: list[str], state: NewState
) -> None:
    ran = cli("server", *verb, "shop", BLUE, "--json")
    assert ran.code == 0
    assert [told(one) for one in pair] == [[(BLUE, state)]] * 2
    assert [one["state"] for one in ran.json["servers"]] == [READS_BACK[state].value] * 2
    assert all(("close", None) in one.told for one in pair)


def test_the_floor_of_one_machine_keeps_all_untouched(cli: Cli, pair: list[Memory]) -> None:
    pair[1].running[GREEN] = replace(pair[1].running[GREEN], state=ServerState.INACTIVE)
    ran = cli("server", "drain", "shop", BLUE)
    assert ran.code == 3
    assert "on WEB02 would have no server in service" in ran.err
    assert [told(one) for one in pair] == [[], []]
    assert cli("server", "drain", "shop", BLUE, "--force").code == 0


def test_a_server_whose_state_is_unknown_does_not_count_for_the_floor(cli: Cli, pair: list[Memory]) -> None:
    pair[0].running[GREEN] = ServerStatus(GREEN)
    ran = cli("server", "unavailable", "shop", BLUE)
    assert ran.code == 3
    assert f"Not known to be in service: {GREEN}" in ran.err


def test_an_unhealthy_neighbour_does_not_count_and_available_needs_no_floor(cli: Cli, pair: list[Memory]) -> None:
    pair[0].running[GREEN] = replace(pair[0].running[GREEN], is_healthy=False)
    assert cli("server", "unhealthy", "shop", BLUE).code == 3
    assert cli("server", "healthy", "shop", GREEN).code == 0
    assert cli("server", "unhealthy", "shop", BLUE).code == 0


def test_offline_judges_by_what_runs_there(cli: Cli, pair: list[Memory]) -> None:
    pair[0].running[GREEN] = replace(pair[0].running[GREEN], state=ServerState.DRAINING)
    assert cli("server", "offline", "shop", BLUE).code == 3
    assert pair[0].applied == []


def test_offline_touches_no_machine_when_one_refuses(cli: Cli, pair: list[Memory]) -> None:
    pair[1].running[GREEN] = replace(pair[1].running[GREEN], state=ServerState.DRAINING)
    assert cli("server", "offline", "shop", BLUE).code == 3
    assert pair[0].applied == []
    assert cli("server", "offline", "shop", BLUE, "--force").code == 0
    assert len(pair[0].applied) == len(pair[1].applied) == 1


def test_a_dry_run_tells_and_touches_nothing(cli: Cli, pair: list[Memory]) -> None:
    ran = cli("server", "drain", "shop", BLUE, "--dry-run")
    assert ran.out.splitlines()[0] == f"WEB01: shop/{BLUE} would be told Drain; is Active, healthy, 3 in flight"
    assert [told(one) for one in pair] == [[], []]
    ran = cli("server", "offline", "shop", BLUE, "--dry-run")
    assert f"server shop/{BLUE}: enabled = false" in ran.out
    assert pair[0].applied == []


def test_online_says_when_arr_still_holds_the_server_back(cli: Cli, pair: list[Memory]) -> None:
    pair[0].shop = replace(pair[0].shop, servers=(Server(BLUE), Server(GREEN, enabled=False)))
    pair[0].running[GREEN] = replace(pair[0].running[GREEN], state=ServerState.INACTIVE)
    assert f"server available shop {GREEN}" in cli("server", "online", "shop", GREEN).out


def test_the_list_has_the_run_time_and_the_machines(cli: Cli, pair: list[Memory]) -> None:
    head = cli("server", "list").out.splitlines()[0]
    assert head.split()[:2] == ["machine", "farm"]
    assert "in flight" in head
    assert [one["current_requests"] for one in cli("server", "list", "--json").json] == [3] * 4


def test_a_health_test_uses_the_farms_url_and_fails_with_its_exit_code(cli: Cli, pair: list[Memory]) -> None:
    assert cli("server", "test-health", "shop", BLUE).code == 0
    assert told(pair[0]) == [(BLUE, "http://shop/up")]
    pair[1].tested = TestResult.STATUS_CODE_FAILURE
    ran = cli("server", "test-health", "shop", BLUE)
    assert ran.code == 3
    assert "StatusCodeFailure" in ran.out
