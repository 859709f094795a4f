"""The one applicationHost.config of a simulated host: other eyes and other hands than ``apphost``."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.errors import ConfigurationError, NoSuchObject, RemoteError
from arr_bluegreen.pytest_plugin import BLUE_GREEN
from arr_bluegreen.simulator.config import ChangedOnDisk, DiskStore, HostConfig, MemoryStore
from arr_bluegreen.simulator.editing import Edit, edited
from arr_bluegreen.simulator.reading import read
from arr_bluegreen.simulator.reading_words import span

DATA = BLUE_GREEN.read_bytes()
FULL = Path(__file__).parents[3] / "shared" / "corpus" / "full"
SHOP = {"tag": "webFarm", "key": [["name", "shop"]]}
GREEN = {"tag": "server", "key": [["address", "127.0.0.3"]]}


def place(kind: str, *steps: object, section: str = "webFarms", **more: object) -> Edit:
    return {"kind": kind, "section": section, "location": "", "steps": list(steps), **more}


def diff(before: bytes, after: bytes) -> list[str]:
    """Lines gone (-) and lines new (+)."""
    old, new = before.decode().split("\r\n"), after.decode().split("\r\n")
    return [f"-{one.strip()}" for one in old if one not in new] + [f"+{one.strip()}" for one in new if one not in old]


def test_the_fixture_and_the_packages_copy_are_the_same() -> None:
    fixture = Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config"
    assert fixture.read_bytes() == DATA
    assert b"\r\n" in DATA
    assert b"\n" not in DATA.replace(b"\r\n", b"")


def test_the_words_are_read_with_the_files_defaults() -> None:
    reading = read(DATA)
    farm = reading.farms[0]
    assert [(one.address, one.enabled, one.http_port) for one in farm.servers] == [
        ("127.0.0.2", True, 8001),
        ("127.0.0.3", False, 8002),
    ]
    assert (farm.health_check.interval.total_seconds(), farm.protocol.cache.enabled) == (1.0, False)
    pools = {one.name: one for one in reading.pools}
    assert pools["DefaultAppPool"].managed_runtime_version == "v4.0", "applicationPoolDefaults count"
    assert pools["Front"].managed_runtime_version == ""
    assert pools["shop-blue"].process_model.load_user_profile
    assert pools["Front"].recycling.periodic_restart_time.total_seconds() == 0
    assert [one.name for one in reading.rules] == ["Block trace", "shop to farm"]
    assert reading.proxy.enabled


@pytest.mark.parametrize(
    ("text", "seconds"), [("00:00:30", 30.0), ("29:00:00", 104400.0), ("1.05:00:00", 104400.0), ("00:00:00.1", 0.1)]
)
def test_time_spans_are_read(text: str, seconds: float) -> None:
    assert span(text).total_seconds() == seconds


@pytest.mark.parametrize(
    "data",
    [b"", b"no XML", b"<web/>", b'<configuration><webFarms><webFarm name="x" enabled="y"/></webFarms></configuration>'],
)
def test_what_iis_could_not_load_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigurationError):
        read(data)


@pytest.mark.skipif(not FULL.is_dir(), reason="the corpus lies beside the checkout")
def test_real_files_are_read() -> None:
    """Every full file of the corpus with root configuration; a twelfth of them, to be quick."""
    names = sorted(FULL.glob("*.config"))[::4]
    readings = [read(one.read_bytes()) for one in names if b"<configuration" in one.read_bytes()[:4000]]
    assert all(one.sites and one.pools for one in readings)
    assert len(readings) >= 3


class TestEdits:
    """The primitive edits, as JSON, done by the simulator's own hands."""

    def test_a_value_set_changes_one_line(self) -> None:
        after = edited(DATA, [place("set", SHOP, GREEN, values=[["enabled", "true"]])])
        line = '<server address="127.0.0.3" enabled="%s">'
        assert diff(DATA, after) == [f"-{line % 'false'}", f"+{line % 'true'}"]

    def test_nothing_changed_is_the_same_bytes(self) -> None:
        assert edited(DATA, [place("set", SHOP, GREEN, values=[["enabled", "false"]])]) == DATA

    def test_a_value_is_taken_away_and_a_missing_element_made(self) -> None:
        affinity = {"tag": "affinity", "key": []}
        routing = {"tag": "applicationRequestRouting", "key": []}
        edits = [
            place("set", SHOP, values=[["enabled", None]]),
            place("set", SHOP, routing, affinity, values=[["useCookie", "true"]]),
        ]
        farm = read(edited(DATA, edits)).farms[0]
        assert farm.affinity.use_cookie
        assert b'<webFarm name="shop">' in edited(DATA, edits)

    def test_keys_are_compared_without_case(self) -> None:
        shop = {"tag": "webFarm", "key": [["name", "SHOP"]]}
        assert b'<webFarm name="shop">' in edited(DATA, [place("set", shop, values=[["enabled", None]])])

    def test_an_item_is_added_where_it_is_wanted(self) -> None:
        section = "system.webServer/rewrite/globalRules"
        rule = {
            "tag": "rule",
            "attributes": [["name", "new"]],
            "children": [{"tag": "match", "attributes": [["url", "x"]]}],
        }
        for where, name, expected in [
            ("first", "", ["new", "Block trace", "shop to farm"]),
            ("last", "", ["Block trace", "shop to farm", "new"]),
            ("before", "shop to farm", ["Block trace", "new", "shop to farm"]),
            ("after", "Block trace", ["Block trace", "new", "shop to farm"]),
        ]:
            after = edited(DATA, [place("add", section=section, element=rule, where=where, name=name)])
            assert [one.name for one in read(after).rules] == expected
            assert b'\r\n                <rule name="new">\r\n                    <match url="x" />' in after

    def test_an_item_moves_and_goes(self) -> None:
        section = "system.webServer/rewrite/globalRules"
        rule = {"tag": "rule", "key": [["name", "shop to farm"]]}
        moved = edited(DATA, [place("move", rule, section=section, where="first", name="")])
        assert [one.name for one in read(moved).rules] == ["shop to farm", "Block trace"]
        gone = edited(DATA, [place("remove", rule, section=section)])
        assert [one.name for one in read(gone).rules] == ["Block trace"]

    def test_a_second_item_of_the_same_key_is_refused(self) -> None:
        twin = {"tag": "server", "attributes": [["address", "127.0.0.3"]]}
        with pytest.raises(RemoteError, match="duplicate") as caught:
            edited(DATA, [place("add", SHOP, element=twin, where="last", name="")])
        assert caught.value.code == 0x800700B7

    def test_an_item_that_is_not_there_is_told_with_those_that_are(self) -> None:
        other = {"tag": "server", "key": [["address", "127.0.0.9"]]}
        with pytest.raises(NoSuchObject) as caught:
            edited(DATA, [place("set", SHOP, other, values=[["enabled", "true"]])])
        assert "127.0.0.2" in caught.value.hint

    def test_locations_are_copied_and_removed(self) -> None:
        copied = edited(DATA, [{"kind": "copy_location", "source": "shop-blue", "target": "shop-red"}])
        assert b'<location path="shop-red">' in copied
        gone = edited(copied, [{"kind": "remove_location", "path": "shop-red"}])
        assert b"shop-red" not in gone
        assert b'<location path="shop-blue">' in gone

    def test_attributes_are_copied_as_they_stand(self) -> None:
        pools = "system.applicationHost/applicationPools"
        steps = [{"tag": "add", "key": [["name", "shop-green"]]}, {"tag": "processModel", "key": []}]
        source = {"section": pools, "location": "", "steps": [{"tag": "add", "key": [["name", "Front"]]}, steps[1]]}
        edit = place("copy_attributes", *steps, section=pools, source=source, names=["identityType", "password"])
        green = read(edited(DATA, [edit])).pool("shop-green")
        assert green is not None
        assert green.process_model.identity_type == "ApplicationPoolIdentity"


