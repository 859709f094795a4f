"""appcmd.exe, played: real argv in, text and exit code out, configuration changed by its own hands (arr.md 4).

It lies where the real one lies: the success line is printed before the commit, and the commit may still fail (4.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.simulator.appcmd_arguments import Command, Indexer, parse_command, parse_path
from arr_bluegreen.simulator.appcmd_backups import add_backup, delete_backup, list_backups
from arr_bluegreen.simulator.appcmd_config import Place, section_place
from arr_bluegreen.simulator.appcmd_errors import (
    AppcmdError,
    configuration_error,
    hresult_error,
    malformed_indexer,
    syntax,
    unknown_attribute,
)
from arr_bluegreen.simulator.appcmd_listing import list_config, list_objects
from arr_bluegreen.simulator.appcmd_objects import add_object, delete_object, set_object
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.simulator.appcmd_schema import ONLY_AT_THE_TOP, SECTIONS
from arr_bluegreen.simulator.appcmd_verbs import run_verb
from arr_bluegreen.simulator.config import ChangedOnDisk
from arr_bluegreen.simulator.faults import Faults

if TYPE_CHECKING:
    from arr_bluegreen.simulator.programs import Machine


@dataclass(frozen=True, slots=True)
class AppcmdAnswer:
    """What it printed (LF line ends; all on stdout, errors too) and its exit code."""

    text: str
    exit_code: int


def run_appcmd(
    machine: Machine, arguments: list[str], faults: Faults | None = None, language: str = "en"
) -> AppcmdAnswer:
    """One run. ``language`` "de" or "ru" localises the messages; envelope, hresult and exit code stay (arr.md 4.4)."""
    run: Run | None = None
    exit_code = 0
    failed = ""
    try:
        command = parse_command(arguments)
        _may_read(machine)
        machine.config.poll()
        _whole(machine)
        run = Run(machine, faults or Faults(), command)
        exit_code = _DO[command.verb](run)
    except AppcmdError as error:
        failed, exit_code = error.text(), error.exit_code
    except (ConfigurationError, ChangedOnDisk) as error:
        broken = configuration_error(f"{error}\n", 1168, _PLACE)
        failed, exit_code = broken.text(), broken.exit_code
    text = ("".join(run.lines) if run else "") + failed
    for english, other in _LANGUAGES.get(language, {}).items():
        text = text.replace(english, other)
    return AppcmdAnswer(text, exit_code)


# -- private: set and clear config --------------------------------------------------------------------------


def _set_config(run: Run) -> int:
    section, location = _section(run.command)
    place = section_place(run.root, section, location)
    for name, value in run.command.without("section", "commit"):
        _apply(place, name, value)
    run.applied(section, location)
    run.commit()
    return 0


def _apply(place: Place, name: str, value: str | None) -> None:
    path = parse_path(name.lstrip("+-"))
    if not path:
        raise unknown_attribute(name)
    last = path[-1]
    if name[0] in "+-":
        if not isinstance(last, Indexer) or value is not None:
            raise malformed_indexer()
        target = place.walk(path[:-1])
        if name[0] == "+":
            target.add(last)
        else:
            target.item(last).remove()
    elif isinstance(last, Indexer) or value is None:
        raise syntax(f"Failed to process input: The parameter '{name}' has no value (HRESULT=80070057).")
    else:
        place.walk(path[:-1]).set(last, value)


def _clear_config(run: Run) -> int:
    section, location = _section(run.command)
    element = section_place(run.root, section, location).made()
    for child in list(element):
        element.remove(child)
    for name in list(element.attrib):
        del element.attrib[name]
    element.text = None
    run.applied(section, location)
    run.commit()
    return 0


def _section(command: Command) -> tuple[str, str]:
    """The section, and the location it is set for ("" at the top)."""
    asked = command.value("section")
    if asked is None:
        raise AppcmdError('Must specify "section" parameter.', 87)
    section = next((one for one in SECTIONS if one.casefold() == asked.casefold()), None)
    if section is None:
        raise AppcmdError(f'Unknown config section "{asked}".  Replace with ? for help.', 1168)
    location = (command.identifier or "").removeprefix("MACHINE/WEBROOT/APPHOST").strip("/")
    if location and (command.value("commit") or "").casefold() != "apphost":
        raise syntax("This simulated host writes applicationHost.config only: give /commit:apphost.")
    if location and section in ONLY_AT_THE_TOP:
        text = "This configuration section cannot be used at this path."
        raise hresult_error(0x80070021, "Failed to process input.", text)
    return section, location


# -- private: which verb does what ----------------------------------------------------------------------------


def _list(run: Run) -> int:
    if run.command.object == "config":
        section, location = _section(run.command)
        return list_config(run, section, location)
    return list_backups(run) if run.command.object == "backup" else list_objects(run)


def _set(run: Run) -> int:
    return _set_config(run) if run.command.object == "config" else set_object(run)


def _add(run: Run) -> int:
    return add_backup(run) if run.command.object == "backup" else add_object(run)


def _delete(run: Run) -> int:
    return delete_backup(run) if run.command.object == "backup" else delete_object(run)


_DO: dict[str, Callable[[Run], int]] = {
    "list": _list,
    "set": _set,
    "clear": _clear_config,
    "add": _add,
    "delete": _delete,
    "start": run_verb,
    "stop": run_verb,
    "recycle": run_verb,
}


def _may_read(machine: Machine) -> None:
    """Without elevation not even reading works (arr.md 4.4). Without ARR its section is not declared (arr.md 1.0)."""
    if not machine.settings.elevated:
        text = "Cannot read configuration file due to insufficient permissions\n"
        raise configuration_error(text, 5, "redirection.config")


_PLACE = r"\\?\C:\Windows\system32\inetsrv\config\applicationhost.config"


def _whole(machine: Machine) -> None:
    """A file that somebody broke cannot even be read (arr.md 4.4)."""
    if machine.config.broken:
        raise configuration_error(f"{machine.config.broken}\n", 1168, _PLACE)


_LANGUAGES = {
    "de": {
        "Failed to commit configuration changes.": "Fehler beim Übernehmen der Konfigurationsänderungen.",
        "Applied configuration changes to section": "Konfigurationsänderungen angewendet auf Abschnitt",
        "Command execution failed.": "Fehler beim Ausführen des Befehls.",
        "successfully started.": "wurde erfolgreich gestartet.",
        "successfully stopped.": "wurde erfolgreich beendet.",
        "Configuration error": "Konfigurationsfehler",
        "Cannot add duplicate collection entry": "Ein doppelter Auflistungseintrag kann nicht hinzugefügt werden",
    },
    "ru": {
        "Failed to commit configuration changes.": "Не удалось зафиксировать изменения конфигурации.",
        "Applied configuration changes to section": "Применены изменения конфигурации к разделу",
        "Command execution failed.": "Сбой выполнения команды.",
        "successfully started.": "успешно запущен.",
        "successfully stopped.": "успешно остановлен.",
        "Configuration error": "Ошибка конфигурации",
        "Cannot add duplicate collection entry": "Невозможно добавить повторяющуюся запись коллекции",
    },
}
