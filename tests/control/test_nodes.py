"""Several ARR machines as one: reads side by side, writes behind a barrier, failures told per machine."""

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arr_bluegreen.control.nodes import FarmNodes, close_all, combined, each, side_by_side
from arr_bluegreen.errors import ArrBlueGreenError, PartlyDoneError, UnreachableError
from arr_bluegreen.webfarm import (
    FarmStatus,
    HealthTest,
    NewState,
    Server,
    ServerState,
    ServerStatus,
    TestResult,
    WebFarm,
    WorkerProcess,
)
from arr_bluegreen.webfarm.state import READS_BACK

FARM = WebFarm("shop", servers=(Server("a"), Server("b")))


class Node:
    """One machine, and its farm; fails on demand."""

    far = True

    def __init__(self, name: str, state: ServerState = ServerState.ACTIVE, requests: int | None = 1) -> None:
        self.name, self.state, self.requests = name, state, requests
        self.unreadable: ArrBlueGreenError | None = None
        self.unwritable: ArrBlueGreenError | None = None
        self.told: list[Mapping[str, object]] = []
        self.test = HealthTest(TestResult.SUCCESS, 200)

    def farm(self, name: str, front: Sequence[str] = ()) -> Any:
        return self

    def status(self) -> FarmStatus:
        if self.unreadable:
            raise self.unreadable
        worker = WorkerProcess("Front", 7, datetime(2026, 1, 1, tzinfo=UTC))
        servers = tuple(ServerStatus(one, self.state, True, self.requests, 0, 5, 0, 1) for one in "ab")
        return FarmStatus(self.name, FARM, servers, (worker,))

    def set_state(self, states: Mapping[str, NewState]) -> None:
        if self.unwritable:
            raise self.unwritable
        self.told.append(states)
        self.state = READS_BACK[next(iter(states.values()))]

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        self.told.append(healthy)

    def test_health(self, address: str, url: str, timeout: timedelta, codes: str, text: str) -> HealthTest:
        return self.test

    def remove_mapping(self, address: str) -> None:
        self.told.append({"removed": address})


def three() -> tuple[FarmNodes, dict[str, Node]]:
    nodes = {name: Node(name) for name in ("WEB01", "WEB02", "WEB03")}
    machines: Any = list(nodes.values())  # as much of a machine as is asked for
    return FarmNodes(machines, "shop"), nodes


STOP = {"a": NewState.GRACEFUL_STOP}


def test_nobody_is_told_before_all_answer() -> None:
    farm, nodes = three()
    nodes["WEB03"].unreadable = UnreachableError("WEB03 is not there")
    with pytest.raises(UnreachableError):
        farm.set_state(STOP)
    assert not any(one.told for one in nodes.values())


def test_a_failure_midway_tells_who_switched() -> None:
    farm, nodes = three()
    nodes["WEB02"].unwritable = UnreachableError("broke", maybe_done=False)
    with pytest.raises(PartlyDoneError) as caught:
        farm.set_state(STOP)
    error = caught.value
    assert (error.done, error.not_done, error.unknown) == (("WEB01",), ("WEB02", "WEB03"), ())
    assert not nodes["WEB03"].told
    assert "done on WEB01; not on WEB02, WEB03" in str(error)
    assert error.exit_code == 5


def test_an_unknown_outcome_is_told_as_unknown() -> None:
    farm, nodes = three()
    nodes["WEB01"].unwritable = UnreachableError("broke", maybe_done=True)
    with pytest.raises(PartlyDoneError) as caught:
        farm.set_state(STOP)
    assert (caught.value.done, caught.value.not_done, caught.value.unknown) == ((), ("WEB02", "WEB03"), ("WEB01",))


def test_a_failure_at_the_first_changed_nothing() -> None:
    farm, nodes = three()
    nodes["WEB01"].unwritable = UnreachableError("refused", maybe_done=False)
    with pytest.raises(UnreachableError):
        farm.set_state(STOP)


def test_all_are_told_in_order() -> None:
    farm, nodes = three()
    farm.set_state(STOP)
    farm.set_healthy({"a": True})
    farm.remove_mapping("a")
    assert all(len(one.told) == 3 for one in nodes.values())


def test_many_views_are_one() -> None:
    farm, nodes = three()
    nodes["WEB02"].state = ServerState.DRAINING
    whole = farm.status()
    assert whole.machine == "WEB01, WEB02, WEB03"
    assert whole.server("a").state is None, "not the same everywhere: unknown"
    assert whole.server("a").current_requests == 3
    assert whole.arr_workers is not None
    assert len(whole.arr_workers) == 3
    nodes["WEB03"].requests = None
    assert farm.status().server("a").current_requests is None, "a guess would end a drain too early"


def test_one_view_stays_itself() -> None:
    status = Node("WEB01").status()
    assert combined({"WEB01": status}) is status


def test_the_health_test_is_the_worst_of_all() -> None:
    farm, nodes = three()
    assert farm.test_health("a", "u", timedelta(1), "200", "").result is TestResult.SUCCESS
    nodes["WEB02"].test = HealthTest(TestResult.STATUS_CODE_FAILURE, 500)
    assert farm.test_health("a", "u", timedelta(1), "200", "").http_status == 500


def test_reads_are_side_by_side() -> None:
    """Each waits until all have begun: one after the other, this would never end."""
    barrier = threading.Barrier(20, timeout=10)
    answers = side_by_side({str(number): number for number in range(20)}, lambda one: (barrier.wait(), one)[1])
    assert list(answers.all().values()) == list(range(20))


def test_each_machine_has_its_own_error() -> None:
    def ask(number: int) -> int:
        if number % 2:
            raise UnreachableError(f"{number} is not there", hint="Look.")
        return number

    answers = side_by_side({str(number): number for number in range(4)}, ask)
    assert answers.values == {"0": 0, "2": 2}
    assert set(answers.errors) == {"1", "3"}
    with pytest.raises(UnreachableError, match="1 is not there") as caught:
        answers.all()
    assert "2 machines failed: 1, 3" in caught.value.hint


def test_machines_in_memory_are_asked_in_turn_and_the_first_error_ends_it() -> None:
    """They live on one clock; only machines over a network are worth a thread each."""
    _, nodes = three()
    asked: list[str] = []

    def ask(one: Any) -> str:
        asked.append(f"{one.name} in {threading.current_thread().name}")
        if one.name == "WEB02":
            raise UnreachableError("gone")
        return str(one.name)

    machines: Any = list(nodes.values())
    here = threading.current_thread().name
    nodes["WEB03"].far = False
    with pytest.raises(UnreachableError):
        each(machines, ask)
    assert asked == [f"WEB01 in {here}", f"WEB02 in {here}"]
    assert each(machines[:1], ask) == ("WEB01",)
    nodes["WEB03"].far = True
    with pytest.raises(UnreachableError):
        each(machines, ask)
    assert len(asked) == 6, "the third was asked too"
    assert sum(here in one for one in asked) == 3


def test_all_are_closed_also_when_one_cannot_be() -> None:
    """The shells of the others would stay."""
    _, nodes = three()
    closed: list[str] = []

    def close(name: str) -> None:
        closed.append(name)
        if name == "WEB01":
            raise UnreachableError("gone")

    for name, one in nodes.items():
        one.close = lambda name=name: close(name)  # type: ignore[attr-defined]  # only here
    machines: Any = list(nodes.values())
    with pytest.raises(UnreachableError):
        close_all(machines)
    assert sorted(closed) == ["WEB01", "WEB02", "WEB03"]
