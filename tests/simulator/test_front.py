"""Real requests through the front to real slots: keep-alive, WebSockets, and what clients see when it goes wrong."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from arr_bluegreen.control.interface import ProbeRequest
from arr_bluegreen.pytest_plugin import BLUE_GREEN
from arr_bluegreen.simulator.load import Load, Report
from arr_bluegreen.simulator.serve import ServedHost
from arr_bluegreen.webfarm import NewState
from tests.simulator.served_host import BLUE, GREEN, client, hosted, on_loop

BOTH = BLUE_GREEN.read_bytes().replace(b'127.0.0.3" enabled="false"', b'127.0.0.3" enabled="true"')


def test_a_request_reaches_the_slot_with_what_arr_adds(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:
            async with session.post("/items/7?x=1", data=b"12345", headers={"Connection": "keep-alive"}) as answer:
                said = await answer.json()
                assert (answer.status, answer.headers["X-App-Version"]) == (200, "1")
                assert answer.headers["X-Powered-By"] == "ARR/3.0"
            assert said == {"version": "1", "slot": "shop-blue", "path": "/items/7", "method": "POST", "received": 5}
            seen = await (await session.get("/headers?a=b", headers={"X-Forwarded-For": "192.0.2.1"})).json()
            assert seen["Host"] == "shop.example", "preserveHostHeader"
            assert seen["X-Forwarded-For"].startswith("192.0.2.1, 127.0.0.1:")
            assert seen["X-Original-URL"] == "/headers?a=b"
            assert seen["Max-Forwards"] == "10"
            assert "X-ARR-LOG-ID" in seen

    on_loop(run)


def test_headers_are_named_and_left_out_as_configured(tmp_path: Path) -> None:
    async def run() -> None:
        protocol = b'<protocol arrResponseHeader="false" includePortInXForwardedFor="false" logGuidName="X-Id"'
        config = BLUE_GREEN.read_bytes().replace(b"<protocol", protocol + b' maxForwards="3"')
        async with hosted(tmp_path, config) as served, client(served) as session:
            sent = {"X-ARR-SSL": "forged", "X-ARR-ClientCert": "forged"}
            answer = await session.get("/headers", headers=sent)
            seen = await answer.json()
            assert "X-Powered-By" not in answer.headers
            assert (seen["X-Forwarded-For"], seen["Max-Forwards"]) == ("127.0.0.1", "3")
            assert "X-Id" in seen
            assert not {"X-ARR-SSL", "X-ARR-ClientCert", "X-ARR-LOG-ID"} & set(seen), "a client forges none of them"

    on_loop(run)


@pytest.mark.parametrize(
    ("server", "protocol", "settings", "seen"),
    [
        ("", "", {}, "shop.example"),
        ("", 'preserveHostHeader="false" ', {}, BLUE),
        ("", 'preserveHostHeader="false" ', {"unpreserved_host": "farm"}, "shop"),
        ('hostName="blue.example" ', "", {}, "blue.example"),
        ('hostName="blue.example" ', "", {"host_name_replaces": False}, "shop.example"),
        ("", 'alternateHostName="all.example" ', {}, "all.example"),
        ('hostName="blue.example" ', 'alternateHostName="all.example" ', {}, "blue.example"),
    ],
)
def test_which_host_a_server_sees(
    tmp_path: Path, server: str, protocol: str, settings: dict[str, object], seen: str
) -> None:
    """arr.md 5.9; where its sources disagree, a setting."""

    async def run() -> None:
        config = BLUE_GREEN.read_bytes()
        config = config.replace(b'httpPort="8001"', server.encode() + b'httpPort="8001"')
        async with hosted(tmp_path, config.replace(b"<protocol ", b"<protocol " + protocol.encode())) as served:
            for name, value in settings.items():
                setattr(served.host.settings, name, value)
            async with client(served) as session:
                assert (await (await session.get("/headers")).json())["Host"] == seen

    on_loop(run)


def test_rules_answer_and_loop_as_they_do_on_windows(tmp_path: Path) -> None:
    async def run() -> None:
        catch_all = b'<match url=".*" /><action type="Rewrite" url="http://shop/{R:0}" /></rule></globalRules>'
        gone = b'<action type="CustomResponse" statusCode="410" statusReason="Gone" statusDescription="for good" />'
        rules = b'<rule name="gone"><match url="^gone$" />' + gone + b'</rule><rule name="all">' + catch_all
        text = BLUE_GREEN.read_bytes()
        start, end = text.index(b"<globalRules>") + 13, text.index(b"</globalRules>") + 14
        async with hosted(tmp_path, text[:start] + rules + text[end:]) as served, client(served) as session:
            looping = await session.get("/")
            assert looping.status == 400
            assert "400.605" in await looping.text()
            answered = await session.get("/gone")
            assert (answered.status, answered.reason, await answered.text()) == (410, "Gone", "for good")
            served.host.config.commit(text.replace(b'url=".*"', b'url="("', 1))
            assert "500.51" in await (await session.get("/")).text()

    on_loop(run)


def test_a_name_that_no_site_is_bound_to_is_http_sys_400(tmp_path: Path) -> None:
    async def run() -> None:
        config = BLUE_GREEN.read_bytes().replace(b'"*:80:"', b'"*:80:shop.example"')
        async with hosted(tmp_path, config) as served, client(served) as session:
            answer = await session.get("/", headers={"Host": "other.example"})
            assert (answer.status, await answer.text()) == (400, "Bad Request - Invalid Hostname")

    on_loop(run)


def test_a_response_cut_midway_is_a_reset_and_no_page_in_its_middle(tmp_path: Path) -> None:
    """ForcefulStop while a long body is on its way (arr.md 5.4)."""

    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:
            served.host.files.write_bytes("C:\\inetpub\\shop-blue\\big.txt", b"0123456789" * 4_000_000)
            answer = await session.get("/big.txt")
            assert answer.status == 200
            served.host.arr.set_state("shop", {BLUE: NewState.FORCEFUL_STOP})
            with pytest.raises(aiohttp.ClientError):
                await answer.read()
            assert served.host.arr.status("shop").server(BLUE).failed_requests == 1

    on_loop(run)


def test_large_bodies_are_streamed_both_ways(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:
            served.host.files.write_bytes("C:\\inetpub\\shop-blue\\big.txt", b"0123456789" * 200_000)
            assert len(await (await session.get("/big.txt")).read()) == 2_000_000

            async def pieces() -> object:
                for _ in range(10):
                    yield b"x" * 100_000

            said = await (await session.post("/upload", data=pieces())).json()
            assert said["received"] == 1_000_000

    on_loop(run)


def test_what_is_not_the_farms_or_has_no_server_is_told_as_iis_tells_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:

            async def get(**headers: str) -> tuple[int, str]:
                answer = await session.get("/", headers=headers)
                return answer.status, await answer.text()

            assert (await get(Host="other.example"))[0] == 404
            assert "400.605" in (await get(**{"Max-Forwards": "0"}))[1]
            served.host.iis.stop_site("shop-blue")
            await asyncio.sleep(0.05)
            assert "502.3" in (await get())[1]
            served.host.iis.start_site("shop-blue")
            served.host.iis.stop_pool("shop-blue")
            await asyncio.sleep(0.05)
            assert (await get())[0] == 503
            served.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
            status, text = await get()
            assert status == 502
            assert "502.4" in text

    on_loop(run)


def test_a_slot_refuses_whoever_is_not_the_machine(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, aiohttp.ClientSession() as stranger:
            real = served.host.net.real("127.0.0.2", 8001)
            with pytest.raises(aiohttp.ClientError):
                await stranger.get(f"http://127.0.0.1:{real}/health")
            answer = await served.host.ask(ProbeRequest("http://127.0.0.2:8001/health", "shop.example"))
            assert (answer.status, answer.text) == (200, "healthy")

    on_loop(run)


def test_what_the_machine_cannot_reach_is_an_answer_with_a_number(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path, blue={"answer_seconds": 5}) as served:

            async def error(url: str, **more: object) -> str:
                from datetime import timedelta

                return (await served.host.ask(ProbeRequest(url, timeout=timedelta(seconds=0.2)))).error[:5]

            assert await error("http://127.0.0.2:9999/") == "12029"
            assert await error("http://nowhere/") == "12007"
            assert await error("http://127.0.0.2:8001/") == "12002"

    on_loop(run)


def test_an_edit_of_the_file_takes_effect_and_probes_run(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:
            (tmp_path / "applicationHost.config").write_bytes(BOTH)
            for _ in range(100):
                if served.host.arr.in_service("shop") == (BLUE, GREEN):
                    break
                await asyncio.sleep(0.02)
            versions = {(await session.get("/")).headers["X-App-Version"] for _ in range(4)}
            assert versions == {"1", "2"}
            served.host.arr.set_healthy("shop", {BLUE: False})
            await asyncio.sleep(1.3)
            assert served.host.arr.in_service("shop") == (BLUE, GREEN), "the probe over real sockets brought it back"

    on_loop(run)


def test_a_new_site_gets_a_listener_and_a_removed_one_loses_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served:
            served.host.config.commit(BLUE_GREEN.read_bytes().replace(b"*:8002:", b"*:8003:"))
            await asyncio.sleep(0.1)
            places = {(ip, port) for ip, port, _ in served.host.net.places()}
            assert places == {("*", 80), ("*", 8001), ("*", 8003)}

    on_loop(run)


def test_an_https_binding_is_served_with_the_machines_certificate(tmp_path: Path) -> None:
    from arr_bluegreen.simulator.certificate import make_certificate
    from arr_bluegreen.simulator.serve import serve_host
    from tests.simulator.served_host import lay_out

    async def run() -> None:
        http = b'<binding protocol="http" bindingInformation="*:80:" />'
        config = BLUE_GREEN.read_bytes().replace(
            http, http + b'<binding protocol="https" bindingInformation="*:443:" />'
        )
        certificate = make_certificate("shop.example")
        path = lay_out(tmp_path, config.replace(b'pattern="^80$"', b'pattern="^443$"'))
        served = await serve_host(path, tmp_path / "root", tls=certificate.context)
        try:
            answer = await served.host.ask(ProbeRequest("https://127.0.0.1/", "shop.example"))
            assert (answer.status, answer.header("X-App-Version")) == (200, "1")
            refused = await served.host.ask(ProbeRequest("https://127.0.0.1/", "shop.example", verify_tls=True))
            assert refused.error.startswith("12175")
            seen = await served.host.ask(ProbeRequest("https://127.0.0.1/headers", "shop.example"))
            assert json.loads(seen.text)["X-ARR-SSL"].endswith("|CN=WEB01|CN=WEB01"), "content says TLS (arr.md 5.9)"
        finally:
            await served.close()

    on_loop(run)


def test_a_rule_with_https_goes_to_the_servers_https_port(tmp_path: Path) -> None:
    """arr.md 2.3; the name on the slot's certificate does not matter (arr.md 5.9)."""
    from arr_bluegreen.simulator.certificate import make_certificate
    from arr_bluegreen.simulator.serve import serve_host
    from tests.simulator.served_host import lay_out

    async def run() -> None:
        http = b'<binding protocol="http" bindingInformation="*:8001:" />'
        both = http + b'<binding protocol="https" bindingInformation="*:8441:" />'
        config = BLUE_GREEN.read_bytes().replace(http, both).replace(b'"http://shop/{R:0}"', b'"https://shop/{R:0}"')
        config = config.replace(b'httpPort="8001"', b'httpPort="1" httpsPort="8441"')
        path = lay_out(tmp_path, config)
        served = await serve_host(path, tmp_path / "root", tls=make_certificate("somebody.else").context)
        try:
            async with client(served) as session, session.get("/") as answer:
                assert (answer.status, answer.headers.get("X-App-Version")) == (200, "1")
        finally:
            await served.close()

    on_loop(run)


