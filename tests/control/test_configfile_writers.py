"""Real processes at one file: killed at any moment it is whole; eight of them at once lose no update."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost

SERVERS = 8

KILLED = """
import sys
from arr_bluegreen.control.configfile import ConfigFile
file = ConfigFile(sys.argv[1], keep=3)
old, new = (open(path, "rb").read() for path in sys.argv[2:4])
print("ready", flush=True)
while True:
    file.update(lambda data: new if data == old else old)
"""

TOGGLING = """
import sys, time
from arr_bluegreen.control.configfile import ConfigFile
from arr_bluegreen.control.filemachine import FileMachine
from arr_bluegreen.webfarm.change import SetServer, settings
address, until, done = sys.argv[2], time.time() + float(sys.argv[3]), 0
while time.time() < until:
    machine = FileMachine(ConfigFile(sys.argv[1], keep=3, lock_timeout=60))
    done += machine.config.apply([SetServer("shop", address, settings(weight=done + 2))]).commits
print(done)
"""


def config(servers: int) -> bytes:
    lines = "".join(f'            <server address="10.0.0.{at}" />\r\n' for at in range(servers))
    declared = '<section name="webFarms" overrideModeDefault="Deny" allowDefinition="AppHostOnly" />'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n<configuration>\r\n'
        f"    <configSections>{declared}</configSections>\r\n"
        f'    <webFarms>\r\n        <webFarm name="shop">\r\n{lines}        </webFarm>\r\n    </webFarms>\r\n'
        "</configuration>\r\n"
    ).encode()


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_file(tmp_path: Path) -> None:
    old, new = config(2), config(2).replace(b"shop", b"shop2" * 5000)
    for name, data in (("old", old), ("new", new), ("a.config", old)):
        (tmp_path / name).write_bytes(data)
    path = tmp_path / "a.config"
    chance = random.Random(7)
    for _ in range(12):
        command = [sys.executable, "-c", KILLED, str(path), str(tmp_path / "old"), str(tmp_path / "new")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(chance.uniform(0.0, 0.03))  # a real process must be killed at a real moment
            writer.send_signal(signal.SIGKILL)
        assert path.read_bytes() in (old, new)


def toggle(tmp_path: Path, seconds: float) -> int:
    """Eight processes set the weight of a server each, again and again; returns how many writes they made in all."""
    path = tmp_path / "a.config"
    path.write_bytes(config(SERVERS))
    commands = [[sys.executable, "-c", TOGGLING, str(path), f"10.0.0.{at}", str(seconds)] for at in range(SERVERS)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for command in commands]
    done = [int(writer.communicate(timeout=seconds + 90)[0]) for writer in writers]
    weights = [one.weight for one in ApplicationHost.parse(path.read_bytes()).farm("shop").servers]
    assert weights == [count + 1 if count else 100 for count in done]
    return sum(done)


def test_eight_writers_of_different_servers_lose_no_update(tmp_path: Path) -> None:
    assert toggle(tmp_path, 3) >= SERVERS


@pytest.mark.long
def test_eight_writers_lose_no_update_for_half_a_minute(tmp_path: Path) -> None:
    assert toggle(tmp_path, 30) >= 10 * SERVERS
