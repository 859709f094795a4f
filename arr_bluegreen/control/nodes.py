"""Several ARR machines as one: reads side by side, writes in order behind a barrier, failures told per machine.

ARR's state lives on each machine for itself, also under shared configuration (arr.md 5.13).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Generic, TypeVar

from arr_bluegreen.control.interface import FarmControl
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode
from arr_bluegreen.webfarm.state import FarmStatus, HealthTest, NewState, ServerStatus, TestResult

T = TypeVar("T")
R = TypeVar("R")
AT_ONCE = 64


class PartlyDoneError(ArrBlueGreenError):
    """Some machines did it, one did not: ``done`` and ``not_done`` name them, ``unknown`` those that may have.

    ``cause`` is the first failure. Nothing was undone: the sequence decides that.
    """

    exit_code = ExitCode.UNFINISHED

    def __init__(
        self, act: str, done: Sequence[str], not_done: Sequence[str], unknown: Sequence[str], cause: ArrBlueGreenError
    ) -> None:
        told = [f"done on {', '.join(done) or 'none'}", f"not on {', '.join(not_done) or 'none'}"]
        if unknown:
            told.append(f"unknown on {', '.join(unknown)}")
        super().__init__(f"{act}: {'; '.join(told)}: {cause}", hint=cause.hint)
        self.done, self.not_done, self.unknown, self.cause = tuple(done), tuple(not_done), tuple(unknown), cause


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
    with ThreadPoolExecutor(min(AT_ONCE, len(things)), thread_name_prefix="arr-machine") as threads:
        futures = {name: threads.submit(ask, one) for name, one in things.items()}
        return _collect({name: future.result for name, future in futures.items()})


class FarmNodes:
    """One farm on several ARR machines as one ``interface.FarmControl``. ``nodes`` are the controls by machine."""

    def __init__(self, nodes: Mapping[str, FarmControl]) -> None:
        self.nodes = dict(nodes)
        self.farm = next(iter(self.nodes.values())).farm

    def statuses(self) -> Mapping[str, FarmStatus]:
        """The farm as each machine sees it; raises when one cannot be read."""
        return side_by_side(self.nodes, lambda one: one.status()).all()

    def status(self) -> FarmStatus:
        """All machines as one: counts are sums, a state that differs is unknown, healthy is what all say."""
        return combined(self.statuses())

    def set_state(self, states: Mapping[str, NewState]) -> None:
        """First every machine must answer, then each is told in order; raises ``PartlyDoneError`` if one fails."""
        self._in_order("set state", lambda one: one.set_state(states))

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        """As ``set_state``."""
        self._in_order("set healthy", lambda one: one.set_healthy(healthy))

    def test_health(
        self, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's test from every machine; the first that is no success, else the success."""
        tests = side_by_side(
            self.nodes, lambda one: one.test_health(address, url, timeout, status_code_match, response_match)
        ).all()
        failed = (one for one in tests.values() if one.result is not TestResult.SUCCESS)
        return next(failed, next(iter(tests.values())))

    def remove_mapping(self, address: str) -> None:
        """On every machine, in order."""
        self._in_order("remove mapping", lambda one: one.remove_mapping(address))

    # -- private -------------------------------------------------------------------------------------------

    def _in_order(self, act: str, tell: Callable[[FarmControl], None]) -> None:
        self.statuses()  # the barrier: nobody is told before all are there
        done: list[str] = []
        for name, node in self.nodes.items():
            try:
                tell(node)
            except ArrBlueGreenError as cause:
                after = list(self.nodes)[len(done) + 1 :]
                unknown = [name] if getattr(cause, "maybe_done", False) else []
                if not done and not unknown:
                    raise
                raise PartlyDoneError(act, done, [*([] if unknown else [name]), *after], unknown, cause) from cause
            done.append(name)


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
