"""ARR's rules in virtual time, each as the reference has it (arr.md 5)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from arr_bluegreen.errors import NoSuchObject, RemoteError
from arr_bluegreen.pytest_plugin import BLUE_GREEN, HostFactory, host_in_memory
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.exchange import Outcome, PublicRequest
from arr_bluegreen.simulator.health import status_matches
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import HealthTest, NewState, ServerState, ServerStatus, TestResult

BLUE, GREEN = "127.0.0.2", "127.0.0.3"
URL = "http://shop.example/health"


def edit(host: SimulatedHost, *pairs: tuple[str, str]) -> None:
    """Pieces of the file's text replaced, in one commit."""
    text = host.config.text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    host.config.commit(text.encode())


def enable_green(host: SimulatedHost) -> None:
    edit(host, (f'address="{GREEN}" enabled="false"', f'address="{GREEN}" enabled="true"'))


def disable_green(host: SimulatedHost) -> None:
    edit(host, (f'address="{GREEN}" enabled="true"', f'address="{GREEN}" enabled="false"'))


def health_check(host: SimulatedHost, **attributes: str) -> None:
    values = {"url": URL, "interval": "00:00:01", "timeout": "00:00:02", "statusCodeMatch": "200", **attributes}
    start = host.config.text().split("<healthCheck ")[1].split("/>")[0]
    edit(host, (start, " ".join(f'{name}="{value}"' for name, value in values.items()) + " "))


def send(host: SimulatedHost, number: int = 1, **more: object) -> list[Outcome]:
    """Requests one after another; those over by now."""
    ended: list[Outcome] = []
    for _ in range(number):
        host.exchange.send(PublicRequest("shop.example", **more), ended.append)  # type: ignore[arg-type]  # keywords
    return ended


def versions(host: SimulatedHost, number: int = 20, **more: object) -> Counter[str]:
    return Counter(one.version or f"{one.status}.{one.sub_status}" for one in send(host, number, **more))


def server(host: SimulatedHost, address: str) -> ServerStatus:
    return host.arr.status("shop").server(address)


def slot_is(host: SimulatedHost, slot: str, **behaviour: object) -> None:
    """The slot's application behaves so from its pool's next worker process on, which starts now."""
    import json

    host.files.write_text(f"C:\\inetpub\\shop-{slot}\\simulated-app.json", json.dumps(behaviour))
    host.iis.recycle_pool(f"shop-{slot}")