def test_an_affinity_cookie_keeps_a_client(tmp_path: Path) -> None:
    async def run() -> None:
        config = BOTH.replace(b"<protocol timeout", b'<affinity useCookie="true" /><protocol timeout')
        async with hosted(tmp_path, config) as served, client(served) as session:
            first = await session.get("/")
            cookie = first.headers["Set-Cookie"].partition(";")[0]
            assert cookie.startswith("ARRAffinity=")
            again = [await session.get("/", headers={"Cookie": cookie}) for _ in range(4)]
            assert {one.headers["X-App-Version"] for one in again} == {first.headers["X-App-Version"]}
            assert all("Set-Cookie" not in one.headers for one in again)

    on_loop(run)


def test_a_web_socket_stays_on_its_server_through_a_graceful_stop(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path, BOTH) as served, client(served) as session:
            served.host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
            async with session.ws_connect("/ws") as socket:
                served.host.arr.set_state("shop", {GREEN: NewState.START, BLUE: NewState.GRACEFUL_STOP})
                await socket.send_str("version")
                assert await socket.receive_str() == "1"
                await socket.send_bytes(b"\x00\x01")
                assert await socket.receive_bytes() == b"\x00\x01"
                assert served.host.arr.status("shop").server(BLUE).current_web_socket_requests == 1
            await asyncio.sleep(0.05)
            assert served.host.arr.status("shop").server(BLUE).current_web_socket_requests == 0

    on_loop(run)


