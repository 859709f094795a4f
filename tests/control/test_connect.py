"""``--on TARGET`` taken apart; what cannot be taken is told with what could be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.control.connect import ConnectSettings, Target, connect, parse_target
from arr_bluegreen.control.interface import Capability
from arr_bluegreen.errors import CapabilityMissing, UsageError


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("file:/a/b.config", Target("file", ("/a/b.config",))),
        (r"file:C:\inetsrv\a,b.config", Target("file", (r"C:\inetsrv\a,b.config",))),
        (r"file:\\share\iis\applicationHost.config", Target("file", (r"\\share\iis\applicationHost.config",))),
        ("local", Target("local")),
        ("winrm:web01,web02:5986", Target("winrm", ("web01", "web02:5986"))),
    ],
)
def test_a_target_is_a_kind_and_names(text: str, target: Target) -> None:
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["file:", "winrm:a,,b", "winrm:a,A", "local:x", "ssh:host", ""])
def test_what_is_no_target_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)
    assert caught.value.hint


def test_a_kind_nearly_right_is_guessed() -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("winmr:web01")
    assert "'winrm'" in caught.value.hint


def test_a_file_can_be_read_and_written_and_nothing_else(tmp_path: Path) -> None:
    (machine,) = connect(f"file:{tmp_path / 'a.config'}")
    assert machine.capabilities == {Capability.READ_CONFIG, Capability.WRITE_CONFIG}
    for act in (
        lambda: machine.farm("shop"),
        lambda: machine.sites,
        lambda: machine.files,
        lambda: machine.probe,
    ):
        with pytest.raises(CapabilityMissing, match="is a file"):
            act()
    assert machine.facts().name == str(tmp_path / "a.config")


def test_the_password_is_in_no_repr() -> None:
    assert "hunter2" not in repr(ConnectSettings(user="u", password="hunter2"))
