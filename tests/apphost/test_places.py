"""The right element among look-alikes, its place in errors, and new elements in the habit of the file."""

from __future__ import annotations

from dataclasses import replace

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.apphost.places import farm_place, server_place
from arr_bluegreen.errors import ConfigurationError, NoSuchObject
from arr_bluegreen.webfarm import (
    FIRST,
    Action,
    Application,
    ApplicationPool,
    Binding,
    Match,
    RewriteMap,
    Rule,
    Server,
    Site,
    VirtualDirectory,
    WebFarm,
)
from arr_bluegreen.webfarm.change import (
    AddFarm,
    AddPool,
    AddRewriteMap,
    AddRule,
    AddServer,
    AddSite,
    CopyIdentity,
    CopyLocation,
    RemoveLocation,
    RemoveServer,
    RemoveSite,
    SetMapEntry,
    SetProxy,
    SetServer,
    settings,
)
from tests.apphost.texts import FIXTURES, declared, expat_starts, gone_and_come, lines_gone_and_come

LOOK_ALIKES = (FIXTURES / "look-alikes.config").read_bytes()


def after(data: bytes, *changes: object) -> bytes:
    applied = ApplicationHost.parse(data).apply(changes)  # type: ignore[arg-type]  # changes all
    assert applied.host.apply(applied.inverse).host.to_bytes() == data
    return applied.host.to_bytes()


def test_the_right_server_among_look_alikes_changes() -> None:
    new = after(LOOK_ALIKES, SetServer("SHOP&MORE", "Blue", settings(enabled=False)))
    assert new == LOOK_ALIKES.replace(
        b'<server address="blue" enabled="true" />', b'<server address="blue" enabled="false" />'
    )


def test_a_tag_over_several_lines_changes_one_value() -> None:
    new = after(LOOK_ALIKES, SetServer("shop&more", "grün", settings(enabled=True)))
    old = b'address="gr&#xFC;n"\n          enabled="false"'
    assert new == LOOK_ALIKES.replace(old, old.replace(b"false", b"true"))


def test_a_new_attribute_follows_the_lines_of_the_others() -> None:
    data = LOOK_ALIKES.replace(b'\n          enabled="false"></server>', b"></server>")
    new = after(data, SetServer("shop&more", "grün", settings(enabled=False)))
    assert new == data.replace(b'address="gr&#xFC;n"', b'address="gr&#xFC;n"\n          enabled="false"')


def test_a_server_goes_and_its_neighbours_comment_keeps_its_line() -> None:
    new = after(LOOK_ALIKES, RemoveServer("shop&more", "blue"))
    assert new == LOOK_ALIKES.replace(b'<server address="blue" enabled="true" /> <!-- about', b"<!-- about")
    new = after(LOOK_ALIKES, RemoveServer("shop&more", "blueprint"))
    assert new == LOOK_ALIKES.replace(b'<server address="blueprint" enabled="true"/>', b"")


def test_a_new_server_stands_behind_the_last_one_and_its_comment() -> None:
    data = LOOK_ALIKES.replace(b'<server address="blueprint" enabled="true"/>\n', b" <!-- about green -->\n")
    new = after(data, AddServer("shop&more", Server("new")))
    line = b'\n      <server address="new" enabled="true" />'
    assert new == data.replace(b"<!-- about green -->", b"<!-- about green -->" + line)


def test_positions_are_those_of_the_text() -> None:
    host = ApplicationHost.parse(LOOK_ALIKES)
    lines = LOOK_ALIKES.decode().split("\n")
    line, column = host.position(server_place("Shop", "BLUE"), "description") or (0, 0)
    assert lines[line - 1][column - 1 :].startswith('description="line one')
    line, column = host.position(farm_place("shop&more")) or (0, 0)
    assert (lines[line - 1], column) == ("    <webFarm", 5)
    assert host.position(server_place("shop&more", "none")) is None


