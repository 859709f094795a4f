"""Faults of a WinRM service at the worst moment: what may have been done is looked at, and no shell is left."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from arr_bluegreen.control import hands as hands_module
from arr_bluegreen.control.winrm import Connection
from arr_bluegreen.control.winrm_errors import Trouble, trouble_of
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.errors import RefusedError, UnreachableError
from arr_bluegreen.webfarm import Server
from arr_bluegreen.webfarm.change import AddServer, RemoveServer
from tests.control.simulated import FARM, Machine, simulated

NEW = AddServer(FARM, Server("127.0.0.4", enabled=False, http_port=8004))


@pytest.fixture(scope="module")
def service() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture
def machine(service: Machine) -> Iterator[Machine]:
    """The same machine for all, without what the last test planned."""
    yield service
    service.faults.clear()
    service.faults.happened.clear()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arr_bluegreen.control.remote_config.COMMIT_WITHIN", 3.0)


@contextmanager
def controls(machine: Machine) -> Iterator[WinrmMachine]:
    one = machine.connect()
    one.config._jitter = lambda: -0.25
    try:
        yield one
    finally:
        one.close()


def added_once(machine: Machine, fault: str) -> None:
    """The change under the fault: one commit, and the machine has it."""
    with controls(machine) as one:
        one.config.read()
        before = machine.host.config.commits
        machine.faults.add(fault)
        assert one.config.apply([NEW]).commits == 1
        assert machine.host.config.commits == before + 1
        assert machine.faults.happened
        one.config.apply([RemoveServer(FARM, "127.0.0.4")])


# -- not done, done, not known ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [2150858843, 995, 1726, 99999])
@pytest.mark.parametrize("kind", ["Send", "Receive"])
def test_a_fault_in_the_middle_of_a_change_makes_it_once(machine: Machine, kind: str, code: int) -> None:
    """Adding a server twice would be an error: what may have been done is never just done again."""
    added_once(machine, f"fault:kind={kind},code={code}")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_dies_over_a_change_makes_it_once(machine: Machine, when: str) -> None:
    """The same, where the change certainly was, or was not, made."""
    added_once(machine, f"powershell-death:kind=appcmd,when={when}")


@pytest.mark.parametrize("kind", ["Create", "Command", "Send"])
def test_an_operation_timeout_is_waited_for_once_and_then_told(machine: Machine, kind: str) -> None:
    """pywinrm raises it for any message (winrm.md 1); only for Receive does it mean "no output yet"."""
    machine.faults.add(f"fault:kind={kind},code=2150858793")
    with controls(machine) as one:
        assert one.farm(FARM).status().farm.name == FARM
    machine.faults.clear()
    machine.faults.add(f"fault:kind={kind},code=2150858793,times=0")
    with controls(machine) as one, pytest.raises(UnreachableError, match="in time"):
        one.farm(FARM).status()


def test_an_operation_timeout_over_what_must_not_be_done_twice_is_of_unknown_fate(machine: Machine) -> None:
    with controls(machine) as one:
        one.facts()
        machine.faults.add("fault:kind=Send,code=2150858793")
        with pytest.raises(UnreachableError) as caught:
            one.sites.recycle_pool("shop-blue")
    assert caught.value.maybe_done


class Fault(Exception):
    """A fault as pywinrm raises it."""

    def __init__(self, code: int | None, subcode: str = "", http: int = 500) -> None:
        self.wsman_fault_code, self.wmierror_code, self.fault_subcode, self.code = code, None, subcode, http
        self.reason = "a reason"


Fault.__name__ = "WSManFaultError"


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (Fault(2150858843), Trouble.SHELL),
        (Fault(109), Trouble.SHELL),
        (Fault(2150859174), Trouble.SHELL),
        (Fault(None, "w:QuotaLimit"), Trouble.SHELL),
        (Fault(2), Trouble.REFUSED),
        (Fault(5), Trouble.REFUSED),
        (Fault(None, http=401), Trouble.REFUSED),
        (Fault(2150858881), Trouble.REFUSED),
        (Fault(995), Trouble.FAULT),
        (Fault(1726), Trouble.FAULT),
        (Fault(None), Trouble.FAULT),
    ],
)
def test_only_a_fault_that_is_known_to_refuse_counts_as_not_done(fault: Fault, trouble: Trouble) -> None:
    assert trouble_of(fault) is trouble


def test_windows_in_another_folder_is_said(machine: Machine) -> None:
    machine.faults.add("fault:kind=Command,code=2,times=0")
    with controls(machine) as one, pytest.raises(RefusedError, match=r"no C:\\Windows") as caught:
        one.facts()
    assert "must lie in" in caught.value.hint


# -- Ctrl+C --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Signal", "Delete"])
def test_ctrl_c_while_closing_leaves_the_shell_to_the_next_close(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    one = machine.connect()
    one.facts()
    original = Connection.message

    def interrupted(self: Connection, named: str, *arguments: Any, **more: Any) -> Any:
        if named == kind:
            raise KeyboardInterrupt
        return original(self, named, *arguments, **more)

    monkeypatch.setattr(Connection, "message", interrupted)
    with pytest.raises(KeyboardInterrupt):
        one.close()
    assert machine.shells == 1
    monkeypatch.setattr(Connection, "message", original)
    del one
    gc.collect()
    hands_module._close_all()  # what runs when Python ends
    assert machine.shells == 0
