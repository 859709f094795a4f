"""What the documents do not say (arr.md 8.1), and what a machine may lack, each as a setting of the simulated host.

Where nobody knows, the default is the choice that hurts a deployment most, unless noted; tests run both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from arr_bluegreen.errors import UsageError


@dataclass(slots=True)
class SimulatorSettings:
    """Mutable on purpose: a fault may change one while the host runs. Times are seconds."""

    # ARR's run time (arr.md 5.6, 5.8, 8.1)
    set_state_reaches_all_workers: bool = True
    """False: SetState and SetHealthy reach only the worker process that also answers ``status``."""
    state_survives_enabling: bool = False
    """True: a state set while ``enabled=false`` is still there after enabling; False: it is Active (arr.md 5.6)."""
    set_state_works_on_disabled: bool = True
    """False: SetState on a server with ``enabled=false`` is forgotten at once."""
    commit_resets_states: bool = False
    """True: a commit that changes ``webFarms`` makes every server of every farm Active and healthy again."""
    test_health_works_on_disabled: bool = True
    """False: TestHealth of a server with ``enabled=false`` says ConnectionFailure."""
    status_starts_worker: bool = True
    """True: reading counters or SetState starts the front pool's worker process; False: it fails while none runs."""
    first_probe_after_intervals: float = 1.0
    """When a new worker process first probes, in health-check intervals; until then every server counts as healthy."""
    retries_are_failures: bool = True
    """True: the n-th failed URL test in a row makes a server unhealthy, n = ``retries``; False: the one after them."""
    unreachable_is_live_failure: bool = True
    """True: a 502.3 that ARR itself made counts in the live-traffic test (arr.md 5.2); False: only servers' answers."""
    new_process_tells_a_reset: bool = False
    """True: ``lastResetTickCount`` of a new worker process is its start; False: 0, as if nothing had been reset."""
    health_change_resets: str = "server"
    """Whose counters a health change resets: the "server"'s or all of its "farm" (arr.md 5.6: "the statistics")."""
    health_change_clears_current: bool = False
    """True: the counter reset of a health change (arr.md 5.6) also zeroes ``currentRequests``, which then lies."""
    disabled_farm: str = "no-farm"
    """What a rule's target is when its farm has ``enabled=false``: "no-farm", a plain host name, so 404 where the proxy
    is off (arr.md 5.7); "no-server": 502.4."""
    host_name_replaces: bool = True
    """A server's ``hostName`` (a farm's ``alternateHostName``) is the Host header even where ``preserveHostHeader`` is
    true (arr.md 5.9); False: only where it is false."""
    unpreserved_host: str = "address"
    """The Host header where nothing is preserved or named: the server's "address", or the "farm" (arr.md 5.9)."""
    probes_per_interval: int = 1
    """Probes a worker process sends per interval and server (bursts of 15 were seen, arr.md 5.1)."""

    # WAS (arr.md 3.2)
    idle_ends_always_running: bool = True
    """True: ``idleTimeout`` ends the worker process of an AlwaysRunning pool too; False: only of one on demand."""

    # who restarts on a configuration change (arr.md 5.8)
    any_change_restarts_asp_net_core: bool = False
    """True: every change of the file restarts ASP.NET Core slots; False: only one of ``webFarms``, and farm members."""
    disallow_rotation: str = "works"
    """What ``disallowRotationOnConfigChange=true`` does: "works", "ignored" (old module), "breaks" (503, arr.md 5.8)"""
    aspnetcore_restart_answers_503: bool = False
    """True: an ASP.NET Core slot answers 503 while it restarts; False: requests wait until it is up again."""
    site_change_recycles_pool: bool = True
    """Changing a site's bindings or root folder recycles its pool (arr.md 5.8, as Octopus says)."""

    # the machine
    computer: str = "WEB01"
    is_64_bit: bool = True
    elevated: bool = True
    arr_installed: bool = True
    rewrite_installed: bool = True
    request_monitor: bool = True
    redirected_to: str = ""
    """The folder of the shared configuration (arr.md 5.13): several machines run on one --config then."""
    config_seen_after_seconds: float = 0.0
    """When what somebody else wrote to the file is seen here; with UNC polling up to 3 minutes (arr.md 5.13)."""
    second_hop: bool = True
    """False: a script that opens ``redirected_to`` itself is refused, as on a share over NTLM (winrm.md 1)."""
    aspnetcore_module: str = "18.0.24052.9"
    iis_version: str = "10.0"
    language_mode: str = "FullLanguage"
    front_sites: str = ""
    """Names of the sites whose pools run ARR for public traffic, with commas; "" = every site but slots."""
    reserved_ports: str = ""
    """Port ranges Windows keeps, such as "50000-50059,5357-5357"."""
    powershell_start_seconds: float = 0.05
    """What starting powershell.exe takes; on real servers 0.3 s to 1 s and more (winrm.md 1)."""
    appcmd_start_seconds: float = 0.0
    appcmd_language: str = "en"
    """"de" or "ru": appcmd's messages are localised, its envelopes are not (arr.md 4.4)."""
    poll_seconds: float = 0.1
    """How often the file on disk is looked at for foreign edits."""


CHOICES = {
    "disabled_farm": ("no-farm", "no-server"),
    "unpreserved_host": ("address", "farm"),
    "health_change_resets": ("server", "farm"),
    "disallow_rotation": ("works", "ignored", "breaks"),
    "appcmd_language": ("en", "de", "ru"),
}
"""The texts that mean something, for the settings that are one of a few."""


def take(settings: SimulatorSettings, values: Mapping[str, object]) -> None:
    """Set by name; texts such as ``true`` and ``2.5`` are read as the setting's own type.

    Raises ``UsageError`` for an unknown name or a value that is none of it; nothing is set then.
    """
    kinds = {one.name: type(getattr(settings, one.name)) for one in fields(settings)}
    unknown = [name for name in values if name not in kinds]
    if unknown:
        raise UsageError(f"no simulator setting '{unknown[0]}'", hint=f"There: {', '.join(sorted(kinds))}.")
    ready = {name: _as_kind(name, value, kinds[name]) for name, value in values.items()}
    for name, value in ready.items():
        setattr(settings, name, value)


# -- private ---------------------------------------------------------------------------------------------

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _as_kind(name: str, value: object, kind: type) -> object:
    text = str(value)
    if kind is bool and text.casefold() in _TRUTH:
        return _TRUTH[text.casefold()]
    if kind is str and text in CHOICES.get(name, (text,)):
        return text
    if kind is str:
        raise UsageError(f"simulator setting '{name}' is one of {', '.join(CHOICES[name])}, not '{text}'")
    try:
        if kind is int:
            return int(text)
        if kind is float:
            return float(text)
    except ValueError as error:
        raise UsageError(f"simulator setting '{name}' is a {kind.__name__}, not '{text}'") from error
    raise UsageError(f"simulator setting '{name}' is true or false, not '{text}'")
