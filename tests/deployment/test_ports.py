"""Ports: free ones only, one per slot, never the same for two callers."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_bluegreen.control.interface import MachineFacts
from arr_bluegreen.control.local_files import LocalRecords
from arr_bluegreen.deployment.ports import (
    QUARANTINE,
    Claim,
    PortBook,
    PortRange,
    PortWish,
    claim_port,
    claims_without,
    free_port,
    give_port,
    next_port,
    owner_of,
    unnamed_owner,
    why_not,
)
from arr_bluegreen.errors import NoSuchObject, RefusedError, UsageError
from arr_bluegreen.webfarm import Binding, Server, WebFarm

from .machine import Scene
from .words import NOW, MemoryRecords, Words, at, pair, site


def wish(owner: str = "shop/blue", text: str = "8000-8009", name: str = "") -> PortWish:
    """A wish of this owner."""
    return PortWish(owner, PortRange.parse(text), name)


def chosen(words: Words, facts: MachineFacts | None = None, book: PortBook | None = None, minutes: float = 0) -> int:
    """The port for a new slot."""
    return next_port(wish(), [words], facts, book or PortBook(), at(minutes))


def test_bindings_of_stopped_sites_count() -> None:
    """A site that does not start keeps its port: it may start any time."""
    from dataclasses import replace

    stopped = replace(site("old", 4, 8000), server_auto_start=False)
    assert chosen(Words(sites=(stopped,))) == 8001


def test_every_kind_of_binding_counts() -> None:
    """net.tcp names its port first, ftp and IPv6 as http do."""
    from dataclasses import replace

    bindings = (Binding("net.tcp", "8000:*"), Binding("ftp", "*:8001:"), Binding("https", "[::1]:8002:shop"))
    assert chosen(Words(sites=(replace(site("a", 1, 80), bindings=bindings),))) == 8003


def test_farm_servers_count_on_both_ports() -> None:
    """A farm server of another machine's slot may come here; httpPort and httpsPort count."""
    farm = WebFarm("other", servers=(Server("x", http_port=8000, https_port=8001),))
    assert chosen(Words(farms=(farm,))) == 8002


def test_listeners_outside_iis_count() -> None:
    """A listening socket nobody in IIS knows of is respected."""
    assert chosen(Words(), MachineFacts("m", NOW, listening_ports=(8000, 8001))) == 8002


def test_ranges_reserved_by_windows_count() -> None:
    """``netsh ... excludedportrange`` lists them, both ends included."""
    assert chosen(Words(), MachineFacts("m", NOW, reserved_ports=((7000, 8003),))) == 8004


def test_a_freed_port_rests_and_then_is_free() -> None:
    """Minutes after it was freed, probes and connections may still go there."""
    book = PortBook(freed=((8000, NOW),))
    assert chosen(Words(), book=book, minutes=QUARANTINE.total_seconds() / 60 - 1) == 8001
    assert chosen(Words(), book=book, minutes=QUARANTINE.total_seconds() / 60 + 1) == 8000


def test_a_full_range_is_refused() -> None:
    """The message names the range."""
    book = PortBook(tuple(Claim(8000 + n, f"a/{n}", NOW) for n in range(10)))
    with pytest.raises(RefusedError, match="8000-8009"):
        chosen(Words(), book=book)


@pytest.mark.parametrize("text", ["", "abc", "9000-8000", "0-10", "65000-70000", "80-", "-80", "8000-8010-8020", "²-9"])
def test_what_is_no_range_is_refused(text: str) -> None:
    """Before anything is asked."""
    with pytest.raises(UsageError):
        PortRange.parse(text)


def claim(records: MemoryRecords | LocalRecords, owner: str, words: Words | None = None) -> int:
    """A port claimed for the owner from 8000-8999."""
    asked = wish(owner, "8000-8999")
    return claim_port(records, asked, lambda book: next_port(asked, [words or Words()], None, book, NOW), NOW)


def test_a_retry_gets_the_same_port() -> None:
    """Also after its own site is bound there."""
    records = MemoryRecords()
    assert claim(records, "shop/blue") == 8000
    assert claim(records, "SHOP/Blue", Words(sites=(site("shop-blue", 2, 8000),))) == 8000
    assert claim(records, "shop/green") == 8001


def test_a_port_another_site_took_meanwhile_is_not_kept() -> None:
    """Where the slot's site is named, a foreign binding on the recorded port is told from ours."""
    book = PortBook((Claim(8000, "shop/blue", NOW),))
    mine, foreign = Words(sites=(site("shop-blue", 2, 8000),)), Words(sites=(site("intruder", 9, 8000),))
    assert next_port(wish(name="shop-blue"), [mine], None, book, NOW) == 8000
    assert next_port(wish(name="shop-blue"), [foreign], None, book, NOW) == 8001


def test_a_port_somebody_else_listens_on_meanwhile_is_not_kept() -> None:
    """Nor one that Windows reserves meanwhile; where the slot's own site binds it, the listener is http.sys for it."""
    book = PortBook((Claim(8003, "shop/blue", NOW),))
    mine = Words(sites=(site("shop-blue", 2, 8003),))
    listened = MachineFacts("m", NOW, listening_ports=(8003,))
    reserved = MachineFacts("m", NOW, reserved_ports=((8002, 8003),))
    for facts in (listened, reserved):
        for name in ("", "shop-blue"):
            assert next_port(wish(name=name), [mine], facts, book, NOW) == 8003
            assert next_port(wish(name=name), [Words()], facts, book, NOW) == 8000
    assert "outside IIS" in why_not(8003, wish(), [Words()], listened)
    assert "reserved" in why_not(8003, wish(), [Words()], reserved)
    assert "outside 8000-8009" in why_not(8010, wish(), [Words()], None)