class TestWhoGetsRequests:
    """arr.md 5.4 and 5.6."""

    def test_a_disabled_server_gets_nothing(self, arr_host: SimulatedHost) -> None:
        assert versions(arr_host) == {"1": 20}

    def test_an_enabled_server_is_active_and_healthy_at_once(self, arr_host: SimulatedHost) -> None:
        enable_green(arr_host)
        assert arr_host.arr.in_service("shop") == (BLUE, GREEN)
        assert versions(arr_host) == {"1": 10, "2": 10}

    @pytest.mark.parametrize("state", [NewState.DRAIN, NewState.GRACEFUL_STOP, NewState.FORCEFUL_STOP])
    def test_a_server_put_out_of_service_gets_no_new_client(self, arr_host: SimulatedHost, state: NewState) -> None:
        enable_green(arr_host)
        arr_host.arr.set_state("shop", {BLUE: state})
        assert versions(arr_host) == {"2": 20}

    def test_both_stops_read_back_as_inactive(self, arr_host: SimulatedHost) -> None:
        arr_host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP, GREEN: NewState.FORCEFUL_STOP})
        assert [server(arr_host, one).state for one in (BLUE, GREEN)] == [ServerState.INACTIVE] * 2
        arr_host.arr.set_state("shop", {BLUE: NewState.DRAIN})
        assert server(arr_host, BLUE).state is ServerState.DRAINING

    def test_nobody_in_service_is_502_4_and_counts_nowhere(self, arr_host: SimulatedHost) -> None:
        arr_host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
        assert versions(arr_host) == {"502.4": 20}
        assert server(arr_host, BLUE).failed_requests == 0

    def test_a_servers_own_502_is_no_failure_of_arrs(self, arr_host: SimulatedHost) -> None:
        slot_is(arr_host, "blue", version="1", broken=True, broken_status=502)
        assert [one.status for one in send(arr_host, 3)] == [502] * 3
        assert server(arr_host, BLUE).failed_requests == 0

    def test_a_server_that_cannot_be_reached_is_502_3_and_counts_as_failed(self, arr_host: SimulatedHost) -> None:
        arr_host.iis.stop_site("shop-blue")
        assert versions(arr_host, 3) == {"502.3": 3}
        assert server(arr_host, BLUE).failed_requests == 3

    @pytest.mark.parametrize(
        ("meaning", "proxy", "ends"),
        [("no-farm", "false", "404.0"), ("no-farm", "true", "502.3"), ("no-server", "false", "502.4")],
    )
    def test_what_a_disabled_farm_is_to_a_rule_is_a_setting(
        self, arr_host: SimulatedHost, meaning: str, proxy: str, ends: str
    ) -> None:
        """A plain host name, unknown to DNS, or a farm without servers; either way it routes nothing."""
        arr_host.settings.disabled_farm = meaning
        edit(
            arr_host,
            ('webFarm name="shop" enabled="true"', 'webFarm name="shop" enabled="false"'),
            ('proxy enabled="true"', f'proxy enabled="{proxy}"'),
        )
        assert versions(arr_host) == {ends: 20}

    def test_weights_are_kept(self, arr_host: SimulatedHost) -> None:
        enable_green(arr_host)
        edit(arr_host, ('httpPort="8002"', 'httpPort="8002" weight="300"'))
        assert versions(arr_host, 40) == {"1": 10, "2": 30}

    def test_least_requests_gives_to_who_has_fewest(self, arr_host: SimulatedHost) -> None:
        enable_green(arr_host)
        edit(arr_host, ("<protocol timeout", '<loadBalancing algorithm="LeastRequests" /><protocol timeout'))
        send(arr_host, 5, seconds=60.0)
        counts = [server(arr_host, one).current_requests for one in (BLUE, GREEN)]
        assert sorted(one or 0 for one in counts) == [2, 3]
        assert set(versions(arr_host, 4)) == {"1" if counts[0] == 2 else "2"}

    def test_another_host_does_not_reach_the_farm(self, arr_host: SimulatedHost) -> None:
        ended: list[Outcome] = []
        arr_host.exchange.send(PublicRequest("other.example"), ended.append)
        assert ended[0].status == 404

    def test_an_unknown_farm_or_server_is_named_with_those_there(self, arr_host: SimulatedHost) -> None:
        with pytest.raises(NoSuchObject, match="no farm 'x'") as caught:
            arr_host.arr.status("x")
        assert "shop" in caught.value.hint
        with pytest.raises(NoSuchObject, match="no server 'x'"):
            arr_host.arr.set_state("shop", {"x": NewState.START})

    def test_names_are_compared_without_case(self, arr_host: SimulatedHost) -> None:
        assert arr_host.arr.status("SHOP").farm.name == "shop"


