"""``arr-bluegreen demo``: a new version goes live behind ARR under traffic, on a simulated Windows host.

Three processes of their own: the host, the load, and ``arr-bluegreen deploy run``, which reaches the host by WinRM as
it would reach a real one. Nothing is left behind: no process, and without --keep no file.
"""

from __future__ import annotations

import argparse
import json
import queue
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from arr_bluegreen.cli.demo_processes import Child, Lines, interrupts_wait
from arr_bluegreen.cli.demo_scene import HOST, Scene, build
from arr_bluegreen.cli.demo_story import Story
from arr_bluegreen.cli.options import common
from arr_bluegreen.cli.output import Output
from arr_bluegreen.errors import ArrBlueGreenError, ExitCode

RATE = 340.0
"""Requests per second in all; a little more than the 300 that are promised."""
AT_LEAST_REQUESTS, BEFORE_SECONDS, AFTER_SECONDS = 5000, 3.0, 3.0
AT_MOST_SECONDS = 120.0
USER = "demo"


class DemoError(ArrBlueGreenError):
    """A process of the demo did not do its part; the hint is its last word."""


def add(parser: argparse.ArgumentParser) -> None:
    """The noun has no verbs."""
    common(parser)
    parser.add_argument("--broken", action="store_true", help="deploy a version that never gets healthy (exit code 7)")
    parser.add_argument("--keep", action="store_true", help="keep the folder with configuration, records and logs")
    parser.set_defaults(run=_run)


# -- private ------------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace, out: Output) -> ExitCode:
    tell = _teller(out)
    with _folder(keep=arguments.keep, tell=tell) as folder, ExitStack() as stack:
        story = Story(tell, out.width(sys.stderr if out.json else sys.stdout))
        _play(build(folder, broken=arguments.broken), folder, story, stack)
    out.result(story.result(), story.verdict())
    if out.json:
        for line in story.verdict():
            out.say(line)
    return story.exit_code()


def _play(scene: Scene, folder: Path, story: Story, stack: ExitStack) -> None:
    """From switching the machine on to the load's last word. Whatever ``stack`` holds is stopped by the caller."""
    began = time.monotonic()
    lines: Lines = queue.Queue()
    secret = {"ARR_BLUEGREEN_USER": USER, "ARR_BLUEGREEN_PASSWORD": secrets.token_urlsafe(18)}

    def start(
        name: str, command: list[str], environment: Mapping[str, str] | None = None, *, own: bool = True
    ) -> Child:
        with interrupts_wait():
            child = Child(name, command, lines, folder, environment=environment, own_session=own)
            stack.callback(child.stop)
        return child

    host = start("host", _host_command(scene), secret)
    ready = _first_line(host, lines, began)
    story.tell(
        f"A simulated Windows host with IIS and ARR: WinRM on port {ready['winrm']}, public site on {ready['front']}"
    )
    load = start("load", _load_command(ready["front"]))
    _until(lines, story, load, lambda: story.seen.get("seconds", 0.0) >= BEFORE_SECONDS, began)
    story.tell(f"Traffic: {story.tally()}")

    command = _deploy_command(scene, ready["winrm"])
    story.tell("$ arr-bluegreen " + " ".join(command[1:]))
    deploy = start("deploy", command, secret, own=False)
    _until(lines, story, deploy, lambda: False, began)
    story.deploy_code = deploy.wait()
    if story.ended is None:
        raise DemoError(f"the deployment ended early with exit code {story.deploy_code}", hint=deploy.last_words())

    enough = float(story.seen.get("seconds", 0.0)) + AFTER_SECONDS
    _until(lines, story, load, lambda: _count(story) >= AT_LEAST_REQUESTS and story.seen["seconds"] >= enough, began)
    load.finish()
    _until(lines, story, load, lambda: bool(story.seen.get("final")), began)
    if host.exit_code is not None:
        raise DemoError("the simulated host ended early", hint=host.last_words())


def _count(story: Story) -> int:
    return int(story.seen.get("requests", 0))


def _until(lines: Lines, story: Story, child: Child, enough: Callable[[], bool], began: float) -> None:
    """Hear what is said until it is enough, or until ``child`` has said all."""
    while not enough():
        name, line = _next(lines, began)
        if line is None:
            if name == child.name:
                if child.name == "load" and not story.seen.get("final"):
                    raise DemoError("the load ended early", hint=child.last_words())
                return
            if name == "host":
                raise DemoError("the simulated host ended early", hint="See it with 'arr-bluegreen demo --keep'.")
        elif name == "load":
            story.load_said(line)
        elif name == "deploy":
            story.deploy_said(line)


def _first_line(host: Child, lines: Lines, began: float) -> dict[str, int]:
    """The host's ready line: the real ports of WinRM and of the public site."""
    _, line = _next(lines, began)
    if line is None:
        raise DemoError("the simulated host did not start", hint=host.last_words())
    found = json.loads(line)
    return {"winrm": int(found["winrm_port"]), "front": int(found["front_port"])}


def _next(lines: Lines, began: float) -> tuple[str, str | None]:
    left = began + AT_MOST_SECONDS - time.monotonic()
    try:
        return lines.get(timeout=max(left, 0.01))
    except queue.Empty:
        raise DemoError(f"the demo was not over within {AT_MOST_SECONDS:g} s", hint="Is this machine busy?") from None


def _host_command(scene: Scene) -> list[str]:
    where = ["--config", str(scene.config), "--root", str(scene.drives)]
    return ["arr_bluegreen", "simulator", "run", *where, "--user", USER]


def _load_command(front: int) -> list[str]:
    url = f"http://127.0.0.1:{front}"
    paced = ["--rate", f"{RATE:g}", "--every", "0.25", "--slow-seconds", "5", "--web-socket-seconds", "6"]
    return ["arr_bluegreen.simulator.load", "--url", url, "--host", HOST, *paced]


def _deploy_command(scene: Scene, winrm: int) -> list[str]:
    where = ["--on", f"winrm:127.0.0.1:{winrm}", "--state-dir", str(scene.state), "--events"]
    return ["arr_bluegreen", "deploy", "run", str(scene.description), *where, "--yes"]


def _teller(out: Output) -> Callable[[str], None]:
    """The story goes to stdout as it happens; with --json to stderr."""
    if out.json:
        return out.say

    def tell(line: str) -> None:
        out.result(None, [line])
        sys.stdout.flush()

    return tell


@contextmanager
def _folder(*, keep: bool, tell: Callable[[str], None]) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="arr-bluegreen-demo-"))
    try:
        yield folder
    finally:
        if keep:
            tell(f"Kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
