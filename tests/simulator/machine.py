"""A whole simulated machine behind its WinRM service, in memory but for the sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from winrm.protocol import Protocol

from arr_bluegreen.control.framing import POWERSHELL, Answers, bootstrap_arguments, request_line
from arr_bluegreen.simulator.clock import LoopClock
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.programs import Programs
from arr_bluegreen.simulator.shell_service import FindProgram
from arr_bluegreen.simulator.wsman import WsmanSettings
from tests.simulator.served import PASSWORD, USER, Served, served

CONFIG = Path(__file__).parents[2] / "fixtures" / "apphost" / "blue-green.config"
SETTINGS = WsmanSettings({USER: PASSWORD}, basic=True, allow_unencrypted=True)


@dataclass
class Simulated:
    """The machine, its service, and its faults (one plan for both)."""

    host: SimulatedHost
    served: Served
    faults: Faults


@contextmanager
def simulated(settings: WsmanSettings = SETTINGS, *, tls: bool = False) -> Iterator[Simulated]:
    """The machine of ``fixtures/apphost/blue-green.config``."""
    made: list[tuple[SimulatedHost, Programs]] = []

    def programs(loop: asyncio.AbstractEventLoop) -> FindProgram:
        host = SimulatedHost(CONFIG.read_bytes(), clock=LoopClock(loop)).boot()
        host.files.write_text(r"C:\inetpub\shop-blue\simulated-app.json", '{"version": "1", "start_seconds": 0}')
        host.iis.reboot()
        made.append((host, Programs(host, powershell_start=0.0)))
        return made[0][1]

    with served(programs, settings, tls=tls) as one:
        host, found = made[0]
        found.faults = one.faults
        yield Simulated(host, one, one.faults)


class Script:
    """The client's half in a dozen lines: one kept powershell.exe with our bootstrap, over real pywinrm."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.shell = protocol.open_shell(codepage=65001)
        self.command = protocol.run_command(self.shell, POWERSHELL, bootstrap_arguments(), False, True)
        self.answers = Answers()
        self.known: set[str] = set()
        self.number = 0
        self.exit_code: int | None = None

    def ready(self) -> Answers:
        """After the handshake."""
        while self.answers.ready is None and not self.answers.refused and self.exit_code is None:
            self._receive()
        return self.answers

    def ask(self, script: str, **request: Any) -> dict[str, Any]:
        """The whole answer: ok, reply or error."""
        self.number += 1
        self.answers.expect(str(self.number))
        line = request_line(str(self.number), script, request, with_text=script not in self.known)
        self.known.add(script)
        self.protocol.send_command_input(self.shell, self.command, line)
        while self.answers.answer is None and self.exit_code is None:
            self._receive()
        return self.answers.answer or {}

    def reply(self, script: str, **request: Any) -> dict[str, Any]:
        """The reply of a script that works."""
        answer = self.ask(script, **request)
        assert answer.get("ok"), answer
        reply: dict[str, Any] = answer["reply"]
        return reply

    def error(self, script: str, **request: Any) -> dict[str, Any]:
        """The error of a script that does not."""
        answer = self.ask(script, **request)
        assert not answer["ok"], answer
        error: dict[str, Any] = answer["error"]
        return error

    def close(self) -> None:
        """End it."""
        self.protocol.close_shell(self.shell)

    # -- private --------------------------------------------------------------------------------------

    def _receive(self) -> None:
        out, _, code, done = self.protocol.get_command_output_raw(self.shell, self.command)
        self.answers.feed(out)
        self.exit_code = code if done else None
