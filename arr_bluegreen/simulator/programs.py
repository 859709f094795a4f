"""Which program a command line starts on the simulated machine: appcmd, our PowerShell, or a trivial one."""

from __future__ import annotations

import asyncio
import ntpath
from dataclasses import dataclass, field
from typing import Protocol

from arr_bluegreen.simulator.appcmd import run_appcmd
from arr_bluegreen.simulator.argv import CmdRefused, split_arguments, through_cmd
from arr_bluegreen.simulator.arr import SimulatedArr
from arr_bluegreen.simulator.clock import Timers
from arr_bluegreen.simulator.config import HostConfig
from arr_bluegreen.simulator.faults import Faults
from arr_bluegreen.simulator.files import Drives
from arr_bluegreen.simulator.health import Asker
from arr_bluegreen.simulator.iis import SimulatedIis
from arr_bluegreen.simulator.net import PortMap
from arr_bluegreen.simulator.powershell import powershell_program
from arr_bluegreen.simulator.settings import SimulatorSettings
from arr_bluegreen.simulator.shells import Process, Program
from arr_bluegreen.simulator.wsman_messages import SoapFault

APPCMD = r"c:\windows\system32\inetsrv\appcmd.exe"
POWERSHELL = r"c:\windows\system32\windowspowershell\v1.0\powershell.exe"


class Machine(Protocol):
    """What the programs need of the simulated host."""

    @property
    def config(self) -> HostConfig: ...
    @property
    def arr(self) -> SimulatedArr: ...
    @property
    def iis(self) -> SimulatedIis: ...
    @property
    def files(self) -> Drives: ...
    @property
    def net(self) -> PortMap: ...
    @property
    def settings(self) -> SimulatorSettings: ...
    @property
    def clock(self) -> Timers: ...
    @property
    def asker(self) -> Asker: ...


@dataclass(slots=True)
class Programs:
    """The programs of one machine. Calling it is the ``FindProgram`` of the WinRM service.

    ``powershell_start`` is the seconds a start takes, if not as the machine's settings say.
    """

    machine: Machine
    faults: Faults = field(default_factory=Faults)
    powershell_start: float | None = None

    def __call__(self, line: str, skip_cmd_shell: bool) -> Program:
        """The program; with ``skip_cmd_shell`` a name that is no full path is a SOAP fault (CreateProcess)."""
        try:
            arguments = split_arguments(line if skip_cmd_shell else through_cmd(line))
        except CmdRefused as refused:
            return _saying(refused.text)
        name = arguments[0].casefold()
        if not skip_cmd_shell and "\\" in name and not ntpath.splitext(name)[1]:
            name += ".exe"  # cmd.exe tries PATHEXT; CreateProcess adds nothing to a path
        if name == APPCMD and self.machine.settings.iis_version:
            return self._appcmd(arguments[1:])
        if name == POWERSHELL or (not skip_cmd_shell and name in ("powershell", "powershell.exe")):
            return powershell_program(self.machine, self.faults, arguments[1:], self._powershell_seconds())
        if skip_cmd_shell:
            raise SoapFault(2, "w:InternalError", "The system cannot find the file specified.", "Receiver")
        return self._trivial(name, arguments)

    # -- private --------------------------------------------------------------------------------------

    def _appcmd(self, arguments: list[str]) -> Program:
        async def program(process: Process) -> int:
            settings = self.machine.settings
            await asyncio.sleep(settings.appcmd_start_seconds)
            answer = run_appcmd(self.machine, arguments, self.faults, settings.appcmd_language)
            process.say(answer.text.replace("\n", "\r\n"))
            return answer.exit_code

        return program

    def _powershell_seconds(self) -> float:
        given = self.powershell_start
        return self.machine.settings.powershell_start_seconds if given is None else given

    def _trivial(self, name: str, arguments: list[str]) -> Program:
        """What people type to see whether a shell works."""
        computer = self.machine.settings.computer
        known = {
            "hostname": computer,
            "whoami": f"{computer.lower()}\\administrator",
            "ver": "\r\nMicrosoft Windows [Version 10.0.20348.2700]",
            "echo": " ".join(arguments[1:]),
        }
        word = ntpath.basename(name).removesuffix(".exe")
        if word in known and name in (word, f"{word}.exe", rf"c:\windows\system32\{word}.exe"):
            return _saying(known[word] + "\r\n", "stdout", 0)
        if ":" in name or "\\" in name:
            return _saying("The system cannot find the path specified.\r\n")
        return _saying(
            f"'{arguments[0]}' is not recognized as an internal or external command,\r\n"
            "operable program or batch file.\r\n"
        )


# -- private ------------------------------------------------------------------------------------------


def _saying(text: str, stream: str = "stderr", exit_code: int = 1) -> Program:
    async def program(process: Process) -> int:
        process.say(text, stream)
        return exit_code

    return program