def test_beyond_65535_lines_the_place_is_still_right() -> None:
    filler = b"".join(
        b'<other\n name="n%d"\n>\n</other>\n<!-- <server address="blue"> -->\n' % n for n in range(16_000)
    )
    farm = b"""<webFarms>
<webFarm name="shop">
<server
  address="blue"
  enabled="true"
/>
<server address="Blue2" enabled="false"/>
</webFarm>
</webFarms>"""
    data = b"<configuration>\n" + filler + farm + b"\n</configuration>\n"
    assert data.count(b"\n") > 65_535
    new = after(data, RemoveServer("shop", "Blue2"), SetServer("shop", "blue", settings(enabled=False)))
    assert new == data.replace(b'\n<server address="Blue2" enabled="false"/>', b"").replace(b'"true"', b'"false"')
    data = data.replace(b'"false"', b'"maybe"')
    with pytest.raises(ConfigurationError) as caught:
        _ = ApplicationHost.parse(data).farms
    assert caught.value.line == data[: data.index(b"maybe")].count(b"\n") + 1
    assert caught.value.column == len('<server address="Blue2" ') + 1
    assert caught.value.element.endswith("webFarm[@name='shop']/server[@address='Blue2']")


def test_the_first_farm_makes_its_section_behind_web_server_and_before_the_locations() -> None:
    data = declared(b"<configuration>\r\n  <system.webServer />\r\n  <location path='x' />\r\n</configuration>\r\n")
    new = after(data, AddFarm(WebFarm("shop")))
    assert new.index(b"system.webServer />") < new.index(b"<webFarms>") < new.index(b"<location")
    assert lines_gone_and_come(data, new) == (
        [],
        [b"<webFarms>", b'<webFarm name="shop" enabled="true" />', b"</webFarms>"],
    )
    assert new.count(b"\r\n") == new.count(b"\n")


def test_a_one_line_file_stays_on_one_line() -> None:
    data = b'<configuration><webFarms><webFarm name="shop"></webFarm></webFarms></configuration>'
    new = after(data, AddServer("shop", Server("a", http_port=81)))
    assert new == data.replace(
        b"></webFarm>",
        b'><server address="a" enabled="true"><applicationRequestRouting httpPort="81" /></server></webFarm>',
    )


@pytest.mark.parametrize(
    ("change", "product"),
    [
        (AddFarm(WebFarm("shop")), "Application Request Routing"),
        (AddRule(Rule("r")), "URL Rewrite"),
        (SetProxy(settings(enabled=True)), "Application Request Routing"),
        (AddPool(ApplicationPool("p")), "IIS"),
    ],
)
def test_a_section_that_is_not_declared_is_not_invented(change: object, product: str) -> None:
    host = ApplicationHost.parse(b"<configuration><configSections /></configuration>")
    with pytest.raises(ConfigurationError, match="is not declared in configSections") as caught:
        host.apply([change])  # type: ignore[list-item]  # a change
    assert product in caught.value.hint


def test_items_of_one_location_are_told_by_case_only_where_the_schema_does() -> None:
    new = after(LOOK_ALIKES, SetMapEntry("M", "k", "3", "front/APP"), SetMapEntry("m", "new", "x", "Front/app"))
    assert new == LOOK_ALIKES.replace(
        b'<add key="k" value="2"/>', b'<add key="k" value="3"/><add key="new" value="x"/>'
    )


def test_a_rule_in_a_location_and_a_map_are_words_too() -> None:
    data = declared(LOOK_ALIKES.replace(b"<configSections>", b"<configSections>\n"))
    rule = Rule("b", match=Match("y"), action=Action("Redirect", "/z", redirect_type="Found"))
    table = RewriteMap("slots", "blue", entries=(("shop", "green"),), location="New site")
    host = ApplicationHost.parse(after(data, AddRule(rule, FIRST, "front"), AddRewriteMap(table)))
    assert [one.name for one in host.rule_lists[-1].rules] == ["b", "a"]
    assert host.rule("B", "front") == rule
    assert host.rewrite_map("SLOTS", "new site") == replace(table, location="new site")


