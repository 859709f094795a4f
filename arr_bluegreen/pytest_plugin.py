"""The simulated Windows host as pytest fixtures, for the tests of anyone who scripts IIS and ARR.

* ``arr_clock``: virtual time; ``arr_clock.sleep(30)`` takes no time and lets thirty seconds of probes happen.
* ``arr_host``: a booted ``SimulatedHost`` in that time, from our own blue-green configuration, or from yours::

      @pytest.mark.arr_host("tests/my-applicationHost.config", versions={"shop-blue": "1", "shop-green": "2"})
      def test_something(arr_host, arr_clock): ...

* ``arr_host_from``: makes further hosts: ``arr_host_from(path_or_bytes, settings=SimulatorSettings(...))``.
* ``arr_machine``: the host as ``control.interface.Machine``, ready for the deployment sequence.

The parts are ``arr_host.arr`` (states, health), ``.iis`` (sites, pools), ``.config``, ``.files``, ``.settings``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from arr_bluegreen.control.interface import Configuration
    from arr_bluegreen.simulator.clock import SimulatedClock
    from arr_bluegreen.simulator.host import SimulatedHost
    from arr_bluegreen.simulator.memory import MemoryMachine
    from arr_bluegreen.simulator.settings import SimulatorSettings
    from arr_bluegreen.webfarm.change import ConfigChange

BLUE_GREEN = Path(__file__).parent / "simulator" / "blue-green.config"


class HostFactory(Protocol):
    """What ``arr_host_from`` is."""

    def __call__(
        self,
        config: Path | str | bytes | None = None,
        *,
        settings: SimulatorSettings | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> SimulatedHost: ...


def pytest_configure(config: pytest.Config) -> None:
    """The marker of ``arr_host``."""
    config.addinivalue_line(
        "markers", "arr_host(config, settings=None, versions=None): the configuration the fixture arr_host starts from"
    )


@pytest.fixture
def arr_clock() -> SimulatedClock:
    """Virtual time."""
    from arr_bluegreen.simulator.clock import SimulatedClock

    return SimulatedClock()


@pytest.fixture
def arr_host_from(arr_clock: SimulatedClock) -> HostFactory:
    """Makes booted hosts on ``arr_clock``; ``versions`` says which version each site's application answers with."""

    def make(
        config: Path | str | bytes | None = None,
        *,
        settings: SimulatorSettings | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> SimulatedHost:
        return host_in_memory(config, arr_clock, settings=settings, versions=versions)

    return make


@pytest.fixture
def arr_host(request: pytest.FixtureRequest, arr_host_from: HostFactory) -> SimulatedHost:
    """A booted host; see the marker ``arr_host``."""
    marker = request.node.get_closest_marker("arr_host")
    return arr_host_from(*marker.args, **marker.kwargs) if marker else arr_host_from()


@pytest.fixture
def arr_machine(arr_host: SimulatedHost, arr_clock: SimulatedClock) -> MemoryMachine:
    """The host as ``control.interface.Machine``."""
    return machine_in_memory(arr_host, arr_clock)


def host_in_memory(
    config: Path | str | bytes | None,
    clock: SimulatedClock,
    *,
    settings: SimulatorSettings | None = None,
    versions: Mapping[str, str] | None = None,
) -> SimulatedHost:
    """A booted host in virtual time; without a configuration our own, shop-blue serving 1 and shop-green holding 2."""
    from arr_bluegreen.simulator.host import SimulatedHost

    data = config if isinstance(config, bytes) else Path(config or BLUE_GREEN).read_bytes()
    host = SimulatedHost(data, clock=clock, settings=settings)
    default = {} if config is not None else {"shop-blue": "1", "shop-green": "2"}
    for name, version in (versions or default).items():
        site = host.config.reading.site(name)
        if site is not None:
            host.files.write_text(f"{site.physical_path}\\simulated-app.json", f'{{"version": "{version}"}}')
    return host.boot()


def machine_in_memory(host: SimulatedHost, clock: SimulatedClock, **more: str | float) -> MemoryMachine:
    """The host as a Machine, with ``ApplicationHost`` as its eyes and hands on the configuration."""
    from arr_bluegreen.simulator.memory import MemoryMachine

    return MemoryMachine(host, clock, parse=parse, edit=edit, **more)  # type: ignore[arg-type]  # name and round_trip


def parse(data: bytes) -> Configuration:
    """The bytes as words."""
    from arr_bluegreen.apphost import ApplicationHost

    return ApplicationHost.parse(data)


def edit(data: bytes, changes: Sequence[ConfigChange]) -> tuple[bytes, tuple[ConfigChange, ...]]:
    """The bytes after all changes, and the inverse. The same edit of the same bytes is remembered."""
    return _edited(data, tuple(changes))


# -- private ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _edited(data: bytes, changes: tuple[ConfigChange, ...]) -> tuple[bytes, tuple[ConfigChange, ...]]:
    from arr_bluegreen.apphost import ApplicationHost

    applied = ApplicationHost.parse(data).apply(changes)
    return applied.host.to_bytes(), applied.inverse