@pytest.mark.parametrize("how", ["forceful stop", "killed slot"])
def test_what_is_cut_is_seen_by_the_client(tmp_path: Path, how: str) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session, session.ws_connect("/ws") as socket:
            slow = asyncio.ensure_future(session.get("/slow?seconds=10"))
            await asyncio.sleep(0.1)
            assert served.host.arr.status("shop").server(BLUE).current_requests == 1
            if how == "forceful stop":
                served.host.arr.set_state("shop", {BLUE: NewState.FORCEFUL_STOP})
            else:
                served.host.iis.kill_pool("shop-blue")
            answer = await slow
            assert answer.status == 502
            assert "502.3" in await answer.text()
            ended = await socket.receive(timeout=2)
            assert ended.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            assert served.host.arr.status("shop").server(BLUE).current_requests == 0

    on_loop(run)


def test_a_get_survives_that_its_pooled_connection_is_dropped(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path) as served, client(served) as session:
            for _ in range(5):
                assert (await session.get("/")).status == 200
                for place, server in served.listeners._web.items():
                    if place[1] == 8001:
                        for connection in server.connections:
                            assert connection.transport is not None
                            connection.transport.abort()

    on_loop(run)


def test_requests_wait_for_a_slot_that_starts(tmp_path: Path) -> None:
    async def run() -> None:
        async with hosted(tmp_path, blue={"start_seconds": 0.4}) as served, client(served) as session:
            began = asyncio.get_running_loop().time()
            assert (await session.get("/")).status == 200
            assert 0.2 < asyncio.get_running_loop().time() - began < 2

    on_loop(run)


