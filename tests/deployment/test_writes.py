"""Who restarts on a write, and what follows: unknown is unsafe, and an ASP.NET Core farm loses nothing either way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from arr_bluegreen.control.interface import ApplicationFacts, ApplicationReader
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.description import By, DurableBy, Writes
from arr_bluegreen.deployment.events import RunEnded, StepDone, Warned
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.plan import Plan
from arr_bluegreen.deployment.writes import judge_writes, why_restarts
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.simulator.settings import SimulatorSettings
from tests.deployment.world import BLUE, BOTH_ENABLED, CONFIG, GREEN, World

CORE = '<configuration><system.webServer><aspNetCore hostingModel="inprocess">%s</aspNetCore></system.webServer></configuration>'  # noqa: E501  # one line of XML
OPT_OUT = '<handlerSettings><handlerSetting name="disallowRotationOnConfigChange" value="true" /></handlerSettings>'
GOOD, OLD, SUSPECT = "20.0.25300.1", "16.0.23100.2", "18.0.24200.3"


def farm(
    folder: Path,
    *,
    opt_out: bool = False,
    module: str = GOOD,
    works: str = "works",
    writes: Writes = "when-safe",
    both: bool = True,
    by: By = "state",
    durable: DurableBy = "auto",
) -> World:
    """Two ASP.NET Core slots; blue serves. Green is kept out by its state (``both`` enabled), or not enabled."""
    settings = SimulatorSettings(aspnetcore_module=module, disallow_rotation=works)
    config = CONFIG.replace(*BOTH_ENABLED) if both else CONFIG
    world = World(
        folder, by=by, durable="reconcile" if both else "enabled", config=config, settings=settings, traffic=False
    )
    section = replace(world.deployment.durable, by=durable)
    world.deployment = replace(world.deployment, writes=writes, durable=section)
    for slot in ("blue", "green"):
        world.host.files.write_text(rf"C:\inetpub\shop-{slot}\web.config", CORE % (OPT_OUT if opt_out else ""))
        world.host.iis.recycle_pool(f"shop-{slot}")
    world.clock.sleep(5)
    world.traffic.start()
    return world


def deploy(world: World, version: str = "2", run: str = "run-1", *, accept_gap: bool = False) -> tuple[Plan, RunEnded]:
    plan = plan_run(world.deployment, world.controls, version=version, accept_gap=accept_gap)
    return plan, world.start(plan, run)


def workers(world: World) -> list[int]:
    return [one.pid for pool in world.host.iis.pools(["shop-blue", "shop-green"]) for one in pool.workers]


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        (ApplicationFacts("x"), "not known"),
        (ApplicationFacts("x", False), ""),
        (ApplicationFacts("x", True, True, False, GOOD), "without"),
        (ApplicationFacts("x", True, True, True, None), "not known"),
        (ApplicationFacts("x", True, True, True, "20.0"), "not known"),
        (ApplicationFacts("x", True, True, True, "20.0.1.2"), "not known"),
        (ApplicationFacts("x", True, True, True, "(unknown)"), "not known"),
        (ApplicationFacts("x", True, True, True, OLD), "does not know"),
        (ApplicationFacts("x", True, True, True, "17.0.22100.1"), ""),
        (ApplicationFacts("x", True, True, True, "18.0.23300.5"), ""),
        (ApplicationFacts("x", True, False, True, SUSPECT), "503"),
        (ApplicationFacts("x", True, True, True, "19.0.24300.1"), "503"),
        (ApplicationFacts("x", True, True, True, "19.0.25060.1"), "503"),
        (ApplicationFacts("x", True, True, True, "20.0.25020.1"), "503"),
        (ApplicationFacts("x", True, True, True, GOOD), ""),
        (ApplicationFacts("x", True, True, True, "21.0.26010.1"), ""),
    ],
)
def test_what_restarts_an_application(facts: ApplicationFacts, why: str) -> None:
    """arr.md 5.8; only what is surely safe is safe."""
    said = why_restarts(facts)
    assert bool(said) == bool(why)
    assert why in said


@pytest.mark.parametrize(
    ("opt_out", "module", "safe"),
    [(False, GOOD, False), (True, "", False), (True, OLD, False), (True, SUSPECT, False), (True, GOOD, True)],
)
def test_the_module_and_web_config_are_read_on_the_machine(
    tmp_path: Path, opt_out: bool, module: str, safe: bool
) -> None:
    world = farm(tmp_path, opt_out=opt_out, module=module)
    told = judge_writes(world.controls, world.deployment).restarts
    assert (told == ()) is safe
    for pid, text in zip(workers(world), told, strict=False):
        assert f"worker process {pid}" in text


def test_an_application_of_another_farm_counts(tmp_path: Path) -> None:
    """A write to webFarms restarts every farm's slots on the machine (arr.md 5.8)."""
    world = World(tmp_path, traffic=False)
    assert judge_writes(world.controls, world.deployment).safe
    world.host.files.write_text(r"C:\inetpub\billing\web.config", CORE % "")
    data = world.host.config.data()
    end = data.index(b"</sites>")
    site = (
        b'<site name="billing" id="77"><application path="/" applicationPool="Front"><virtualDirectory path="/" '
        rb'physicalPath="C:\inetpub\billing" /></application><bindings><binding protocol="http" '
        b'bindingInformation="*:9100:" /></bindings></site>'
    )
    data = data[:end] + site + data[end:]
    farms = data.index(b"</webFarms>")
    routing = b'<applicationRequestRouting httpPort="9100" />'
    other = b'<webFarm name="billing"><server address="127.0.0.9">' + routing + b"</server></webFarm>"
    world.host.config.commit(data[:farms] + other + data[farms:])
    (told,) = judge_writes(world.controls, world.deployment).restarts
    assert told.startswith("pool 'Front'")


