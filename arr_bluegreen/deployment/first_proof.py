"""What a slot must show before public traffic goes there, and what every public binding must show afterwards.

The measure is the description's own warm-up and gate. No redirect is followed: where the site itself answered a
binding with a redirect, that very redirect is good, and any other one is the beginning of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from arr_bluegreen.control.interface import Clock, Machine, ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description import Gate, WarmUp
from arr_bluegreen.deployment.gates import judge
from arr_bluegreen.deployment.matching import why_not
from arr_bluegreen.deployment.prove_front import PLAIN, risen
from arr_bluegreen.errors import OldSlotServesError
from arr_bluegreen.webfarm import Binding, Site

TRIES, BETWEEN = 10, timedelta(seconds=0.3)
"""How often the front is asked after its rules were written, which ARR reads a moment later."""

Before = Mapping["Way", ProbeAnswer]
"""What the site itself answered on each way, before any rule."""


@dataclass(frozen=True, slots=True)
class Way:
    """One public way to the application: what a client says (protocol, Host), and where the front listens for it."""

    protocol: str
    host: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Target:
    """A slot's server as the machine itself reaches it."""

    name: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Measure:
    """The description's demands; ``version`` only where the user named one: a clone has the site's own."""

    gate: Gate
    warm: WarmUp
    version: str = ""


def ways_of(site: Site, hosts: Sequence[str] = ()) -> tuple[Way, ...]:
    """The public ways to a site, one for each http and https binding.

    A binding for any host is asked with the first of ``hosts``, a wildcard's with a name of its own kind.
    """
    found = [_way(one, hosts) for one in site.bindings if one.protocol in ("http", "https") and one.port is not None]
    return tuple(dict.fromkeys(found))


def answers_now(ways: Sequence[Way], machine: Machine, gate: Gate) -> Before:
    """What each public way answers now."""
    return dict(zip(ways, machine.probe.ask([_through(one, gate) for one in ways]), strict=True))


def pass_warm_up(target: Target, ways: Sequence[Way], machine: Machine, clock: Clock, warm: WarmUp) -> None:
    """Wait until every path answers well, for every public host; raises ``OldSlotServesError`` when it does not."""
    requests = [
        replace(_direct(target, way, path, warm.timeout), method=warm.method, host=warm.host or way.host)
        for way in _clients(ways)
        for path in warm.paths
    ]

    def bad() -> str:
        answers = machine.probe.ask(requests)
        pairs = zip(requests, answers, strict=True)
        return next((f"{one.url}: {why}" for one, told in pairs if (why := why_not(told, warm.status, warm.text))), "")

    _in_a_row(f"slot '{target.name}' is not warm", bad, warm.times, (warm.every, warm.within), clock)


def pass_gate(
    target: Target, ways: Sequence[Way], machine: Machine, clock: Clock, measure: Measure, before: Before
) -> None:
    """Wait for the gate's good answers in a row, for every public host; raises ``OldSlotServesError``.

    The slot is told, as ARR will tell it, which protocol the client used.
    """
    gate, clients = measure.gate, _clients(ways)
    requests = [_direct(target, way, gate.version_url, gate.timeout) for way in clients]

    def bad() -> str:
        pairs = zip(clients, machine.probe.ask(requests), strict=True)
        return _first_bad(pairs, measure, before, "")

    _in_a_row(f"slot '{target.name}' is not good", bad, gate.passes, (gate.every, gate.within), clock)


def prove_front(
    ways: Sequence[Way],
    machine: Machine,
    clock: Clock,
    measure: Measure,
    before: Before,
    totals: Callable[[], int | None],
) -> None:
    """Every public way answers well, and ``totals`` (ARR's count of the slot's requests, None: unknown) rises by it.

    Without the count a site whose rules do not match would pass: it answers too. Raises ``OldSlotServesError``.
    """
    counted, bad = totals(), ""
    for _ in range(TRIES):
        answers = machine.probe.ask([_through(one, measure.gate) for one in ways])
        bad = _first_bad(zip(ways, answers, strict=True), measure, before, "through the front ")
        if not bad and not risen((counted,), (totals(),)):
            bad = "the front answers, and ARR counts no request for the slot"
        if not bad:
            return
        clock.sleep(BETWEEN.total_seconds())
    raise OldSlotServesError(bad)


# -- private -------------------------------------------------------------------------------------------


def _way(binding: Binding, hosts: Sequence[str]) -> Way:
    host = binding.host or (hosts[0] if hosts else "localhost")
    host = f"www.{host.removeprefix('*.')}" if host.startswith("*.") else host
    address = "127.0.0.1" if binding.address in ("*", "", "0.0.0.0", "[::]") else binding.address
    return Way(binding.protocol, host, address, binding.port or 0)


def _clients(ways: Sequence[Way]) -> tuple[Way, ...]:
    """The ways a slot can tell from each other: it sees protocol and host, not the public address."""
    return tuple({(one.protocol, one.host): one for one in reversed(ways)}.values())[::-1]


def _direct(target: Target, way: Way, path: str, timeout: timedelta) -> ProbeRequest:
    url = f"http://{target.address}:{target.port}/{path.lstrip('/')}"
    return ProbeRequest(url, way.host, headers=(("X-Forwarded-Proto", way.protocol),), timeout=timeout)


def _through(way: Way, gate: Gate) -> ProbeRequest:
    url = f"{way.protocol}://{way.address}:{way.port}/{gate.version_url.lstrip('/')}"
    return ProbeRequest(url, way.host, headers=PLAIN, timeout=gate.timeout)


def _first_bad(pairs: zip[tuple[Way, ProbeAnswer]], measure: Measure, before: Before, where: str) -> str:
    for way, answer in pairs:
        why = judge(answer, replace(measure.gate, slower_than=None), measure.version)
        if why and not _same_redirect(answer, before.get(way)):
            to = f", a redirect to {answer.header('Location')}" if 300 <= answer.status < 400 else ""
            return f"{where}{way.protocol}://{way.host}:{way.port}: {why}{to}"
    return ""


def _same_redirect(answer: ProbeAnswer, before: ProbeAnswer | None) -> bool:
    if before is None or not 300 <= before.status < 400:
        return False
    return (answer.status, answer.header("Location")) == (before.status, before.header("Location"))


def _in_a_row(what: str, bad: Callable[[], str], passes: int, times: tuple[timedelta, timedelta], clock: Clock) -> None:
    every, within = times
    begun, good, last = clock.monotonic(), 0, ""
    while good < passes:
        last = bad()
        good = 0 if last else good + 1
        if good < passes:
            if clock.monotonic() - begun >= within.total_seconds():
                raise OldSlotServesError(f"{what}: {last or 'too few good answers'}")
            clock.sleep(every.total_seconds())
