"""``interface.Machine`` over WinRM: ``--on winrm:HOST``. Nothing is contacted before the first use."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.endpoint import parse_endpoint
from arr_bluegreen.control.hands import Hands, Lane, WinrmHands, ask
from arr_bluegreen.control.interface import ApplicationFacts, Capability, Clock, FileControl, MachineFacts, RecordStore
from arr_bluegreen.control.local_files import folder_name
from arr_bluegreen.control.remote_config import RemoteConfig
from arr_bluegreen.control.remote_controls import RemoteFarm, RemoteProbe, RemoteSites
from arr_bluegreen.control.remote_files import RemoteFiles, RemoteRecords
from arr_bluegreen.control.replies import application_facts, machine_facts
from arr_bluegreen.control.sign_in import check_sign_in
from arr_bluegreen.control.winrm import Connection

if TYPE_CHECKING:
    from arr_bluegreen.control.connect import ConnectSettings


class ScriptedMachine:
    """A machine whose controls are our scripts, whichever way they are run there."""

    far = False
    """Whether it is over a network, so that asking several at the same time is worth it (``nodes.each``)."""
    sure = frozenset(Capability) - {Capability.REQUEST_MONITOR}
    """The capabilities that it has whatever it answers: who needs one of these need not ask."""

    def __init__(self, hands: Hands) -> None:
        self.hands = hands
        self.config = RemoteConfig(hands)
        self.sites = RemoteSites(hands)
        self.files: FileControl = RemoteFiles(hands)
        self.probe = RemoteProbe(hands)

    @property
    def name(self) -> str:
        """How the user called it."""
        return self.hands.name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """Everything; requests in flight per pool only where Request Monitor is installed (asked once)."""
        return self.sure | ({Capability.REQUEST_MONITOR} if self._told.get("request_monitor") else set())

    def farm(self, name: str, front: Sequence[str] = ()) -> RemoteFarm:
        """The run time of a farm."""
        return RemoteFarm(self.hands, name, front)

    def records(self, farm: str) -> RecordStore:
        """Our records of a farm on this machine."""
        return RemoteRecords(self.hands, folder_name(farm))

    def facts(self) -> MachineFacts:
        """What the machine is, listening and reserved ports included."""
        return ask(self.hands, "machine", {"ports": True}, lambda reply: machine_facts(self.name, reply))

    def applications(self, paths: Sequence[str]) -> tuple[ApplicationFacts, ...]:
        """What the web.config of each folder says of ASP.NET Core."""
        return ask(self.hands, "web_config", {"paths": list(paths)}, application_facts)

    def close(self) -> None:
        """Let go of shells and connections."""
        self.hands.close()

    @property
    def redirected_to(self) -> str:
        """The folder of the shared configuration, "" when it is off (asked once; ``facts`` also lists ports)."""
        return str(self._told.get("redirected_to") or "")

    # -- private -------------------------------------------------------------------------------------------

    @cached_property
    def _told(self) -> dict[str, Any]:
        return self.hands.call("machine", {"ports": False})


class WinrmMachine(ScriptedMachine):
    """``winrm:NAME``; raises ``UsageError`` for a name or a sign-in that can be seen to be wrong."""

    far = True

    def __init__(self, name: str, settings: ConnectSettings, clock: Clock | None = None) -> None:
        to = parse_endpoint(name, tls=settings.tls)
        check_sign_in(to, settings)
        own = clock or SystemClock()
        hands = WinrmHands(name, own, lambda: Lane(Connection(to, settings, own), kept=settings.kept_powershell))
        super().__init__(hands)
        self.hands: WinrmHands = hands
