"""Replies of another shape than our scripts', as Windows PowerShell 5.1 can make them: one clear error each."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.interface import ProbeRequest
from arr_bluegreen.control.winrm_machine import ScriptedMachine
from arr_bluegreen.errors import ExitCode, RemoteError
from arr_bluegreen.webfarm.change import SetServer, settings


class Fake:
    """Hands that answer every script with one reply."""

    name = "web01"

    def __init__(self, reply: dict[str, Any]) -> None:
        self.reply, self.clock = reply, SystemClock()

    def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        return self.reply

    def close(self) -> None:
        return


SERVER = {"address": "a", "enabled": True, "state": "Active", "weight": 100}
FARM = {"name": "shop", "enabled": True, "settings": {}, "servers": [SERVER]}
NOW = "2026-11-25T10:00:00.1234567Z"
WRAPPED = {"value": [], "Count": 0}
Act = Callable[[ScriptedMachine], object]
STATUS: Act = lambda one: one.farm("shop").status()  # noqa: E731  # a table reads better than six functions
PROBE: Act = lambda one: one.probe.ask([ProbeRequest("http://127.0.0.2:8001/")])  # noqa: E731  # as above
FACTS: Act = lambda one: one.facts()  # noqa: E731  # as above
POOLS: Act = lambda one: one.sites.pools()  # noqa: E731  # as above
READ: Act = lambda one: one.files.read_text("C:\\x")  # noqa: E731  # as above
CONFIG: Act = lambda one: one.config.read()  # noqa: E731  # as above
POOL = {"name": "p", "state": "Started", "workers": [], "requests": 0}


@pytest.mark.parametrize(
    ("act", "reply"),
    [
        (STATUS, {}),
        (STATUS, {"farms": []}),
        (STATUS, {"farms": FARM, "arr_workers": None}),
        (STATUS, {"farms": [{**FARM, "servers": SERVER}], "arr_workers": None}),
        (STATUS, {"farms": [{**FARM, "servers": {"value": [SERVER], "Count": 1}}], "arr_workers": None}),
        (STATUS, {"farms": [{**FARM, "servers": [{**SERVER, "is_healthy": {}}]}], "arr_workers": None}),
        (STATUS, {"farms": [{**FARM, "servers": [{**SERVER, "state": 7}]}], "arr_workers": None}),
        (STATUS, {"farms": [{**FARM, "settings": {"health_check.url": {}}}], "arr_workers": {"value": []}}),
        (STATUS, {"farms": [{**FARM, "settings": {"health_check.interval": {}}}], "arr_workers": None}),
        (STATUS, {"farms": [FARM], "arr_workers": [{"pool": "p", "pid": 1, "started": {}}]}),
        (PROBE, {"answers": {"value": [{"status": 200}], "Count": 1}}),
        (PROBE, {"answers": []}),
        (PROBE, {"answers": [{"status": None}]}),
        (PROBE, {"answers": {"status": 200}}),
        (FACTS, {}),
        (FACTS, {"now": NOW, "redirected_to": {}}),
        (FACTS, {"now": NOW, "elevated": "True"}),
        (FACTS, {"now": NOW, "listening_ports": WRAPPED}),
        (POOLS, {"pools": WRAPPED}),
        (POOLS, {"pools": POOL}),
        (POOLS, {"pools": [{**POOL, "requests": {}}]}),
        (READ, {"results": {"text": "x"}}),
        (READ, {"results": []}),
        (READ, {"results": [{"done": True}]}),
        (CONFIG, {"digest": "x"}),
        (CONFIG, {"digest": "x", "data": "AAAA", "path": "p"}),
        (CONFIG, {"digest": "x", "unchanged": True}),
    ],
)
def test_a_reply_of_another_shape_is_one_clear_error(act: Act, reply: dict[str, Any]) -> None:
    with pytest.raises(RemoteError) as caught:
        act(ScriptedMachine(Fake(reply)))
    assert caught.value.exit_code is ExitCode.REFUSED
    assert str(caught.value).startswith("web01: ")
    assert caught.value.hint
    assert len(caught.value.one_line()) < 500


def test_unknown_names_do_no_harm_and_known_ones_are_read() -> None:
    servers = [{**SERVER, "is_healthy": None, "colour": {"new": 1}}]
    reply = {"farms": [{**FARM, "settings": {"health_check.interval": 7.0, "new.thing": 1}, "servers": servers}]}
    status = ScriptedMachine(Fake(reply)).farm("shop").status()
    assert status.farm.health_check.interval == timedelta(seconds=7)
    assert status.servers[0].is_healthy is None
    facts = ScriptedMachine(Fake({"now": NOW, "redirected_to": None, "elevated": True, "new": {}})).facts()
    assert (facts.redirected_to, facts.elevated) == (None, True)


def test_what_appcmd_cannot_have_answered_is_an_error_too() -> None:
    class Both(Fake):
        def call(self, script: str, request: Mapping[str, Any], *, within: float = 60.0) -> dict[str, Any]:
            return {"output": {}, "exit_code": 0} if script == "appcmd" else self.reply

    import base64
    import gzip
    import hashlib

    from tests.control.simulated import CONFIG as FIXTURE

    data = FIXTURE.read_bytes()
    told = {"data": base64.b64encode(gzip.compress(data)).decode(), "path": "p"}
    machine = ScriptedMachine(Both({"digest": hashlib.sha256(data).hexdigest(), **told}))
    with pytest.raises(RemoteError, match="appcmd answered"):
        machine.config.apply([SetServer("shop", "127.0.0.2", settings(weight=7))])
