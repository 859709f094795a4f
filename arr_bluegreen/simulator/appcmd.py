"""appcmd.exe, played: real argv in, text and exit code out, configuration changed by its own hands (arr.md 4).

It lies where the real one lies: the success line is printed before the commit, and the commit may still fail (4.3).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from arr_bluegreen.errors import ConfigurationError
from arr_bluegreen.simulator.appcmd_arguments import Command, parse_command
from arr_bluegreen.simulator.appcmd_backups import BACKUP_VERBS
from arr_bluegreen.simulator.appcmd_errors import AppcmdError, as_appcmd_error, configuration_error
from arr_bluegreen.simulator.appcmd_listing import list_objects
from arr_bluegreen.simulator.appcmd_objects import add_object, delete_object, set_object
from arr_bluegreen.simulator.appcmd_run import Run
from arr_bluegreen.simulator.appcmd_sections import CONFIG_VERBS
from arr_bluegreen.simulator.appcmd_verbs import run_verb
from arr_bluegreen.simulator.config import ChangedOnDisk
from arr_bluegreen.simulator.config_errors import NoItem, Refused, UnknownName
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
        exit_code = _verb(command)(run)
    except AppcmdError as error:
        failed, exit_code = error.text(), error.exit_code
    except (NoItem, UnknownName, Refused) as error:
        told = as_appcmd_error(error)
        failed, exit_code = told.text(), told.exit_code
    except (ConfigurationError, ChangedOnDisk) as error:
        broken = configuration_error(f"{error}\n", 1168, _PLACE)
        failed, exit_code = broken.text(), broken.exit_code
    text = ("".join(run.lines) if run else "") + failed
    for english, other in _LANGUAGES.get(language, {}).items():
        text = text.replace(english, other)
    return AppcmdAnswer(text, exit_code)


# -- private: which verb does what ----------------------------------------------------------------------------


_VERBS: dict[str, Callable[[Run], int]] = {
    "list": list_objects,
    "set": set_object,
    "add": add_object,
    "delete": delete_object,
    "start": run_verb,
    "stop": run_verb,
    "recycle": run_verb,
}
"""Of sites, applications, virtual directories, pools, worker processes and requests."""


def _verb(command: Command) -> Callable[[Run], int]:
    of_its_own = {"config": CONFIG_VERBS, "backup": BACKUP_VERBS}.get(command.object, _VERBS)
    return of_its_own[command.verb]


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
