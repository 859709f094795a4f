"""The played appcmd: command line in; text, exit code and configuration out (arr.md 4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from arr_bluegreen.simulator.appcmd import AppcmdAnswer, run_appcmd
from arr_bluegreen.simulator.argv import CmdRefused, split_arguments, through_cmd
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.host import SimulatedHost

CONFIG = b"""<?xml version="1.0" encoding="UTF-8"?>
<configuration>
    <configSections>
        <sectionGroup name="system.applicationHost">
            <section name="applicationPools" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />
            <section name="sites" allowDefinition="AppHostOnly" overrideModeDefault="Deny" />
        </sectionGroup>
        <sectionGroup name="system.webServer">
            <section name="handlers" overrideModeDefault="Deny" />
            <sectionGroup name="rewrite">
                <section name="globalRules" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />
                <section name="rules" overrideModeDefault="Allow" />
            </sectionGroup>
        </sectionGroup>
        <section name="webFarms" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />
    </configSections>
    <system.applicationHost>
        <applicationPools>
            <add name="Front" startMode="AlwaysRunning" />
            <add name="blue" />
        </applicationPools>
        <sites>
            <site name="Front" id="1">
                <application path="/" applicationPool="Front">
                    <virtualDirectory path="/" physicalPath="C:\\inetpub\\front" />
                </application>
                <bindings>
                    <binding protocol="http" bindingInformation="*:80:" />
                </bindings>
            </site>
            <site name="My Site" id="2">
                <application path="/" applicationPool="blue">
                    <virtualDirectory path="/" physicalPath="C:\\x" />
                </application>
                <bindings>
                    <binding protocol="http" bindingInformation="*:8001:" />
                    <binding protocol="https" bindingInformation="*:8443:h" />
                </bindings>
            </site>
        </sites>
    </system.applicationHost>
    <system.webServer>
        <rewrite>
            <globalRules>
                <rule name="R" stopProcessing="true">
                    <match url=".*" />
                    <action type="Rewrite" url="http://shop/{R:0}" />
                </rule>
            </globalRules>
        </rewrite>
    </system.webServer>
    <webFarms>
        <webFarm name="shop" enabled="true">
            <server address="127.0.0.2" enabled="true" />
            <server address="127.0.0.3" enabled="true">
                <applicationRequestRouting httpPort="8002" />
            </server>
        </webFarm>
    </webFarms>
