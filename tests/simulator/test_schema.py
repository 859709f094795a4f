"""One schema for every way in: appcmd, the commit script, a file edited by hand (arr.md 1 to 3)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from lxml import etree

from arr_bluegreen.errors import ArrBlueGreenError, ConfigurationError, NoSuchObject
from arr_bluegreen.pytest_plugin import BLUE_GREEN
from arr_bluegreen.simulator.appcmd import run_appcmd
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.config_check import problem
from arr_bluegreen.simulator.config_errors import BadValue, Duplicate, Incomplete, NotDeclared, NotHere, Refused
from arr_bluegreen.simulator.config_errors import UnknownName as Unknown
from arr_bluegreen.simulator.editing import edited
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.reading import read

DATA = BLUE_GREEN.read_bytes()
FULL = Path(__file__).parents[3] / "shared" / "corpus" / "full"
FARMS, POOLS, SITES = "webFarms", "system.applicationHost/applicationPools", "system.applicationHost/sites"
RULES = "system.webServer/rewrite/globalRules"
Step = tuple[str, str, str]
SHOP: Step = ("webFarm", "name", "shop")
BLUE: Step = ("server", "address", "127.0.0.2")
ARR: Step = ("applicationRequestRouting", "", "")
CHECK: Step = ("healthCheck", "", "")


def as_json(section: str, steps: tuple[Step, ...], **more: object) -> Mapping[str, object]:
    told = [{"tag": tag, "key": [[name, value]] if name else []} for tag, name, value in steps]
    return {"section": section, "location": "", "steps": told, **more}


def as_path(steps: tuple[Step, ...]) -> str:
    return ".".join(f"[{name}='{value}']" if name else tag for tag, name, value in steps)


def both_refuse(edit: Mapping[str, object], command: list[str], why: type[ArrBlueGreenError]) -> None:
    with pytest.raises(why):
        edited(DATA, [edit])
    host = SimulatedHost(DATA, clock=SimulatedClock()).boot()
    answer = run_appcmd(host, ["set", "config", *command, "/commit:apphost"])
    assert (answer.exit_code != 0, "ERROR (" in answer.text, host.config.commits) == (True, True, 0)


@pytest.mark.parametrize(
    ("section", "steps", "name", "value", "why"),
    [
        (FARMS, (SHOP, BLUE, ARR), "weight", "0", BadValue),
        (FARMS, (SHOP, BLUE, ARR), "httpPort", "65536", BadValue),
        (FARMS, (SHOP, BLUE, ARR), "hostName", "", BadValue),
        (FARMS, (SHOP, BLUE), "address", "", BadValue),
        (FARMS, (SHOP, BLUE), "address", "127.0.0.3", Duplicate),
        (FARMS, (SHOP, BLUE), "port", "8001", Unknown),
        (FARMS, (SHOP,), "colour", "red", Unknown),
        (FARMS, (SHOP,), "name", "a/b?", BadValue),
        (FARMS, (SHOP, ARR, CHECK), "retries", "21", BadValue),
        (FARMS, (SHOP, ARR, CHECK), "interval", "30", BadValue),
        (FARMS, (SHOP, ARR, CHECK), "timeout", "00:00:00", BadValue),
        (FARMS, (SHOP, ARR, ("affinity", "", "")), "timeout", "00:01:30", BadValue),
        (FARMS, (SHOP, ARR, ("healthcheck", "", "")), "url", "http://x/", Unknown),
        (POOLS, (("add", "name", "Front"),), "queueLength", "9", BadValue),
        (POOLS, (("add", "name", "Front"),), "startMode", "Always", BadValue),
        (POOLS, (("add", "name", "Front"), ("processModel", "", "")), "idleTimeout", "00:00:30", BadValue),
        (SITES, (("site", "name", "Front"), ("limits", "", "")), "maxBandwidth", "1000", BadValue),
        (SITES, (("site", "name", "Front"),), "id", "2", Duplicate),
        (RULES, (("rule", "name", "Block trace"), ("action", "", "")), "statusCode", "302", BadValue),
        (RULES, (("rule", "name", "Block trace"), ("match", "", "")), "url", "", BadValue),
    ],
)
def test_what_iis_would_not_take_neither_way_sets(
    section: str, steps: tuple[Step, ...], name: str, value: str, why: type[ArrBlueGreenError]
) -> None:
    edit = as_json(section, steps, kind="set", values=[[name, value]])
    both_refuse(edit, [f"-section:{section}", f"/{as_path(steps)}.{name}:{value}"], why)


@pytest.mark.parametrize(
    ("section", "steps", "tag", "attributes", "why"),
    [
        (FARMS, (), "webFarm", {"name": "a/b?"}, BadValue),
        (FARMS, (), "webFarm", {"name": "SHOP"}, Duplicate),
        (FARMS, (), "webFarm", {"enabled": "true"}, Incomplete),
        (FARMS, (SHOP,), "server", {"address": "127.0.0.9", "port": "1"}, Unknown),
        (FARMS, (SHOP,), "server", {"address": "127.0.0.9", "enabled": "maybe"}, BadValue),
        (POOLS, (), "add", {"name": "a&b"}, BadValue),
        (SITES, (), "site", {"name": "bad?name", "id": "9"}, BadValue),
        (SITES, (), "site", {"name": "no-id"}, Incomplete),
        (SITES, (), "site", {"name": "twin", "id": "2"}, Duplicate),
        (SITES, (("site", "name", "Front"),), "application", {"path": "shop/"}, BadValue),
        (SITES, (("site", "name", "Front"), ("bindings", "", "")), "binding", {"protocol": "http"}, Incomplete),
    ],
)
def test_what_iis_would_not_take_neither_way_adds(
    section: str, steps: tuple[Step, ...], tag: str, attributes: dict[str, str], why: type[ArrBlueGreenError]
) -> None:
    element = {"tag": tag, "attributes": [list(one) for one in attributes.items()]}
    pairs = ",".join(f"{name}='{value}'" for name, value in attributes.items())
    path = ".".join(part for part in (as_path(steps), f"[{pairs}]") if part)
    edit = as_json(section, steps, kind="add", element=element)
    both_refuse(edit, [f"-section:{section}", f"/+{path}"], why)


def test_a_section_for_the_top_only_is_in_no_location() -> None:
    steps = as_json(FARMS, (SHOP,), kind="set", values=[["enabled", "true"]])
    both_refuse({**steps, "location": "Front"}, ["Front", "-section:webFarms", "/[name='shop'].enabled:true"], NotHere)


def test_a_section_nobody_declared_is_not_edited() -> None:
    edit = as_json("system.webServer/magic", (), kind="set", values=[["enabled", "true"]])
    both_refuse(edit, ["-section:system.webServer/magic", "/enabled:true"], NotDeclared)


def test_an_element_of_another_collection_is_no_item_of_this_one() -> None:
    rule = {"tag": "rule", "attributes": [["name", "x"]]}
    with pytest.raises(Unknown):
        edited(DATA, [as_json(FARMS, (), kind="add", element=rule)])
    with pytest.raises(NoSuchObject):
        edited(DATA, [as_json(FARMS, (("rule", "name", "shop"),), kind="remove")])


def test_a_required_attribute_has_no_default_to_go_back_to() -> None:
    with pytest.raises(Incomplete):
        edited(DATA, [as_json(FARMS, (SHOP, BLUE), kind="set", values=[["address", None]])])


def test_enumerations_are_written_in_the_schemas_own_case() -> None:
    steps = (("add", "name", "Front"),)
    edit = as_json(POOLS, steps, kind="set", values=[["startMode", "ondemand"], ["autoStart", "False"]])
    assert b'name="Front" autoStart="false" startMode="OnDemand"' in edited(DATA, [edit])


def test_a_map_has_keys_whose_case_counts_and_no_other_collection_does() -> None:
    """arr.md 2.6."""
    entries = [{"tag": "add", "attributes": [["key", key], ["value", "1"]]} for key in ("a", "A")]
    both = {"tag": "rewriteMap", "attributes": [["name", "m"]], "children": entries}
    section = "system.webServer/rewrite/rewriteMaps"
    assert edited(DATA, [as_json(section, (), kind="add", element=both)]).count(b'value="1" />') == 2
    both["children"] = [entries[0], entries[0]]
    with pytest.raises(Refused) as caught:
        edited(DATA, [as_json(section, (), kind="add", element=both)])
    assert caught.value.code == 0x800700B7


class TestLoading:
    """A file edited by hand is judged by the same schema (S-IIS: "when parsing the XML")."""

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            (b'httpPort="8001"', b'httpPort="0"', "'httpPort' attribute is invalid"),
            (b'httpPort="8001"', b'port="8001"', "no attribute 'port'"),
            (b'address="127.0.0.3"', b'address="127.0.0.2"', "duplicate collection entry of type 'server'"),
            (b'address="127.0.0.3" enabled', b"enabled", "missing required attributes address"),
            (b'name="shop-green" id="3"', b'name="shop-green" id="2"', "duplicate collection entry of type 'site'"),
            (
                b'<section name="webFarms"',
                b'<section name="webFarm"',
                "'webFarms' cannot be read because it is missing",
            ),
            (b"<healthCheck ", b"<health ", "no element 'health'"),
            (b"<httpLogging dontLog", b"<proxy enabled", "cannot be used at this path"),
            (b'<match url=".*" />', b'<match url="" />', "'url' attribute is invalid"),
        ],
    )
    def test_what_iis_would_not_load_is_refused_and_named(self, old: bytes, new: bytes, told: str) -> None:
        assert old in DATA
        with pytest.raises(ConfigurationError, match=told):
            read(DATA.replace(old, new, 1))

    def test_what_an_extension_adds_to_a_site_is_let_pass(self) -> None:
        more = DATA.replace(b"<siteDefaults>", b'<siteDefaults><ftpServer serverAutoStart="false" />')
        assert read(more).sites
        assert read(DATA.replace(b"<globalRules>", b'<globalRules lockItem="true">')).rules

    @pytest.mark.skipif(not FULL.is_dir(), reason="the corpus lies beside the checkout")
    def test_whole_real_files_break_no_rule(self) -> None:
        """Fragments that declare no section are the only ones refused."""
        refused = []
        for path in sorted(FULL.iterdir()):
            try:
                root = etree.fromstring(path.read_bytes(), etree.XMLParser(huge_tree=True, resolve_entities=False))
            except etree.XMLSyntaxError:
                continue
            found = problem(root) if root.tag == "configuration" else None
            if found is not None and root.find("configSections") is not None:
                refused.append((path.name, str(found)))
        assert not refused
