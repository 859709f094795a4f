"""Shared configuration over real sockets: one commit, then a wait until every machine has seen it (arr.md 5.13)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.remote.cli import Cli, Ended
from tests.remote.host import CONFIG, FARM, GREEN, Host, hosts

SHARE = "\\\\files\\iis"
BASIC = ("--transport", "basic", "--allow-basic-over-http")
OFFLINE = ("server", "add", FARM, "10.0.0.9", "--offline")


@contextmanager
def sharing(folder: Path, **settings: object) -> Iterator[tuple[Host, Host]]:
    """Two machines on one file, which their redirection.config names; the second with settings of its own."""
    shared = folder / "share" / "applicationHost.config"
    shared.parent.mkdir()
    shared.write_bytes(CONFIG)
    with hosts(folder, CONFIG, CONFIG, at=shared, redirected_to=SHARE) as (one, two):
        for name, value in settings.items():
            setattr(two.machine.served.host.settings, name, value)
        two.machine.served.host.settings.redirected_to = SHARE.upper() + "\\"
        yield one, two


def on_both(cli: Cli, one: Host, two: Host, *argv: str) -> Ended:
    """A command on the two."""
    return cli.run(*argv, "--on", f"winrm:{one.target},{two.target}", *BASIC)


def commits(*machines: Host) -> list[int]:
    """How often each has written."""
    return [one.machine.served.host.config.commits for one in machines]


def test_one_commit_is_for_all_that_share(tmp_path: Path) -> None:
    """An added server is there once, written once; the second machine is told as the reader it is."""
    with sharing(tmp_path) as (one, two):
        cli = Cli(tmp_path / "cli")
        done = on_both(cli, one, two, *OFFLINE, "--json")
        assert done.code == 0, done
        assert commits(one, two) == [1, 0]
        first, second = json.loads(done.out)["machines"]
        assert (first["commits"], second["commits"], second["shared_with"]) == (1, 0, one.target)
        assert on_both(cli, one, two, "server", "online", FARM, "10.0.0.9").code == 0
        assert commits(one, two) == [2, 0]
        again = on_both(cli, one, two, "server", "online", FARM, "10.0.0.9")
        assert (again.code, commits(one, two)) == (0, [2, 0])


def test_a_machine_that_sees_it_late_is_waited_for(tmp_path: Path) -> None:
    with sharing(tmp_path, config_seen_after_seconds=1.5) as (one, two):
        done = on_both(Cli(tmp_path / "cli"), one, two, *OFFLINE)
        assert done.code == 0, done
        farm = two.own.call(lambda: two.machine.served.host.config.reading.farm(FARM))
        assert farm is not None
        assert farm.server("10.0.0.9") is not None, "seen there before the command ended"


def test_a_machine_that_does_not_see_it_is_named(tmp_path: Path) -> None:
    """Exit code 5: written, and not everywhere in force. The same command, later, waits on and writes nothing."""
    with sharing(tmp_path, config_seen_after_seconds=600) as (one, two):
        cli = Cli(tmp_path / "cli")
        done = on_both(cli, one, two, *OFFLINE, "--seen-within", "1")
        assert done.code == 5, done
        assert f"written on {one.target}" in done.err
        assert f"not seen by {two.target}" in done.err
        still = on_both(cli, one, two, *OFFLINE, "--seen-within", "1")
        assert (still.code, commits(one, two)) == (5, [1, 0]), still
        two.machine.served.host.settings.config_seen_after_seconds = 0
        again = on_both(cli, one, two, *OFFLINE)
        assert (again.code, commits(one, two)) == (0, [1, 0]), again


def test_without_a_redirection_that_is_known_it_is_read_afresh(tmp_path: Path) -> None:
    """Two names of one machine, say: what the first has written, the second finds there already, and that is fine."""
    with sharing(tmp_path) as (one, two):
        for host in (one, two):
            host.machine.served.host.settings.redirected_to = ""
        done = on_both(Cli(tmp_path / "cli"), one, two, *OFFLINE)
        assert done.code == 0, done
        assert commits(one, two) == [1, 0]


def test_a_share_that_refuses_says_why(tmp_path: Path) -> None:
    """NTLM does not reach on to the file server: no word of administrators, who could not help (winrm.md 1)."""
    with sharing(tmp_path) as (one, two):
        one.machine.served.host.settings.second_hop = False
        done = on_both(Cli(tmp_path / "cli"), one, two, "server", "list")
        assert done.code == 3, done
        assert "double hop" in done.err
        assert "credssp" in done.err
        assert "administrator" not in done.err


def test_what_was_written_on_one_machine_only_is_told(tmp_path: Path) -> None:
    """Two machines of their own: exit code 5, who has it, who has not, how to undo it; the same command ends it."""
    with hosts(tmp_path, CONFIG, CONFIG) as (one, two):
        cli = Cli(tmp_path / "cli")
        two.faults.add("commit:how=denied")
        done = on_both(cli, one, two, *OFFLINE)
        assert done.code == 5, done
        assert f"done on {one.target}; not on {two.target}" in done.err
        assert f"undo it on {one.target}: server shop/10.0.0.9: remove" in done.err
        assert (on_both(cli, one, two, *OFFLINE).code, commits(one, two)) == (0, [1, 1])


def test_a_failure_on_the_first_changed_nothing(tmp_path: Path) -> None:
    """Exit code 3, as with one machine."""
    with hosts(tmp_path, CONFIG, CONFIG) as (one, two):
        one.faults.add("commit:how=denied")
        done = on_both(Cli(tmp_path / "cli"), one, two, *OFFLINE)
        assert (done.code, commits(one, two)) == (3, [0, 0]), done


def test_a_state_that_one_machine_did_not_take_is_told(tmp_path: Path) -> None:
    with hosts(tmp_path, CONFIG, CONFIG) as (one, two):
        cli = Cli(tmp_path / "cli")
        two.faults.add("powershell-death:kind=set_state,times=0")
        done = on_both(cli, one, two, "server", "drain", FARM, GREEN)
        assert done.code == 5, done
        assert f"done on {one.target}" in done.err
        assert two.target in done.err
