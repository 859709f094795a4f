"""MemoryMachine: ``control.interface.Machine`` over a simulated host in virtual time. No sockets, no waiting.

Every control call is numbered and named in ``journal``, costs one round trip of virtual time, and passes two hooks, so
that a test can raise, recycle, or edit before or after any call. ``traffic`` adds clients and counts what they lose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from arr_bluegreen.control.interface import (
    ApplicationFacts,
    Capability,
    Commit,
    Configuration,
    FolderDigest,
    MachineFacts,
    ProbeAnswer,
    ProbeRequest,
)
from arr_bluegreen.errors import RemoteError, UsageError
from arr_bluegreen.simulator.clock import SimulatedClock
from arr_bluegreen.simulator.files import HOSTS
from arr_bluegreen.simulator.host import SimulatedHost
from arr_bluegreen.simulator.hosts_lines import hosts_entries, with_hosts_entries
from arr_bluegreen.simulator.powershell_errors import ScriptError
from arr_bluegreen.simulator.powershell_files import FILE_SCRIPTS
from arr_bluegreen.webfarm import FarmStatus, HealthTest, NewState, PoolStatus, SiteStatus
from arr_bluegreen.webfarm.change import ConfigChange

T = TypeVar("T")
Hook = Callable[[int, str], None]
Parse = Callable[[bytes], Configuration]
Edit = Callable[[bytes, Sequence[ConfigChange]], tuple[bytes, tuple[ConfigChange, ...]]]


class MemoryMachine:
    """All hands on one simulated machine.

    ``parse`` reads bytes as words, ``edit`` applies changes to bytes and returns them with the inverse: given by
    whoever wires this (``ApplicationHost``, usually), since the simulator has no eyes of that room. ``round_trip`` is
    seconds.
    """

    def __init__(
        self,
        host: SimulatedHost,
        clock: SimulatedClock,
        *,
        parse: Parse,
        edit: Edit,
        name: str = "memory",
        round_trip: float = 0.02,
    ) -> None:
        self.host, self.clock, self.name, self.round_trip = host, clock, name, round_trip
        self.parse, self.edit = parse, edit
        self.before_call: Hook | None = None
        self.after_call: Hook | None = None
        self.journal: list[str] = []
        self.config = _Config(self)
        self.sites = _Sites(self)
        self.files = _Files(self)
        self.probe = _Probe(self)

    @property
    def capabilities(self) -> frozenset[Capability]:
        """All of them; without Request Monitor all but that."""
        missing = set() if self.host.settings.request_monitor else {Capability.REQUEST_MONITOR}
        return frozenset(set(Capability) - missing)

    def farm(self, name: str, front: Sequence[str] = ()) -> MemoryFarm:
        """The run time of a farm."""
        return MemoryFarm(self, name, tuple(front))

    def records(self, farm: str) -> MemoryRecords:
        """Our records of a farm, on the machine's drive."""
        return MemoryRecords(self, farm)

    def facts(self) -> MachineFacts:
        """What the machine is."""
        return self.call("facts", self.host.facts)

    def applications(self, paths: Sequence[str]) -> tuple[ApplicationFacts, ...]:
        """What the web.config of each folder says of ASP.NET Core."""

        def act() -> tuple[ApplicationFacts, ...]:
            try:
                told = FILE_SCRIPTS["web_config"](self.host, {"paths": list(paths)})["apps"]
            except ScriptError as error:
                raise RemoteError(f"web_config: {error}") from error
            return tuple(ApplicationFacts(*(one[name] for name in _FACTS)) for one in told)

        return self.call("applications", act)

    def close(self) -> None:
        """Nothing to let go of."""

    def call(self, name: str, act: Callable[[], T]) -> T:
        """One control call: numbered from 0, hooked, half the round trip before the act and half after."""
        number = len(self.journal)
        self.journal.append(name)
        if self.before_call is not None:
            self.before_call(number, name)
        self.clock.sleep(self.round_trip / 2)
        result = act()
        self.clock.sleep(self.round_trip / 2)
        if self.after_call is not None:
            self.after_call(number, name)
        return result


