"""Which machines share a configuration, and the wait until each has seen a commit (arr.md 5.13)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from arr_bluegreen.control.interface import Commit, MachineFacts
from arr_bluegreen.control.script_errors import error_of
from arr_bluegreen.control.shared_config import commit_on_all, sharing, wait_seen
from arr_bluegreen.errors import PartlyDoneError, RemoteError, UnfinishedError, UnreachableError
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.webfarm.change import RemoveServer

CHANGE = RemoveServer("shop", "a")


class Shared:
    """A machine, its configuration, and what it reads: a digest, or whatever ``reads`` answers."""

    def __init__(self, name: str, folder: str | None = None, reads: Callable[[], str] = lambda: "new") -> None:
        self.name, self.folder, self.reads = name, folder, reads
        self.asked, self.applied = 0, 0
        self.fails: Exception | None = None

    @property
    def config(self) -> Any:
        return self

    @property
    def digest(self) -> str:
        return self.reads()

    def read(self) -> Any:
        return self

    def apply(self, changes: Sequence[object]) -> Commit:
        if self.fails:
            raise self.fails
        self.applied += 1
        return Commit(1, (), "new")

    def facts(self) -> MachineFacts:
        self.asked += 1
        return MachineFacts(self.name, datetime(2026, 1, 1, tzinfo=UTC), redirected_to=self.folder)


def names(*machines: Any) -> list[str]:
    return ["+".join(one.name for one in group) for group in sharing(machines)]


def commit(*machines: Any) -> None:
    commit_on_all(machines, lambda one: [CHANGE], SimulatedClock(), timedelta(seconds=5))


def test_machines_are_one_by_the_folder_their_redirection_names() -> None:
    """Without case, and without a last backslash; one that has none, or of which nothing is known, is its own."""
    own = [Shared("B"), Shared("D", ""), Shared("E", r"\\other\iis")]
    assert names(Shared("A", r"\\files\iis"), *own, Shared("C", "\\\\FILES\\IIS\\")) == ["A+C", "B", "D", "E"]


def test_a_lone_machine_is_not_asked() -> None:
    one = Shared("A", r"\\files\iis")
    assert (names(one), one.asked) == (["A"], 0)


def test_each_configuration_is_written_once_in_order() -> None:
    one, two, three = Shared("A", "x"), Shared("B", "y"), Shared("C", "x")
    commit(one, two, three)
    assert [one.applied, two.applied, three.applied] == [1, 1, 0]


def test_what_was_done_before_a_failure_is_named_by_group() -> None:
    one, two, three = Shared("A", "x"), Shared("B"), Shared("C", "X")
    two.fails = RemoteError("denied")
    with pytest.raises(PartlyDoneError) as caught:
        commit(one, two, three)
    assert (caught.value.done, caught.value.not_done) == (("A, C",), ("B",))


def test_a_machine_that_cannot_be_asked_for_a_while_is_waited_for() -> None:
    answers: Iterator[str | Exception] = iter(["old", UnreachableError("gone"), "new"])

    def reads() -> str:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return found

    commit(Shared("A", "x"), Shared("B", "x", reads))
    assert next(answers, "") == ""


def test_those_that_have_not_seen_it_in_time_are_named() -> None:
    machines = [Shared("A", "x"), Shared("B", "x", lambda: "old"), Shared("C", "x"), Shared("D", "x", lambda: "older")]
    with pytest.raises(UnfinishedError, match=r"written on A .* after 5 s not seen by B, D") as caught:
        commit(*machines)
    assert "no share by its name" in caught.value.hint


def test_two_that_cannot_be_asked_have_not_seen_it() -> None:
    def gone() -> str:
        raise UnreachableError("gone")

    machines: Any = [Shared("A", "x", gone), Shared("B", "x", gone)]
    with pytest.raises(UnfinishedError):
        wait_seen(machines, SimulatedClock(), timedelta(seconds=1))


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (r"Access to the path '\\files\iis\applicationHost.config' is denied.", "double hop"),
        (r"Filename: \\?\UNC\files\iis\applicationHost.config Error: denied", "double hop"),
        (r"Filename: \\?\C:\Windows\system32\inetsrv\config\applicationHost.config Error: denied", "administrator"),
        (r"Access to the path 'C:\ProgramData\x' is denied.", "administrator"),
    ],
)
def test_a_share_that_is_refused_is_the_double_hop(message: str, said: str) -> None:
    """NTLM does not reach a second machine (winrm.md 1); a file of the machine's own is a matter of rights."""
    told = {"message": message, "hresult": "0x80070005", "type": "System.UnauthorizedAccessException"}
    assert said in error_of(told, "WEB01", "read_config").hint
