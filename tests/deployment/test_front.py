"""Through the front: which bindings are asked, what counts as an answer, and that going back never waits for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description import Gate
from arr_bluegreen.deployment.events import Warned
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.prove_front import ProveFront, _fault, _host
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import Binding, NewState
from tests.deployment.world import BLUE, BOTH_ENABLED, GREEN, World

HTTP, HTTPS = (ProbeRequest(f"{one}://127.0.0.1/", "shop.example") for one in ("http", "https"))
GOOD, AWAY = ProbeAnswer(200), ProbeAnswer(301, (("location", "https://shop.example/"),))


@pytest.mark.parametrize(
    ("host", "public", "asked_as"),
    [
        ("", ("shop.example",), "shop.example"),
        ("", (), "localhost"),
        ("shop.example", ("SHOP.example",), "shop.example"),
        ("blog.example", ("shop.example",), ""),
        ("blog.example", (), "blog.example"),
        ("*.example", ("shop.example",), "shop.example"),
        ("*.test", ("shop.example",), ""),
    ],
)
def test_only_bindings_of_public_hosts_are_asked(host: str, public: tuple[str, ...], asked_as: str) -> None:
    assert _host(Binding("http", f"*:80:{host}"), public) == asked_as


def test_http_may_lead_to_https_where_that_is_asked_too() -> None:
    gate = Gate(status="200")
    assert _fault((HTTP, HTTPS), (AWAY, GOOD), gate, "") == ""
    assert "301" in _fault((HTTP,), (AWAY,), gate, "")
    assert "301" in _fault((HTTP, HTTPS), (GOOD, AWAY), gate, "")


def test_a_way_back_comes_to_its_end_whatever_the_front_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old slot is in service again; nowhere better is left to go."""

    def see(self: ProveFront, hands: object) -> None:
        raise GateFailed("the front answers 404")

    monkeypatch.setattr(ProveFront, "_see", see)
    world = World(tmp_path)
    ended = world.run()
    assert (ended.outcome, ended.exit_code, world.live) == ("old-slot-serves", 7, (BLUE,))
    said = [one.event.text for one in world.heard if isinstance(one.event, Warned)]
    assert "the front answers 404; the way back goes on" in said


def test_a_front_that_does_not_answer_as_described_is_told_before_the_switch(tmp_path: Path) -> None:
    world = World(tmp_path, traffic=False)
    world.host.iis.stop_site("Front")
    world.run(until="gate")
    assert any(isinstance(one.event, Warned) and "before the switch" in one.event.text for one in world.heard)


def test_nothing_is_put_in_a_slot_that_somebody_brought_in_service(tmp_path: Path) -> None:
    """A run that waited, and an admin who switched by hand meanwhile: the live slot keeps its content."""
    world = World(tmp_path, more="[content]\nsource = 'C:\\drop\\{version}'\n")
    world.host.files.write_text(r"C:\drop\2\simulated-app.json", '{"version": "2"}')
    assert world.run(until="deploy").outcome == "paused"
    world.host.config.commit(world.host.config.data().replace(*BOTH_ENABLED))
    world.host.arr.set_state("shop", {GREEN: NewState.START})
    world.clock.sleep(3)
    world.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
    assert world.live == (GREEN,)
    with pytest.raises(RefusedError, match="'green' serves alone by now"):
        world.resume()
    with pytest.raises(RefusedError):
        world.switch_back()
    ended = world.abort()
    assert (ended.outcome, ended.exit_code, ended.live, world.live) == ("superseded", 0, "green", (GREEN,))
    assert not any(name.startswith("files.copy") for name in world.machine.journal)
