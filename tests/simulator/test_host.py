"""The simulated machine's names, rules, drives, settings and clock."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from arr_bluegreen.control.safe_extract import digest_of
from arr_bluegreen.errors import ArrBlueGreenError, RemoteError, UsageError
from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.exchange import Outcome, PublicRequest
from arr_bluegreen.simulator.files import HOSTS, DiskDrives, Drives, MemoryDrives
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.hostfaults import do_fault, told
from arr_bluegreen.simulator.settings import SimulatorSettings, take

DATA = BLUE_GREEN.read_bytes()


class TestNames:
    """Where a farm server's address leads."""

    def test_loopback_the_computer_and_the_hosts_file(self, arr_host: SimulatedHost) -> None:
        assert arr_host.resolve("127.0.0.9") == "127.0.0.9"
        assert arr_host.resolve("web01") == "127.0.0.1"
        assert arr_host.resolve("shop-blue") is None
        arr_host.files.write_text(HOSTS, "127.0.0.1 app-blue app-green # ours\n#127.0.0.1 shop-blue\n")
        assert arr_host.resolve("APP-green") == "127.0.0.1"
        assert arr_host.resolve("shop-blue") is None

    def test_an_alias_routes_like_an_address(self, arr_host: SimulatedHost) -> None:
        arr_host.files.write_text(HOSTS, "127.0.0.1 app-blue\n")
        arr_host.config.commit(arr_host.config.data().replace(b'address="127.0.0.2"', b'address="app-blue"'))
        ended: list[Outcome] = []
        arr_host.exchange.send(PublicRequest("shop.example"), ended.append)
        assert ended[0].version == "1"

    def test_a_farm_server_may_be_another_machine(self, arr_host_from: HostFactory) -> None:
        other = arr_host_from(versions={"shop-blue": "elsewhere"})
        host = arr_host_from(DATA.replace(b'address="127.0.0.2"', b'address="10.0.0.8"'))
        host.neighbours["10.0.0.8"] = other
        ended: list[Outcome] = []
        host.exchange.send(PublicRequest("shop.example"), ended.append)
        assert ended[0].version == "elsewhere"

    def test_slots_are_told_from_the_front(self, arr_host: SimulatedHost) -> None:
        assert arr_host.slot_sites(arr_host.config.reading) == ("shop-blue", "shop-green")
        assert [one.name for one in arr_host.arr.front_sites()] == ["Front"]


@pytest.fixture(params=["memory", "disk"])
def drives(request: pytest.FixtureRequest, tmp_path: Path) -> Drives:
    """Both kinds of drives: they must do the same."""
    return MemoryDrives() if request.param == "memory" else DiskDrives(tmp_path)


