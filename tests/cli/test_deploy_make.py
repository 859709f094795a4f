"""A new slot whose making is cut off anywhere: told by status, ended by abort, gone on with by run."""

from __future__ import annotations

import json
import zipfile

import pytest

from arr_bluegreen.cli.main import run
from arr_bluegreen.deployment.ownership import read_owned
from arr_bluegreen.deployment.ports import PortBook
from tests.cli.user import ON, User
from tests.control.test_safe_extract import named

HEAD = (
    'schema = 1\n[app]\nname = "shop"\nfront = ["Front"]\nhosts = ["shop.example"]\n[config]\nwrites = "always"\n'
    '[gate]\nversion_url = "/"\nversion_header = "X-App-Version"\n[slots]\n'
)
PER_RELEASE = (
    HEAD + 'naming = "per-release"\n[[slots.slot]]\nname = "{app}-{release}"\n[[slots.slot.member]]\n'
    "address = \"alias\"\nhttp_port = \"auto\"\npath = 'C:\\apps\\{slot}'\n"
)
PAIR = (
    HEAD + '[[slots.slot]]\nname = "blue"\n[[slots.slot.member]]\naddress = "127.0.0.2"\nhttp_port = 8000\n'
    "site = \"shop-blue\"\npool = \"shop-blue\"\npath = 'C:\\inetpub\\front-slots\\blue'\n"
    '[[slots.slot]]\nname = "teal"\n[[slots.slot.member]]\naddress = "auto"\nhttp_port = "auto"\n'
    "site = \"shop-2\"\npool = \"shop-2\"\npath = 'C:\\apps\\shop-2'\n"
)
SLOT = {PER_RELEASE: "shop-2", PAIR: "teal"}


@pytest.mark.parametrize("text", [PER_RELEASE, PAIR], ids=["per-release", "pair"])
def test_cut_off_after_every_call(user: User, text: str) -> None:
    """Killed after each control call before the run itself begins: named, cleared away, and made again."""
    user.first()
    user.file.write_text(text)
    user.scene.content(r"C:\apps\shop-2", "2")
    scene, before = user.scene, user.scene.host.config.data()
    hosts = scene.machine.files.hosts_entries()
    calls, told, went_on = 0, 0, False
    while not went_on:
        killed = _killed_at(user, calls)
        user.types("unlock")  # killed within taking it
        named = [one["slot"] for one in user.types("status", "--json").json.get("making", [])]
        owned = read_owned(scene.records).of(SLOT[text])
        if killed and owned is not None and owned.making:
            assert named == [SLOT[text]]
            told += 1
        assert user.types("abort").code in (0, 2)  # 2: no run yet, and nothing of one
        if read_owned(scene.records).of(SLOT[text]) is not None:
            assert user.types("retire", "--instance", SLOT[text]).code in (0, 3)
        went_on = not killed
        if killed and read_owned(scene.records).of(SLOT[text]) is None:
            assert scene.host.config.data() == before
            assert scene.machine.files.hosts_entries() == hosts
        if killed and read_owned(scene.records).of(SLOT[text]) is not None:
            break  # whole, and not cut off: an ordinary instance of a pair
        calls += 1
    assert (calls > 10, told > 3) == (True, True)


def test_a_making_that_was_cut_off_goes_on(user: User) -> None:
    """``deploy run`` again, same release: the same port and address, and nothing is left unfinished."""
    user.first()
    user.file.write_text(PER_RELEASE)
    user.scene.content(r"C:\apps\shop-2", "2")
    user.dies_at("config.apply")
    assert user.types("run", "--version", "2").code == 130
    cut = read_owned(user.scene.records).of("shop-2")
    told = user.types("status")
    assert "was cut off in its making" in told.out
    assert "deploy run --version 2" in told.out
    assert user.types("run", "--version", "2").code == 0
    made = read_owned(user.scene.records).of("shop-2")
    assert cut is not None
    assert made is not None
    assert (made.address, made.http_port, made.making) == (cut.address, cut.http_port, False)


