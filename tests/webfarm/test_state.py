"""Who gets a new request: the one rule that the floor, the plan and reconcile stand on (arr.md 5.3, 5.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arr_bluegreen.webfarm import (
    FarmStatus,
    HealthCheck,
    Server,
    ServerState,
    ServerStatus,
    WebFarm,
    certainly_receives,
    receives_new,
)

BLUE, GREEN = Server("Blue"), Server("green")


def seen(
    state: ServerState | None = ServerState.ACTIVE,
    healthy: bool | None = True,
    *,
    green_healthy: bool = True,
    min_servers: int = 0,
) -> FarmStatus:
    """A farm whose blue server runs like this; green is Active."""
    farm = WebFarm("shop", servers=(BLUE, GREEN), health_check=HealthCheck(min_servers=min_servers))
    running = (ServerStatus("blue", state, healthy), ServerStatus("green", ServerState.ACTIVE, green_healthy))
    return FarmStatus("web01", farm, running)


def test_an_enabled_active_healthy_server_gets_new_requests_whatever_the_case_of_its_address() -> None:
    assert receives_new(BLUE, seen())
    assert certainly_receives(BLUE, seen())


@pytest.mark.parametrize("state", [ServerState.DRAINING, ServerState.INACTIVE])
def test_a_draining_or_stopped_server_gets_none(state: ServerState) -> None:
    assert not receives_new(BLUE, seen(state))


def test_a_server_or_a_farm_that_is_not_enabled_gets_none() -> None:
    status = seen()
    assert not receives_new(replace(BLUE, enabled=False), status)
    assert not receives_new(BLUE, replace(status, farm=replace(status.farm, enabled=False)))


def test_an_unhealthy_server_gets_none() -> None:
    assert not receives_new(BLUE, seen(healthy=False))


@pytest.mark.parametrize(
    ("green_healthy", "min_servers", "gets"),
    [(True, 1, False), (True, 2, True), (False, 1, True), (False, 0, False)],
)
def test_below_min_servers_arr_stops_believing_its_health_test(
    green_healthy: bool, min_servers: int, gets: bool
) -> None:
    """Blue is unhealthy: it gets new requests only while fewer than minServers are healthy."""
    status = seen(healthy=False, green_healthy=green_healthy, min_servers=min_servers)
    assert receives_new(BLUE, status) is gets


def test_a_healthy_server_that_is_not_enabled_does_not_count_for_min_servers() -> None:
    status = seen(healthy=False, min_servers=1)
    offline = replace(status.farm, servers=(BLUE, replace(GREEN, enabled=False)))
    assert receives_new(BLUE, replace(status, farm=offline))


@pytest.mark.parametrize(("state", "healthy"), [(None, True), (ServerState.ACTIVE, None), (None, None)])
def test_what_is_not_known_may_receive_and_does_not_certainly(state: ServerState | None, healthy: bool | None) -> None:
    """The floor is judged by what is certain, the danger of two live slots by what may be."""
    assert receives_new(BLUE, seen(state, healthy))
    assert not certainly_receives(BLUE, seen(state, healthy))