class TestDrives:
    def test_what_is_written_is_read_without_case(self, drives: Drives) -> None:
        drives.write_text("C:\\Data\\A.txt", "hello")
        assert drives.read_text("c:/data/a.TXT") == "hello"
        assert drives.read_text("C:\\data\\b.txt") is None

    def test_variables_are_expanded_and_relative_paths_refused(self, drives: Drives) -> None:
        drives.write_text("%ProgramData%\\x\\y.json", "{}")
        assert drives.read_text("C:\\ProgramData\\x\\y.json") == "{}"
        for path in ("x\\y", "%NoSuch%\\x", "\\\\server\\share"):
            with pytest.raises(RemoteError):
                drives.read_text(path)

    def test_create_replace_and_delete_compare(self, drives: Drives) -> None:
        path = "C:\\x\\lock.json"
        assert drives.create(path, "1")
        assert not drives.create(path, "2")
        assert not drives.replace(path, "2", "3")
        assert drives.replace(path, "1", "3")
        assert not drives.delete_if(path, "1")
        assert drives.delete_if(path, "3")
        assert not drives.delete_if(path, None)

    def test_folders_are_copied_digested_and_deleted(self, drives: Drives) -> None:
        drives.write_text("C:\\a\\one.txt", "1")
        drives.write_text("C:\\a\\sub\\two.txt", "22")
        copied = drives.copy_folder("C:\\a", "C:\\b")
        assert (copied.files, copied.bytes) == (2, 3)
        assert copied == drives.digest("C:\\a")
        assert drives.names("C:\\b") == ("one.txt",)
        with pytest.raises(RemoteError, match="there already"):
            drives.copy_folder("C:\\a", "C:\\b")
        drives.delete_folder("C:\\b")
        drives.delete_folder("C:\\b")
        assert not drives.folder_exists("C:\\b")
        assert drives.digest("C:\\b") is None
        with pytest.raises(RemoteError, match="no such folder"):
            drives.copy_folder("C:\\b", "C:\\c")

    def test_a_digest_is_the_one_the_controller_makes_of_the_same_files(self, drives: Drives) -> None:
        """Both sides compare these; names sort by UTF-16 units, as .NET's ordinal order has them."""
        files = {"b": b"22", "a/c.dll": b"\0" * 3, "Z": b"", "\U0001f600": b"x", "\uff00": b"yy"}
        for name, data in files.items():
            drives.write_bytes("C:\\new\\" + name.replace("/", "\\"), data)
        told = [(name, len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()]
        assert drives.digest("C:\\new") == digest_of(iter(told))

    def test_an_upload_in_pieces_is_expanded(self, drives: Drives) -> None:
        import base64

        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("web.config", "<x/>")
            archive.writestr("bin/app.dll", "dll")
        data, size = made.getvalue(), 0
        for at in range(0, len(data), 50):
            size = drives.append("C:\\t\\a.zip", base64.b64encode(data[at : at + 50]).decode(), at)
        assert size == len(data)
        assert drives.expand("C:\\t\\a.zip", "C:\\app").files == 2
        assert drives.read_text("C:\\app\\bin\\app.dll") == "dll"
        with pytest.raises(RemoteError, match="bytes, not"):
            drives.append("C:\\t\\a.zip", "eA==", 3)

    @pytest.mark.parametrize("name", ["../out.txt", "/abs.txt", "C:/x.txt"])
    def test_a_zip_that_climbs_out_is_refused(self, drives: Drives, name: str) -> None:
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr(name, "x")
        drives.write_bytes("C:\\a.zip", made.getvalue())
        with pytest.raises(ArrBlueGreenError, match="does not stay"):
            drives.expand("C:\\a.zip", "C:\\app")


class TestSettingsAndFaults:
    def test_settings_are_taken_by_name_as_text(self) -> None:
        settings = SimulatorSettings()
        take(settings, {"state_survives_enabling": "true", "probes_per_interval": "3", "computer": "X"})
        assert (settings.state_survives_enabling, settings.probes_per_interval, settings.computer) == (True, 3, "X")

    @pytest.mark.parametrize("values", [{"nope": "1"}, {"elevated": "perhaps"}, {"probes_per_interval": "many"}])
    def test_a_wrong_setting_is_refused_and_nothing_set(self, values: dict[str, str]) -> None:
        settings = SimulatorSettings()
        with pytest.raises(UsageError):
            take(settings, {"computer": "X", **values})
        assert settings == SimulatorSettings()

    def test_faults_are_done_by_text(self, arr_host: SimulatedHost) -> None:
        before = arr_host.iis.workers("Front")
        assert do_fault(arr_host, "recycle") == "recycle Front"
        assert arr_host.iis.workers("Front") != before
        do_fault(arr_host, "stop-pool:pool=shop-blue")
        do_fault(arr_host, "set:request_monitor=false")
        do_fault(arr_host, "state:farm=shop,address=127.0.0.2,to=Drain")
        state = told(arr_host)
        assert state["farms"][0]["servers"][0]["state"] == "Draining"
        assert state["pools"][2] == {"name": "shop-blue", "state": "Stopped", "workers": [], "requests": None}

    @pytest.mark.parametrize("text", ["nope", "stop-pool", "set:nope=1", "state:farm=shop"])
    def test_a_fault_that_makes_no_sense_is_refused(self, arr_host: SimulatedHost, text: str) -> None:
        with pytest.raises(UsageError):
            do_fault(arr_host, text)


class TestClock:
    def test_timers_run_at_their_own_moment_and_in_order(self) -> None:
        clock, seen = SimulatedClock(), list[tuple[str, float]]()

        def later() -> None:
            seen.append(("b", clock.monotonic()))
            clock.call_later(1, lambda: seen.append(("c", clock.monotonic())))

        clock.call_later(2, later)
        clock.call_later(1, lambda: seen.append(("a", clock.monotonic())))
        clock.call_later(1.5, lambda: seen.append(("never", 0.0))).cancel()
        clock.sleep(10)
        assert seen == [("a", 1.0), ("b", 2.0), ("c", 3.0)]
        assert clock.monotonic() == 10

    def test_sleeping_until_ends_when_it_is_so_or_nothing_is_due(self) -> None:
        clock, done = SimulatedClock(), list[int]()
        clock.call_later(5, lambda: done.append(1))
        assert clock.sleep_until(lambda: bool(done))
        assert clock.monotonic() == 5
        assert not clock.sleep_until(lambda: len(done) == 2)
