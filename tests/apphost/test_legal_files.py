"""Files that IIS takes and that few people write: each is read, edited, and put back byte for byte."""

from __future__ import annotations

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.lint import lint
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.webfarm import (
    FIRST,
    Application,
    ApplicationPool,
    Binding,
    Match,
    Position,
    RewriteMap,
    Rule,
    Server,
    Site,
    VirtualDirectory,
    WebFarm,
    Where,
)
from arr_bluegreen.webfarm.change import (
    AddApplication,
    AddFarm,
    AddPool,
    AddRewriteMap,
    AddRule,
    AddSite,
    ConfigChange,
    CopyLocation,
    MoveRule,
    RemoveBinding,
    RemoveFarm,
    RemoveLocation,
    RemovePool,
    RemoveRewriteMap,
    RemoveRule,
    RemoveSite,
    SetRule,
    SetServer,
    settings,
)
from arr_bluegreen.webfarm.rule import SERVER
from tests.apphost.texts import DECLARATIONS

FARM = '<webFarms><webFarm name="shop"><server address="a" enabled="true" /><server address="b" />{}</webFarm>'
FARM += "</webFarms>"
RULE = '<rule name="{}"><match url=".*" /><action type="Rewrite" url="http://shop/{{R:0}}" />{}</rule>'
NEW = Rule("new", match=Match("x"))


def config(body: str) -> bytes:
    """A configuration with every section declared."""
    return f"<configuration>\n<configSections>{DECLARATIONS}\n</configSections>\n{body}\n</configuration>\n".encode()


def global_rules(inner: str) -> bytes:
    return config(f"<system.webServer><rewrite><globalRules>{inner}</globalRules></rewrite></system.webServer>")


def located(path: str, inner: str) -> str:
    rules = f"<system.webServer><rewrite><rules>{inner}</rules></rewrite></system.webServer>"
    return f'<location path="{path}">{rules}</location>\n'


def edited(data: bytes, *changes: ConfigChange) -> ApplicationHost:
    """The configuration after the changes; their inverse gives the bytes back."""
    applied = ApplicationHost.parse(data).apply(changes)
    assert applied.host.apply(applied.inverse).to_bytes() == data
    return applied.host


# -- namespaces ------------------------------------------------------------------------------------------

ASSEMBLIES = '<location path="x"><runtime><assemblyBinding xmlns="urn:schemas-microsoft-com:asm.v1">{}</assemblyBinding></runtime></location>'  # noqa: E501 - one element, as .NET writes it


@pytest.mark.parametrize(
    "data",
    [
        config(FARM.format('<server xmlns="urn:x" address="q" />')),
        config(FARM.format("") + ASSEMBLIES.format("<server /><dependentAssembly />")),
        config(FARM.format('<x:server xmlns:x="urn:x" address="q" />')),
    ],
    ids=["a namesake inside", "a namesake elsewhere", "a prefix"],
)
def test_elements_of_other_namespaces_are_not_ours_and_not_in_the_way(data: bytes) -> None:
    host = edited(data, SetServer("shop", "b", settings(enabled=False)))
    assert host.to_bytes() == data.replace(b'address="b"', b'address="b" enabled="false"')
    assert [one.address for one in host.farm("shop").servers] == ["a", "b"]
    lint(host)


def test_elements_with_a_prefix_go_and_move_with_what_holds_them() -> None:
    data = global_rules(RULE.format("a", '<x:y xmlns:x="urn:x" />') + RULE.format("b", ""))
    edited(data, RemoveRule("a"))
    edited(data, MoveRule("b", FIRST))
    edited(config(ASSEMBLIES.format("<probing />")), RemoveLocation("x"))
    edited(config(ASSEMBLIES.format("<probing />")), CopyLocation("x", "y"))


# -- one location path in two blocks -----------------------------------------------------------------------

TWICE = config(located("X", RULE.format("a", "")) + located("X", RULE.format("b", "") + RULE.format("c", "")))


