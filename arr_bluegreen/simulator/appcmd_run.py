"""One run of the played appcmd: the tree it changes, what it prints, and its one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

from arr_bluegreen.simulator.appcmd_arguments import Command
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, configuration_error, hresult_error
from arr_bluegreen.simulator.config_tree import Place, section_place
from arr_bluegreen.simulator.editing import written
from arr_bluegreen.simulator.faults import Faults, What

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine

TOP = "MACHINE/WEBROOT/APPHOST"
SITES = "system.applicationHost/sites"
POOLS = "system.applicationHost/applicationPools"


class Run:
    """``lines`` is what has been printed so far; ``root`` a tree of its own, free to change until ``commit``."""

    def __init__(self, machine: Machine, faults: Faults, command: Command) -> None:
        self.machine, self.faults, self.command = machine, faults, command
        self.lines: list[str] = []
        self._before = machine.config.data()
        self.root = machine.config.tree()
        self._untouched = etree.tostring(self.root)
        if command.object == "config" and (command.value("section") or "").casefold() == "webfarms":
            self._needs_arr()

    def say(self, line: str) -> None:
        """Print one line."""
        self.lines.append(line + "\n")

    def applied(self, section: str, location: str) -> None:
        """The success line of set config, printed before the commit (arr.md 4.3)."""
        where = f"{TOP}/{location}" if location else TOP
        at = f'at configuration commit path "{TOP}"'
        self.say(f'Applied configuration changes to section "{section}" for "{where}" {at}')

    def commit(self) -> None:
        """Write what changed, in one commit; nothing when nothing did. May fail after the success line (arr.md 4.3)."""
        if _without_space(self.root) == _without_space(etree.fromstring(self._untouched)):
            return
        fault = self.faults.take(What.COMMIT, "appcmd")
        if fault is not None:
            raise _failed_commit(fault.how)
        self.machine.config.commit(written(self.root, self._before))

    def sites(self) -> Place:
        """The sites section."""
        return section_place(self.root, SITES)

    def pools(self) -> Place:
        """The applicationPools section."""
        return section_place(self.root, POOLS)

    def identifier(self, *parameters: str) -> str | None:
        """The object meant: the identifier, or one of these parameters (``/site.name:S``)."""
        given = (self.command.value(one) for one in parameters)
        return self.command.identifier or next((one for one in given if one is not None), None)

    # -- private --------------------------------------------------------------------------------------

    def _needs_arr(self) -> None:
        if not self.machine.settings.arr_installed:
            text = "The configuration section 'webFarms' cannot be read because it is missing a section declaration\n"
            raise configuration_error(text, 1168)


# -- private ------------------------------------------------------------------------------------------


def _failed_commit(how: str) -> AppcmdError:
    first = "Failed to commit configuration changes."
    if how == "changed":
        text = "Cannot commit configuration changes because the file has changed on disk\n"
        return configuration_error(text, 1168, r"\\?\C:\Windows\system32\inetsrv\config\applicationHost.config")
    if how == "denied":
        return hresult_error(0x80070005, first, "Access is denied.")
    in_use = "The process cannot access the file because it is being used by another process."
    return hresult_error(0x80070020, first, in_use)


def _without_space(root: etree._Element) -> list[object]:
    """What a tree says, without its indentation: new empty sections made on the way count as nothing."""
    return [
        (one.tag, sorted(one.attrib.items()), len(list(one.iterancestors())))
        for one in root.iter()
        if isinstance(one.tag, str) and (len(one) or one.attrib or one.getparent() is None)
    ]
