"""The hosts file over WinRM: read and written as bytes, whatever encoding an admin's comment is in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.deployment.aliases import add_alias, our_aliases, remove_alias
from arr_bluegreen.errors import RefusedError, UsageError
from arr_bluegreen.simulator.files import HOSTS
from tests.control.simulated import Machine, simulated

ANSI = b"# kommentar von M\xfcller\x85\r\n127.0.0.1 localhost\r\n10.0.0.9 shop-green\r\n"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture
def there(machine: Machine) -> Iterator[WinrmMachine]:
    """Its controls; its hosts file has a comment in ANSI."""
    machine.host.files.write_bytes(HOSTS, ANSI)
    controls = machine.connect()
    yield controls
    controls.close()


@pytest.mark.parametrize("farm", ["shop", "Gr\u00fc\u00dfe", "\u5546\u5e97", "Anna's shop", "shop (2)", "s" * 200])
def test_no_byte_but_our_own_changes(machine: Machine, there: WinrmMachine, farm: str) -> None:
    assert there.files.hosts_entries() == (("127.0.0.1", "localhost"), ("10.0.0.9", "shop-green"))
    assert add_alias(there.files, farm, "shop-blue")
    assert not add_alias(there.files, farm, "shop-blue")
    written = machine.host.files.read_bytes(HOSTS) or b""
    assert (written[: len(ANSI)], written[len(ANSI) :].isascii()) == (ANSI, True)
    assert our_aliases(there.files, farm) == (("127.0.0.1", "shop-blue"),)
    assert our_aliases(there.files, "another") == ()
    assert remove_alias(there.files, farm, "shop-blue")
    assert machine.host.files.read_bytes(HOSTS) == ANSI


def test_what_is_no_entry_is_not_even_sent(machine: Machine, there: WinrmMachine) -> None:
    with pytest.raises(RefusedError, match=r"10\.0\.0\.9"):
        add_alias(there.files, "shop", "shop-green")
    for owner, pair in (("arr-bluegreen \u5546", ("127.0.0.1", "a")), ("arr-bluegreen shop", ("127.0.0.1", "a b"))):
        with pytest.raises(UsageError):
            there.files.set_hosts_entries(owner, [pair])
    assert machine.host.files.read_bytes(HOSTS) == ANSI
