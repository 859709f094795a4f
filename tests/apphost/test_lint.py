"""The lint: a careful file has no finding; each hazard, put into it, is found with code and place."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.lint import HAZARDS, Finding, Severity, explain, lint
from arr_bluegreen.errors import ConfigurationError, NoSuchObject

POOL = (
    '<add name="{}" autoStart="true" startMode="AlwaysRunning" managedRuntimeVersion="">'
    '<processModel idleTimeout="00:00:00" /><recycling><periodicRestart time="00:00:00" /></recycling></add>'
)
SITE = (
    '<site name="{0}" id="{1}"><application path="/" applicationPool="{0}">'
    '<virtualDirectory path="/" physicalPath="C:\\{0}" /></application>'
    '<bindings><binding protocol="http" bindingInformation="{2}" /></bindings></site>'
)
SHOP_RULE = (
    '<rule name="shop" stopProcessing="true"><match url=".*" /><conditions>'
    '<add input="{HTTP_HOST}" pattern="^shop\\.example$" /><add input="{SERVER_PORT}" pattern="^80$" />'
    '</conditions><action type="Rewrite" url="http://shop/{R:0}" /></rule>'
)
API_RULE = SHOP_RULE.replace("shop", "api")
FARM = """
<webFarm name="shop">
 <server address="127.0.0.1" enabled="true"><applicationRequestRouting httpPort="8001" /></server>
 <server address="127.0.0.2" enabled="false"><applicationRequestRouting httpPort="8002" /></server>
 <applicationRequestRouting>
  <healthCheck url="http://shop.example/health" interval="00:00:05" statusCodeMatch="200" responseMatch="healthy" />
  <protocol timeout="00:02:00"><cache enabled="false" /></protocol>
 </applicationRequestRouting>