class MemoryFarm:
    """``FarmControl``."""

    def __init__(self, machine: MemoryMachine, farm: str, front: tuple[str, ...]) -> None:
        self._machine, self._farm, self._front = machine, farm, front

    @property
    def farm(self) -> str:
        """The farm's name."""
        return self._farm

    def status(self) -> FarmStatus:
        """The farm now; raises ``NoSuchObject``."""
        arr = self._machine.host.arr
        return self._machine.call("farm.status", lambda: arr.status(self._farm, self._front))

    def set_state(self, states: Mapping[str, NewState]) -> None:
        """SetState for each address in order."""
        arr = self._machine.host.arr
        self._machine.call("farm.set_state", lambda: arr.set_state(self._farm, states))

    def set_healthy(self, healthy: Mapping[str, bool]) -> None:
        """SetHealthy or SetUnhealthy."""
        arr = self._machine.host.arr
        self._machine.call("farm.set_healthy", lambda: arr.set_healthy(self._farm, healthy))

    def test_health(
        self, address: str, url: str, timeout: timedelta, status_code_match: str, response_match: str
    ) -> HealthTest:
        """ARR's one-off test; virtual time passes until it is answered."""

        def act() -> HealthTest:
            found: list[HealthTest] = []
            arr = self._machine.host.arr
            arr.test_health(self._farm, address, url, timeout, status_code_match, response_match, found.append)
            self._machine.clock.sleep_until(lambda: bool(found))
            return found[0]

        return self._machine.call("farm.test_health", act)

    def remove_mapping(self, address: str) -> None:
        """Host-name affinity mappings to this server go."""
        arr = self._machine.host.arr
        self._machine.call("farm.remove_mapping", lambda: arr.remove_mapping(self._farm, address))


class MemoryRecords:
    """``RecordStore`` on the machine's drive: ``%ProgramData%\\arr-bluegreen\\<farm>``."""

    def __init__(self, machine: MemoryMachine, farm: str) -> None:
        self._machine, self._drives = machine, machine.host.files
        self._folder = f"C:\\ProgramData\\arr-bluegreen\\{farm}"

    def read(self, name: str) -> str | None:
        """The text, None when there is no such record."""
        return self._machine.call("records.read", lambda: self._drives.read_text(self._path(name)))

    def write(self, name: str, text: str) -> None:
        """Written whole."""
        self._machine.call("records.write", lambda: self._drives.write_text(self._path(name), text))

    def create(self, name: str, text: str) -> bool:
        """Created exclusively."""
        return self._machine.call("records.create", lambda: self._drives.create(self._path(name), text))

    def replace(self, name: str, expected: str, text: str) -> bool:
        """Compare and swap."""
        return self._machine.call("records.replace", lambda: self._drives.replace(self._path(name), expected, text))

    def delete(self, name: str, expected: str | None = None) -> bool:
        """Removed, if given only while it reads ``expected``."""
        return self._machine.call("records.delete", lambda: self._drives.delete_if(self._path(name), expected))

    def names(self) -> tuple[str, ...]:
        """The records there are, sorted."""
        return self._machine.call("records.names", lambda: self._drives.names(self._folder))

    def _path(self, name: str) -> str:
        return f"{self._folder}\\{name}"


# -- private ---------------------------------------------------------------------------------------------

_parsed: dict[tuple[Parse, str], Configuration] = {}
_FACTS = ("path", "asp_net_core", "in_process", "disallow_rotation_on_config_change", "module_version")


class _Config:
    """``ConfigControl``."""

    def __init__(self, machine: MemoryMachine) -> None:
        self._machine = machine

    def read(self) -> Configuration:
        return self._machine.call("config.read", self._read)

    def apply(self, changes: Sequence[ConfigChange]) -> Commit:
        return self._machine.call("config.apply", lambda: self._apply(changes))

    def _read(self) -> Configuration:
        reading = self._machine.host.config
        key = (self._machine.parse, reading.digest)
        found = _parsed.get(key)
        if found is None:
            if len(_parsed) > 256:
                _parsed.clear()
            found = _parsed[key] = self._machine.parse(reading.data())
        return found

    def _apply(self, changes: Sequence[ConfigChange]) -> Commit:
        config = self._machine.host.config
        before = config.data()
        after, inverse = self._machine.edit(before, changes)
        if after == before:
            return Commit(0, (), config.digest)
        return Commit(1, tuple(inverse), config.commit(after))


