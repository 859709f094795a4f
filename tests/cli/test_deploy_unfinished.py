"""Runs that stopped, and what others may do meanwhile: typed by several controllers against one simulated machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from arr_bluegreen.deployment import lock
from arr_bluegreen.errors import UnreachableError
from tests.cli.deploying import Typed
from tests.deployment.world import BLUE, GREEN, World


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    world = World(tmp_path / "world", durable="reconcile", traffic=False)
    return Typed(world, tmp_path, monkeypatch, capsys)


def test_a_paused_run_says_that_nothing_is_finished(typed: Typed) -> None:
    """The exit code is 0 (done as asked), which a pipeline takes for a deployment: text and JSON say it."""
    code, said = typed.deploy("run", "--version", "2", "--until", "switch")
    assert code == 0
    assert "PAUSED" in said
    assert "2 does not serve" in said
    assert "waits for an approval" not in said
    value = typed.value("resume", "--until", "drain")
    assert (value["outcome"], value["finished"], value["durable"]) == ("paused", False, False)
    assert typed.value("resume")["finished"] is True


def test_a_step_called_like_a_phase_is_named_with_after(typed: Typed) -> None:
    code, said = typed.deploy("run", "--version", "2", "--until", "gates")
    assert code == 2
    assert "after:gate" in said
    typed.deploy("run", "--version", "2", "--until", "after:gate")
    assert "stopped after the step 'gate'" in typed.deploy("status")[1]
    assert typed.deploy("resume")[0] == 0


def test_a_run_of_another_controller_that_is_not_finished_is_in_the_way(typed: Typed) -> None:
    """Its journal's copy on the ARR machine tells; and the other controller can go on with it."""
    typed.deploy("run", "--version", "2", "--until", "switch", on="one")
    code, said = typed.deploy("run", "--version", "2", on="two")
    assert (code, "is not finished" in said, "on one" in said) == (3, True, True), said
    assert typed.deploy("check", "--version", "2", on="two")[0] == 3, "what a run would refuse, check refuses"
    assert typed.deploy("resume", on="two")[0] == 0
    assert typed.world.live == (GREEN,)
    assert "is over: done" in typed.deploy("status", on="one")[1], "what was gone on with elsewhere is known here too"


def test_a_run_that_others_have_gone_past_changes_nothing_any_more(typed: Typed) -> None:
    """Paused before its switch; meanwhile two others went forth and back: blue is wanted, and stays."""
    name = typed.value("run", "--version", "2", "--until", "switch", on="one")["run"]
    assert typed.world.machine.records("shop").delete(f"journal-{name}.jsonl"), "as if it died before its first copy"
    assert typed.deploy("run", "--version", "2", on="two")[0] == 0
    assert typed.deploy("switch-back", on="two")[0] == 0
    assert typed.world.live == (BLUE,)
    code, said = typed.deploy("resume", "--run", name, on="one")
    assert (code, "superseded" in said) == (3, True), said
    assert typed.deploy("switch-back", "--run", name, on="one")[0] == 3
    assert typed.deploy("abort", "--run", name, on="one")[0] == 0
    assert typed.world.live == (BLUE,)
    assert typed.deploy("run", "--version", "2", on="one")[0] == 0


def test_a_run_that_is_carried_out_elsewhere_is_told_so(typed: Typed) -> None:
    """Its lock lives: status says who and where; resume is refused (8)."""
    typed.deploy("run", "--version", "2", "--until", "switch", on="one")
    name = typed.value("status")["run"].split()[1]
    lock.Lock(typed.world.machine, "shop", typed.world.clock, name, "ada", "build-7", folder="/elsewhere").take()
    said = typed.deploy("status", on="one")[1]
    assert "is being carried out by ada on build-7" in said
    assert typed.deploy("resume", on="one")[0] == 8


def test_a_finished_run_whose_last_copy_failed_is_finished(typed: Typed) -> None:
    """The warning after its end is no sign of life."""
    deleted: list[bool] = []

    def lose(number: int, name: str) -> None:
        deleted.append(name == "records.delete")
        if sum(deleted) == 2:  # the first is the lock under which the slots were looked at
            typed.world.machine.before_call = None
            raise UnreachableError("no route to host")

    typed.world.machine.before_call = lose
    code, said = typed.deploy("run", "--version", "2")
    assert code == 0, said
    assert "is over: done" in typed.deploy("status")[1]
    typed.world.clock.sleep(100)
    code, said = typed.deploy("run", "--version", "1")
    assert code == 0, said


def test_a_plan_is_only_good_for_the_run_it_shows(typed: Typed, tmp_path: Path) -> None:
    """Nothing on the machine has moved, and the description has: another way of switching is another plan."""
    plan = tmp_path / "plan.json"
    assert typed.deploy("plan", "--version", "2", "--out", str(plan))[0] == 0
    code, said = typed.deploy("run", "--version", "3", "--plan", str(plan))
    assert (code, "version: was 2, is 3" in said) == (3, True), said
    typed.file.write_text(typed.file.read_text().replace('by = "state"', 'by = "enabled"'))
    code, said = typed.deploy("run", "--version", "2", "--plan", str(plan))
    assert (code, "steps: was" in said) == (3, True), said
    saved = json.loads(plan.read_text())
    del saved["rests_on"]
    plan.write_text(json.dumps(saved))
    assert typed.deploy("run", "--version", "2", "--plan", str(plan))[0] == 2


def test_after_the_switch_a_run_that_stopped_says_that_it_is_not_durable(typed: Typed) -> None:
    typed.file.write_text(typed.file.read_text().replace("[hooks]", "") + '\n[hooks]\nbefore_drain = ["false"]\n')
    code, said = typed.deploy("run", "--version", "2")
    assert code == 5
    assert "After a restart of ARR both slots serve" in said