</configuration>
"""


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost(CONFIG, clock=SimulatedClock()).boot()


Say = Callable[[str], AppcmdAnswer]


@pytest.fixture
def appcmd(host: SimulatedHost) -> Say:
    return lambda line: run_appcmd(host, split_arguments(f"appcmd.exe {line}")[1:])


def find(host: SimulatedHost, path: str) -> dict[str, str]:
    element = host.config.tree().find(path)
    assert element is not None, path
    return {str(name): str(value) for name, value in element.attrib.items()}


FARM = "webFarms/webFarm[@name='shop']"
APPLIED = (
    'Applied configuration changes to section "webFarms" for "MACHINE/WEBROOT/APPHOST"'
    ' at configuration commit path "MACHINE/WEBROOT/APPHOST"\n'
)

# -- set config -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "path", "attributes"),
    [
        (
            "/[name='shop'].[address='127.0.0.2'].enabled:\"False\"",
            f"{FARM}/server[@address='127.0.0.2']",
            {"address": "127.0.0.2", "enabled": "false"},
        ),
        (
            "/[name='SHOP'].[address='127.0.0.2'].applicationRequestRouting.httpPort:8001",
            f"{FARM}/server[@address='127.0.0.2']/applicationRequestRouting",
            {"httpPort": "8001"},
        ),
        ("/+\"[name='F']\"", "webFarms/webFarm[@name='F']", {"name": "F"}),
        (
            "/+\"[name='shop'].[address='127.0.0.9',enabled='False']\"",
            f"{FARM}/server[@address='127.0.0.9']",
            {"address": "127.0.0.9", "enabled": "false"},
        ),
        (
            "/[name='shop'].applicationRequestRouting.healthCheck.url:\"http://shop/up?a=1:2\""
            " /[name='shop'].applicationRequestRouting.healthCheck.interval:00:00:05",
            f"{FARM}/applicationRequestRouting/healthCheck",
            {"url": "http://shop/up?a=1:2", "interval": "00:00:05"},
        ),
        (
            "/+\"[name='shop'].applicationRequestRouting.affinity.[name='www.x.com',servers='2']\"",
            f"{FARM}/applicationRequestRouting/affinity/host",
            {"name": "www.x.com", "servers": "2"},
        ),
    ],
)
def test_set_config_changes_the_farm_in_one_commit(
    host: SimulatedHost, appcmd: Say, line: str, path: str, attributes: dict[str, str]
) -> None:
    answer = appcmd(f"set config -section:webFarms {line} /commit:apphost")
    assert (answer.text, answer.exit_code) == (APPLIED, 0)
    assert find(host, path) == attributes
    assert host.config.commits == 1


def test_many_settings_of_one_section_are_one_commit(host: SimulatedHost, appcmd: Say) -> None:
    settings = " ".join(f"/+[name='shop'].[address='10.0.0.{number}']" for number in range(20))
    assert appcmd(f"set config -section:webFarms {settings} /commit:apphost").exit_code == 0
    assert (len(host.config.reading.farms[0].servers), host.config.commits) == (22, 1)


def test_one_bad_setting_among_many_changes_nothing(host: SimulatedHost, appcmd: Say) -> None:
    before = host.config.data()
    answer = appcmd(
        "set config -section:webFarms /[name='shop'].enabled:False"
        " /[name='shop'].[address='127.0.0.2'].applicationRequestRouting.weight:0 /commit:apphost"
    )
    assert answer.exit_code != 0
    assert "Applied" not in answer.text
    assert host.config.data() == before


def test_removing_takes_the_element_itself(host: SimulatedHost, appcmd: Say) -> None:
    assert (
        appcmd("set config -section:webFarms /-\"[name='shop'].[address='127.0.0.2']\" /commit:apphost").exit_code == 0
    )
    assert [one.address for one in host.config.reading.farms[0].servers] == ["127.0.0.3"]
    assert appcmd("set config -section:webFarms /-\"[name='shop']\" /commit:apphost").exit_code == 0
    assert host.config.reading.farms == ()


def test_a_rule_is_added_at_the_top_with_all_its_parts(host: SimulatedHost, appcmd: Say) -> None:
    answer = appcmd(
        "set config -section:system.webServer/rewrite/globalRules"
        " /+\"[@start,name='Top rule',patternSyntax='Wildcard',stopProcessing='True']\""
        " \"/[name='Top rule'].match.url:*\""
        " /+\"[name='Top rule'].conditions.[input='{HTTPS}',pattern='On']\""
        " \"/[name='Top rule'].action.type:Rewrite\" \"/[name='Top rule'].action.url:http://F/{R:0}\" /commit:apphost"
    )
    assert answer.exit_code == 0, answer.text
    first = host.config.reading.rules[0]
    assert (first.name, first.pattern_syntax, first.stop_processing) == ("Top rule", "Wildcard", True)
    assert (first.match.url, first.action.url, first.conditions[0].input) == ("*", "http://F/{R:0}", "{HTTPS}")


def test_a_location_is_written_for_a_site_with_commit_apphost(host: SimulatedHost, appcmd: Say) -> None:
    section = "-section:system.webServer/rewrite/rules"
    assert appcmd(f'set config "My Site" {section} /+"[name=\'X\']" /commit:apphost').exit_code == 0
    assert find(host, "location[@path='My Site']/system.webServer/rewrite/rules/rule") == {"name": "X"}


def test_what_holds_already_is_not_written_again(host: SimulatedHost, appcmd: Say) -> None:
    answer = appcmd("set config -section:webFarms /[name='shop'].enabled:true /commit:apphost")
    assert (answer.text, answer.exit_code, host.config.commits) == (APPLIED, 0, 0)


# -- errors (arr.md 4.4) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "text", "code"),
    [
        (
            "set config -section:webFarms /+[name='SHOP']",
            "ERROR ( message:New webFarm object missing required attributes. Cannot add duplicate collection entry of"
            " type 'webFarm' with unique key attribute 'name' set to 'SHOP'\n.  )\n",
            183,
        ),
        (
            "set site \"My Site\" /+bindings.[protocol='http',bindingInformation='*:8001:']",
            "ERROR ( message:New binding object missing required attributes. Cannot add duplicate collection entry of"
            " type 'binding' with combined key attributes 'protocol, bindingInformation' respectively set to 'http,"
            " *:8001:'\n.  )\n",
            183,
        ),
        ("add apppool /name:blue", 'ERROR ( message:Failed to add duplicate collection element "blue". )\n', 183),
        (
            "set vdir nowhere/ /physicalPath:C:\\y",
            "ERROR ( message:Must use exact identifer for VDIR object with verb SET. )\n",
            50,
        ),
        (
            "set config -section:webFarms /[name=shop].enabled:False",
            "ERROR ( message:Malformed collection indexer; format is [@position,name='value',name2='value2',...].  The"
            " @position specifier is optional, and be '@start', '@end', or '@N' where N is a numeric index into the"
            " collection. )\n",
            87,
        ),
        ("start site nowhere", 'ERROR ( message:Cannot find SITE object with identifier "nowhere". )\n', 1168),
        (
            "set SERVERAUTOSTART:TRUE",
            "Object 'SERVERAUTOSTART:TRUE' is not supported.  Run 'appcmd.exe /?' to display supported objects.\n",
            87,
        ),
        ("set config -section:webFarms /[name='none'].enabled:False", "ERROR ( message:Cannot find requested", 1168),
        ("set config -section:webFarms /[name='shop'].colour:red", 'ERROR ( message:Unknown attribute "colour"', 87),
        ("set config -section:nothing /a:b", 'ERROR ( message:Unknown config section "nothing"', 1168),
        ('set config "My Site" -section:webFarms /a:b /commit:apphost', "ERROR ( hresult:80070021, message:", 33),
    ],
)
def test_errors_have_the_text_and_exit_code_of_the_reference(appcmd: Say, line: str, text: str, code: int) -> None:
    answer = appcmd(line)
    assert answer.text.startswith(text)
    assert answer.exit_code == code


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("[name='shop'].enabled", "yes"),
        ("[name='shop'].[address='127.0.0.2'].applicationRequestRouting.httpPort", "65536"),
        ("[name='shop'].[address='127.0.0.2'].applicationRequestRouting.weight", "0"),
        ("[name='shop'].applicationRequestRouting.healthCheck.retries", "21"),
        ("[name='shop'].applicationRequestRouting.healthCheck.timeout", "00:00:00"),
        ("[name='shop'].applicationRequestRouting.healthCheck.interval", "30"),
        ("[name='shop'].applicationRequestRouting.loadBalancing.algorithm", "RoundRobin"),
    ],
)
def test_a_value_iis_would_not_take_is_refused(host: SimulatedHost, appcmd: Say, path: str, value: str) -> None:
    answer = appcmd(f"set config -section:webFarms /{path}:{value} /commit:apphost")
    assert answer.text.startswith("ERROR ( message:Configuration error\nFilename: \nLine Number: 0\nDescription: The '")
    assert (answer.exit_code, host.config.commits) == (13, 0)


@pytest.mark.parametrize(
    ("how", "text", "code"),
    [
        (
            "sharing",
            "ERROR ( hresult:80070020, message:Failed to commit configuration changes.\nThe process cannot access the"
            " file because it is being used by another process.\n )\n",
            32,
        ),
        (
            "denied",
            "ERROR ( hresult:80070005, message:Failed to commit configuration changes.\nAccess is denied.\n )\n",
            5,
        ),
    ],
)
def test_it_says_applied_and_then_fails_to_commit(host: SimulatedHost, how: str, text: str, code: int) -> None:
    faults = Faults()
    faults.add(f"commit:times=2,how={how}")
    arguments = ["set", "config", "-section:webFarms", "/[name='shop'].enabled:False", "/commit:apphost"]
    for _ in range(2):
        assert run_appcmd(host, arguments, faults) == AppcmdAnswer(APPLIED + text, code)
        assert host.config.reading.farms[0].enabled
    assert run_appcmd(host, arguments, faults) == AppcmdAnswer(APPLIED, 0)
    assert not host.config.reading.farms[0].enabled


def test_another_language_keeps_envelope_hresult_and_exit_code(host: SimulatedHost) -> None:
    faults = Faults()
    faults.add("commit")
    answer = run_appcmd(host, ["set", "site", "My Site", "/serverAutoStart:false"], faults, "ru")
    assert "Failed to commit" not in answer.text
    assert "ERROR ( hresult:80070020, message:" in answer.text
    assert answer.exit_code == 32


def test_without_elevation_nothing_is_even_read(host: SimulatedHost, appcmd: Say) -> None:
    host.settings.elevated = False
    answer = appcmd("list site")
    assert answer.exit_code == 5
    assert "Filename: redirection.config" in answer.text
    assert "insufficient permissions" in answer.text


def test_a_file_somebody_broke_is_neither_read_nor_written_over(host: SimulatedHost, appcmd: Say) -> None:
    host.config.store.save(CONFIG[:-20])
    answer = appcmd("set config -section:webFarms /[name='shop'].enabled:False")
    assert answer.text.startswith("ERROR ( message:Configuration error\nFilename: \\\\?\\C:")
    assert (answer.exit_code, host.config.store.load()) == (1168, CONFIG[:-20])


def test_without_arr_its_section_is_not_declared(host: SimulatedHost, appcmd: Say) -> None:
    host.settings.arr_installed = False
    answer = appcmd("list config -section:webFarms")
    assert "missing a section declaration" in answer.text
    assert answer.exit_code == 1168
    assert appcmd("list site").exit_code == 0


# -- objects ---------------------------------------------------------------------------------------------------


def test_lists_have_the_texts_of_the_reference(host: SimulatedHost, appcmd: Say) -> None:
    assert appcmd('list site "My Site"').text == (
        'SITE "My Site" (id:2,bindings:http/*:8001:,https/*:8443:h,state:Started)\n'
    )
    assert appcmd("list apps /site.name:Front").text == 'APP "Front/" (applicationPool:Front)\n'
    assert appcmd("list vdir Front/").text == 'VDIR "Front/" (physicalPath:C:\\inetpub\\front)\n'
    assert appcmd("list apppool /name:blue").text == 'APPPOOL "blue" (MgdVersion:,MgdMode:Integrated,state:Started)\n'
    assert appcmd("list site Front /text:id").text == "1\n"
    worker = host.iis.workers("Front")[0]
    assert appcmd("list wps /apppool.name:Front").text == f'WP "{worker.pid}" (applicationPool:Front)\n'


def test_nothing_found_is_no_text_an_empty_result_set_and_exit_code_1(appcmd: Say) -> None:
    assert appcmd("list site /name:none") == AppcmdAnswer("", 1)
    answer = appcmd("list site /name:none /xml")
    assert answer.text.endswith("<appcmd />\n")


def test_xml_lists_parse_and_hold_the_names_as_attributes(appcmd: Say) -> None:
    root = etree.fromstring(appcmd("list site /xml /config").text.encode())
    assert [one.get("SITE.NAME") for one in root] == ["Front", "My Site"]
    assert root[1].find("site/bindings/binding[@protocol='https']") is not None
    root = etree.fromstring(appcmd("list config -section:webFarms /xml").text.encode())
    assert root.find("CONFIG/webFarms/webFarm/server[@address='127.0.0.3']") is not None


def test_list_config_prints_the_section_in_its_groups(appcmd: Say) -> None:
    text = appcmd("list config -section:system.webServer/rewrite/globalRules").text
    root = etree.fromstring(text)
    assert root.tag == "system.webServer"
    assert root.find("rewrite/globalRules/rule[@name='R']") is not None


def test_list_config_with_a_star_fills_in_what_is_not_written(host: SimulatedHost, appcmd: Say) -> None:
    host.config.commit(
        host.config.data().replace(
            b"        </applicationPools>",
            b'            <applicationPoolDefaults queueLength="500" />\n        </applicationPools>',
        )
    )
    farm = etree.fromstring(appcmd("list config -section:webFarms /config:*").text).find("webFarm")
    assert farm is not None
    assert farm.find("server/applicationRequestRouting[@weight='100'][@httpPort='8002']") is not None
    assert farm.find("applicationRequestRouting/healthCheck[@retries='3'][@interval='00:00:30'][@url='']") is not None
    pools = etree.fromstring(appcmd("list config -section:system.applicationHost/applicationPools /config:*").text)
    assert [one.get("queueLength") for one in pools.iterfind("applicationPools/add")] == ["500", "500"]
    assert pools.find("applicationPools/add[@name='blue']/processModel[@idleTimeout='00:20:00']") is not None


def test_the_sections_there_are_can_be_asked_for(appcmd: Say) -> None:
    assert "webFarms\n" in appcmd("list config -section:?").text
    assert appcmd("list config -section:?system.webServer/rewrite/*").text == (
        "system.webServer/rewrite/globalRules\nsystem.webServer/rewrite/rules\n"
    )
    assert "<webFarms>" in appcmd("list config").text


@pytest.mark.parametrize(
    ("line", "levels"),
    [
        ("-section:webFarms", [""]),
        ("-section:webFarms /[name='SHOP'].name", [""]),
        ("-section:webFarms /[name='nobody'].name", []),
        ("-section:webFarms /[name='shop'].[address='127.0.0.3'].applicationRequestRouting.httpPort:8002", [""]),
        ("-section:webFarms /[name='shop'].[address='127.0.0.3'].applicationRequestRouting.httpPort:80", []),
        ("-section:system.webServer/rewrite/rules", ["/My Site", "/Front"]),
        ('"My Site" -section:system.webServer/rewrite/rules', ["/My Site"]),
        ("", ["", "/My Site", "/Front"]),
    ],
)
def test_search_finds_the_levels_that_set_it(host: SimulatedHost, appcmd: Say, line: str, levels: list[str]) -> None:
    appcmd('set config "My Site" -section:system.webServer/rewrite/rules /+"[name=\'X\']" /commit:apphost')
    rules = "<configuration><system.webServer><rewrite><rules /></rewrite></system.webServer></configuration>"
    host.files.write_text(r"C:\inetpub\front\web.config", rules)
    found = [f'CONFIGSEARCH "MACHINE/WEBROOT/APPHOST{one}"\n' for one in levels]
    assert appcmd(f"search config {line}") == AppcmdAnswer("".join(found), 0 if found else 1)


def test_requests_need_request_monitor(host: SimulatedHost, appcmd: Say) -> None:
    assert appcmd("list requests") == AppcmdAnswer("", 1)
    host.settings.request_monitor = False
    answer = appcmd("list requests")
    assert answer.text == "ERROR ( hresult:80004001, message:Command execution failed.\nNot implemented\n )\n"
    assert answer.exit_code != 0


def test_a_site_is_added_with_its_application_started_and_deleted(host: SimulatedHost, appcmd: Say) -> None:
    assert appcmd("add apppool /name:green /startMode:AlwaysRunning").text == 'APPPOOL object "green" added\n'
    assert appcmd("set apppool green /processModel.idleTimeout:00:00:00").text == 'APPPOOL object "green" changed\n'
    answer = appcmd('add site /name:S /bindings:"http/*:8009:" /physicalPath:"C:\\new folder"')
    assert answer.text == 'SITE object "S" added\nAPP object "S/" added\nVDIR object "S/" added\n'
    assert appcmd('set app "S/" /applicationPool:green').text == 'APP object "S/" changed\n'
    site = host.config.reading.site("S")
    assert site is not None
    assert (site.id, site.pool, site.physical_path, site.bindings[0].port) == (3, "green", "C:\\new folder", 8009)
    assert appcmd('start site /site.name:"S"').text == '"S" successfully started.\n'
    assert appcmd("stop site S").text == '"S" successfully stopped.\n'
    assert appcmd('delete site "S"').text == 'SITE object "S" deleted\n'
    assert host.config.reading.site("S") is None


def test_stop_is_run_time_only(host: SimulatedHost, appcmd: Say) -> None:
    before = host.config.data()
    appcmd('stop site "My Site"')
    assert "state:Stopped" in appcmd('list site "My Site"').text
    assert appcmd("list sites /state:Stopped").text.startswith('SITE "My Site"')
    assert host.config.data() == before


def test_a_site_was_calls_invalid_does_not_start(appcmd: Say) -> None:
    appcmd("add site /name:Twin /bindings:http/*:80: /physicalPath:C:\\twin")
    appcmd("stop site Twin")
    answer = appcmd("start site Twin")
    assert answer.text == (
        "ERROR ( hresult:800710d8, message:Command execution failed.\n"
        "The object identifier does not represent a valid object.\n )\n"
    )
    assert answer.exit_code == 4312


def test_a_recycled_pool_has_a_new_worker_process(host: SimulatedHost, appcmd: Say) -> None:
    before = host.iis.workers("Front")[0].pid
    assert appcmd("recycle apppool /apppool.name:Front").text == '"Front" successfully recycled.\n'
    assert [one.pid for one in host.iis.workers("Front") if not one.retiring] != [before]


def test_backups_are_copies(host: SimulatedHost, appcmd: Say) -> None:
    assert appcmd("add backup before").text == 'BACKUP object "before" added\n'
    assert appcmd("add backup before").exit_code == 183
    assert appcmd("list backups").text == 'BACKUP "before"\n'
    kept = host.files.read_bytes(r"%windir%\System32\inetsrv\backup\before\applicationHost.config")
    assert kept == host.config.data()
    root = etree.fromstring(appcmd("list backup /xml").text.encode())
    assert [one.get("BACKUP.NAME") for one in root] == ["before"]
    assert appcmd("delete backup before").text == 'BACKUP object "before" deleted\n'
    assert appcmd("list backups").text == ""


def test_a_backup_restored_undoes_everybody_and_restarts_all(host: SimulatedHost, appcmd: Say) -> None:
    before = host.config.data()
    appcmd("add backup before")
    appcmd("set config -section:webFarms /[name='shop'].enabled:False")
    appcmd("add apppool /name:somebody")
    worker = host.iis.workers("Front")[0]
    assert appcmd('restore backup "before"').text == 'Restored configuration from backup "before"\n'
    assert host.config.data() == before
    assert (worker.gone, len(host.iis.workers("Front"))) == (True, 1)
    assert appcmd("restore backup other").exit_code == 1168


# -- command lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (r'p.exe a\\\b d"e f"g h', ["p.exe", r"a\\\b", "de fg", "h"]),
        (r"p.exe a\\\"b c d", ["p.exe", r"a\"b", "c", "d"]),
        (r'p.exe a\\\\"b c" d e', ["p.exe", r"a\\b c", "d", "e"]),
        (r'"C:\Program Files\p.exe" "" x', [r"C:\Program Files\p.exe", "", "x"]),
        ('p.exe "a ""b"" c"', ["p.exe", 'a "b" c']),
        (r'p.exe "C:\x\\" y', ["p.exe", "C:\\x\\", "y"]),
    ],
)
def test_command_lines_are_taken_apart_as_windows_does(line: str, arguments: list[str]) -> None:
    assert split_arguments(line) == arguments


def test_cmd_expands_variables_and_refuses_operators() -> None:
    assert through_cmd(r"%windir%\System32\x.exe %nothere% ^& \"a & b\"".replace('\\"', '"')) == (
        r'C:\Windows\System32\x.exe %nothere% & "a & b"'
    )
    for line in ("a & b", "a | b", "a > b", "x" * 8192):
        with pytest.raises(CmdRefused):
            through_cmd(line)