</webFarm>
"""
API_FARM = FARM.replace("shop", "api").replace("127.0.0.", "10.0.0.")
SECTIONS = (
    '<configSections><section name="webFarms" /><sectionGroup name="system.applicationHost">'
    '<section name="sites" /><section name="applicationPools" /></sectionGroup></configSections>'
)
CAREFUL = (
    f'<?xml version="1.0" encoding="UTF-8"?>\n<configuration>{SECTIONS}\n<system.applicationHost>\n<applicationPools>\n'
    + "\n".join(POOL.format(name) for name in ("front", "blue", "green"))
    + "\n</applicationPools>\n<sites>\n"
    + "\n".join(
        [SITE.format("front", 1, "*:80:"), SITE.format("blue", 2, "*:8001:"), SITE.format("green", 3, "*:8002:")]
    )
    + "\n</sites>\n</system.applicationHost>\n<system.webServer><rewrite><globalRules>\n"
    + f"{SHOP_RULE}\n{API_RULE}\n</globalRules></rewrite></system.webServer>\n<webFarms>{FARM}{API_FARM}</webFarms>\n"
    + '<location path="front"><system.webServer /></location>\n</configuration>\n'
)

CATCH_ALL = (
    '<rule name="all" patternSyntax="Wildcard" stopProcessing="true"><match url="*" />'
    '<action type="Rewrite" url="http://shop/{R:0}" /></rule>'
)
PORT = '<add input="{SERVER_PORT}" pattern="^80$" />'

# code -> (old text, new text) put into the careful file; each pair replaces the first occurrence only
CASES: dict[str, list[tuple[str, str]]] = {
    "ARR000": [('enabled="false"><applicationRequestRouting', 'enabled="maybe"><applicationRequestRouting')],
    "ARR001": [('<server address="127.0.0.2"', '<server address="LOCALhost" /><server address="localhost"')],
    "ARR002": [('httpPort="8002"', 'httpPort="8001"')],
    "ARR003": [('<server address="127.0.0.2"', '<server address="localhost:8002"')],
    "ARR004": [('<server address="127.0.0.2"', '<server address="127.0.0.2" port="8002"')],
    "ARR005": [("<protocol", '<loadBalancing algorithm="LeastRequests" /><protocol')],
    "ARR006": [('url="http://shop.example/health" ', "")],
    "ARR007": [('url="http://shop.example/health" ', 'liveTrafficFailurePeriod="00:01:00" ')],
    "ARR008": [(' responseMatch="healthy"', "")],
    "ARR009": [(' statusCodeMatch="200"', "")],
    "ARR010": [(' statusCodeMatch="200"', ' statusCodeMatch="200" minServers="1"')],
    "ARR011": [('interval="00:00:05"', 'interval="00:00:01"')],
    "ARR012": [("<protocol", '<affinity useCookie="true" /><protocol')],
    "ARR013": [("<protocol", '<affinity useHostName="true" /><protocol')],
    "ARR014": [(' timeout="00:02:00"', "")],
    "ARR015": [('<cache enabled="false" />', "")],
    "ARR016": [('address="127.0.0.1" enabled="true"', 'address="127.0.0.1" enabled="false"')],
    "ARR017": [('httpPort="8001"', 'httpPort="8001" weight="0"')],
    "ARR018": [('<webFarm name="api"', '<webFarm name="Shop"')],
    "ARR020": [(SHOP_RULE, CATCH_ALL + SHOP_RULE)],
    "ARR021": [(API_RULE, SHOP_RULE.replace('name="shop"', 'name="late"').replace("//shop", "//api"))],
    "ARR022": [(PORT, "")],
    "ARR023": [("http://api/{R:0}", "http://gone/{R:0}")],
    "ARR024": [('<webFarm name="shop"', '<webFarm name="shop" enabled="false"')],
    "ARR025": [("http://api/{R:0}", "http://shop/{R:0}")],
    "ARR026": [('<rule name="shop"', '<rule name="ARR_shop_loadbalance"')],
    "ARR027": [(PORT, PORT + '<add input="{HTTP_ON}" pattern="^off$" />')],
    "ARR028": [('<rule name="shop"', '<rule name="shop" patternSyntax="Wildcard"')],
    "ARR029": [("^shop\\.example$", "^(shop\\.example$")],
    "ARR030": [(PORT, PORT + PORT)],
    "ARR031": [('<match url=".*"', '<match url=".+"')],
    "ARR032": [('<rule name="api"', '<rule name="SHOP"')],
    "ARR040": [("*:8001:", "*:8001:blue.local")],
    "ARR041": [(POOL.format("blue"), POOL.format("blue").replace('<processModel idleTimeout="00:00:00" />', ""))],
    "ARR042": [(POOL.format("blue"), POOL.format("blue").replace('time="00:00:00" />', 'time="1.05:00:00" />'))],
    "ARR043": [(POOL.format("blue"), POOL.format("blue").replace(' managedRuntimeVersion=""', ""))],
    "ARR044": [('applicationPool="green"', 'applicationPool="blue"')],
    "ARR045": [('<site name="blue" id="2"', '<site name="blue" id="2" serverAutoStart="false"')],
    "ARR046": [(POOL.format("blue"), POOL.format("blue").replace(' startMode="AlwaysRunning"', ""))],
    "ARR047": [
        ("</applicationPools>", POOL.format("secure") + "</applicationPools>"),
        ("</sites>", SITE.format("secure", 9, "*:80:shop.example") + "</sites>"),
    ],
    "ARR048": [(POOL.format("front"), POOL.format("front").replace("idleTimeout", 'maxProcesses="2" idleTimeout'))],
    "ARR049": [(POOL.format("front"), POOL.format("front").replace('time="00:00:00"', 'time="1.05:00:00"'))],
    "ARR050": [
        (POOL.format("front"), POOL.format("front").replace('"00:00:00" /><recycling>', '"00:20:00" /><recycling>'))
    ],
    "ARR051": [('applicationPool="front"', 'applicationPool="blue"')],
    "ARR052": [("*:80:", "*:80:other.example")],
    "ARR053": [("*:8002:", "*:8001:")],
    "ARR054": [('applicationPool="front"', 'applicationPool="gone"')],
    "ARR055": [('<location path="front">', '<location path="gone/app">')],
    "ARR056": [('<site name="green" id="3"', '<site name="green" id="2"')],
    "ARR057": [('<add name="green"', '<add name="Blue"')],
}


def findings(text: str) -> tuple[Finding, ...]:
    return lint(ApplicationHost.parse(text.encode()))


def broken(code: str) -> str:
    text = CAREFUL
    for old, new in CASES[code]:
        assert old in text
        text = text.replace(old, new, 1)
    return text


def test_a_careful_file_has_no_finding() -> None:
    assert [f"{one.code} {one.what}" for one in findings(CAREFUL)] == []


def test_every_hazard_has_a_case_here() -> None:
    assert sorted(CASES) == sorted(one.code for one in HAZARDS)


@pytest.mark.parametrize("code", sorted(CASES))
def test_the_hazard_is_found_where_it_is(code: str) -> None:
    found = [one for one in findings(broken(code)) if one.code == code]
    assert found
    for one in found:
        assert one.line is not None
        assert one.column is not None
        assert one.element.startswith("configuration/")
        assert one.what
        assert one.why
        assert one.fix


def test_the_place_is_that_of_the_element() -> None:
    (one,) = [one for one in findings(broken("ARR001")) if one.code == "ARR001"]
    line = broken("ARR001").splitlines()[(one.line or 0) - 1]
    assert line[(one.column or 0) - 1 :].startswith('<server address="localhost"')
    assert one.element == "configuration/webFarms/webFarm[@name='shop']/server[@address='localhost'][2]"


def test_findings_come_in_the_order_of_the_file() -> None:
    text = broken("ARR008").replace(PORT, "", 1)
    lines = [one.line or 0 for one in findings(text)]
    assert len(lines) > 1
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("statuses", "found"), [("200", False), ("200-299", False), ("200-399", True), ("200,302", True), ("200-", True)]
)
def test_only_statuses_that_let_redirects_through_are_told_of(statuses: str, found: bool) -> None:
    text = CAREFUL.replace('statusCodeMatch="200"', f'statusCodeMatch="{statuses}"', 1)
    assert ("ARR009" in {one.code for one in findings(text)}) is found


def test_a_catch_all_to_the_same_farm_or_behind_the_others_swallows_nothing() -> None:
    behind = CAREFUL.replace(API_RULE, API_RULE + CATCH_ALL, 1)
    assert "ARR020" not in {one.code for one in findings(behind)}


def test_an_alias_from_the_hosts_file_is_taken_for_this_machine() -> None:
    text = broken("ARR040").replace('address="127.0.0.1"', 'address="shop-blue"', 1)
    assert "ARR040" in {one.code for one in findings(text)}


def test_every_hazard_is_explained_by_its_code_and_an_unknown_code_is_an_error() -> None:
    assert explain("arr022").severity is Severity.ERROR
    with pytest.raises(NoSuchObject):
        explain("ARR999")


def test_codes_are_unique() -> None:
    codes = [one.code for one in HAZARDS]
    assert len(set(codes)) == len(codes)


CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


@pytest.mark.parametrize("room", ["full", "farms"])
def test_no_file_of_the_corpus_breaks_the_lint(room: str) -> None:
    files = sorted((CORPUS / room).glob("*")) if CORPUS.is_dir() else []
    if not files:
        pytest.skip("no corpus beside the checkout")
    for path in files:
        with suppress(ConfigurationError):  # not a configuration: the reading's own tests say why
            lint(ApplicationHost.parse(path.read_bytes(), file=path.name))
