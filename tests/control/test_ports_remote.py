"""``port next`` over WinRM: many at once, and programs outside IIS."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.deployment.ports import MACHINE, PortRange, PortWish, claim_port, next_port
from arr_bluegreen.simulator.shells import Quotas
from arr_bluegreen.simulator.wsman import WsmanSettings
from tests.control.simulated import PASSWORD, USER, Machine, simulated


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """A machine behind WinRM that takes 60 shells of a user (30 is Windows' default: winrm.md 2), with a range that
    Windows keeps for itself."""
    quotas = Quotas(max_shells_per_user=60)
    service = WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True, quotas=quotas)
    with simulated(None, service) as one:
        one.host.settings.reserved_ports = "8110-8119"
        yield one


def claim(machine: Machine, owner: str) -> int:
    """What ``port next`` does, on a connection of its own."""
    controls = machine.connect()
    try:
        facts, wish = controls.facts(), PortWish(owner, PortRange(8100, 8199))
        configuration = controls.config.read()
        return claim_port(
            controls.records(MACHINE),
            wish,
            lambda book: next_port(wish, [configuration], facts, book, facts.now),
            facts.now,
        )
    finally:
        controls.close()


def test_fifty_at_once_get_fifty_ports(machine: Machine) -> None:
    """Each on a connection of its own; none gets a listener's, a binding's or a reserved one; a retry gets its own."""
    with machine.host.net.occupy(8105) as other:
        assert machine.host.net.real("127.0.0.1", 8105) == other.getsockname()[1]
        with socket.create_connection(other.getsockname(), 2):
            pass
        with ThreadPoolExecutor(50) as pool:
            ports = list(pool.map(lambda n: claim(machine, f"shop/slot-{n}"), range(50)))
    assert len(set(ports)) == 50
    assert not {8105, *range(8110, 8120)} & set(ports)
    assert set(ports) <= set(range(8100, 8200))
    assert claim(machine, "shop/slot-7") == ports[7]
    assert claim(machine, "shop/later") == 8105, "the program outside IIS has ended"


def test_typed(machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command, and its dry run, which records nothing."""
    monkeypatch.setenv("ARR_BLUEGREEN_USER", USER)
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", PASSWORD)
    on = ("--on", f"winrm:127.0.0.1:{machine.port}", "--transport", "basic", "--allow-basic-over-http", "--json")

    def typed(*more: str) -> int:
        assert run(["port", "next", "--range", "8300-8310", *more, *on]) == 0
        port = json.loads(capsys.readouterr().out)["port"]
        assert isinstance(port, int)
        return port

    with machine.host.net.occupy(8300):
        assert typed("--dry-run") == typed("--slot", "blue", "--farm", "shop") == 8301
        assert typed() == 8302
    assert typed("--slot", "blue", "--farm", "shop") == 8301