class TestUnderLoad:
    """Nothing is lost by what must lose nothing."""

    def loaded(self, folder: Path, act: object, config: bytes = BOTH) -> Report:
        async def run() -> Report:
            async with hosted(folder, config) as served:
                served.host.arr.set_state("shop", {GREEN: NewState.GRACEFUL_STOP})
                load = Load(f"http://127.0.0.1:{served.front_port}", "shop.example", 300, slow_seconds=0.5)
                running = asyncio.create_task(load.run(1.8, 60, print))
                await asyncio.sleep(0.9)
                act(served)  # type: ignore[operator]  # a function of the host
                return await running

        return on_loop(run)

    def test_a_switch_by_state_loses_nothing(self, tmp_path: Path) -> None:
        def switch(served: ServedHost) -> None:
            served.host.arr.set_state("shop", {GREEN: NewState.START})
            served.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})

        report = self.loaded(tmp_path, switch)
        assert (report.failed, dict(report.reasons)) == (0, {})
        assert min(report.by_version["1"], report.by_version["2"]) > 20
        assert report.requests > 300 * (1.8 - report.behind) * 0.8, "fewer, and it did not say that it fell behind"

    def test_recycles_of_front_and_slot_lose_nothing(self, tmp_path: Path) -> None:
        def recycle(served: ServedHost) -> None:
            served.host.iis.recycle_pool("shop-blue")
            served.host.iis.recycle_pool("Front")

        report = self.loaded(tmp_path, recycle)
        assert (report.failed, dict(report.reasons)) == (0, {})
        assert set(report.by_version) == {"1", "2"}, "the recycle forgot who was stopped (arr.md 5.6)"

    def test_a_gap_is_counted(self, tmp_path: Path) -> None:
        def gap(served: ServedHost) -> None:
            served.host.arr.set_state("shop", {BLUE: NewState.GRACEFUL_STOP})
            asyncio.get_running_loop().call_later(
                0.5, lambda: served.host.arr.set_state("shop", {GREEN: NewState.START})
            )

        report = self.loaded(tmp_path, gap)
        assert report.failed > 10
        assert all("502" in one for one in report.reasons)
        assert report.whole()["longest_gap_ms"] > 300