def test_a_machine_that_cannot_tell_is_unsafe(tmp_path: Path) -> None:
    class Mute:
        """A machine without ``applications``."""

        def __init__(self, machine: object) -> None:
            for name in ("name", "config", "sites", "farm", "records"):
                setattr(self, name, getattr(machine, name))

    world = World(tmp_path, traffic=False)
    mute = Mute(world.machine)
    assert not isinstance(mute, ApplicationReader)
    told = judge_writes(Controls((mute,), world.clock, world.commands), world.deployment)  # type: ignore[arg-type]  # part of a machine
    assert len(told.restarts) == 2
    assert "not known" in told.restarts[0]


def test_a_web_config_that_cannot_be_read_is_unsafe(tmp_path: Path) -> None:
    world = World(tmp_path, traffic=False)
    world.host.files.write_text(r"C:\inetpub\shop-green\web.config", "<configuration>")
    assert "not known" in judge_writes(world.controls, world.deployment).restarts[0]


def test_a_farm_that_writes_would_restart_lives_without_writes(tmp_path: Path) -> None:
    """A fixed pair, both enabled, ``reconcile``: three releases, no write, no restart, nothing lost."""
    world = farm(tmp_path)
    before, pids = world.host.config.data(), workers(world)
    for number, version in enumerate(("2", "1", "2")):
        plan, ended = deploy(world, version, f"run-{number}")
        assert (plan.durable, plan.writes, ended.outcome, ended.durable) == ("reconcile", 0, "done", False)
    world.finish()
    assert (world.live, world.host.config.data(), workers(world)) == ((GREEN,), before, pids)
    assert not world.traffic.lost
    assert not world.floor.broken


def test_a_working_opt_out_makes_writes_ordinary(tmp_path: Path) -> None:
    world = farm(tmp_path, opt_out=True, both=False)
    pids = workers(world)
    plan, ended = deploy(world)
    world.finish()
    assert (plan.durable, plan.restarts, ended.outcome) == ("enabled", (), "done")
    assert (world.live, workers(world), world.traffic.lost) == ((GREEN,), pids, [])
    assert not world.enabled(BLUE)


@pytest.mark.parametrize(
    ("by", "durable", "both", "writes", "what"),
    [
        ("enabled", "auto", True, "when-safe", "writes at the switch"),
        ("weights", "auto", True, "when-safe", "writes at the switch"),
        ("state", "enabled", True, "when-safe", "writes after the switch"),
        ("state", "auto", False, "when-safe", "enabling it is a write"),
        ("state", "auto", False, "never", "never"),
        ("state", "enabled", True, "never", "never"),
    ],
)
def test_a_write_that_restarts_is_refused(
    tmp_path: Path, by: By, durable: DurableBy, both: bool, writes: Writes, what: str
) -> None:
    """Before anything is touched; ``--accept-gap`` lifts "when-safe", not "never"."""
    world = farm(tmp_path, by="state", durable=durable, both=both, writes=writes)
    world.deployment = replace(world.deployment, switch=replace(world.deployment.switch, by=by))
    before = world.host.config.data()
    with pytest.raises(RefusedError, match=what):
        deploy(world)
    if writes == "never":
        with pytest.raises(RefusedError, match="never"):
            deploy(world, accept_gap=True)
    assert world.host.config.data() == before
    world.finish()
    assert not world.traffic.lost


@pytest.mark.parametrize("durable", ["auto", "enabled"])
@pytest.mark.parametrize("works", ["works", "ignored"])
def test_an_accepted_gap_is_warmed_and_proven_again(tmp_path: Path, works: str, durable: DurableBy) -> None:
    """The commits restart both slots; what did is warmed and gated before the run goes on; nothing is lost."""
    world = farm(tmp_path, opt_out=works == "ignored", module=SUSPECT, works=works, both=False, durable=durable)
    pids = workers(world)
    plan, ended = deploy(world, accept_gap=True)
    world.finish()
    assert (ended.outcome, world.live, world.traffic.lost) == ("done", (GREEN,), [])
    assert world.enabled(BLUE) is (durable == "auto"), "a gap accepted once is none for every release"
    done = {one.event.step for one in world.heard if isinstance(one.event, StepDone)}
    again = {"warm-up-after-enable", "gate-after-enable"}
    again |= {"warm-up-after-durable", "gate-after-durable"} if durable == "enabled" else set()
    assert again <= done
    said = [one.event.text for one in world.heard if isinstance(one.event, Warned)]
    assert {pid for pid in pids if any(f"worker process {pid} of" in text for text in said)} == set(pids)
    enable = next(one for one in plan.steps if one.name == "enable")
    assert [f"worker process {pid}" in text for pid, text in zip(pids, plan.restarted_by(enable), strict=True)] == [
        True
    ] * 2
    assert any("503" in one for one in plan.gaps)


def test_always_writes_and_says_so(tmp_path: Path) -> None:
    world = farm(tmp_path, writes="always", both=False)
    plan, ended = deploy(world)
    world.finish()
    assert (plan.durable, len(plan.restarts), ended.outcome) == ("enabled", 2, "done")
    assert not world.traffic.lost


def test_a_module_that_ends_the_application_and_keeps_its_process_is_seen(tmp_path: Path) -> None:
    """Hazard 2 of arr.md 7, in a version not known for it: the process is the same, its answers are 503."""
    world = farm(tmp_path, opt_out=True, works="breaks", both=False)
    pids = workers(world)
    _, ended = deploy(world)
    world.finish()
    assert workers(world) == pids
    assert ended.outcome != "done"
    assert "503" in ended.error
