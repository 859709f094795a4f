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
    free_port,
    next_port,
)
from arr_bluegreen.errors import RefusedError, UsageError
from arr_bluegreen.webfarm import Binding, Server, WebFarm

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
