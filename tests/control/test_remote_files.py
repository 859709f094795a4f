"""Text files and the hosts file of a machine: bytes that are not ours come back as they were, or nothing is written."""

from collections.abc import Iterator

import pytest

from arr_bluegreen.apphost.web_config import edit_xml
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.deployment.content import make_settings
from arr_bluegreen.errors import UsageError
from arr_bluegreen.simulator.files import HOSTS
from arr_bluegreen.webfarm.setting import FileSettings, XmlSetting
from tests.control.simulated import Machine, simulated

CONFIG = r"C:\app\web.config"
WISH = FileSettings("web.config", xml=(XmlSetting("configuration/a", "b", "new"),))


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture(scope="module")
def there(machine: Machine) -> Iterator[WinrmMachine]:
    one = machine.connect()
    yield one
    one.close()


def test_settings_keep_a_byte_order_mark(machine: Machine, there: WinrmMachine) -> None:
    machine.host.files.write_bytes(CONFIG, b'\xef\xbb\xbf<configuration><a b="old" c="\xc3\xbc"/></configuration>')
    make_settings(there.files, r"C:\app", [WISH], edit_xml)
    after = b'\xef\xbb\xbf<configuration><a b="new" c="\xc3\xbc"/></configuration>'
    assert machine.host.files.read_bytes(CONFIG) == after


def test_settings_in_a_file_that_is_no_utf_8_are_refused_and_nothing_is_written(
    machine: Machine, there: WinrmMachine
) -> None:
    before = b'<?xml version="1.0" encoding="iso-8859-1"?><configuration><a b="old" c="\xfc"/></configuration>'
    machine.host.files.write_bytes(CONFIG, before)
    with pytest.raises(UsageError, match=r"web\.config' is not UTF-8"):
        make_settings(there.files, r"C:\app", [WISH], edit_xml)
    assert machine.host.files.read_bytes(CONFIG) == before


def test_a_hosts_file_with_comments_in_an_old_code_page_is_read_and_kept(machine: Machine, there: WinrmMachine) -> None:
    foreign = b"10.1.1.1 intranet # B\xfcro\r\n"
    machine.host.files.write_bytes(HOSTS, foreign)
    assert there.files.hosts_entries() == (("10.1.1.1", "intranet"),)
    assert there.files.set_hosts_entries("arr-bluegreen shop", [("127.0.0.1", "shop-blue")])
    assert there.files.hosts_entries("arr-bluegreen shop") == (("127.0.0.1", "shop-blue"),)
    assert there.files.set_hosts_entries("arr-bluegreen shop", [])
    assert machine.host.files.read_bytes(HOSTS) == foreign


@pytest.mark.parametrize("owner", ["", "two\nlines", "# sharp", "shop \u0142"])
def test_a_mark_that_would_not_read_back_is_refused_unsent(machine: Machine, there: WinrmMachine, owner: str) -> None:
    before = machine.faults.counts["http"]
    with pytest.raises(UsageError, match="cannot mark a line"):
        there.files.set_hosts_entries(owner, [("127.0.0.1", "shop-blue")])
    assert machine.faults.counts["http"] == before