class TestInFlight:
    """What is open when a server goes out of service (arr.md 5.4)."""

    def test_a_graceful_stop_lets_requests_finish(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        ended = send(arr_host, 2, seconds=5.0)
        arr_host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
        assert server(arr_host, BLUE).current_requests == 2
        arr_clock.sleep(6)
        assert [one.version for one in ended] == ["1", "1"]
        assert server(arr_host, BLUE).current_requests == 0

    def test_a_forceful_stop_cuts_them_with_502_3(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        ended = send(arr_host, 2, seconds=5.0)
        arr_host.arr.set_state("shop", {BLUE: NewState.FORCEFUL_STOP})
        assert [(one.status, one.sub_status) for one in ended] == [(502, 3)] * 2
        assert server(arr_host, BLUE).current_requests == 0
        arr_clock.sleep(6)
        assert len(ended) == 2

    def test_web_sockets_are_counted_apart(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        send(arr_host, 1, seconds=3600.0, web_socket=True)
        arr_clock.sleep(120)
        assert (server(arr_host, BLUE).current_requests, server(arr_host, BLUE).current_web_socket_requests) == (0, 1)

    def test_the_farms_timeout_ends_a_request_with_502_3(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        ended = send(arr_host, 1, seconds=90.0)
        arr_clock.sleep(59)
        assert not ended
        arr_clock.sleep(2)
        assert (ended[0].status, ended[0].sub_status, ended[0].error) == (502, 3, "12002: timeout")

    def test_a_killed_slot_cuts_its_requests(self, arr_host: SimulatedHost) -> None:
        ended = send(arr_host, 1, seconds=5.0)
        arr_host.iis.kill_pool("shop-blue")
        assert ended[0].status == 502

    def test_a_recycle_of_the_front_lets_its_requests_finish(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        ended = send(arr_host, 1, seconds=5.0)
        arr_host.iis.recycle_pool("Front")
        assert len(arr_host.iis.workers("Front")) == 2
        assert server(arr_host, BLUE).current_requests == 0, "the new process does not know of it"
        arr_clock.sleep(6)
        assert ended[0].version == "1"
        assert len(arr_host.iis.workers("Front")) == 1


class TestHealth:
    """arr.md 5.1, 5.2, 5.3."""

    def test_a_server_goes_down_after_as_many_failures_as_retries(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        arr_host.iis.stop_site("shop-blue")
        arr_clock.sleep(2.5)
        assert server(arr_host, BLUE).is_healthy
        arr_clock.sleep(1)
        assert server(arr_host, BLUE).is_healthy is False
        assert versions(arr_host, 1) == {"502.4": 1}

    @pytest.mark.parametrize(("failures", "seconds"), [(True, 3), (False, 4)])
    def test_whether_retries_are_the_failures_or_follow_one_is_a_setting(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock, failures: bool, seconds: int
    ) -> None:
        arr_host.settings.retries_are_failures = failures
        arr_host.iis.stop_site("shop-blue")
        arr_clock.sleep(seconds - 0.5)
        assert server(arr_host, BLUE).is_healthy
        arr_clock.sleep(1)
        assert server(arr_host, BLUE).is_healthy is False

    def test_a_good_answer_in_between_starts_the_count_anew(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        for _ in range(4):
            arr_host.iis.stop_site("shop-blue")
            arr_clock.sleep(2)
            arr_host.iis.start_site("shop-blue")
            arr_clock.sleep(1)
        assert server(arr_host, BLUE).is_healthy

    def test_another_host_and_port_may_be_asked_for_health(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        """healthCheckAlternateHostName and -Port; 0 is none (arr.md 5.1)."""
        edit(arr_host, ('"*:8001:"', '"*:8001:only.example"'))
        arr_clock.sleep(4)
        assert server(arr_host, BLUE).is_healthy is False, "400: no site is bound to the url's host"
        more = 'httpPort="8001" healthCheckAlternateHostName="only.example" healthCheckAlternatePort="0"'
        edit(arr_host, ('httpPort="8001"', more))
        arr_clock.sleep(1.1)
        assert server(arr_host, BLUE).is_healthy
        edit(arr_host, ('healthCheckAlternatePort="0"', 'healthCheckAlternatePort="8009"'))
        arr_clock.sleep(4)
        assert server(arr_host, BLUE).is_healthy is False

    def test_one_good_answer_brings_it_back(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        arr_host.arr.set_healthy("shop", {BLUE: False})
        assert server(arr_host, BLUE).is_healthy is False
        arr_clock.sleep(1.1)
        assert server(arr_host, BLUE).is_healthy

    def test_without_a_url_nothing_brings_it_back(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        health_check(arr_host, url="")
        arr_host.arr.set_healthy("shop", {BLUE: False})
        arr_clock.sleep(3600)
        assert server(arr_host, BLUE).is_healthy is False
        arr_host.arr.set_healthy("shop", {BLUE: True})
        assert server(arr_host, BLUE).is_healthy

    @pytest.mark.parametrize(
        "attributes", [{"statusCodeMatch": "201"}, {"responseMatch": "Healthy"}, {"url": "http://other/broken"}]
    )
    def test_status_and_text_must_match(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock, attributes: dict[str, str]
    ) -> None:
        slot_is(arr_host, "blue", version="1", broken="url" in attributes)
        health_check(arr_host, **attributes)
        arr_clock.sleep(5)
        assert server(arr_host, BLUE).is_healthy is False

    def test_an_answer_that_is_late_is_a_failure(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        slot_is(arr_host, "blue", version="1", answer_seconds=2.5)
        health_check(arr_host, url="http://shop.example/")
        arr_clock.sleep(8)
        assert server(arr_host, BLUE).is_healthy is False

    def test_a_health_change_resets_the_counters(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        send(arr_host, 5)
        before = server(arr_host, BLUE)
        arr_clock.sleep(1)
        arr_host.arr.set_healthy("shop", {BLUE: False})
        after = server(arr_host, BLUE)
        assert (before.total_requests, after.total_requests) == (5, 0)
        assert after.last_reset_tick_count != before.last_reset_tick_count

    @pytest.mark.parametrize("whose", ["server", "farm"])
    def test_whose_counters_a_health_change_resets_is_a_setting(self, arr_host: SimulatedHost, whose: str) -> None:
        arr_host.settings.health_change_resets = whose
        enable_green(arr_host)
        send(arr_host, 4)
        arr_host.arr.set_healthy("shop", {GREEN: False})
        counts = [server(arr_host, one).total_requests for one in (BLUE, GREEN)]
        assert counts == ([2, 0] if whose == "server" else [0, 0])

    @pytest.mark.parametrize("clears", [False, True])
    def test_whether_the_reset_forgets_open_requests_is_a_setting(
        self, arr_host_from: HostFactory, clears: bool
    ) -> None:
        host = arr_host_from(settings=SimulatorSettings(health_change_clears_current=clears))
        send(host, 1, seconds=9.0)
        host.arr.set_healthy("shop", {BLUE: False})
        assert server(host, BLUE).current_requests == (0 if clears else 1)

    def test_below_min_servers_the_test_is_not_believed(self, arr_host: SimulatedHost) -> None:
        enable_green(arr_host)
        health_check(arr_host, url="", minServers="2")
        arr_host.arr.set_healthy("shop", {GREEN: False})
        assert arr_host.arr.in_service("shop") == (BLUE, GREEN)
        health_check(arr_host, url="", minServers="1")
        assert arr_host.arr.in_service("shop") == (BLUE,)

    def test_live_traffic_marks_unhealthy_and_never_healthy(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        health_check(arr_host, url="", liveTrafficFailurePeriod="00:00:10", maxLiveTrafficFailures="3")
        slot_is(arr_host, "blue", version="1", broken=True)
        assert versions(arr_host, 6) == {"1": 4, "502.4": 2}
        arr_clock.sleep(3600)
        assert versions(arr_host, 1) == {"502.4": 1}

    @pytest.mark.parametrize("counts", [False, True])
    def test_whether_what_arr_could_not_reach_counts_is_a_setting(self, arr_host: SimulatedHost, counts: bool) -> None:
        arr_host.settings.unreachable_is_live_failure = counts
        health_check(arr_host, url="", liveTrafficFailurePeriod="00:00:10", maxLiveTrafficFailures="3")
        arr_host.iis.stop_site("shop-blue")
        assert versions(arr_host, 6) == ({"502.3": 4, "502.4": 2} if counts else {"502.3": 6})

    def test_bad_answers_count_for_the_period_only(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        health_check(arr_host, url="", liveTrafficFailurePeriod="00:00:10", maxLiveTrafficFailures="3")
        slot_is(arr_host, "blue", version="1", broken=True)
        for _ in range(10):
            send(arr_host)
            arr_clock.sleep(5)
        assert server(arr_host, BLUE).is_healthy

    def test_the_live_traffic_test_is_off_without_a_period(self, arr_host: SimulatedHost) -> None:
        slot_is(arr_host, "blue", version="1", broken=True)
        assert versions(arr_host, 50) == {"1": 50}

    def test_test_health_says_what_it_saw(self, arr_host: SimulatedHost) -> None:
        def tested(address: str, url: str = URL, status: str = "200", text: str = "healthy") -> HealthTest:
            found: list[HealthTest] = []
            arr_host.arr.test_health("shop", address, url, timedelta(seconds=2), status, text, found.append)
            return found[0]

        assert tested(BLUE) == HealthTest(TestResult.SUCCESS, 200)
        assert tested(BLUE, status="204").result is TestResult.STATUS_CODE_FAILURE
        assert tested(BLUE, text="no such text").result is TestResult.RESPONSE_ENTITY_FAILURE
        assert tested(GREEN).result is TestResult.SUCCESS, "a disabled server too, by default"
        arr_host.settings.test_health_works_on_disabled = False
        assert tested(GREEN).result is TestResult.CONNECTION_FAILURE
        arr_host.iis.stop_site("shop-blue")
        assert tested(BLUE) == HealthTest(TestResult.CONNECTION_FAILURE, 0, 12029)

    def test_probes_on_demand_come_only_from_a_process_that_routes(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock
    ) -> None:
        edit(arr_host, ("<webFarms>", '<webFarms onDemandHealthCheck="true">'))
        arr_host.arr.set_healthy("shop", {BLUE: False})
        arr_clock.sleep(10)
        assert server(arr_host, BLUE).is_healthy is False
        send(arr_host, 1)
        arr_clock.sleep(1.5)
        assert server(arr_host, BLUE).is_healthy

    @pytest.mark.parametrize(
        ("spec", "status", "fits"),
        [
            ("200-399", 302, True),
            ("200-399", 400, False),
            ("200,204", 204, True),
            ("500-", 503, True),
            ("500-", 499, False),
            ("nonsense", 200, False),
        ],
    )
    def test_statuses_are_read_in_arrs_notation(self, spec: str, status: int, fits: bool) -> None:
        assert status_matches(spec, status) is fits


class TestAffinity:
    """arr.md 5.5."""

    def host(self, arr_host: SimulatedHost, attributes: str) -> SimulatedHost:
        enable_green(arr_host)
        edit(arr_host, ("<protocol timeout", f"<affinity {attributes} /><protocol timeout"))
        return arr_host

    def test_a_cookie_keeps_a_client_through_a_drain_and_not_through_a_stop(self, arr_host: SimulatedHost) -> None:
        host = self.host(arr_host, 'useCookie="true"')
        first = send(host, 1)[0]
        address = BLUE if first.version == "1" else GREEN
        assert versions(host, 5, cookie=first.cookie) == {first.version: 5}
        host.arr.set_state("shop", {address: NewState.DRAIN})
        assert versions(host, 5, cookie=first.cookie) == {first.version: 5}
        assert first.version not in versions(host, 5)
        host.arr.set_state("shop", {address: NewState.GRACEFUL_STOP})
        assert first.version not in versions(host, 5, cookie=first.cookie)

    def test_an_unhealthy_server_loses_its_affine_clients(self, arr_host: SimulatedHost) -> None:
        host = self.host(arr_host, 'useCookie="true"')
        first = send(host, 1)[0]
        host.arr.set_healthy("shop", {BLUE if first.version == "1" else GREEN: False})
        assert first.version not in versions(host, 5, cookie=first.cookie)

    def test_a_host_name_is_pinned_until_its_mapping_is_removed(self, arr_host: SimulatedHost) -> None:
        host = self.host(arr_host, 'useHostName="true"')
        (pinned,) = versions(host, 10)
        address = BLUE if pinned == "1" else GREEN
        host.arr.set_state("shop", {address: NewState.DRAIN})
        assert versions(host, 10) == {pinned: 10}
        assert host.arr.remove_mapping("shop", address) == 1
        assert pinned not in versions(host, 10)

    def test_a_host_may_have_several_servers_and_names(self, arr_host: SimulatedHost) -> None:
        enable_green(arr_host)
        hosts = '<host name="shop.example" servers="2"><equivalentHost name="www.shop.example" /></host>'
        edit(arr_host, ("<protocol timeout", f'<affinity useHostName="true">{hosts}</affinity><protocol timeout'))
        assert versions(arr_host) == {"1": 10, "2": 10}
        for state, seen in ((NewState.GRACEFUL_STOP, {"1": 10}), (NewState.START, {"1": 5, "2": 5})):
            arr_host.arr.set_state("shop", {GREEN: state})
            assert versions(arr_host, 10) == seen, "who was away for a while is still one of them"
        assert arr_host.arr.remove_mapping("shop", BLUE) == 1
        assert versions(arr_host) == {"2": 20}, "the other server is still its own"

    def test_a_mapping_runs_out(self, arr_host: SimulatedHost, arr_clock: SimulatedClock) -> None:
        host = self.host(arr_host, 'useHostName="true" timeout="00:05:00"')
        (pinned,) = versions(host, 1)
        host.arr.set_state("shop", {BLUE if pinned == "1" else GREEN: NewState.DRAIN})
        arr_clock.sleep(301)
        assert pinned not in versions(host, 1)


class TestWhatIsLost:
    """arr.md 5.6, and the settings for what nobody knows (arr.md 8.1)."""

    @pytest.mark.parametrize("how", ["recycle", "kill", "reboot"])
    def test_run_time_state_goes_with_the_worker_process(self, arr_host: SimulatedHost, how: str) -> None:
        enable_green(arr_host)
        arr_host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
        arr_host.arr.set_healthy("shop", {BLUE: False})
        send(arr_host, 3)
        before = arr_host.arr.status("shop", ["Front"]).arr_workers
        match how:
            case "recycle":
                arr_host.iis.recycle_pool("Front")
            case "kill":
                arr_host.iis.kill_pool("Front")
            case _:
                arr_host.boot()
        status = arr_host.arr.status("shop", ["Front"])
        assert [one.state for one in status.servers] == [ServerState.ACTIVE] * 2
        assert all(one.is_healthy and one.total_requests == 0 for one in status.servers)
        assert status.arr_workers != before

    @pytest.mark.parametrize("tells", [False, True])
    def test_whether_a_new_process_tells_a_reset_is_a_setting(
        self, arr_host: SimulatedHost, arr_clock: SimulatedClock, tells: bool
    ) -> None:
        arr_host.settings.new_process_tells_a_reset = tells
        before = server(arr_host, BLUE).last_reset_tick_count
        arr_clock.sleep(5)
        arr_host.iis.recycle_pool("Front")
        assert (server(arr_host, BLUE).last_reset_tick_count != before) is tells

    @pytest.mark.parametrize("survives", [False, True])
    def test_whether_a_state_survives_enabling_is_a_setting(self, arr_host_from: HostFactory, survives: bool) -> None:
        host = arr_host_from(settings=SimulatorSettings(state_survives_enabling=survives))
        host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
        enable_green(host)
        assert host.arr.in_service("shop") == ((BLUE,) if survives else (BLUE, GREEN))

    @pytest.mark.parametrize("works", [False, True])
    def test_whether_set_state_works_on_a_disabled_server_is_a_setting(
        self, arr_host_from: HostFactory, works: bool
    ) -> None:
        host = arr_host_from(settings=SimulatorSettings(set_state_works_on_disabled=works))
        host.arr.set_state("shop", {GREEN: NewState.DRAIN})
        assert server(host, GREEN).state is (ServerState.DRAINING if works else ServerState.ACTIVE)

    @pytest.mark.parametrize("resets", [False, True])
    def test_whether_a_commit_resets_the_others_is_a_setting(self, arr_host_from: HostFactory, resets: bool) -> None:
        host = arr_host_from(settings=SimulatorSettings(commit_resets_states=resets))
        enable_green(host)
        host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
        disable_green(host)
        assert server(host, BLUE).state is (ServerState.ACTIVE if resets else ServerState.INACTIVE)

    def test_an_edit_elsewhere_touches_no_state(self, arr_host: SimulatedHost) -> None:
        arr_host.settings.commit_resets_states = True
        arr_host.arr.set_state("shop", {BLUE: NewState.DRAIN})
        edit(arr_host, ('rule name="Block trace"', 'rule name="Block traces"'))
        assert server(arr_host, BLUE).state is ServerState.DRAINING

    @pytest.mark.parametrize("all_workers", [False, True])
    def test_whether_set_state_reaches_every_worker_process_is_a_setting(
        self, arr_host_from: HostFactory, all_workers: bool
    ) -> None:
        config = BLUE_GREEN.read_bytes().replace(
            b'<processModel identityType="ApplicationPoolIdentity" idleTimeout',
            b'<processModel maxProcesses="2" idleTimeout',
        )
        config = config.replace(b'127.0.0.3" enabled="false"', b'127.0.0.3" enabled="true"')
        host = arr_host_from(
            config,
            settings=SimulatorSettings(set_state_reaches_all_workers=all_workers),
            versions={"shop-blue": "1", "shop-green": "2"},
        )
        host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
        assert len(host.iis.workers("Front")) == 2
        assert ("1" in versions(host, 40)) is not all_workers

    @pytest.mark.parametrize("starts", [False, True])
    def test_whether_reading_starts_a_worker_process_is_a_setting(self, starts: bool) -> None:
        config = BLUE_GREEN.read_bytes().replace(b'startMode="AlwaysRunning"', b'startMode="OnDemand"', 1)
        host = host_in_memory(config, SimulatedClock(), settings=SimulatorSettings(status_starts_worker=starts))
        assert (server(host, BLUE).state is ServerState.ACTIVE) is starts
        if not starts:
            with pytest.raises(RemoteError, match="no worker process"):
                host.arr.set_state("shop", {BLUE: NewState.DRAIN})
            with pytest.raises(RemoteError, match="no worker process"):
                host.arr.test_health("shop", BLUE, URL, timedelta(seconds=1), "200", "", lambda _: None)
            send(host, 1)
            assert server(host, BLUE).state is ServerState.ACTIVE

    def test_a_farm_that_comes_and_goes_is_remembered_no_longer(self, arr_host: SimulatedHost) -> None:
        arr_host.arr.set_state("shop", {BLUE: NewState.DRAIN})
        edit(arr_host, ('webFarm name="shop"', 'webFarm name="store"'))
        edit(arr_host, ('webFarm name="store"', 'webFarm name="shop"'))
        assert server(arr_host, BLUE).state is ServerState.ACTIVE
