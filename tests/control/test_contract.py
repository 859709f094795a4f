"""Every ConfigChange, once through the text, once through the machine's appcmd or script: the same configuration."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.control.winrm_machine import WinrmMachine
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.simulator.appcmd import AppcmdAnswer, run_appcmd
from arr_bluegreen.simulator.powershell_scripts import SCRIPTS
from arr_bluegreen.webfarm import (
    FIRST,
    Action,
    Application,
    ApplicationPool,
    Binding,
    Condition,
    Match,
    Position,
    ProcessModel,
    RewriteMap,
    Rule,
    Server,
    ServerVariable,
    Site,
    VirtualDirectory,
    WebFarm,
    Where,
)
from arr_bluegreen.webfarm import change as c
from tests.control.simulated import CONFIG, FARM, Machine, simulated


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture(scope="module")
def control(machine: Machine) -> Iterator[WinrmMachine]:
    one = machine.connect()
    yield one
    one.close()


RULE = Rule(
    "to shop",
    pattern_syntax="Wildcard",
    stop_processing=True,
    match=Match("*"),
    conditions=(Condition("{HTTP_HOST}", "new.example"),),
    action=Action("Rewrite", "http://shop/{R:0}"),
)
ODD = Rule("it's odd", match=Match("^([0-9]+)/(.*)$"), action=Action("Rewrite", "http://shop/{R:2}?x=[1]"))
POOL = ApplicationPool("p1", process_model=ProcessModel(idle_timeout=timedelta(0)), environment_variables=(("A", "b"),))
ROOT = Application("/", "p1", virtual_directories=(VirtualDirectory("/", r"C:\inetpub\new one"),))
SITE = Site(
    "s1", 9, bindings=(Binding("http", "127.0.0.9:8009:"), Binding("http", "*:80:new.example")), applications=(ROOT,)
)
ADD_SITE = (c.AddPool(POOL), c.AddSite(SITE))
NEW_FARM = WebFarm("f2", servers=(Server("127.0.0.8", http_port=8008), Server("127.0.0.9", enabled=False)))

PLAIN_POOL = ApplicationPool("p2", managed_runtime_version="v4.0")
"""One whose every attribute fits an indexer: the empty runtime version of ``POOL`` does not."""
PLAIN_SITE = Site(
    "s2",
    10,
    bindings=(Binding("http", "*:8010:"), Binding("https", "*:8443:two.example")),
    applications=(Application("/", "Front", virtual_directories=(VirtualDirectory("/", r"C:\inetpub\two"),)),),
)

APPCMD: dict[str, tuple[c.ConfigChange, ...]] = {
    "set server": (c.SetServer(FARM, "127.0.0.2", c.settings(enabled=False, weight=50)),),
    "set server that has no element for it": (c.SetServer(FARM, "127.0.0.3", c.settings(host_name="x.example")),),
    "add server": (c.AddServer(FARM, Server("127.0.0.4", enabled=False, http_port=8004)),),
    "remove server": (c.RemoveServer(FARM, "127.0.0.3"),),
    "add farm": (c.AddFarm(NEW_FARM),),
    "remove farm": (c.AddFarm(NEW_FARM), c.RemoveFarm("f2")),
    "remove the only farm": (c.RemoveFarm(FARM),),
    "set farm": (
        c.SetFarm(FARM, c.settings({"health_check.interval": timedelta(seconds=7), "affinity.use_cookie": True})),
    ),
    "set proxy": (c.SetProxy(c.settings(enabled=True, timeout=timedelta(seconds=90))),),
    "set all farms": (c.SetWebFarms(c.settings(on_demand_health_check=True)),),
    "add rule": (c.AddRule(RULE, FIRST),),
    "set rule": (c.AddRule(RULE), c.SetRule("to shop", c.settings({"action.url": "http://f2/{R:0}"}))),
    "change a condition": (
        c.AddRule(RULE),
        c.SetConditions(
            "to shop", (Condition("{HTTP_HOST}", "other.example"), Condition("{HTTPS}", "ON", negate=True))
        ),
    ),
    "server variables": (
        c.AddRule(RULE),
        c.SetServerVariables("to shop", (ServerVariable("HTTP_A", "1"), ServerVariable("HTTP_B", "2"))),
        c.SetServerVariables("to shop", (ServerVariable("HTTP_B", "3", replace=False),)),
    ),
    "remove rule": (c.RemoveRule("shop to farm"),),
    "rule of a site": (c.AddRule(RULE, location="Front"),),
    "remove rule of a site": (
        c.AddRule(RULE, location="Front"),
        c.AddRule(dataclasses.replace(RULE, name="other"), location="Front"),
        c.RemoveRule("to shop", location="Front"),
    ),
    "rewrite map": (c.AddRewriteMap(RewriteMap("Slots", "blue", entries=(("a", "1"), ("b", "2")))),),
    "map entry": (
        c.AddRewriteMap(RewriteMap("Slots", entries=(("a", "1"),))),
        c.SetMapEntry("Slots", "a", "3"),
        c.SetMapEntry("Slots", "z", "4"),
    ),
    "remove rewrite map": (
        c.AddRewriteMap(RewriteMap("Slots", entries=(("a", "1"),))),
        c.RemoveRewriteMap("Slots"),
    ),
    "pool": (c.AddPool(PLAIN_POOL),),
    "remove pool": (c.RemovePool("shop-green"),),
    "set pool": (c.SetPool("shop-green", c.settings({"process_model.max_processes": 2, "auto_start": False})),),
    "site": (c.AddSite(PLAIN_SITE),),
    "remove site": (c.RemoveSite("shop-green"),),
    "set site": (c.SetSite("shop-green", c.settings(server_auto_start=False)),),
    "binding": (c.AddBinding("shop-green", Binding("http", "*:8099:green.example")),),
    "remove binding": (
        c.AddBinding("shop-green", Binding("http", "*:8099:")),
        c.RemoveBinding("shop-green", Binding("http", "*:8099:")),
    ),
    "application": (c.AddApplication("shop-green", Application("/api", "shop-green")),),
    "remove application": (
        c.AddApplication("shop-green", Application("/api", "shop-green")),
        c.RemoveApplication("shop-green", "/api"),
    ),
    "set application": (c.SetApplication("shop-green", "/", c.settings(pool="shop-blue", preload_enabled=True)),),
    "set folder": (c.SetVirtualDirectory("shop-green", "/", "/", c.settings(physical_path=r"D:\new one\shop")),),
}
"""What appcmd can say goes by appcmd: one section, nothing moved or copied, no sign that its indexers do not take."""

SCRIPT: dict[str, tuple[c.ConfigChange, ...]] = {
    "back to the default": (c.SetFarm(FARM, c.settings({"health_check.response_match": None})),),
    "quotes in a value": (c.SetFarm(FARM, c.settings({"health_check.response_match": "say \"up\" & 'go'"})),),
    "change conditions of odd words": (
        c.AddRule(RULE),
        c.SetConditions("to shop", (Condition("{URL}", "it's [a]", negate=True), Condition("{HTTP_HOST}", "a"))),
        c.SetConditions("to shop", (Condition("{URL}", "it's [b]"),)),
    ),
    "odd rule": (c.AddRule(ODD),),
    "rule before": (c.AddRule(ODD), c.AddRule(RULE, Position(Where.BEFORE, "it's odd"))),
    "move rule": (c.AddRule(ODD), c.AddRule(RULE), c.MoveRule("to shop", FIRST)),
    "remove odd rule": (c.AddRule(RULE), c.AddRule(ODD), c.RemoveRule("to shop")),
    "pool without managed code": (c.AddPool(POOL),),
    "pool that comes and goes": (c.AddPool(POOL), c.RemovePool("p1")),
    "copy identity": (c.AddPool(POOL), c.CopyIdentity("shop-blue", "p1")),
    "copy identity of a pool that names none": (c.AddPool(POOL), c.CopyIdentity("DefaultAppPool", "p1")),
    "site with its pool": ADD_SITE,
    "site that comes and goes": (*ADD_SITE, c.RemoveSite("s1")),
    "over three sections": (*ADD_SITE, c.AddFarm(NEW_FARM), c.AddRule(RULE)),
}
CASES = [("appcmd", one) for one in APPCMD] + [("script", one) for one in SCRIPT]
CHANGES = {"appcmd": APPCMD, "script": SCRIPT}
BY_SCRIPT_ONLY = {c.MoveRule, c.CopyIdentity, c.CopyLocation, c.RemoveLocation, c.Undo}


def words(host: ApplicationHost) -> tuple[object, ...]:
    """All that a configuration says. A list of rules that its last rule has left says nothing: the text's inverse takes
    the list away as it came, IIS leaves it empty."""
    lists = tuple(one for one in host.rule_lists if one.rules or one.is_global)
    return (host.farms, lists, host.rewrite_maps, host.proxy, host.sites, host.pools)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """By which of the two each commit reached the machine, as the machine saw it."""
    seen: list[str] = []
    commit = SCRIPTS["commit"]

    def by_appcmd(*given: Any) -> AppcmdAnswer:
        seen.append("appcmd")
        return run_appcmd(*given)

    async def by_script(*given: Any) -> dict[str, Any]:
        seen.append("script")
        return await commit(*given)

    monkeypatch.setattr("arr_bluegreen.simulator.powershell_scripts.run_appcmd", by_appcmd)
    monkeypatch.setitem(SCRIPTS, "commit", by_script)
    return seen


@pytest.mark.parametrize(("way", "name"), CASES)
def test_the_machine_and_the_text_come_to_the_same(
    machine: Machine, control: WinrmMachine, ways: list[str], way: str, name: str
) -> None:
    before = control.config.read()
    assert words(before) == words(ApplicationHost.parse(CONFIG.read_bytes()))
    changes = CHANGES[way][name]
    expected = before.apply(changes)
    try:
        commit = control.config.apply(changes)
        found = ApplicationHost.parse(machine.host.config.data())
        assert words(found) == words(expected.host)
        assert (commit.commits, ways) == (1, [way])
    finally:
        undo = control.config.apply(before_again(control, expected.inverse))
    assert undo.digest == control.config.read().digest
    assert words(control.config.read()) == words(before)


def before_again(control: WinrmMachine, inverse: tuple[c.ConfigChange, ...]) -> tuple[c.ConfigChange, ...]:
    return inverse if control.config.read().apply(inverse).differs else ()


def test_every_kind_of_change_is_tried_each_way_it_can_go() -> None:
    """A kind counts for appcmd where a command made it; what appcmd has no word for is listed by name."""
    every = set(get_args(c.ConfigChange))
    by_appcmd = {type(one) for changes in APPCMD.values() for one in changes}
    by_script = {type(one) for changes in SCRIPT.values() for one in changes}
    assert by_appcmd == every - BY_SCRIPT_ONLY
    assert BY_SCRIPT_ONLY - by_script == {c.CopyLocation, c.RemoveLocation, c.Undo}


def locations(machine: Machine) -> list[str]:
    return [one.get("path", "") for one in machine.host.config.tree().iter("location")]


def test_location_blocks_are_copied_and_removed(control: WinrmMachine, machine: Machine) -> None:
    """Seen with the machine's own eyes: the words do not say what lies in a ``<location>``."""
    before = locations(machine)
    source = next(one for one in before if one)
    done = control.config.apply([c.CopyLocation(source, "shop-green/new")])
    assert locations(machine) == [*before, "shop-green/new"]
    control.config.apply([c.RemoveLocation("shop-green/new")])
    assert locations(machine) == before
    assert done.commits == 1


