"""add, list, delete, restore backup: copies on the simulated drive (arr.md 4.6)."""

from __future__ import annotations

from arr_bluegreen.simulator.appcmd_errors import AppcmdError, no_object
from arr_bluegreen.simulator.appcmd_run import Run

FOLDER = r"C:\Windows\System32\inetsrv\backup"


def add_backup(run: Run) -> int:
    """A copy of the configuration as it is now, by name or by the time."""
    name = run.identifier("name") or run.machine.clock.now().strftime("%Y%m%dT%H%M%S")
    if name in _names(run):
        raise AppcmdError(f'Failed to add duplicate collection element "{name}".', 183)
    run.machine.files.write_bytes(rf"{FOLDER}\{name}\applicationHost.config", run.machine.config.data())
    run.say(f'BACKUP object "{name}" added')
    return 0


def list_backups(run: Run) -> int:
    """One line each."""
    names = _names(run)
    if run.command.value("xml") is not None:
        run.say('<?xml version="1.0" encoding="UTF-8"?>')
        run.say("<appcmd>" + "".join(f'<BACKUP BACKUP.NAME="{one}" />' for one in names) + "</appcmd>")
    else:
        for one in names:
            run.say(f'BACKUP "{one}"')
    return 0


def delete_backup(run: Run) -> int:
    """The copy goes."""
    name = run.identifier("name") or ""
    if name not in _names(run):
        raise no_object("BACKUP", name)
    run.machine.files.delete_folder(rf"{FOLDER}\{name}")
    run.say(f'BACKUP object "{name}" deleted')
    return 0


def restore_backup(run: Run) -> int:
    """The copy in place of all that was written since, other people's changes too; the server is stopped for it, so
    every worker process and its run-time state is lost."""
    name = run.identifier("name") or ""
    data = run.machine.files.read_bytes(rf"{FOLDER}\{name}\applicationHost.config") if name in _names(run) else None
    if data is None:
        raise no_object("BACKUP", name)
    run.machine.config.commit(data)
    run.machine.iis.reboot()
    run.say(f'Restored configuration from backup "{name}"')
    return 0


BACKUP_VERBS = {"add": add_backup, "list": list_backups, "delete": delete_backup, "restore": restore_backup}


# -- private ------------------------------------------------------------------------------------------


def _names(run: Run) -> list[str]:
    below = run.machine.files.below(FOLDER) if run.machine.files.folder_exists(FOLDER) else ()
    return sorted({one.split("\\", 1)[0] for one in below if "\\" in one})
