"""Deployments, crashes, recycles and admins at random against the simulated ARR; what must always hold, holds."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from arr_bluegreen.deployment import wanted
from arr_bluegreen.deployment.begin import plan_run
from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.journal import is_over, started
from arr_bluegreen.deployment.memory import BACK, FORWARD, Memory
from arr_bluegreen.deployment.reconcile import reconcile
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.webfarm import NewState
from tests.deployment.crashing import Killed, Killer
from tests.deployment.world import BLUE, GREEN, World

VERSION = {BLUE: "1", GREEN: "2"}
NAME = {BLUE: "blue", GREEN: "green"}


class Farm(RuleBasedStateMachine):
    """One ARR machine, its pair of slots, whoever deploys to it, and whoever meddles."""

    @initialize(
        axes=st.sampled_from(
            [("state", "enabled"), ("state", "reconcile"), ("enabled", "enabled"), ("health-file", "health-file")]
        ),
        fences=st.booleans(),
        resets=st.booleans(),
    )
    def begin(self, axes: tuple[str, str], fences: bool, resets: bool) -> None:
        self.folder = Path(tempfile.mkdtemp())
        arr = SimulatorSettings(state_survives_enabling=fences, commit_resets_states=resets)
        self.world = World(self.folder / "state", by=axes[0], durable=axes[1], settings=arr)
        self.durable = axes[1]
        self.runs = 0
        self.open = ""
        self.expected = BLUE
        self.world.run(run="run-0", version="2")
        self.expected = GREEN

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder, ignore_errors=True)

    @precondition(lambda self: not self.open)
    @rule()
    def deploy(self) -> None:
        self.runs += 1
        to = BLUE if self.expected == GREEN else GREEN
        ended = self.world.run(run=f"run-{self.runs}", version=VERSION[to])
        assert ended.outcome == "done", ended
        self._settled(to)

    @precondition(lambda self: not self.open)
    @rule(at=st.integers(0, 60), when=st.sampled_from(["before", "after"]))
    def deploy_and_die(self, at: int, when: str) -> None:
        self.runs += 1
        name, to = f"run-{self.runs}", BLUE if self.expected == GREEN else GREEN
        killer = Killer(self.world).at_call(at, when)
        try:
            self.world.run(run=name, version=VERSION[to])
        except Killed:
            pass
        finally:
            killer.disarm()
        events = self.world.journals.of(name).read()
        if started(events) is None:
            self.world.clock.sleep(100)  # the lease of a run nobody knows of
        elif is_over(events):
            self.world.clock.sleep(100)  # it died giving its lock back: the lease must run out before reconcile acts
            self._settled(to)
        else:
            self.open = name

    @precondition(lambda self: not self.open)
    @rule(until=st.sampled_from(["gate", "switch", "take-out", "drain", "durable"]))
    def deploy_and_wait_for_an_approval(self, until: str) -> None:
        """A run that stops by itself, before or after its switch, for as long as it takes."""
        self.runs += 1
        to = BLUE if self.expected == GREEN else GREEN
        steps = plan_run(self.world.deployment, self.world.controls, version=VERSION[to]).steps
        until = until if until in {name for one in steps for name in (one.name, one.phase)} else "switch"
        ended = self.world.run(run=f"run-{self.runs}", version=VERSION[to], until=until)
        assert ended.outcome == "paused", ended
        self.open = f"run-{self.runs}"

    @precondition(lambda self: not self.open)
    @rule(at=st.integers(0, 60))
    def deploy_beside_reconcile(self, at: int) -> None:
        """The scheduled task comes by in the middle of a run, at any of its calls."""
        self.runs += 1
        to, first = BLUE if self.expected == GREEN else GREEN, len(self.world.machine.journal)

        def come_by(number: int, name: str) -> None:
            if number == first + at:
                self.world.machine.before_call = None
                reconcile([self.world.machine], "shop", self.world.clock)

        self.world.machine.before_call = come_by
        try:
            ended = self.world.run(run=f"run-{self.runs}", version=VERSION[to])
        finally:
            self.world.machine.before_call = None
        assert ended.outcome == "done", ended
        self._settled(to)

    @precondition(lambda self: self.open)
    @rule(how=st.sampled_from([World.resume, World.switch_back, World.abort]))
    def end_it(self, how: Callable[[World, str], RunEnded]) -> None:
        memory = Memory(self.world.journals.of(self.open).read())
        if how is World.abort and (memory.switched or memory.way == BACK):
            with pytest.raises(RefusedError):
                how(self.world, self.open)
            return
        ended = how(self.world, self.open)
        assert ended.exit_code == 0, ended
        to, back = BLUE if self.expected == GREEN else GREEN, how is not World.resume or memory.way != FORWARD
        self.open = ""
        self._settled(self.expected if back else to)

    @precondition(lambda self: self.open)
    @rule(at=st.integers(0, 40), how=st.sampled_from([World.resume, World.switch_back]))
    def end_it_and_die_again(self, at: int, how: Callable[[World, str], RunEnded]) -> None:
        killer = Killer(self.world).at_call(at, "before")
        with contextlib.suppress(Killed):
            how(self.world, self.open)
        killer.disarm()
        events = self.world.journals.of(self.open).read()
        if is_over(events):
            self.open = ""
            self.world.clock.sleep(100)  # it died giving its lock back
            back = Memory(events).way != FORWARD
            self._settled(self.expected if back else (BLUE if self.expected == GREEN else GREEN))

    @rule()
    def the_scheduled_task_comes_by(self) -> None:
        reconcile([self.world.machine], "shop", self.world.clock)

    @rule()
    def arr_is_recycled(self) -> None:
        self.world.recycle_arr()
        self.world.clock.sleep(3)

    @rule()
    def somebody_else_edits_the_file(self) -> None:
        config = self.world.host.config
        config.commit(config.data().replace(b"<webLimits />", b"<webLimits  />"))

    @precondition(lambda self: not self.open)
    @rule()
    def an_admin_stops_the_idle_server_by_hand(self) -> None:
        idle = BLUE if self.expected == GREEN else GREEN
        self.world.host.arr.set_state("shop", {idle: NewState.GRACEFUL_STOP})

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.sleep(seconds)

    @invariant()
    def nobody_ever_lost_a_request(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.traffic.lost
            assert not self.world.floor.broken

    @invariant()
    def journals_can_always_be_read(self) -> None:
        if hasattr(self, "world"):
            for name in self.world.journals.runs():
                self.world.journals.of(name).read()

    def _settled(self, live: str) -> None:
        """An ended run: its slot alone serves, the record names it, and what ARR forgets is found again."""
        self.expected = live
        assert self.world.live == (live,)
        record = wanted.read(self.world.machine.records("shop"))
        assert record is not None
        assert record.slot == NAME[live]
        self.world.recycle_arr()
        self.world.clock.sleep(3)
        reconcile([self.world.machine], "shop", self.world.clock)
        assert self.world.live == (live,)


Farm.TestCase.settings = settings(
    max_examples=20, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
TestFarm = Farm.TestCase


class LongFarm(Farm):
    """The same, longer and more of it."""


LongFarm.TestCase.settings = settings(
    max_examples=300, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLongFarm = pytest.mark.long(LongFarm.TestCase)