def test_a_port_claimed_for_a_making_that_died_is_named_and_given_back(user: User) -> None:
    """Killed between the claim and the record: status and retire say what to type, and that clears it."""
    user.first()
    user.file.write_text(PER_RELEASE)
    user.dies_at("records.replace")  # the claim; the slot's own record is still to come
    assert user.types("run", "--version", "2").code == 130
    claim = PortBook.parse(user.scene.port_records.read("ports.json")).of("shop/shop-2")
    assert claim is not None
    assert read_owned(user.scene.records).of("shop-2") is None
    user.types("unlock")
    for verb in ("status", "retire"):
        assert f"port {claim.port} is claimed for 'shop-2'" in user.types(verb).out, verb
    assert run(["port", "free", "shop/shop-2", *ON]) == 0
    assert "is claimed for" not in user.types("retire").out


def test_a_package_whose_run_was_killed_is_cleared_away(user: User) -> None:
    """Uploaded, and killed before it is expanded: status names the folder, and abort leaves nothing of it."""
    user.first()
    user.file.write_text(PER_RELEASE + "[content]\nsource = 'shop-{version}.zip'\n")
    files = user.scene.host.files
    with zipfile.ZipFile(user.file.parent / "shop-2.zip", "w") as archive:
        archive.writestr("simulated-app.json", json.dumps({"version": "2", "start_seconds": 1.0}))
    begun = len(user.scene.machine.journal)

    def killed(number: int, name: str) -> None:
        if "files.upload" in user.scene.machine.journal[begun:number]:  # and so nothing is cleared away either
            raise KeyboardInterrupt

    user.scene.machine.before_call = killed
    assert user.types("run", "--version", "2").code == 130
    user.scene.machine.before_call = None
    user.types("unlock")
    assert files.read_bytes(r"C:\apps\shop-2\.2.upload.zip") is not None
    assert r"C:\apps\shop-2\2 ('shop-2', release 2, not whole)" in user.types("status").out
    assert user.types("abort").code == 0
    assert files.read_bytes(r"C:\apps\shop-2\.2.upload.zip") is None
    assert not files.folder_exists(r"C:\apps\shop-2")


def _killed_at(user: User, number: int) -> bool:
    """Whether ``deploy run`` died at this call, before its run began (it stops there: ``--until deploy``)."""
    machine = user.scene.machine
    begun = len(machine.journal)

    def kill(at: int, name: str) -> None:
        if at == begun + number:
            raise KeyboardInterrupt

    machine.after_call = kill
    try:
        return user.types("run", "--version", "2", "--until", "deploy").code == 130
    finally:
        machine.after_call = None


def test_a_bad_package_is_refused_before_anything_is_done(user: User) -> None:
    """Of the controller or on the machine, bad or missing: exit code 2, nothing recorded, made or written."""
    user.first()
    (user.file.parent / "bad.zip").write_bytes(named("../evil.txt"))
    scene = user.scene
    scene.host.files.write_bytes(r"C:\drop\bad.zip", named("../evil.txt"))
    scene.content(r"C:\drop\tokens", "2")
    before = scene.host.config.data(), scene.port_records.read("ports.json"), read_owned(scene.records)
    token = '[[content.settings]]\nfile = "simulated-app.json"\ntokens = { "__SLOT__" = "{slot}" }\n'
    for source, more, says in (
        ("bad.zip", "", "climbs out"),
        (r"C:\drop\bad.zip", "", "does not stay in its folder"),
        ("missing-{version}.zip", "", "there is no"),
        (r"C:\drop\missing.zip", "", "missing.zip"),
        (r"C:\drop\missing", "", "there is no folder"),
        (r"C:\drop\tokens", token, "'__SLOT__' is not in"),
    ):
        user.file.write_text(PER_RELEASE + f"[content]\nsource = '{source}'\n{more}")
        for verb in ("check", "plan", "run"):
            ran = user.types(verb, "--version", "2")
            assert (ran.code, says in ran.err) == (2, True), (source, verb, ran)
        after = scene.host.config.data(), scene.port_records.read("ports.json"), read_owned(scene.records)
        assert after == before
    user.file.write_text(PER_RELEASE + "[content]\nsource = 'C:\\drop\\{version}'\n")
    assert "needs a version" in user.types("check").err
