"""``arr-bluegreen simulator``: a Windows host with IIS and ARR, played here. ``run`` it, ``show`` its state,
``fault`` it."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from arr_bluegreen.cli.options import Parser, verb, verbs_of
from arr_bluegreen.cli.output import Output
from arr_bluegreen.errors import ExitCode, RefusedError, UnreachableError, UsageError

if TYPE_CHECKING:
    from arr_bluegreen.simulator.running import RunningMachine, Wanted

ADMIN = "ARR_BLUEGREEN_SIMULATOR"


def add(parser: Parser) -> None:
    """The verbs."""
    verbs = verbs_of(parser)
    run = verb(verbs, "run", "play a Windows host until SIGTERM, Ctrl+C, or a piped stdin closes", _run)
    run.add_argument(
        "--config", metavar="FILE", help="its applicationHost.config, edited in place (default: a copy of ours)"
    )
    run.add_argument(
        "--root", metavar="DIR", help="where its drives lie: C:\\x is DIR/C/x (default: a temporary folder)"
    )
    run.add_argument(
        "--front-port", type=int, default=0, metavar="PORT", help="real port that plays port 80 (0: any free)"
    )
    run.add_argument(
        "--winrm-port", type=int, default=0, metavar="PORT", help="WinRM over HTTP (0: any free, -1: none)"
    )
    run.add_argument("--tls", type=int, metavar="PORT", nargs="?", const=0, help="WinRM over HTTPS too (0: any free)")
    run.add_argument("--ca-file", metavar="FILE", help="write the machine's certificate here, for clients to trust")
    run.add_argument(
        "--admin-port", type=int, default=0, metavar="PORT", help="where show and fault reach it (0: any free)"
    )
    run.add_argument("--user", default="Administrator", help="who may sign in over WinRM")
    run.add_argument(
        "--password-env", metavar="VAR", default="ARR_BLUEGREEN_PASSWORD", help="variable with the password"
    )
    run.add_argument("--basic", action="store_true", help="take Basic and unencrypted messages over HTTP too")
    run.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="FAULT",
        help="plan a WinRM or tool fault (simulator fault --list)",
    )
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting: what the documents do not say (simulator fault --list)",
    )
    run.add_argument("--rtt-ms", type=float, default=0.0, metavar="MS", help="added round-trip time of WinRM")
    show = verb(verbs, "show", "the state of a running simulator", _show)
    fault = verb(verbs, "fault", "do something to a running simulator", _fault)
    fault.add_argument("fault", nargs="*", metavar="FAULT", help="such as recycle, kill:pool=shop-blue, set:NAME=VALUE")
    fault.add_argument("--list", action="store_true", help="say every fault and setting there is, and do nothing")
    for one in (show, fault):
        one.add_argument("--admin", metavar="URL", help=f"its admin_url (default: ${ADMIN})")


# -- private: run ------------------------------------------------------------------------------------------


def _run(arguments: argparse.Namespace, out: Output) -> ExitCode:
    wanted = _wanted(arguments)
    try:
        asyncio.run(_serve(wanted, out))
    except ModuleNotFoundError as error:
        raise RefusedError(
            f"the simulator needs {error.name}", hint="pip install 'arr-bluegreen[simulator]'"
        ) from error
    except OSError as error:
        raise RefusedError(
            f"the simulator cannot listen: {error}", hint="Give another port, or 0 for a free one."
        ) from error
    return ExitCode.DONE


def _wanted(arguments: argparse.Namespace) -> Wanted:
    from arr_bluegreen.simulator.running import Wanted

    root = Path(arguments.root) if arguments.root else _temporary()
    config = Path(arguments.config) if arguments.config else _own_config(root)
    if not config.is_file():
        raise UsageError(f"no such file: {config}", hint="Name an applicationHost.config with --config.")
    settings = dict(one.partition("=")[::2] for one in arguments.set)
    password = os.environ.get(arguments.password_env)
    winrm = arguments.winrm_port >= 0 or arguments.tls is not None
    if winrm and not password:
        raise UsageError(
            f"no password in ${arguments.password_env}", hint="Set it, or give --winrm-port -1 for no WinRM."
        )
    return Wanted(
        config,
        root,
        front_port=arguments.front_port,
        winrm_port=arguments.winrm_port if arguments.winrm_port >= 0 else None,
        winrm_tls_port=arguments.tls,
        admin_port=arguments.admin_port,
        users={arguments.user: password or ""},
        basic=arguments.basic,
        ca_file=Path(arguments.ca_file) if arguments.ca_file else None,
        faults=arguments.fault,
        settings=settings,
        rtt_ms=arguments.rtt_ms,
    )


def _temporary() -> Path:
    import atexit
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="arr-bluegreen-simulator-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _own_config(root: Path) -> Path:
    """A copy of our own blue-green configuration where Windows has it; kept when it is there already."""
    path = root / "C" / "Windows" / "System32" / "inetsrv" / "config" / "applicationHost.config"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((Path(__file__).parent.parent / "simulator" / "blue-green.config").read_bytes())
    return path


async def _serve(wanted: Wanted, out: Output) -> None:
    from arr_bluegreen.simulator.running import run_machine

    machine = await run_machine(wanted)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    _on_signals(loop, stop.set)
    if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
        threading.Thread(target=_until_stdin_closes, args=(loop, stop), daemon=True).start()
    ready = _ready(wanted, machine)
    if sys.stdout.isatty() and not out.json:
        out.result(ready, lines=_welcome(ready))
    else:
        print(json.dumps(ready), flush=True)
    try:
        await stop.wait()
    finally:
        await machine.close()


def _ready(wanted: Wanted, machine: RunningMachine) -> dict[str, Any]:
    """The one line that says it is up."""
    ports = machine.ports
    return {
        "ready": True,
        "front_port": ports["front"],
        "front_url": f"http://127.0.0.1:{ports['front']}",
        "winrm_port": ports["winrm"],
        "winrm_tls_port": ports["winrm_tls"],
        "admin_port": ports["admin"],
        "admin_url": f"http://127.0.0.1:{ports['admin']}",
        "users": sorted(wanted.users),
        "config": str(wanted.config),
        "root": str(wanted.root),
        "pid": os.getpid(),
    }


def _welcome(ready: dict[str, Any]) -> list[str]:
    """The same for someone at a terminal."""
    ports = {"HTTP": ready["winrm_port"], "HTTPS": ready["winrm_tls_port"]}
    winrm = [f"{name} on port {port}" for name, port in ports.items() if port]
    return [
        f"A simulated Windows host with IIS and ARR, until Ctrl+C. Its front is {ready['front_url']}",
        f"WinRM: {', '.join(winrm) or 'none'}, for {', '.join(ready['users'])}",
        f"Its configuration, yours to edit: {ready['config']}",
        f"Look at it, disturb it:  arr-bluegreen simulator show --admin {ready['admin_url']}",
    ]


def _on_signals(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    for one in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(one, stop)
        except NotImplementedError:  # Windows
            signal.signal(one, lambda *_: loop.call_soon_threadsafe(stop))


def _until_stdin_closes(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop.set)


# -- private: show, fault --------------------------------------------------------------------------------------


def _show(arguments: argparse.Namespace, out: Output) -> ExitCode:
    state = _ask(arguments, "GET", "/state")
    rows = [
        (farm["name"], one["address"], one["enabled"], one["state"], one["is_healthy"], one["current_requests"])
        for farm in state["farms"]
        for one in farm["servers"]
    ]
    out.table(state, ("farm", "server", "enabled", "state", "healthy", "requests"), rows, title=state["computer"])
    if not out.json:
        out.result(state, lines=_also(state))
    return ExitCode.DONE


def _also(state: dict[str, Any]) -> list[str]:
    """What else there is to know, for people."""
    told = [""]
    for kind in ("site", "pool"):
        told += [f"{kind} {one['name']}: {one['state']}{_working(one)}" for one in state[f"{kind}s"]]
    told += [f"port {one['port']} of {one['ip']} is 127.0.0.1:{one['real']}" for one in state["ports"]]
    told += [f"its configuration cannot be loaded: {state['broken']}"] if state["broken"] else []
    planned = [one["fault"] for one in state.get("faults", {}).get("planned", ())]
    return told + ([f"planned: {', '.join(planned)}"] if planned else [])


def _working(pool: dict[str, Any]) -> str:
    pids = [str(one["pid"]) for one in pool.get("workers", ())]
    return f", pid {', '.join(pids)}, {pool['requests'] or 0} requests" if pids else ""


def _listed(out: Output) -> ExitCode:
    from arr_bluegreen.simulator.faults import TOOL_FAULTS
    from arr_bluegreen.simulator.hostfaults import HOST_FAULTS
    from arr_bluegreen.simulator.settings import CHOICES, SimulatorSettings

    settings = asdict(SimulatorSettings())
    value = {"now": HOST_FAULTS, "planned": TOOL_FAULTS, "settings": settings}
    lines = ["At once:", *(f"  {one}" for one in HOST_FAULTS.values()), "  clear, nothing planned is left"]
    lines += ["Planned, for WinRM and what runs there:", *(f"  {one}" for one in TOOL_FAULTS.values())]
    lines += ["  each with kind=, at=N (the n-th such moment), times=N (0: for ever) too"]
    lines += ["Settings (set:NAME=VALUE, or run --set NAME=VALUE), with their defaults:"]
    lines += [f"  {name}={default}{_of(CHOICES.get(name, ()))}" for name, default in settings.items()]
    out.result(value, lines)
    return ExitCode.DONE


def _of(choices: tuple[str, ...]) -> str:
    return f"  ({' | '.join(choices)})" if choices else ""


def _fault(arguments: argparse.Namespace, out: Output) -> ExitCode:
    if arguments.list:
        return _listed(out)
    if not arguments.fault:
        raise UsageError("which fault?", hint="arr-bluegreen simulator fault --list names them.")
    answer = _ask(arguments, "POST", "/fault", {"faults": arguments.fault})
    out.result(answer, lines=answer["done"])
    return ExitCode.DONE


def _ask(arguments: argparse.Namespace, method: str, path: str, body: object = None) -> dict[str, Any]:
    url = arguments.admin or os.environ.get(ADMIN)
    if not url:
        raise UsageError("which simulator?", hint=f"Give --admin URL (its ready line says it) or set ${ADMIN}.")
    if not url.startswith("http://"):
        raise UsageError(f"not a simulator's admin URL: {url}", hint="It begins with http://127.0.0.1:")
    request = urllib.request.Request(
        url.rstrip("/") + path,
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Arr-Simulator": "1", "Content-Type": "application/json"},
        method=method,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as response:
            answer: dict[str, Any] = json.loads(response.read())
            return answer
    except urllib.error.HTTPError as error:
        said = json.loads(error.read() or b"{}")
        raise UsageError(said.get("error", f"HTTP {error.code}"), hint=said.get("hint")) from error
    except (OSError, ValueError) as error:
        raise UnreachableError(f"no simulator answers at {url}: {error}", hint="Is it running?") from error