def names(host: ApplicationHost) -> list[list[str]]:
    return [[rule.name for rule in group.rules] for group in host.rule_lists]


def test_a_rule_in_the_second_block_of_a_path_is_changed_like_any_other() -> None:
    assert names(edited(TWICE, RemoveRule("b", "X"))) == [["a"], ["c"]]
    assert names(edited(TWICE, MoveRule("c", FIRST, "X"))) == [["a"], ["c", "b"]]
    assert names(edited(TWICE, AddRule(NEW, Position(Where.BEFORE, "c"), "X"))) == [["a"], ["b", "new", "c"]]
    assert edited(TWICE, SetRule("b", settings(enabled=False), "X")).rule("b", "x").enabled is False


def test_a_rule_does_not_move_from_one_block_into_another() -> None:
    with pytest.raises(NoSuchObject, match="no rule 'a'"):
        ApplicationHost.parse(TWICE).apply([MoveRule("c", Position(Where.BEFORE, "a"), "X")])


def test_paths_that_differ_in_case_are_one_place_and_its_rules_are_read_once() -> None:
    two = located("Front", RULE.format("a", "")) + located("front", RULE.format("b", ""))
    host = ApplicationHost.parse(config(two))
    assert [(group.location, [rule.name for rule in group.rules]) for group in host.rule_lists] == [
        ("Front", ["a"]),
        ("Front", ["b"]),
    ]
    told = [one.what for one in lint(host)]
    assert sum("'a'" in one for one in told) == sum("'b'" in one for one in told)


# -- the server's own rules --------------------------------------------------------------------------------

ROOT = config(
    "<system.webServer><rewrite><globalRules />"
    f"<rules>{RULE.format('dist', '')}</rules></rewrite></system.webServer>" + FARM.format("")
)


def test_the_servers_own_rules_are_neither_global_nor_of_a_location() -> None:
    host = ApplicationHost.parse(ROOT)
    assert [(one.location, one.is_global) for one in host.rule_lists] == [("", True), (SERVER, False)]
    assert host.rule("dist", SERVER).name == "dist"
    with pytest.raises(NoSuchObject):
        host.rule("dist")
    assert names(edited(ROOT, RemoveRule("dist", SERVER))) == [[], []]
    assert names(edited(ROOT, AddRule(NEW, FIRST, SERVER))) == [[], ["new", "dist"]]
    assert not host.apply([RemoveRule("dist")]).differs


# -- blanks that are not written as blanks -----------------------------------------------------------------


@pytest.mark.parametrize("blank", ["&#32;", "&#9;", "<![CDATA[ ]]>", " ", "<![CDATA[ <!-- no comment --> ]]>"])
def test_a_comment_behind_written_blanks_is_stepped_over(blank: str) -> None:
    comment = f"{blank}<!-- note -->"
    edited(global_rules(RULE.format("a", "") + comment), AddRule(NEW))
    edited(global_rules(comment), AddRule(NEW))
    both = global_rules(RULE.format("a", "") + comment + RULE.format("b", ""))
    edited(both, AddRule(NEW, Position(Where.AFTER, "a")))
    edited(both, RemoveRule("a"), RemoveRule("b"))
    edited(both, RemoveRule("b"), RemoveRule("a"))
    edited(both, MoveRule("b", FIRST))


# -- several changes, one commit ---------------------------------------------------------------------------

