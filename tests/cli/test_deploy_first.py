"""``deploy init --from-site``, its first run, ordinary runs after it, ``deploy retire``: typed as a user types them."""

from __future__ import annotations

import json

from tests.cli.user import User
from tests.deployment.machine import plain_config


def test_the_first_run_is_shown_before_it_is_done(user: User) -> None:
    """--dry-run says all of it and changes nothing but the record of two ports."""
    assert user.types("init", "--from-site", "Front", "--farm", "shop").code == 0
    ran = user.types("run", "--dry-run")
    assert ran.code == 0
    assert "the way back" in ran.out
    assert "would rule arr-bluegreen shop http 80: add last" in ran.out
    assert user.scene.host.config.data() == plain_config()


def test_five_typed_releases_after_a_typed_first_one(user: User) -> None:
    """The second run is an ordinary one; the old folders are told and go."""
    user.first()
    traffic = user.scene.traffic()
    more = 'version_header = "X-App-Version"\n[content]\nsource = "C:\\\\drop\\\\{version}"\n'
    more += '[[content.settings]]\nfile = "simulated-app.json"\ntokens = { "__SLOT__" = "{slot} {port}" }\n'
    text = user.file.read_text().replace("hosts = []", 'hosts = ["shop.example"]')
    user.file.write_text(text.replace("passes = 3", "passes = 3\n" + more))
    for version in "23456":
        user.scene.content(rf"C:\drop\{version}", version, note="__SLOT__")
        ran = user.types("run", "--version", version)
        assert (ran.code, ran.err.count("Traceback")) == (0, 0), ran.err
    told = user.types("retire", "--dry-run", "--json").json["items"]
    assert {one["act"] for one in told} == {"leave", "remove folder"}
    assert user.types("retire").code == 0
    traffic.stop()
    user.scene.clock.sleep(10)
    assert traffic.lost == []
    green = user.scene.config.site("shop-green").physical_path
    settled = json.loads(user.scene.host.files.read_text(green + r"\simulated-app.json") or "{}")
    assert (settled["version"], settled["note"]) == ("6", "green 8001")


def test_a_first_run_that_was_killed_is_told_and_can_be_ended(user: User) -> None:
    """status names what is there, abort clears it away, and run goes on instead."""
    assert user.types("init", "--from-site", "Front", "--farm", "shop").code == 0
    assert user.types("status").out.count("not begun") == 1

    def kill(number: int, name: str) -> None:
        if name == "config.apply":
            raise KeyboardInterrupt

    user.scene.machine.after_call = kill
    assert user.types("run").code == 130
    user.scene.machine.after_call = None
    told = user.types("status", "--json").json
    assert told["made"] == ["farm 'shop'", "site 'shop-blue'", "site 'shop-green'"]
    assert user.types("abort").code == 0
    assert user.scene.host.config.data() == plain_config()
    assert user.types("run").code == 0


def test_what_cannot_be_is_refused_in_one_line(user: User) -> None:
    """A site that is not there, a name no site can bear (and no port is claimed for it), a farm that is there."""
    assert user.types("init", "--from-site", "Back").code == 2
    assert user.types("init", "--from-site", "Front", "--farm", "a/b").code == 2
    assert user.scene.port_records.names() == ()
    user.first()
    user.file.unlink()
    ran = user.types("init", "--from-site", "Front", "--farm", "shop")
    assert (ran.code, "already" in ran.err) == (3, True)


def test_a_named_instance_is_retired_or_refused(user: User) -> None:
    """Per release: the live one stays, an unknown one is not there, an old one goes with its record."""
    user.first()
    user.file.write_text(
        'schema = 1\n[app]\nname = "shop"\nfront = ["Front"]\nhosts = ["shop.example"]\n[config]\nwrites = "always"\n'
        '[gate]\nversion_url = "/"\nversion_header = "X-App-Version"\n[slots]\nnaming = "per-release"\n'
        '[[slots.slot]]\nname = "{app}-{release}"\n[[slots.slot.member]]\naddress = "auto"\nhttp_port = "auto"\n'
        "path = 'C:\\apps\\{slot}'\n"
    )
    user.scene.content(r"C:\apps\shop-2", "2")
    assert "would be made" in user.types("run", "--version", "2", "--dry-run").out
    assert user.types("run", "--version", "2").code == 0
    assert "recorded: green" in user.types("status").out
    assert user.types("retire", "--instance", "shop-2").code == 3
    assert user.types("retire", "--instance", "nope").code == 2
    assert user.types("retire", "--instance", "green").code == 0
    assert {one.name for one in user.scene.config.sites} == {"Front", "shop-blue", "shop-2"}
    assert user.types("switch-back").code == 0
    assert user.scene.host.arr.in_service("shop") == ("127.0.0.2",)
