"""Shared configuration: machines that read one applicationHost.config from one folder (arr.md 5.13).

There one commit changes all of them: it is made on one machine, and then it is waited for until each has seen it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from arr_bluegreen.control.interface import Clock, Commit, Machine
from arr_bluegreen.control.nodes import M, each, in_order
from arr_bluegreen.errors import UnfinishedError, UnreachableError

if TYPE_CHECKING:
    from arr_bluegreen.webfarm.change import ConfigChange

SEEN_WITHIN = timedelta(seconds=60)
"""How long every machine gets to see a change; with UNC polling IIS takes up to its pollingPeriod, 3 minutes."""
POLL_SECONDS = 0.25


def folder_of(machine: Machine) -> str:
    """The folder its redirection.config names, to be compared; "" where the configuration is its own or not known."""
    known = getattr(machine, "redirected_to", None)
    found = machine.facts().redirected_to if known is None else known
    return (found or "").rstrip("\\/").casefold()


def sharing(machines: Sequence[M]) -> tuple[tuple[M, ...], ...]:
    """The machines in groups that have one configuration, in their order. One alone is not asked."""
    if len(machines) < 2:
        return tuple((one,) for one in machines)
    groups: dict[str, list[M]] = {}
    for machine, folder in zip(machines, each(machines, folder_of), strict=True):
        groups.setdefault(f"in {folder}" if folder else f"of {machine.name}", []).append(machine)
    return tuple(map(tuple, groups.values()))


def commit_on_all(
    machines: Sequence[M],
    changes: Callable[[M], Sequence[ConfigChange]],
    clock: Clock,
    within: timedelta = SEEN_WITHIN,
    done: Callable[[M, Commit], None] = lambda machine, commit: None,
    beat: Callable[[], None] = lambda: None,
) -> None:
    """One commit per configuration, in order, each seen by all that share it before the next; ``done`` hears of each.
    ``beat`` is called while it waits. Where several share one, it is made with what each of them shall have.

    Raises ``UnfinishedError`` when a machine does not see it ``within``, ``PartlyDoneError`` when some are done.
    """

    def write(group: tuple[M, ...]) -> None:
        wanted: list[ConfigChange] = []
        for machine in group:
            wanted += [one for one in changes(machine) if one not in wanted]
        if wanted:
            done(group[0], group[0].config.apply(wanted))
        wait_seen(group, clock, within, beat)  # also when there is nothing (left) to write: it may not be seen yet

    groups = {", ".join(one.name for one in group): group for group in sharing(machines)}
    in_order("commit", groups, write)


def commit_on(
    machine: Machine,
    among: Sequence[Machine],
    changes: Sequence[ConfigChange],
    clock: Clock,
    within: timedelta = SEEN_WITHIN,
) -> Commit:
    """A commit on one machine, seen by those ``among`` the others that share its configuration."""
    commit = machine.config.apply(changes)
    group = next((one for one in sharing(among) if machine in one), (machine,))
    wait_seen(group, clock, within)
    return commit


def wait_seen(
    group: Sequence[Machine], clock: Clock, within: timedelta = SEEN_WITHIN, beat: Callable[[], None] = lambda: None
) -> None:
    """Until every machine reads what the first reads: the digests are equal.

    The first is read again each time, as somebody else may write meanwhile. Raises ``UnfinishedError`` naming those
    that have not seen it in time.
    """
    if len(group) < 2:
        return
    began = clock.monotonic()
    while True:
        first, *digests = each(group, _digest)
        late = [one.name for one, digest in zip(group[1:], digests, strict=True) if not first or digest != first]
        if not late:
            return
        gone = clock.monotonic() - began
        if gone >= within.total_seconds():
            where = folder_of(group[0])
            raise UnfinishedError(
                f"written on {group[0].name} to the shared configuration ({where}); after {gone:.0f} s not seen by "
                f"{', '.join(late)}",
                hint="Run it again to wait on; look there at the access to that folder"
                + (" and at enableUncPolling." if where.startswith("\\\\") else ", which is no share by its name."),
            )
        beat()
        clock.sleep(POLL_SECONDS)


# -- private -------------------------------------------------------------------------------------------


def _digest(machine: Machine) -> str:
    """What it reads now; "" when it cannot be asked at the moment: that too is "not seen"."""
    try:
        return machine.config.read().digest
    except UnreachableError:
        return ""
