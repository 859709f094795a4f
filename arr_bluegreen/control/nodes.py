"""Several ARR machines as one: reads side by side, writes in order behind a barrier, failures told per machine.

ARR's state lives on each machine for itself, also under shared configuration (arr.md 5.13). Here alone is fanned out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

from arr_bluegreen.control.interface import FarmControl, Machine
from arr_bluegreen.errors import ArrBlueGreenError, PartlyDoneError, UnfinishedError
from arr_bluegreen.webfarm.state import FarmStatus, HealthTest, NewState, ServerStatus, TestResult

M = TypeVar("M", bound=Machine)
T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Answers(Generic[R]):
    """What each of several machines answered: values and errors by name, in the order of the machines."""

    values: Mapping[str, R]
    errors: Mapping[str, ArrBlueGreenError]

    def all(self) -> Mapping[str, R]:
        """The values; raises the first error, naming how many machines failed."""
        if self.errors:
            first = next(iter(self.errors.values()))
            if len(self.errors) > 1:
                first.hint = f"{first.hint} ({len(self.errors)} machines failed: {', '.join(self.errors)}.)".strip()
            raise first
        return self.values


def side_by_side(things: Mapping[str, T], ask: Callable[[T], R]) -> Answers[R]:
    """``ask`` of each thing at the same time; each one's own errors stay its own. Other exceptions pass through."""
    if len(things) <= 1:
        return _collect({name: partial(ask, one) for name, one in things.items()})
    from concurrent.futures import ThreadPoolExecutor  # a lone machine, a file above all, does not pay for it

    with ThreadPoolExecutor(min(AT_ONCE, len(things)), thread_name_prefix="arr-machine") as threads:
        futures = {name: threads.submit(ask, one) for name, one in things.items()}
        return _collect({name: future.result for name, future in futures.items()})


def each(machines: Sequence[M], ask: Callable[[M], R]) -> tuple[R, ...]:
    """``ask`` of each machine, the answers in their order; raises the first machine's error.

    At the same time where all are ``far`` (over a network: an attribute of the adapter), else in turn: machines in
    memory live on one clock. Each machine is asked by one thread at a time.
    """
    if len(machines) < 2 or not all(getattr(one, "far", False) for one in machines):
        return tuple(ask(one) for one in machines)
    return tuple(side_by_side({one.name: one for one in machines}, ask).all().values())


def in_order(act: str, things: Mapping[str, T], tell: Callable[[T], R], *, hint: str | None = None) -> dict[str, R]:
    """``tell`` each in turn, and stop at the first that fails.

    Raises that one's error where nothing was done before (or there is only one), else ``PartlyDoneError``.
    """
    done: dict[str, R] = {}
    for name, one in things.items():
        try:
            done[name] = tell(one)
        except ArrBlueGreenError as cause:
            # "unfinished" has begun too: written, say, and not yet seen by every node
            begun = getattr(cause, "maybe_done", False) or isinstance(cause, UnfinishedError)
            if len(things) == 1 or not (done or begun):
                raise
            after = list(things)[len(done) + 1 :]
            unknown, left = ([name], after) if begun else ([], [name, *after])
            raise PartlyDoneError(act, list(done), left, unknown, cause, hint=hint) from cause
    return done


def close_all(machines: Sequence[Machine]) -> None:
    """Every machine let go of, whatever becomes of the others; raises the first error."""
    if all(getattr(one, "far", False) for one in machines):
        side_by_side({str(at): one for at, one in enumerate(machines)}, lambda one: one.close()).all()
        return
    for one in machines:
        one.close()


class FarmNodes:
    """One farm on several ARR machines as one ``interface.FarmControl``; ``front`` as in ``Machine.farm``."""

    def __init__(self, machines: Sequence[Machine], farm: str, front: Sequence[str] = ()) -> None:
        self.machines, self.farm = tuple(machines), farm
        self._nodes = {one.name: one.farm(farm, front) for one in machines}

    def statuses(self) -> Mapping[str, FarmStatus]:
        """The farm as each machine sees it; raises when one cannot be read."""
        found = each(self.machines, lambda one: self._nodes[one.name].status())
        return dict(zip(self._nodes, found, strict=True))

    def status(self) -> FarmStatus:
        """All machines as one: counts are sums, a state that differs is unknown, healthy is what all say."""
        return combined(self.statuses())

    def set_state(self, states: Mapping[str, NewState]) -> None:
        """First every machine must answer, then each is told in order; raises ``PartlyDoneError`` if one fails."""
        told = "/".join(dict.fromkeys(state.value for state in states.values()))
        self._tell(f"{told} of {', '.join(states)}", lambda one: one.set_state(states))

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        """As ``set_state``."""
        self._tell(f"set health of {', '.join(healthy)}", lambda one: one.set_healthy(healthy))

    def test_health(
        self, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's test from every machine; the first that is no success, else the success."""
        tests = each(
            self.machines,
            lambda one: self._nodes[one.name].test_health(address, url, timeout, status_code_match, response_match),
        )
        return next((one for one in tests if one.result is not TestResult.SUCCESS), tests[0])

    def remove_mapping(self, address: str) -> None:
        """On every machine, in order."""
        self._tell(f"remove mappings to {address}", lambda one: one.remove_mapping(address))

    # -- private -------------------------------------------------------------------------------------------

    def _tell(self, act: str, tell: Callable[[FarmControl], None]) -> None:
        if len(self._nodes) > 1:
            self.statuses()  # the barrier: nobody is told before all are there
        in_order(act, self._nodes, tell)


def combined(statuses: Mapping[str, FarmStatus]) -> FarmStatus:
    """Several machines' views as one: sums of counts (None if one is unknown), states and health only where all agree.

    The configuration is the first machine's; ``arr_workers`` are all of them.
    """
    views = list(statuses.values())
    first = views[0]
    if len(views) == 1:
        return first
    workers = [one.arr_workers for one in views]
    return replace(
        first,
        machine=", ".join(statuses),
        servers=tuple(_server([view.server(one.address) for view in views]) for one in first.servers),
        arr_workers=None if None in workers else tuple(one for some in workers for one in some or ()),
    )


# -- private -------------------------------------------------------------------------------------------


def _collect(asked: Mapping[str, Callable[[], R]]) -> Answers[R]:
    values: dict[str, R] = {}
    errors: dict[str, ArrBlueGreenError] = {}
    for name, take in asked.items():
        try:
            values[name] = take()
        except ArrBlueGreenError as error:
            errors[name] = error
    return Answers(values, errors)


def _server(views: Sequence[ServerStatus]) -> ServerStatus:
    states = {one.state for one in views}
    healthy = {one.is_healthy for one in views}
    return ServerStatus(
        views[0].address,
        state=states.pop() if len(states) == 1 else None,
        is_healthy=False if False in healthy else (None if None in healthy else True),
        current_requests=_sum([one.current_requests for one in views]),
        current_web_socket_requests=_sum([one.current_web_socket_requests for one in views]),
        total_requests=_sum([one.total_requests for one in views]),
        failed_requests=_sum([one.failed_requests for one in views]),
        last_reset_tick_count=None,
    )


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [one for one in numbers if one is not None]
    return sum(known) if len(known) == len(numbers) else None