SITES = declared(
    b"""<configuration>
    <system.applicationHost>
        <applicationPools>
            <add name="old">
                <processModel identityType="SpecificUser" userName="u" password="[enc:AesProvider:x=:enc]" />
            </add>
            <applicationPoolDefaults managedRuntimeVersion="v4.0" />
        </applicationPools>
        <sites>
            <siteDefaults serverAutoStart="false" />
            <applicationDefaults applicationPool="old" />
        </sites>
    </system.applicationHost>
    <location path="Old"><system.webServer><!-- kept --><asp /></system.webServer></location>
    <location path="Old/app"><x /></location>
    <location path="Older"><y /></location>
</configuration>
"""
)
POOL = ApplicationPool("new", start_mode="AlwaysRunning", managed_runtime_version="")
SITE = Site(
    "New",
    id=7,
    bindings=(Binding("http", "*:8001:"), Binding("https", "[::1]:443:h", ssl_flags=1), Binding("net.tcp", "808:*")),
    applications=(Application("/", "new", virtual_directories=(VirtualDirectory("/", "C:\\new"),)),),
)


def test_a_site_and_a_pool_read_back_as_the_words_they_were_written_from() -> None:
    host = ApplicationHost.parse(after(SITES, AddPool(POOL), AddSite(SITE)))
    assert (host.pool("NEW"), host.site("new")) == (POOL, SITE)
    text = host.to_bytes()
    assert b'managedRuntimeVersion=""' in text
    assert text.index(b'<add name="new"') < text.index(b"<applicationPoolDefaults")
    assert text.index(b'<site name="New"') < text.index(b"<siteDefaults")


def test_an_identity_is_copied_as_stored_and_seen_by_nobody() -> None:
    start = after(SITES, AddPool(POOL))
    applied = ApplicationHost.parse(start).apply([CopyIdentity("old", "new")])
    assert applied.host.to_bytes().count(b"[enc:AesProvider:x=:enc]") == 2
    assert "enc:AesProvider" not in repr(applied.edits)
    assert "enc:AesProvider" not in repr(applied.host.pools)


def test_locations_are_copied_and_removed_with_all_below_and_no_look_alike() -> None:
    new = after(SITES, CopyLocation("OLD", "New"))
    assert b'<location path="New"><system.webServer><!-- kept --><asp /></system.webServer></location>' in new
    assert b'<location path="New/app"><x /></location>' in new
    assert b"Newer" not in new
    assert after(new, RemoveLocation("new")) == SITES
    assert not ApplicationHost.parse(new).apply([CopyLocation("Old", "New")]).differs


def test_two_sites_of_one_id_are_refused() -> None:
    host = ApplicationHost.parse(after(SITES, AddSite(SITE)))
    with pytest.raises(ConfigurationError, match="id 7 is site 'New' already"):
        host.apply([AddSite(Site("other", id=7))])


def test_a_thing_that_is_not_there_is_named_with_those_that_are() -> None:
    host = ApplicationHost.parse(LOOK_ALIKES)
    with pytest.raises(NoSuchObject) as caught:
        host.apply([SetServer("shop", "green", settings(enabled=True))])
    assert caught.value.one_line() == "no server 'green' in farm 'Shop'. There: BLUE."
    assert not host.apply([RemoveServer("shop", "green"), RemoveSite("none")]).differs


def test_expat_and_the_other_reading_agree_with_the_look_alikes() -> None:
    new = after(LOOK_ALIKES, SetServer("Shop", "blue", settings(weight=5)))
    gone, come = gone_and_come(LOOK_ALIKES, new)
    assert not gone
    assert [path for path, _ in come] == ["configuration/webFarms/webFarm/server/applicationRequestRouting"]
    assert len(expat_starts(new)) == len(expat_starts(LOOK_ALIKES)) + 1