PAIRS: dict[str, tuple[ConfigChange, ConfigChange]] = {
    "farm": (AddFarm(WebFarm("f", servers=(Server("s"),))), RemoveFarm("f")),
    "map": (AddRewriteMap(RewriteMap("m", entries=(("k", "v"),))), RemoveRewriteMap("m")),
    "pool": (AddPool(ApplicationPool("p")), RemovePool("p")),
    "site": (AddSite(Site("s", 1, applications=(Application(),))), RemoveSite("s")),
    "rule": (AddRule(NEW), RemoveRule("new")),
    "rule of a new location": (AddRule(NEW, FIRST, "L"), RemoveRule("new", "L")),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("end", [b"\n</configuration>", b"</configuration>"], ids=["own line", "same line"])
def test_what_comes_and_goes_in_one_commit_leaves_a_file_that_reads_as_meant(name: str, end: bytes) -> None:
    data = config("").replace(b"\n</configuration>", end)
    host = edited(data, *PAIRS[name])
    assert ApplicationHost.parse(host.to_bytes()).farms == ()


def test_a_location_is_copied_as_the_changes_before_left_it() -> None:
    data = config('<location path="L"><system.webServer></system.webServer></location>')
    host = edited(data, AddRule(NEW, FIRST, "L"), CopyLocation("L", "N"))
    assert [(one.location, one.rules[0].name) for one in host.rule_lists] == [("L", "new"), ("N", "new")]
    made = edited(config(""), AddRule(NEW, FIRST, "L"), CopyLocation("L", "N"))
    assert [one.location for one in made.rule_lists] == ["L", "N"]


# -- words -------------------------------------------------------------------------------------------------

SITE = (
    '<system.applicationHost><sites><site name="s" id="1"><application path="/" /><bindings>'
    '<binding protocol="http" bindingInformation="{}" /></bindings></site></sites></system.applicationHost>'
)


def test_a_port_of_other_digits_than_ascii_is_no_port() -> None:
    host = ApplicationHost.parse(config(SITE.format("*:²:")))
    assert host.site("s").bindings[0].port is None
    lint(host)


def test_the_words_of_an_inverse_find_a_binding_without_case() -> None:
    host = ApplicationHost.parse(config(SITE.format("*:81:Shop.example")))
    (undo,) = host.apply([RemoveBinding("s", Binding("HTTP", "*:81:SHOP.example"))]).inverse
    assert [type(one).__name__ for one in undo.changes] == ["AddBinding"]  # type: ignore[union-attr]  # an Undo
    assert undo.changes[0].binding == Binding("http", "*:81:Shop.example")  # type: ignore[union-attr]  # as it stood


def test_an_application_of_a_new_site_is_added_in_one_commit() -> None:
    host = edited(config(""), PAIRS["site"][0], AddApplication("s", Application("/a")))
    assert [one.path for one in host.site("s").applications] == ["/", "/a"]


# -- defaults (arr.md 3.3) ---------------------------------------------------------------------------------

OWN = (
    '<system.applicationHost><sites><site name="s" id="1"><application path="/">'
    '<virtualDirectoryDefaults allowSubDirConfig="false" /><virtualDirectory path="/" physicalPath="c:\\" />'
    '</application><bindings /><applicationDefaults applicationPool="Special" /></site>'
    '<applicationDefaults applicationPool="DefaultAppPool" /></sites></system.applicationHost>'
)


@pytest.mark.parametrize("pool", ["DefaultAppPool", "Special"])
def test_a_new_application_runs_in_the_pool_that_was_asked_for(pool: str) -> None:
    new = AddApplication("s", Application("/x", pool, virtual_directories=(VirtualDirectory("/", "c:\\x"),)))
    host = edited(config(OWN), new)
    assert [one.pool for one in host.site("s").applications] == ["Special", pool]
    assert not host.apply([new]).differs


def test_a_folder_takes_its_applications_own_defaults() -> None:
    host = ApplicationHost.parse(config(OWN))
    found = host.setting(VirtualDirectory, ("s", "/", "/"), "allow_sub_dir_config")
    assert host.site("s").applications[0].virtual_directories[0].allow_sub_dir_config is found.value is False


def test_a_bad_default_is_one_finding_however_many_items_it_spoils() -> None:
    sites = "".join(f'<site name="{one}" id="{one}" />' for one in (1, 2, 3))
    bad = f'<sites>{sites}<siteDefaults serverAutoStart="maybe" /></sites>'
    found = lint(ApplicationHost.parse(config(f"<system.applicationHost>{bad}</system.applicationHost>")))
    assert [one.code for one in found] == ["ARR000"]