def test_twice_is_written_once(control: WinrmMachine, machine: Machine) -> None:
    change = c.SetServer(FARM, "127.0.0.3", c.settings(weight=7))
    first = control.config.apply([change])
    before = dict(machine.faults.counts)
    assert control.config.apply([change]).commits == 0
    assert machine.faults.counts["Command"] == before["Command"]
    control.config.apply(first.inverse)


def test_twenty_edits_are_one_commit_and_five_messages(control: WinrmMachine, machine: Machine) -> None:
    control.config.read()
    changes = [
        c.SetServer(FARM, f"127.0.0.{2 + number % 2}", c.settings({name: 50 + number}))
        for number, name in enumerate(["weight", "https_port", "health_check_alternate_port"] * 7)
    ][:20]
    before, revision = machine.faults.counts["http"], machine.host.config.data()
    commit = control.config.apply(changes)
    assert commit.commits == 1
    assert machine.host.config.data() != revision
    assert machine.faults.counts["http"] - before <= 5
    control.config.apply(commit.inverse)


@pytest.mark.parametrize("how", ["sharing", "changed"])
def test_a_commit_that_fails_twice_is_made_the_third_time(machine: Machine, control: WinrmMachine, how: str) -> None:
    control.config._jitter = lambda: -0.25
    machine.faults.add(f"commit:how={how},times=2")
    both = (c.SetServer(FARM, "127.0.0.3", c.settings(weight=9)), c.SetPool("shop-green", c.settings(queue_length=900)))
    for change in both:
        commit = control.config.apply([change])
        assert commit.commits == 1
        control.config.apply(commit.inverse)
    machine.faults.clear()


def test_a_foreign_edit_in_between_is_kept(machine: Machine, control: WinrmMachine) -> None:
    start = control.config.read()
    foreign = c.SetServer(FARM, "127.0.0.2", c.settings(weight=77))
    machine.host.config.commit(start.apply([foreign]).host.to_bytes())
    control.config.apply([c.AddPool(ApplicationPool("p2")), c.SetFarm(FARM, c.settings(enabled=True))])
    found = control.config.read()
    server = found.farm(FARM).server("127.0.0.2")
    assert server is not None
    assert server.weight == 77
    assert any(one.name == "p2" for one in found.pools)
    machine.host.config.commit(start.to_bytes())


def test_what_does_not_fit_is_said_before_anything_is_sent(machine: Machine, control: WinrmMachine) -> None:
    before = machine.host.config.data()
    with pytest.raises(NoSuchObject):
        control.config.apply([c.SetServer(FARM, "nowhere", c.settings(weight=1))])
    with pytest.raises(ConfigurationError):
        control.config.apply([c.SetServer(FARM, "127.0.0.2", c.settings(wieght=1))])
    assert machine.host.config.data() == before
