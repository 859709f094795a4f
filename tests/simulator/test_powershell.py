"""The played powershell.exe: our bootstrap, our scripts by their exact text, and Windows' errors."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping

import pytest
import winrm

from arr_bluegreen.control.framing import POWERSHELL, bootstrap_arguments
from arr_bluegreen.simulator.powershell_files import FILE_SCRIPTS
from arr_bluegreen.simulator.powershell_scripts import SCRIPTS
from tests.simulator.machine import CONFIG, Script, Simulated, simulated
from tests.simulator.served import PASSWORD, USER


@pytest.fixture
def machine() -> Iterator[Simulated]:
    with simulated() as one:
        yield one


@pytest.fixture
def script(machine: Simulated) -> Iterator[Script]:
    one = Script(machine.served.protocol())
    yield one
    one.close()


SHOP = {"farm": "shop"}
BLUE, GREEN = "127.0.0.2", "127.0.0.3"


def addresses(script: Script) -> list[str]:
    return [one["address"] for one in script.reply("status", **SHOP, front=[])["farms"][0]["servers"]]


def test_every_script_of_the_package_is_played_and_no_other() -> None:
    there = {one.stem for one in (CONFIG.parents[2] / "arr_bluegreen/control/scripts").glob("*.ps1")}
    assert set(SCRIPTS) | set(FILE_SCRIPTS) == there - {"bootstrap", "common"}


def test_it_says_that_it_is_ready(script: Script) -> None:
    ready = script.ready().ready
    assert ready is not None
    assert (ready.is_64_bit, ready.language_mode, ready.computer) == (True, "FullLanguage", "WEB01")


def test_a_poll_costs_one_send_and_one_receive(machine: Simulated, script: Script) -> None:
    script.reply("status", **SHOP, front=["Front"])
    machine.faults.reset_counts()
    for _ in range(10):
        script.reply("status", **SHOP, front=["Front"])
    assert machine.faults.counts["http"] == 20


def test_status_tells_configuration_run_time_and_workers(script: Script) -> None:
    reply = script.reply("status", **SHOP, front=["Front"])
    (farm,) = reply["farms"]
    assert (farm["name"], farm["enabled"], reply["computer"]) == ("shop", True, "WEB01")
    server = farm["servers"][0]
    assert {"address", "enabled", "weight", "http_port", "state", "is_healthy", "total_requests"} <= set(server)
    assert (server["state"], server["is_healthy"]) == ("Active", True)
    assert [one["pool"] for one in reply["arr_workers"]] == ["Front"]
    assert script.reply("status", farm=None, front=[])["arr_workers"] is None


def test_states_are_set_and_read_back(script: Script) -> None:
    blue, green = addresses(script)
    assert script.reply("set_state", **SHOP, states=[[green, "Start"], [blue, "GracefulStop"]]) == {}
    servers = script.reply("status", **SHOP, front=[])["farms"][0]["servers"]
    assert {one["address"]: one["state"] for one in servers} == {green: "Active", blue: "Inactive"}
    script.reply("set_healthy", **SHOP, healthy=[[green, False]])
    servers = script.reply("status", **SHOP, front=[])["farms"][0]["servers"]
    assert {one["address"]: one["is_healthy"] for one in servers}[green] is False


def test_every_server_is_found_before_the_first_is_told(script: Script) -> None:
    blue, _ = addresses(script)
    error = script.error("set_state", **SHOP, states=[[blue, "GracefulStop"], ["nowhere", "Start"]])
    assert error["type"] == "NoSuchObject"
    assert blue in error["message"]
    servers = script.reply("status", **SHOP, front=[])["farms"][0]["servers"]
    assert {one["state"] for one in servers} == {"Active"}


def test_configuration_travels_only_when_it_changed(machine: Simulated, script: Script) -> None:
    first = script.reply("read_config", unless=None)
    data = gzip.decompress(base64.b64decode(first["data"]))
    assert data == CONFIG.read_bytes()
    assert first["digest"] == hashlib.sha256(data).hexdigest()
    assert script.reply("read_config", unless=first["digest"]) == {"digest": first["digest"], "unchanged": True}


def edit(farm: str, value: str) -> dict[str, object]:
    steps = [{"tag": "webFarm", "key": [["name", farm]]}]
    return {"kind": "set", "section": "webFarms", "location": "", "steps": steps, "values": [["enabled", value]]}


def test_edits_are_one_commit_and_a_changed_file_is_refused(machine: Simulated, script: Script) -> None:
    before = machine.host.config.digest
    reply = script.reply("commit", edits=[edit("shop", "false")], expect=before)
    assert reply["digest"] == machine.host.config.digest != before
    assert not machine.host.config.reading.farms[0].enabled
    error = script.error("commit", edits=[edit("shop", "true")], expect=before)
    assert error["type"] == "ChangedOnDisk"
    assert not machine.host.config.reading.farms[0].enabled
    assert script.error("commit", edits=[edit("none", "true")], expect=None)["type"] == "NoSuchObject"


def test_appcmd_runs_as_a_script_and_not_over_a_changed_file(machine: Simulated, script: Script) -> None:
    before = machine.host.config.digest
    line = ["set", "config", "-section:webFarms", "/[name='shop'].enabled:false", "/commit:apphost"]
    assert script.error("appcmd", arguments=line, expect="0" * 64)["type"] == "ChangedOnDisk"
    assert machine.host.config.digest == before
    reply = script.reply("appcmd", arguments=line, expect=before)
    assert reply["exit_code"] == 0
    assert base64.b64decode(reply["output"]).startswith(b'Applied configuration changes to section "webFarms"')
    assert not machine.host.config.reading.farms[0].enabled
    wrong = script.reply("appcmd", arguments=["list", "nonsense"], expect=None)
    assert wrong["exit_code"] != 0
    machine.host.settings.iis_version = ""
    assert script.error("appcmd", arguments=line, expect=None)["type"] == "IisMissing"


def test_a_commit_is_judged_by_the_schema(machine: Simulated, script: Script) -> None:
    before = machine.host.config.digest
    error = script.error("commit", edits=[edit("shop", "maybe")], expect=None)
    assert (error["type"], error["hresult"]) == ("System.Runtime.InteropServices.COMException", "0x8007000D")
    assert "'enabled' attribute is invalid" in error["message"]
    assert machine.host.config.digest == before


@pytest.mark.parametrize(
    ("how", "type", "hresult"),
    [
        ("sharing", "System.Runtime.InteropServices.COMException", "0x80070020"),
        ("changed", "System.IO.FileLoadException", "0x80131621"),
        ("denied", "System.UnauthorizedAccessException", "0x80070005"),
    ],
)
def test_a_commit_fails_as_often_as_planned(
    machine: Simulated, script: Script, how: str, type: str, hresult: str
) -> None:
    machine.faults.add(f"commit:times=2,how={how}")
    for _ in range(2):
        error = script.error("commit", edits=[edit("shop", "false")], expect=None)
        assert (error["type"], error["hresult"]) == (type, hresult)
        assert machine.host.config.reading.farms[0].enabled
    script.reply("commit", edits=[edit("shop", "false")], expect=None)


def test_the_probe_asks_from_the_machine_itself(script: Script) -> None:
    request = {"url": "http://127.0.0.1:80/version", "host": "shop.example", "timeout": 2}
    server = script.reply("status", **SHOP, front=[])["farms"][0]["servers"][0]
    slot = {"url": f"http://{server['address']}:{server['http_port']}/version", "host": "shop.example", "timeout": 2}
    nobody = {"url": "http://127.0.0.1:9/", "timeout": 1}
    first, second, third = script.reply("probe", requests=[request, slot, nobody], concurrency=3)["answers"]
    assert second["status"] == 200, second
    assert ["X-App-Version", "1"] in second["headers"]
    assert (third["status"], bool(third["error"])) == (0, True)
    assert first["seconds"] >= 0


def test_health_is_tested_as_arr_would(script: Script) -> None:
    blue, _ = addresses(script)
    asked = {**SHOP, "address": blue, "timeout": 2, "status_code_match": "200", "response_match": ""}
    assert script.reply("test_health", url="http://shop/health", **asked)["result"] == "Success"
    wrong = {**asked, "status_code_match": "500-599"}
    assert script.reply("test_health", url="http://shop/health", **wrong)["result"] == "StatusCodeFailure"


def test_sites_and_pools_start_and_stop_at_run_time_only(machine: Simulated, script: Script) -> None:
    before = machine.host.config.digest
    stop = [
        {"kind": "site", "name": "shop-green", "verb": "stop"},
        {"kind": "pool", "name": "shop-green", "verb": "stop"},
    ]
    script.reply("site_action", actions=stop)
    script.reply("site_action", actions=stop)
    reply = script.reply("sites", pools=["shop-green"], requests=True)
    assert {one["name"]: one["state"] for one in reply["sites"]}["shop-green"] == "Stopped"
    assert [(one["state"], one["workers"], one["requests"]) for one in reply["pools"]] == [("Stopped", [], 0)]
    script.reply("site_action", actions=[{**one, "verb": "start"} for one in stop])
    reply = script.reply("sites", pools=[], requests=False)
    assert {one["state"] for one in reply["sites"] if one["name"] == "shop-green"} == {"Started"}
    assert all(one["requests"] is None for one in reply["pools"])
    assert machine.host.config.digest == before


def test_without_request_monitor_requests_are_unknown(machine: Simulated, script: Script) -> None:
    machine.host.settings.request_monitor = False
    assert {one["requests"] for one in script.reply("sites", pools=[], requests=True)["pools"]} == {None}
    assert script.reply("machine")["request_monitor"] is False


def test_records_are_compared_and_swapped(script: Script) -> None:
    path = r"%ProgramData%\arr-bluegreen\shop\wanted.json"

    def ops(*wanted: Mapping[str, object]) -> list[dict[str, object]]:
        results: list[dict[str, object]] = script.reply("files", ops=[{"path": path, **one} for one in wanted])[
            "results"
        ]
        return results

    create, read = {"op": "create", "text": "grün 1"}, {"op": "read"}
    assert ops(read, create, create, read) == [{"text": None}, {"done": True}, {"done": False}, {"text": "grün 1"}]
    swap = {"op": "replace", "expected": "grün 1", "text": "2"}
    assert ops(swap, swap, read) == [{"done": True}, {"done": False}, {"text": "2"}]
    names = {"op": "names", "path": r"C:\ProgramData\arr-bluegreen\shop"}
    assert ops(names, {"op": "delete", "expected": "1"}, {"op": "delete", "expected": "2"}, names) == [
        {"names": ["wanted.json"]},
        {"done": False},
        {"done": True},
        {"names": []},
    ]
    assert script.error("files", ops=[{"op": "read", "path": "relative.txt"}])["type"] == "BadPath"


def test_folders_are_uploaded_digested_and_copied_once(script: Script) -> None:
    piece = base64.b64encode(b"hello").decode()
    append = {"op": "append", "path": r"C:\new\sub\a.txt", "data": piece}
    assert script.reply("folder", **append, offset=0) == {"size": 5}
    assert script.reply("folder", **append, offset=5) == {"size": 10}
    assert script.reply("folder", **append, offset=5) == {"size": 10}, "the same piece again changes nothing"
    line = f"sub/a.txt\0{10}\0{hashlib.sha256(b'hellohello').hexdigest()}\n".encode()
    expected = {"files": 1, "bytes": 10, "digest": hashlib.sha256(line).hexdigest()}
    assert script.reply("folder", op="digest", path="C:\\new") == expected
    copy = {"op": "copy", "source": "C:\\new", "target": "C:\\newer"}
    assert script.reply("folder", **copy) == expected
    assert script.error("folder", **copy)["type"] == "Exists"
    assert script.reply("folder", op="digest", path="C:\\none") == {"missing": True}


def test_hosts_entries_of_ours_come_and_go_and_others_stay(machine: Simulated, script: Script) -> None:
    hosts = r"C:\Windows\System32\drivers\etc\hosts"
    files = machine.host.files
    machine.served.call(lambda: files.write_bytes(hosts, b"10.1.1.1 \xe9tranger # not ours\n"))
    owner = "arr-bluegreen shop"
    assert script.reply("hosts_file", op="set", owner=owner, lines=[["127.0.0.1", "shop-blue"]]) == {"changed": True}
    ours = b"127.0.0.1 shop-blue # arr-bluegreen shop\r\n"
    assert files.read_bytes(hosts) == b"10.1.1.1 \xe9tranger # not ours\n" + ours
    assert script.reply("hosts_file", op="read")["text"].startswith("10.1.1.1 \xe9tranger")
    again = script.reply("hosts_file", op="set", owner=owner, lines=[["127.0.0.1", "shop-blue"]])
    assert again == {"changed": False}
    assert script.reply("hosts_file", op="remove", owner=owner) == {"changed": True}
    assert files.read_bytes(hosts) == b"10.1.1.1 \xe9tranger # not ours\n"
    backups = [name for name in files.names(hosts.rpartition("\\")[0]) if name != "hosts"]
    assert len(backups) == 2
    assert all(one.startswith("hosts.arr-bluegreen-20") and one.endswith(".bak") for one in backups)


@pytest.mark.parametrize(
    ("owner", "line"),
    [
        ("arr-bluegreen shop", ["127.0.0.1", "under_score"]),
        ("arr-bluegreen shop", ["127.0.0.1", "two\n10.0.0.1 lines"]),
        ("arr-bluegreen shop", ["127.0.0.1\t", "tab"]),
        ("two\nlines", ["127.0.0.1", "shop-blue"]),
        ("# sharp", ["127.0.0.1", "shop-blue"]),
    ],
)
def test_what_would_be_no_line_of_ours_is_refused(script: Script, owner: str, line: list[str]) -> None:
    assert script.error("hosts_file", op="set", owner=owner, lines=[line])["type"] == "BadName"


def test_text_is_read_strictly_and_with_its_byte_order_mark(machine: Simulated, script: Script) -> None:
    latin, marked = r"C:\app\latin.json", r"C:\app\marked.json"
    machine.served.call(lambda: machine.host.files.write_bytes(latin, b'{"a": "gr\xfcn"}'))
    machine.served.call(lambda: machine.host.files.write_bytes(marked, b"\xef\xbb\xbf{}"))
    error = script.error("files", ops=[{"op": "read", "path": latin}])
    assert (error["type"], error["message"]) == ("NotUtf8", rf"'{latin}' is not UTF-8")
    assert script.reply("files", ops=[{"op": "read", "path": marked}])["results"] == [{"text": "\ufeff{}"}]
    swap = {"op": "replace", "path": marked, "text": "x"}
    assert script.reply("files", ops=[{**swap, "expected": "{}"}])["results"] == [{"done": False}]
    assert script.reply("files", ops=[{**swap, "expected": "\ufeff{}"}])["results"] == [{"done": True}]


def test_web_config_tells_asp_net_core(machine: Simulated, script: Script) -> None:
    text = (
        '<configuration><location path="."><system.webServer><aspNetCore hostingModel="inprocess"><handlerSettings>'
        '<handlerSetting name="disallowRotationOnConfigChange" value="true" /></handlerSettings></aspNetCore>'
        "</system.webServer></location></configuration>"
    )
    machine.served.call(lambda: machine.host.files.write_text(r"C:\core\web.config", text))
    core, plain = script.reply("web_config", paths=["C:\\core", "C:\\none"])["apps"]
    assert (core["asp_net_core"], core["in_process"], core["disallow_rotation_on_config_change"]) == (True, True, True)
    assert (plain["asp_net_core"], plain["in_process"]) == (False, None)


# -- what a machine may lack, and what is refused ----------------------------------------------------------------


def test_not_elevated_is_access_denied_and_machine_still_answers(machine: Simulated, script: Script) -> None:
    machine.host.settings.elevated = False
    error = script.error("status", **SHOP, front=[])
    assert (error["type"], error["hresult"]) == ("System.UnauthorizedAccessException", "0x80070005")
    facts = script.reply("machine")
    assert (facts["elevated"], facts["arr_installed"]) == (False, None)


def test_no_arr_and_no_iis_have_names_of_their_own(machine: Simulated, script: Script) -> None:
    machine.host.settings.arr_installed = False
    assert script.error("status", **SHOP, front=[])["type"] == "ArrMissing"
    assert script.reply("machine")["arr_installed"] is False
    machine.host.settings.iis_version = ""
    assert script.error("read_config", unless=None)["type"] == "IisMissing"
    assert script.reply("machine", ports=True)["iis_version"] is None


def test_a_broken_file_is_told_as_it_is_and_nothing_writes_over_it(machine: Simulated, script: Script) -> None:
    broken = CONFIG.read_bytes()[:-20]
    machine.served.call(lambda: machine.host.config.store.save(broken))
    data = gzip.decompress(base64.b64decode(script.reply("read_config", unless=None)["data"]))
    assert data == broken
    for name, request in (("status", {**SHOP, "front": []}), ("commit", {"edits": [edit("shop", "false")]})):
        assert script.error(name, **request)["hresult"] == "0x8007000D"
    assert machine.host.config.store.load() == broken


def test_constrained_language_and_32_bit_are_told_at_once(machine: Simulated) -> None:
    machine.host.settings.is_64_bit = False
    one = Script(machine.served.protocol())
    ready = one.ready().ready
    assert ready is not None
    assert not ready.is_64_bit
    one.close()
    machine.host.settings.language_mode = "ConstrainedLanguage"
    other = Script(machine.served.protocol())
    assert other.ready().refused == "ConstrainedLanguage"
    assert other.exit_code == 3
    other.close()


def test_an_altered_or_unknown_script_is_refused(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    import arr_bluegreen.control.framing as framing

    monkeypatch.setattr(framing, "script_text", lambda name: "param($Request)\nRemove-Item C:\\ -Recurse")
    for name in ("status", "wipe"):
        error = script.error(name)
        assert (error["type"], "not known to this simulated host" in error["message"]) == ("UnknownScript", True)


def test_a_script_of_somebody_else_is_refused_honestly(machine: Simulated) -> None:
    session = winrm.Session(
        f"http://127.0.0.1:{machine.served.port}/wsman", auth=(USER, PASSWORD), proxy=None, ca_trust_path=None
    )
    answer = session.run_ps("Get-Date")
    assert answer.status_code == 1
    assert b"plays the scripts of arr-bluegreen only" in answer.std_err


def test_cmd_runs_trivial_programs_and_knows_no_others(machine: Simulated) -> None:
    session = winrm.Session(
        f"http://127.0.0.1:{machine.served.port}/wsman", auth=(USER, PASSWORD), proxy=None, ca_trust_path=None
    )
    assert session.run_cmd("hostname").std_out == b"WEB01\r\n"
    unknown = session.run_cmd("frobnicate")
    assert unknown.status_code == 1
    assert unknown.std_err.startswith(b"'frobnicate' is not recognized as an internal or external command")
    listed = session.run_cmd(r"%windir%\System32\inetsrv\appcmd.exe", ["list", "site", "Front"])
    assert listed.std_out.startswith(b'SITE "Front" (id:1,bindings:')
    assert listed.std_out.endswith(b")\r\n")
    short = session.run_cmd(r"%windir%\System32\inetsrv\appcmd", ["list", "site", "Front"])
    assert short.std_out == listed.std_out, "cmd.exe tries .exe by itself"
    machine.host.settings.iis_version = ""
    missing = session.run_cmd(r"%windir%\System32\inetsrv\appcmd.exe", ["list", "site"])
    assert (missing.std_err, missing.status_code) == (b"The system cannot find the path specified.\r\n", 1)


def test_a_full_path_that_is_not_there_is_a_fault_without_cmd(machine: Simulated) -> None:
    protocol = machine.served.protocol()
    shell = protocol.open_shell()
    with pytest.raises(winrm.exceptions.WSManFaultError) as caught:
        protocol.run_command(shell, "hostname", skip_cmd_shell=True)
    assert caught.value.wsman_fault_code == 2
    protocol.close_shell(shell)


def test_a_script_process_ends_with_its_input(machine: Simulated) -> None:
    protocol = machine.served.protocol()
    shell = protocol.open_shell(codepage=65001)
    command = protocol.run_command(shell, POWERSHELL, bootstrap_arguments(), False, True)
    protocol.send_command_input(shell, command, b"", end=True)
    out, err, code = protocol.get_command_output(shell, command)
    assert (out.startswith(b"ARRBG-READY "), err, code) == (True, b"", 0)
    protocol.close_shell(shell)