def test_a_replaced_claim_is_told_and_rests() -> None:
    """Who asked hears why the port is another; the old one is nobody's for a while."""
    scene = Scene()
    asked = wish("shop/x", "8100-8109")
    assert give_port(scene.machine, asked, scene.config) == (8100, "")
    taken = Words(sites=(site("intruder", 9, 8100),))
    named = wish("shop/x", "8100-8109", "shop-x")
    port, told = give_port(scene.machine, named, taken)
    assert port == 8101
    assert "port 8100, claimed for shop/x, is bound by site 'intruder' now" in told
    book = PortBook.parse(scene.port_records.read("ports.json"))
    assert [(one.port, one.owner) for one in book.claims] == [(8101, "shop/x")]
    assert [port for port, _ in book.freed] == [8100]


def test_an_unnamed_claim_lapses_and_a_slots_does_not() -> None:
    """Whoever asked without a name has bound the port by then, or never will."""
    records = MemoryRecords()
    assert claim(records, unnamed_owner()) == 8000
    assert claim(records, unnamed_owner()) == 8001
    assert claim(records, "shop/red") == 8002
    book, late = PortBook.parse(records.read("ports.json")), QUARANTINE.total_seconds() / 60 + 1
    assert chosen(Words(), book=book) == 8003
    assert chosen(Words(), book=book, minutes=late) == 8000
    asked = wish("shop/green", "8000-8999")
    claim_port(records, asked, lambda book: next_port(asked, [Words()], None, book, at(late)), at(late))
    claims = PortBook.parse(records.read("ports.json")).claims
    assert [(one.port, one.owner) for one in claims] == [(8002, "shop/red"), (8000, "shop/green")]


def test_a_claim_is_found_by_port_owner_or_slot() -> None:
    """And one that could be two is not guessed."""
    book = PortBook((Claim(8000, "shop/blue", NOW), Claim(8001, "other/blue", NOW), Claim(8002, "shop/Green", NOW)))
    for text, port in (("8001", 8001), ("shop/BLUE", 8000), ("green", 8002)):
        assert book.find(text).port == port
    with pytest.raises(UsageError, match="several"):
        book.find("blue")
    with pytest.raises(NoSuchObject) as caught:
        book.find("8003")
    assert "8002 (shop/Green)" in caught.value.one_line()
    assert [one.port for one in claims_without(book, "SHOP", ["blue"])] == [8002]


@pytest.mark.parametrize(("farm", "slot"), [("", ""), ("shop", ""), ("", "a/b"), ("a/b", "c")])
def test_no_name_reads_as_another(farm: str, slot: str) -> None:
    """An owner is farm/slot."""
    with pytest.raises(UsageError):
        owner_of(farm, slot)


def test_a_lost_swap_chooses_again() -> None:
    """Another caller wrote between our look and our write."""
    records = MemoryRecords()
    records.interfere.append(lambda: claim(records, "shop/green"))
    assert claim(records, "shop/blue") == 8001
    assert {one.port for one in PortBook.parse(records.read("ports.json")).claims} == {8000, 8001}


def test_freeing_puts_the_port_in_quarantine() -> None:
    """And a second freeing finds nothing."""
    records = MemoryRecords()
    claim(records, "shop/blue")
    assert free_port(records, "shop/blue", NOW) == 8000
    assert free_port(records, "shop/blue", NOW) is None
    assert claim(records, "shop/green") == 8001


def test_a_record_that_cannot_be_read_is_refused() -> None:
    """Never overwritten: it may be a newer version's."""
    records = MemoryRecords()
    for text in ("{", "[]", '{"schema": 2}', '{"schema": 1}'):
        records.texts["ports.json"] = text
        with pytest.raises(RefusedError, match=r"ports\.json"):
            claim(records, "shop/blue")
        assert records.texts["ports.json"] == text


def test_fifty_callers_at_once_get_fifty_ports(tmp_path: Path) -> None:
    """Threads on one real folder; each opens the store for itself."""
    ports: list[int] = []
    threads = [
        threading.Thread(target=lambda n=n: ports.append(claim(LocalRecords(tmp_path), f"shop/{n}", pair())))
        for n in range(50)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(set(ports)) == 50
    assert {8001, 8002}.isdisjoint(ports)


@given(st.lists(st.integers(8000, 8009), max_size=9), st.lists(st.integers(8000, 8009), max_size=9))
def test_a_chosen_port_is_never_one_in_use(bound: list[int], listening: list[int]) -> None:
    """Whatever is bound and listens: free, or refused when nothing is."""
    words = Words(sites=tuple(site(f"s{n}", n + 1, port) for n, port in enumerate(bound)))
    facts = MachineFacts("m", NOW, listening_ports=tuple(listening))
    if len({*bound, *listening}) < 10:
        assert chosen(words, facts) not in {*bound, *listening}
    else:
        with pytest.raises(RefusedError):
            chosen(words, facts)
