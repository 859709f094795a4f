"""Warm-up and the two gates: what is asked, how, and what counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import NewState
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World

NO_HEALTH_URL = CONFIG.replace(b'url="http://shop.example/health"', b'url=""')


def warmed_by(folder: Path, lines: str) -> tuple[World, list[Sequence[ProbeRequest]]]:
    """A world with these lines in ``[warm_up]``, and what its machine will be asked."""
    world = World(folder)
    world.deployment = parse_description(world.deployment.text.replace("[warm_up]\n", f"[warm_up]\n{lines}\n"))
    asked: list[Sequence[ProbeRequest]] = []
    real = world.machine.probe.ask

    def ask(requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        asked.append(requests)
        return real(requests)

    world.machine.probe.ask = ask  # type: ignore[method-assign]  # an eavesdropper
    return world, asked


def test_a_path_may_have_a_method_of_its_own_and_so_many_are_asked_at_a_time(tmp_path: Path) -> None:
    world, asked = warmed_by(tmp_path, 'paths = ["/", "POST /cache/fill", "/basket"]\nmethod = "HEAD"\nconcurrency = 2')
    assert world.run().outcome == "done"
    warm = [[(one.method, one.url) for one in part] for part in asked if part[0].method != "GET" or len(part) == 2]
    at = f"http://{GREEN}:8002"
    assert warm[:2] == [[("HEAD", f"{at}/"), ("POST", f"{at}/cache/fill")], [("HEAD", f"{at}/basket")]]
    assert {one.host for part in asked for one in part} == {"shop.example"}, "the Host header that ARR will send"


def test_a_slot_that_stays_slow_is_not_warm(tmp_path: Path) -> None:
    world, _ = warmed_by(tmp_path, 'slower_than = "200ms"')
    world.host.files.write_text(
        r"C:\inetpub\shop-green\simulated-app.json", '{"version": "2", "answer_seconds": 0.5}'
    )
    world.host.iis.recycle_pool("shop-green")
    ended = world.run()
    assert (ended.exit_code, world.live) == (7, (BLUE,))
    assert "is not warm" in ended.error
    assert "took 0.5" in ended.error


def test_the_front_is_woken_before_any_state_is_set(tmp_path: Path) -> None:
    """States live in the front pool's worker process, and nobody documents that SetState starts one."""
    world = World(tmp_path, config=CONFIG.replace(*BOTH_ENABLED), traffic=False)
    world.host.arr.set_state("shop", {GREEN: NewState.START})
    began = len(world.machine.journal)
    assert world.run(live="blue").outcome == "done"
    calls = world.machine.journal[began:]
    assert calls.index("probe.ask") < calls.index("farm.set_state")


def test_the_plan_says_what_is_tested_where_the_farm_has_no_health_url(tmp_path: Path) -> None:
    world = World(tmp_path, config=NO_HEALTH_URL)
    plan = plan_run(world.deployment, world.controls, version="2")
    assert any("made to test http://shop.example/version (status 200)" in one for one in plan.gaps)
    text = world.deployment.text.replace("[gate]\n", '[gate]\nhealth_url = "http://shop.example/up"\n')
    plan = plan_run(parse_description(text), world.controls, version="2")
    assert any("made to test http://shop.example/up" in one for one in plan.gaps)


def test_a_farm_with_a_health_url_is_no_gap(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert not any("no health URL" in one for one in plan_run(world.deployment, world.controls, version="2").gaps)


def test_without_any_url_arr_cannot_be_made_to_test_and_the_plan_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, config=NO_HEALTH_URL)
    deployment = parse_description(world.deployment.text.replace('version_url = "/version"', 'version_url = ""'))
    with pytest.raises(RefusedError, match=r"\[gate\] names none to test"):
        plan_run(deployment, world.controls, version="2")
