"""Sites, pools and worker processes of the simulated machine (arr.md 3.1, 3.2, 5.8)."""

from __future__ import annotations

import json

import pytest

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.errors import NoSuchObject
from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.exchange import Outcome, PublicRequest
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import NewState, RunState, WorkerProcess

CORE = """<configuration><system.webServer><aspNetCore processPath="dotnet" hostingModel="inprocess">
<handlerSettings>%s</handlerSettings></aspNetCore></system.webServer></configuration>"""
OPT_OUT = '<handlerSetting name="disallowRotationOnConfigChange" value="true" />'
FARM_EDIT = ('address="127.0.0.3" enabled="false"', 'address="127.0.0.3" enabled="true"')
RULE_EDIT = ('rule name="Block trace"', 'rule name="Block traces"')


def edit(host: SimulatedHost, *pairs: tuple[str, str]) -> None:
    text = host.config.text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    host.config.commit(text.encode())


def send(host: SimulatedHost, **more: object) -> list[Outcome]:
    ended: list[Outcome] = []
    host.exchange.send(PublicRequest("shop.example", **more), ended.append)  # type: ignore[arg-type]  # keywords
    return ended


def site_state(host: SimulatedHost, name: str) -> RunState:
    return next(one.state for one in host.iis.sites() if one.name == name)


def pool_state(host: SimulatedHost, name: str) -> RunState:
    return host.iis.pools([name])[0].state


def workers(host: SimulatedHost, pool: str) -> tuple[WorkerProcess, ...]:
    return host.iis.pools([pool])[0].workers


def core_host(make: HostFactory, opt_out: bool = False, **settings: object) -> SimulatedHost:
    """A host whose blue slot is an ASP.NET Core application."""
    host = make(settings=SimulatorSettings(**settings))  # type: ignore[arg-type]  # keywords
    host.files.write_text("C:\\inetpub\\shop-blue\\web.config", CORE % (OPT_OUT if opt_out else ""))
    behaviour = json.dumps({"version": "1", "start_seconds": 3.0})
    host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", behaviour)
    return host.boot()


def test_at_boot_what_is_auto_started_starts(arr_host: SimulatedHost) -> None:
    assert {one.state for one in arr_host.iis.sites()} == {RunState.STARTED}
    assert [len(one.workers) for one in arr_host.iis.pools()] == [0, 1, 1, 1], "DefaultAppPool starts on demand"


def test_a_stop_by_hand_does_not_outlive_a_reboot(arr_host: SimulatedHost) -> None:
    arr_host.iis.stop_site("shop-blue")
    arr_host.iis.stop_pool("shop-blue")
    assert (site_state(arr_host, "shop-blue"), pool_state(arr_host, "shop-blue")) == (RunState.STOPPED,) * 2
    arr_host.boot()
    assert (site_state(arr_host, "shop-blue"), pool_state(arr_host, "shop-blue")) == (RunState.STARTED,) * 2


def test_what_is_not_auto_started_stays_down_at_boot(arr_host_from: HostFactory) -> None:
    config = BLUE_GREEN.read_bytes().replace(
        b'name="shop-green" id="3" serverAutoStart="true"', b'name="shop-green" id="3" serverAutoStart="false"'
    )
    host = arr_host_from(config.replace(b'name="shop-green" autoStart="true"', b'name="shop-green" autoStart="false"'))
    assert (site_state(host, "shop-green"), pool_state(host, "shop-green")) == (RunState.STOPPED,) * 2