class _Sites:
    """``SiteControl``."""

    def __init__(self, machine: MemoryMachine) -> None:
        self._machine, self._iis = machine, machine.host.iis

    def sites(self) -> tuple[SiteStatus, ...]:
        return self._machine.call("sites.sites", self._iis.sites)

    def pools(self, names: Sequence[str] = ()) -> tuple[PoolStatus, ...]:
        return self._machine.call("sites.pools", lambda: self._iis.pools(names))

    def start_site(self, name: str) -> None:
        self._machine.call("sites.start_site", lambda: self._iis.start_site(name))

    def stop_site(self, name: str) -> None:
        self._machine.call("sites.stop_site", lambda: self._iis.stop_site(name))

    def start_pool(self, name: str) -> None:
        self._machine.call("sites.start_pool", lambda: self._iis.start_pool(name))

    def stop_pool(self, name: str) -> None:
        self._machine.call("sites.stop_pool", lambda: self._iis.stop_pool(name))

    def recycle_pool(self, name: str) -> None:
        self._machine.call("sites.recycle_pool", lambda: self._iis.recycle_pool(name))


class _Files:
    """``FileControl``."""

    def __init__(self, machine: MemoryMachine) -> None:
        self._machine, self._drives = machine, machine.host.files

    def read_text(self, path: str) -> str | None:
        data = self._machine.call("files.read_text", lambda: self._drives.read_bytes(path))
        try:
            return None if data is None else data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8") from error

    def write_text(self, path: str, text: str) -> None:
        self._machine.call("files.write_text", lambda: self._drives.write_text(path, text))

    def delete_file(self, path: str) -> None:
        self._machine.call("files.delete_file", lambda: self._drives.delete(path))

    def folder_exists(self, path: str) -> bool:
        return self._machine.call("files.folder_exists", lambda: self._drives.folder_exists(path))

    def digest_folder(self, path: str) -> FolderDigest | None:
        return self._machine.call("files.digest_folder", lambda: self._drives.digest(path))

    def copy_folder(self, source: str, target: str) -> FolderDigest:
        return self._machine.call("files.copy_folder", lambda: self._drives.copy_folder(source, target))

    def expand_zip(self, source: str, target: str) -> FolderDigest:
        return self._machine.call("files.expand_zip", lambda: self._drives.expand(source, target))

    def check_zip(self, source: str) -> None:
        self._machine.call("files.check_zip", lambda: self._drives.check_zip(source))

    def upload(self, source: str, target: str) -> None:
        try:
            data = Path(source).read_bytes()
        except OSError as error:
            raise RemoteError(f"cannot read {source}: {error}") from error
        self._machine.call("files.upload", lambda: self._drives.write_bytes(target, data))

    def delete_folder(self, path: str) -> None:
        self._machine.call("files.delete_folder", lambda: self._drives.delete_folder(path))

    def hosts_entries(self, owner: str | None = None) -> tuple[tuple[str, str], ...]:
        return self._machine.call("files.hosts_entries", lambda: hosts_entries(self._hosts(), owner))

    def set_hosts_entries(self, owner: str, entries: Sequence[tuple[str, str]]) -> bool:
        def act() -> bool:
            before = self._hosts()
            after = with_hosts_entries(before, owner, entries)
            if after != before:
                self._drives.write_bytes(HOSTS, after.encode("latin-1"))
            return after != before

        return self._machine.call("files.set_hosts_entries", act)

    def _hosts(self) -> str:
        return (self._drives.read_bytes(HOSTS) or b"").decode("latin-1")


class _Probe:
    """``Probe``: all at once in virtual time."""

    def __init__(self, machine: MemoryMachine) -> None:
        self._machine = machine

    def ask(self, requests: Sequence[ProbeRequest]) -> tuple[ProbeAnswer, ...]:
        def act() -> tuple[ProbeAnswer, ...]:
            answers: dict[int, ProbeAnswer] = {}
            for at, request in enumerate(requests):
                self._machine.host.asker.ask(request, lambda one, at=at: answers.__setitem__(at, one))  # type: ignore[misc]  # a default binds the loop's value
            self._machine.clock.sleep_until(lambda: len(answers) == len(requests))
            return tuple(answers[at] for at in range(len(requests)))

        return self._machine.call("probe.ask", act)
