"""Two ARR machines that share nothing: a barrier before each act, and what becomes of it when one is gone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from arr_bluegreen.deployment.events import RunEnded
from arr_bluegreen.deployment.lock import Holder, to_text
from arr_bluegreen.deployment.run import Run
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode
from tests.remote.cli import Cli
from tests.remote.host import CONFIG, FARM, Host, Ways, at_step, description, hosts

BLUES, GREENS = ("blue-1", "blue-2"), ("green-1", "green-2")


def config() -> bytes:
    """A farm of four servers: a blue and a green one on each of two machines."""
    text = CONFIG.decode()
    for slot, ip in (("blue", "127.0.0.2"), ("green", "127.0.0.3")):
        found = re.search(rf'\s*<server address="{ip}".*?</server>', text, flags=re.S)
        assert found is not None
        both = "".join(found[0].replace(ip, f"{slot}-{number}") for number in (1, 2))
        text = text.replace(found[0], both)
    return text.encode()


@contextmanager
def pair(folder: Path) -> Iterator[tuple[Host, Host, Ways]]:
    """Two machines that see each other's slots by name, and one run over both."""
    with hosts(folder, config(), config()) as (one, two):
        for number, (here, there) in enumerate(((one, two), (two, one)), 1):
            simulated, other = here.machine.served.host, there.machine.served.host
            names = f"127.0.0.2 blue-{number}\n127.0.0.3 green-{number}\n"
            simulated.files.write_text(r"C:\Windows\System32\drivers\etc\hosts", names)
            simulated.neighbours |= {f"{slot}-{3 - number}": other for slot in ("blue", "green")}
        members = {
            slot: tuple((f"{slot}-{number}", port, host.target) for number, host in ((1, one), (2, two)))
            for slot, port in (("blue", 8001), ("green", 8002))
        }
        yield one, two, Ways([one.target, two.target], folder / "state", description(members))


def gone(host: Host) -> Callable[[], object]:
    """From now on every connection to it breaks."""
    return lambda: host.faults.add("drop:kind=http,times=0")


def test_both_machines_switch_and_no_request_is_lost(tmp_path: Path) -> None:
    """Every server of the new slot serves through both, of the old one none."""
    with pair(tmp_path) as (one, two, ways), one.load(20) as first, two.load(20) as second:
        ended = ways.run()
        assert (ended.outcome, ended.error) == ("done", "")
        assert (one.live, two.live) == (GREENS, GREENS)
        assert (one.shells, two.shells) == (0, 0)
    assert (first.failed, second.failed) == (0, 0), (first.reasons, second.reasons)


def test_by_the_command_line(tmp_path: Path) -> None:
    with pair(tmp_path) as (one, two, ways):
        cli = Cli(tmp_path / "cli", ways.text)
        basic = ("--transport", "basic", "--allow-basic-over-http")
        done = cli.run("deploy", "run", "FILE", "--on", f"winrm:{one.target},{two.target}", *basic)
        assert done.code == 0, done
        assert (one.live, two.live) == (GREENS, GREENS)


@pytest.mark.parametrize("step", ["enable", "take-out"])
def test_a_machine_that_goes_midway_leaves_the_run_unfinished(tmp_path: Path, step: str) -> None:
    """Exit code 5, said by name; every machine still serves; ``resume`` ends it once the machine is back."""
    with pair(tmp_path) as (one, two, ways), one.load(10) as first, two.load(10) as second:
        ended = ways.run(listeners=(at_step(step, gone(two)),))
        assert (ended.outcome, ended.exit_code) == ("failed", ExitCode.UNFINISHED), ended
        assert "127.0.0.1" in ended.error
        assert one.live
        assert two.live
        two.faults.clear()
        again = ways.resume()
        assert (again.outcome, again.exit_code) == ("done", 0), again
        assert (one.live, two.live) == (GREENS, GREENS)
    assert (first.failed, second.failed) == (0, 0), (first.reasons, second.reasons)


def test_a_machine_that_cannot_be_told_after_the_barrier(tmp_path: Path) -> None:
    """The first had switched and is put back: both slots are in service everywhere, and all is told by name."""
    with pair(tmp_path) as (one, two, ways), one.load(10) as first, two.load(10) as second:
        dies = at_step("take-out", lambda: two.faults.add("powershell-death:kind=set_state,times=0"))
        ended = ways.run(listeners=(dies,))
        assert (ended.outcome, ended.exit_code) == ("failed", ExitCode.UNFINISHED), ended
        assert set(one.live) == set(two.live) == {*BLUES, *GREENS}
        assert f"done on {one.target}; not on {two.target}" in ended.error
        two.faults.clear()
        back = ways.resume(Run.switch_back)
        assert back.exit_code == 0, back
        assert (one.live, two.live) == (BLUES, BLUES)
    assert (first.failed, second.failed) == (0, 0), (first.reasons, second.reasons)


@pytest.mark.parametrize("how", [Run.switch_back, Run.abort])
def test_going_back_needs_the_machine_again(tmp_path: Path, how: Callable[[Run], RunEnded]) -> None:
    """Before the switch ``abort`` clears, after it ``switch-back`` returns: on both machines."""
    step = "enable" if how is Run.abort else "take-out"
    with pair(tmp_path) as (one, two, ways):
        ways.run(listeners=(at_step(step, gone(two)),))
        two.faults.clear()
        ended = ways.resume(how)
        assert ended.exit_code == 0, ended
        assert (one.live, two.live) == (BLUES, BLUES)


def test_a_machine_that_is_not_there_at_all(tmp_path: Path) -> None:
    """Exit code 4, nothing was changed on the other, not even a lock is left."""
    with pair(tmp_path) as (one, two, ways):
        gone(two)()
        before = one.machine.served.host.config.digest
        with pytest.raises(ArrBlueGreenError) as caught:
            ways.run()
        assert caught.value.exit_code is ExitCode.UNREACHABLE
        assert one.machine.served.host.config.digest == before
        assert not [path for path in one.files() if path.name == "lock.json"]


def test_a_lock_on_the_second_machine_frees_the_first(tmp_path: Path) -> None:
    """Exit code 8; who holds it is named, and the first machine's lock is given back."""
    with pair(tmp_path) as (one, two, ways):
        folder = two.folder / "root" / "C" / "ProgramData" / "arr-bluegreen" / FARM
        folder.mkdir(parents=True)
        now = datetime.now(UTC)
        holder = Holder("other", "ada", "build-7", now, now + timedelta(minutes=1))
        (folder / "lock.json").write_text(to_text(holder))
        with pytest.raises(ArrBlueGreenError, match="locked by ada on build-7") as caught:
            ways.run()
        assert caught.value.exit_code is ExitCode.LOCKED
        assert [path for path in one.files() if path.name == "lock.json"] == []
        assert (one.live, two.live) == (BLUES, BLUES)
