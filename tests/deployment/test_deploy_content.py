"""A release put in a new folder: the site is pointed to it by a write, which is planned, judged, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.events import Noted, Warned
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm.change import SetVirtualDirectory, settings
from tests.deployment.world import BLUE, GREEN, World

CONTENT = "[content]\nsource = 'C:\\drop\\{version}'\n"
SETTINGS = '[[content.settings]]\nfile = "simulated-app.json"\ntokens = { "__PORT__" = "{port}" }\n'
CORE = '<configuration><system.webServer><aspNetCore processPath="dotnet" /></system.webServer></configuration>'


def content_world(folder: Path, writes: str = "always", more: str = CONTENT) -> World:
    world = World(folder, durable="reconcile", more=more)
    world.deployment = parse_description(world.deployment.text.replace('"always"', f'"{writes}"'))
    for place in (r"C:\drop\2", r"C:\inetpub\shop-green"):
        world.host.files.write_text(rf"{place}\simulated-app.json", json.dumps({"version": "2", "port": "__PORT__"}))
    return world


def test_the_plan_counts_the_write_that_points_the_site_to_the_release(tmp_path: Path) -> None:
    world = content_world(tmp_path)
    plan = plan_run(world.deployment, world.controls, version="2")
    (step,) = [one for one in plan.steps if one.name == "content"]
    assert step.commits() == (pointed(r"C:\inetpub\shop-green\2"),)
    before = world.machine.journal.count("config.apply")
    assert world.start(plan, "run-1").outcome == "done"
    world.finish()
    assert world.machine.journal.count("config.apply") - before == plan.writes == 1
    assert (world.live, world.traffic.lost) == ((GREEN,), [])


def test_writes_never_refuses_a_release_folder(tmp_path: Path) -> None:
    world = content_world(tmp_path, writes="never")
    before = world.host.config.data()
    with pytest.raises(RefusedError, match=r"\[content\].*is a write.*never"):
        world.run()
    assert world.host.config.data() == before


def test_writes_never_allows_settings_in_the_folder_the_site_has(tmp_path: Path) -> None:
    world = content_world(tmp_path, writes="never", more=SETTINGS)
    assert plan_run(world.deployment, world.controls, version="2").writes == 0
    assert world.run().outcome == "done"
    assert world.machine.journal.count("config.apply") == 0


def test_when_safe_refuses_it_where_a_write_may_restart_the_live_slot(tmp_path: Path) -> None:
    world = content_world(tmp_path, writes="when-safe")
    world.host.files.write_text(r"C:\inetpub\shop-blue\web.config", CORE)
    with pytest.raises(RefusedError, match="restarts pool 'shop-blue'"):
        world.run()


def test_its_commit_is_judged_like_every_commit(tmp_path: Path) -> None:
    """Worker processes are compared, and the slot must prove itself: the write may restart what serves (arr.md 5.8)."""
    world = content_world(tmp_path)
    assert world.run(until="gate").outcome == "paused"
    told = [one.event.text for one in world.heard if isinstance(one.event, Warned)]
    assert any("the commit restarted the worker process" in one and "'shop-green'" in one for one in told), told
    assert any(one.event == Noted("unproven", True) for one in world.heard)
    assert world.live == (BLUE,)


def pointed(path: str) -> SetVirtualDirectory:
    return SetVirtualDirectory("shop-green", "/", "/", settings({"physical_path": path}))