class TestCommits:
    """Commits, foreign edits, and "changed on disk" (arr.md 5.11)."""

    def test_many_edits_are_one_commit_and_are_told_once(self) -> None:
        config = HostConfig(MemoryStore(DATA))
        heard: list[tuple[str, str]] = []
        config.listeners.append(lambda before, after: heard.append((before.digest, after.digest)))
        first = config.digest
        edits = [
            place("set", SHOP, GREEN, values=[["enabled", "true"]]),
            place("set", SHOP, values=[["enabled", "false"]]),
        ]
        digest = config.commit(edits, expect=first)
        assert (config.commits, heard) == (1, [(first, digest)])
        assert config.commit(edits) == digest
        assert config.commits == 1, "what changes nothing is not written"

    def test_a_commit_over_a_foreign_edit_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "applicationHost.config"
        path.write_bytes(DATA)
        config = HostConfig(DiskStore(path))
        seen = config.digest
        path.write_bytes(DATA + b"\r\n")
        with pytest.raises(ChangedOnDisk):
            config.commit([place("set", SHOP, values=[["enabled", "false"]])], expect=seen)
        assert path.read_bytes() == DATA + b"\r\n"

    def test_a_foreign_edit_on_disk_is_noticed(self, tmp_path: Path) -> None:
        path = tmp_path / "applicationHost.config"
        path.write_bytes(DATA)
        config = HostConfig(DiskStore(path))
        assert not config.poll()
        path.write_bytes(DATA.replace(b'127.0.0.3" enabled="false"', b'127.0.0.3" enabled="true" '))
        assert config.poll()
        assert config.reading.farms[0].servers[1].enabled
        assert not config.poll()

    def test_an_edit_iis_could_not_load_leaves_the_last_one_in_force(self, tmp_path: Path) -> None:
        path = tmp_path / "applicationHost.config"
        path.write_bytes(DATA)
        config = HostConfig(DiskStore(path))
        path.write_bytes(DATA[:5000])
        assert not config.poll()
        assert config.broken
        assert config.reading.data == DATA
        path.write_bytes(DATA + b"\r\n")
        assert config.poll()
        assert not config.broken

    def test_a_commit_that_fails_writes_nothing(self) -> None:
        config = HostConfig(MemoryStore(DATA))
        with pytest.raises(NoSuchObject):
            config.commit(
                [
                    place("set", SHOP, GREEN, values=[["enabled", "true"]]),
                    place("set", {"tag": "webFarm", "key": [["name", "x"]]}, values=[["enabled", "true"]]),
                ]
            )
        assert config.data() == DATA