def test_a_stopped_site_lets_its_requests_finish(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
    ended = send(arr_host, seconds=5.0)
    arr_host.iis.stop_site("shop-blue")
    assert send(arr_host)[0].sub_status == 3
    arr_clock.sleep(6)
    assert ended[0].version == "1"


def test_a_stopped_pool_answers_503_and_ends_when_its_requests_have(
    arr_host: SimulatedHost, arr_clock: SimulatedClock
) -> None:
    ended = send(arr_host, seconds=5.0)
    arr_host.iis.stop_pool("shop-blue")
    assert send(arr_host)[0].status == 503
    assert pool_state(arr_host, "shop-blue") is RunState.STOPPING
    arr_clock.sleep(6)
    assert ended[0].version == "1"
    assert pool_state(arr_host, "shop-blue") is RunState.STOPPED


def test_a_stopping_pool_is_killed_after_its_shutdown_time_limit(
    arr_host_from: HostFactory, arr_clock: SimulatedClock
) -> None:
    config = BLUE_GREEN.read_bytes().replace(
        b'idleTimeout="00:00:00" />', b'idleTimeout="00:00:00" shutdownTimeLimit="00:00:10" />'
    )
    host = arr_host_from(config)
    ended = send(host, seconds=30.0)
    host.iis.stop_pool("shop-blue")
    arr_clock.sleep(9)
    assert not ended
    arr_clock.sleep(2)
    assert ended[0].status == 502


def test_requests_wait_for_an_application_that_starts(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
    arr_host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", '{"version": "9", "start_seconds": 2}')
    arr_host.iis.recycle_pool("shop-blue")
    ended = send(arr_host)
    assert not ended
    arr_clock.sleep(2.1)
    assert ended[0].version == "9"


def test_a_new_version_is_read_by_a_new_worker_process_only(arr_host: SimulatedHost) -> None:
    arr_host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", '{"version": "9"}')
    assert send(arr_host)[0].version == "1"
    arr_host.iis.recycle_pool("shop-blue")
    assert send(arr_host)[0].version == "9"


def test_a_recycle_gives_a_new_pid_and_start_time(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
    before = workers(arr_host, "shop-blue")
    arr_clock.sleep(1)
    arr_host.iis.recycle_pool("shop-blue")
    (after,) = workers(arr_host, "shop-blue")
    assert after.pid != before[0].pid
    assert after.started > before[0].started


def test_a_pool_is_recycled_in_its_time(arr_host_from: HostFactory, arr_clock: SimulatedClock) -> None:
    """0 is never (arr.md 3.2)."""
    config = BLUE_GREEN.read_bytes().replace(
        b'<periodicRestart time="00:00:00" />', b'<periodicRestart time="00:05:00" />', 2
    )
    host = arr_host_from(config)
    before = [workers(host, one) for one in ("Front", "shop-blue", "shop-green")]
    arr_clock.sleep(299)
    assert before == [workers(host, one) for one in ("Front", "shop-blue", "shop-green")]
    arr_clock.sleep(2)
    after = [workers(host, one) for one in ("Front", "shop-blue", "shop-green")]
    assert [a != b for a, b in zip(before, after, strict=True)] == [True, True, False]


def test_requests_in_flight_are_told_per_pool_where_request_monitor_is(arr_host: SimulatedHost) -> None:
    send(arr_host, seconds=5.0)
    assert [one.requests for one in arr_host.iis.pools(["Front", "shop-blue", "shop-green"])] == [1, 1, 0]
    arr_host.settings.request_monitor = False
    assert arr_host.iis.pools(["shop-blue"])[0].requests is None


def test_starting_what_is_started_is_fine_and_changes_nothing(arr_host: SimulatedHost) -> None:
    before = workers(arr_host, "shop-blue")
    arr_host.iis.start_pool("shop-blue")
    arr_host.iis.start_site("shop-blue")
    assert workers(arr_host, "shop-blue") == before


@pytest.mark.parametrize("verb", ["start_site", "stop_site", "start_pool", "stop_pool", "recycle_pool", "kill_pool"])
def test_an_unknown_name_is_told_with_those_there(arr_host: SimulatedHost, verb: str) -> None:
    with pytest.raises(NoSuchObject) as caught:
        getattr(arr_host.iis, verb)("nope")
    assert "shop-blue" in caught.value.hint


class TestConfigurationChanges:
    """Who restarts on what (arr.md 5.8)."""

    def test_a_farm_edit_leaves_ordinary_slots_alone(self, arr_host: SimulatedHost) -> None:
        before = workers(arr_host, "shop-blue")
        edit(arr_host, FARM_EDIT)
        assert workers(arr_host, "shop-blue") == before

    def test_a_farm_edit_restarts_an_asp_net_core_slot(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock
    ) -> None:
        host = core_host(arr_host_from)
        arr_clock.sleep(4)
        before = workers(host, "shop-blue")
        edit(host, FARM_EDIT)
        host.arr.set_state("shop", {"127.0.0.3": NewState.GRACEFUL_STOP})
        assert workers(host, "shop-blue") != before
        ended = send(host)
        assert not ended, "requests wait while it starts again"
        arr_clock.sleep(3.1)
        assert ended[0].version == "1"

    def test_it_may_answer_503_meanwhile(self, arr_host_from: HostFactory, arr_clock: SimulatedClock) -> None:
        host = core_host(arr_host_from, aspnetcore_restart_answers_503=True)
        arr_clock.sleep(4)
        edit(
            host,
            ('address="127.0.0.2" enabled="true"', 'address="127.0.0.2"'),
            ("<healthCheck url", '<healthCheck retries="4" url'),
        )
        assert send(host)[0].status == 503

    @pytest.mark.parametrize(("how", "restarts"), [("works", False), ("ignored", True)])
    def test_the_opt_out_works_or_not(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock, how: str, restarts: bool
    ) -> None:
        host = core_host(arr_host_from, opt_out=True, disallow_rotation=how)
        arr_clock.sleep(4)
        before = workers(host, "shop-blue")
        edit(host, FARM_EDIT)
        assert (workers(host, "shop-blue") != before) is restarts

    def test_the_opt_out_of_a_faulty_module_stops_the_application(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock
    ) -> None:
        host = core_host(arr_host_from, opt_out=True, disallow_rotation="breaks")
        arr_clock.sleep(4)
        edit(host, ("<healthCheck url", '<healthCheck retries="4" url'))
        assert send(host)[0].status == 503
        host.iis.recycle_pool("shop-blue")
        arr_clock.sleep(4)
        assert send(host)[0].status == 200

    @pytest.mark.parametrize("any_change", [False, True])
    def test_whether_any_edit_restarts_core_slots_is_a_setting(
        self, arr_host_from: HostFactory, arr_clock: SimulatedClock, any_change: bool
    ) -> None:
        host = core_host(arr_host_from, any_change_restarts_asp_net_core=any_change)
        arr_clock.sleep(4)
        before = workers(host, "shop-blue")
        edit(host, RULE_EDIT)
        assert (workers(host, "shop-blue") != before) is any_change

    def test_a_pools_own_settings_recycle_it_unless_it_says_no(self, arr_host: SimulatedHost) -> None:
        before = workers(arr_host, "shop-blue"), workers(arr_host, "shop-green")
        edit(arr_host, ('<processModel idleTimeout="00:00:00" />', '<processModel idleTimeout="00:30:00" />'))
        assert all(
            a != b
            for a, b in zip(before, (workers(arr_host, "shop-blue"), workers(arr_host, "shop-green")), strict=True)
        )
        edit(arr_host, ("<recycling>", '<recycling disallowRotationOnConfigChange="true">'))
        before = workers(arr_host, "shop-blue"), workers(arr_host, "shop-green")
        edit(arr_host, ('<processModel idleTimeout="00:30:00" />', '<processModel idleTimeout="00:20:00" />'))
        assert before == (workers(arr_host, "shop-blue"), workers(arr_host, "shop-green"))

    @pytest.mark.parametrize("recycles", [False, True])
    def test_whether_a_sites_bindings_recycle_its_pool_is_a_setting(
        self, arr_host_from: HostFactory, recycles: bool
    ) -> None:
        host = arr_host_from(settings=SimulatorSettings(site_change_recycles_pool=recycles))
        before = workers(host, "shop-blue")
        edit(host, ("*:8001:", "*:8003:"))
        assert (workers(host, "shop-blue") != before) is recycles

    def test_new_sites_and_pools_start_and_removed_ones_are_gone(self, arr_host: SimulatedHost) -> None:
        text = arr_host.config.text()
        site = text[text.index('            <site name="shop-green"') : text.index("            <siteDefaults>")]
        pool = text[
            text.index('            <add name="shop-green"') : text.index("            <applicationPoolDefaults")
        ]
        edit(arr_host, (site, ""), (pool, ""))
        assert [one.name for one in arr_host.iis.sites()] == ["Front", "shop-blue"]
        with pytest.raises(NoSuchObject):
            arr_host.iis.pools(["shop-green"])
        edit(
            arr_host,
            ("            <siteDefaults>", site + "            <siteDefaults>"),
            ("            <applicationPoolDefaults", pool + "            <applicationPoolDefaults"),
        )
        assert site_state(arr_host, "shop-green") is RunState.STARTED
        assert len(workers(arr_host, "shop-green")) == 1


class TestRequestsToSites:
    """Which site http.sys gives a request to, and what a slot's application says."""

    def ask(self, host: SimulatedHost, path: str, port: int = 8001, name: str = "shop.example") -> tuple[int, str]:

        found: list[ProbeAnswer] = []
        host.exchange.ask(ProbeRequest(f"http://127.0.0.2:{port}{path}", name), found.append)
        return found[0].status, found[0].text or found[0].error

    def test_an_exact_host_goes_before_none(self, arr_host: SimulatedHost) -> None:
        edit(arr_host, ('"*:8002:"', '"*:8001:special.example"'))
        assert '"slot":"shop-green"' in self.ask(arr_host, "/", name="special.example")[1]
        assert '"slot":"shop-blue"' in self.ask(arr_host, "/")[1]

    def test_a_wildcard_takes_what_is_below_it_and_no_more(self, arr_host: SimulatedHost) -> None:
        edit(arr_host, ('"*:8002:"', '"*:8001:*.shop.example"'))
        assert '"slot":"shop-green"' in self.ask(arr_host, "/", name="www.shop.example")[1]
        assert '"slot":"shop-blue"' in self.ask(arr_host, "/", name="shop.example")[1]

    def test_tls_is_spoken_where_the_binding_says_so(self, arr_host: SimulatedHost) -> None:
        binding = '<binding protocol="http" bindingInformation="*:8001:" />'
        edit(arr_host, (binding, binding + '<binding protocol="https" bindingInformation="*:8441:" />'))
        seen: list[ProbeAnswer] = []
        for url in ("https://127.0.0.2:8441/", "http://127.0.0.2:8441/", "https://127.0.0.2:8001/"):
            arr_host.exchange.ask(ProbeRequest(url, "shop.example"), seen.append)
        assert [(one.status, one.error[:5]) for one in seen] == [(200, ""), (0, "12030"), (0, "12175")]

    def test_a_name_nobody_is_bound_to_is_400(self, arr_host: SimulatedHost) -> None:
        edit(arr_host, ('"*:8001:"', '"*:8001:only.example"'))
        assert self.ask(arr_host, "/")[0] == 400

    def test_nobody_listening_is_12029(self, arr_host: SimulatedHost) -> None:
        assert self.ask(arr_host, "/", port=9999) == (0, "12029: cannot connect")

    def test_a_file_beside_the_release_is_served_while_it_is_there(self, arr_host: SimulatedHost) -> None:
        assert self.ask(arr_host, "/arr-health/up.html")[0] == 404
        arr_host.files.write_text("C:\\inetpub\\shop-blue-health\\up.html", "up")
        assert self.ask(arr_host, "/arr-health/up.html") == (200, "up")

    def test_a_catch_all_handler_swallows_files_of_its_own_folder(self, arr_host: SimulatedHost) -> None:
        arr_host.files.write_text("C:\\inetpub\\shop-blue\\up.html", "up")
        assert self.ask(arr_host, "/up.html") == (200, "up")
        assert '"version"' in self.ask(arr_host, "/down.html")[1], "what is no file is the application's"
        arr_host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", '{"serves_files": false}')
        arr_host.iis.recycle_pool("shop-blue")
        assert '"version"' in self.ask(arr_host, "/up.html")[1]

    def test_a_broken_version_answers_500_and_is_never_healthy(self, arr_host: SimulatedHost) -> None:
        arr_host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", '{"version": "2", "broken": true}')
        arr_host.iis.recycle_pool("shop-blue")
        assert self.ask(arr_host, "/")[0] == 500
        assert self.ask(arr_host, "/health")[0] == 503

    def test_a_version_may_fail_after_some_answers(self, arr_host: SimulatedHost) -> None:
        arr_host.files.write_text("C:\\inetpub\\shop-blue\\simulated-app.json", '{"fail_after": 2}')
        arr_host.iis.recycle_pool("shop-blue")
        assert [self.ask(arr_host, "/")[0] for _ in range(4)] == [200, 200, 500, 500]
