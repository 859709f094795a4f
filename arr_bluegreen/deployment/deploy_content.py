"""The step that puts the release's content in the idle slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from arr_bluegreen.control.interface import Machine
from arr_bluegreen.deployment.clone import folders_of
from arr_bluegreen.deployment.commits import Commits
from arr_bluegreen.deployment.content import ContentTools, ContentWish, join, put_content
from arr_bluegreen.deployment.description import Content, Deployment, Member, Slot
from arr_bluegreen.deployment.ensure_member import Making, Place, in_place
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.leases import FOLDER
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.package import source_of
from arr_bluegreen.deployment.ports import PortRange
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.tokens import replace_tokens
from arr_bluegreen.deployment.writes import WriteSafety, refuse_writes
from arr_bluegreen.errors import BadZip, RefusedError
from arr_bluegreen.webfarm.change import AddSite, ConfigChange, SetVirtualDirectory, settings
from arr_bluegreen.webfarm.setting import FileSettings

POINTS = "[content] puts the release in a folder to which the site must be pointed, which is a write"


@dataclass(frozen=True)
class DeployContent:
    """The content is in each member's folder, whole. Each release gets a new folder; the idle site points to it.

    ``release`` names that folder; "" is the run's own name, which a plan does not know.
    """

    slot: Slot
    how: Content
    release: str = ""
    name: str = "content"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Put {self.how.source or 'the settings'} in {self.slot.name}"

    def explain(self) -> Sequence[str]:
        what = self.how.source or "The settings of the slot"
        return (f"{what} in {', '.join(one.path for one in self.slot.members)}.",)

    def commits(self) -> Sequence[ConfigChange]:
        """As far as known before: a folder that is there already gets a number at its name's end."""
        return tuple(_pointing(one, self._folder(one)) for one in self.slot.members if one.site and one.path)

    def writes(self, controls: Controls) -> tuple[Machine, ...]:
        """The machines on which a site will be pointed to another folder than it has: each a commit there."""
        found = [controls.machine(one.machine) for one in self.slot.members
                 if one.site and one.path and _site_folder(controls, one) != self._folder(one).casefold()]  # fmt: skip
        return tuple({one.name: one for one in found}.values())

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("content") or hands.memory.get("switch_begun"))

    def perform(self, hands: Hands) -> None:
        if hands.look().may_receive(self.slot):
            raise RefusedError(
                f"'{self.slot.name}' may be in service on an ARR machine: nothing is put in it",
                hint="Somebody brought it in service meanwhile. See 'deploy status'; 'deploy abort' ends this run.",
            )
        live = {_place(hands, one) for one in hands.roles.old.members if one.path}
        for member in self.slot.members:
            if not member.path or _place(hands, member) in live:
                raise RefusedError(
                    f"the member {member.address} of '{self.slot.name}' has no folder of its own",
                    hint="Give it a 'path' that the live slot does not use.",
                )
        changes: dict[str, list[ConfigChange]] = {}
        for at, member in enumerate(self.slot.members):
            found = self._serving(hands, member, at, self._put(hands, member))
            machine = hands.controls.machine(member.machine).name
            if any(isinstance(one, AddSite) for one in found):
                self._commit(hands, {machine: found})  # a next new site on this machine must see its id and port
            elif found:
                changes.setdefault(machine, []).extend(found)
        self._commit(hands, changes)
        hands.note("content", True)

    def _serving(self, hands: Hands, member: Member, at: int, path: str) -> list[ConfigChange]:
        """What makes the member's site serve from the folder with all its applications; it is made where it is none."""
        if not member.site:
            return []
        deployment, others = hands.deployment, hands.roles.old.members
        making = Making(deployment, hands.controls, hands.roles.version, hands.roles.old.addresses, PortRange())
        like = others[at].site if at < len(others) else ""
        changes = in_place(making, Place(self.slot, member, like), path)
        files = hands.controls.machine(member.machine).files
        for folder in sorted(folders_of(changes)):
            if not files.folder_exists(folder):
                hands.warn(f"an application of site '{member.site}' has no folder in this release: {folder}")
        return list(changes)

    def _commit(self, hands: Hands, changes: dict[str, list[ConfigChange]]) -> None:
        """One commit per machine, judged like every commit, also on machines without ARR."""
        if changes and hands.deployment.writes == "never":
            raise RefusedError(f'{POINTS}, and [config] writes = "never"', hint="Change [config] writes.")
        names = {one.name for one in hands.controls.arr}
        if names & changes.keys():
            hands.commit(lambda machine: changes.get(machine.name, ()))
        app = hands.deployment.app
        elsewhere = Commits(hands.controls, app.farm, app.front, hands.warn)
        for name in sorted(changes.keys() - names):
            hands.note("unproven", True)
            hands.forget()
            elsewhere.apply(hands.controls.machine(name), changes[name])

    def _folder(self, member: Member) -> str:
        return join(member.path, self.release or "<run>") if self.how.source else member.path

    def _put(self, hands: Hands, member: Member) -> str:
        machine = hands.controls.machine(member.machine)
        release = hands.roles.version or hands.identity.run
        source, upload = source_of(hands.deployment, release)
        wish = ContentWish(
            slot=self.slot.name,
            release=release,
            base=member.path,
            source=source,
            upload=upload,
            run=hands.identity.run,
            settings=tuple(self._settings(one, hands, member, release) for one in self.how.settings),
        )
        hands.forget()
        records, now = machine.records(hands.deployment.app.farm), hands.machine_now()
        tools = ContentTools(hands.controls.edit_xml, hands.controls.inspect_zip, lambda: hands.beat(FOLDER))
        try:
            placed = put_content(wish, machine.files, records, now, tools)
        except BadZip as error:  # it will be no better next time: the run ends here, and the old slot serves
            raise GateFailed(str(error)) from error
        return placed.path

    def _settings(self, one: FileSettings, hands: Hands, member: Member, release: str) -> FileSettings:
        values = {
            "{app}": hands.deployment.app.name,
            "{slot}": self.slot.name,
            "{release}": release,
            "{address}": member.address,
            "{port}": str(member.http_port),
        }

        def filled(text: str) -> str:
            return replace_tokens(text, [pair for pair in values.items() if pair[0] in text], where="content.settings")

        tokens = tuple((token, filled(value)) for token, value in one.tokens)
        xml = tuple(replace(x, value=None if x.value is None else filled(x.value)) for x in one.xml)
        return FileSettings(one.file, tokens, xml)


def refuse_pointing(
    deployment: Deployment, controls: Controls, steps: Sequence[object], safety: WriteSafety, accept_gap: bool
) -> tuple[str, ...]:
    """Raises ``RefusedError`` when content needs a write that ``[config] writes`` does not allow; the name of the step
    where it needs none. A commit on a machine without ARR restarts nothing behind it (arr.md 5.8)."""
    held: list[str] = []
    for one in steps:
        if isinstance(one, DeployContent):
            written = one.writes(controls)
            if any(machine in controls.arr for machine in written) or (written and deployment.writes == "never"):
                refuse_writes(deployment, safety, accept_gap, POINTS)
            held += [] if written else [one.name]
    return tuple(held)


# -- private -------------------------------------------------------------------------------------------


def _place(hands: Hands, member: Member) -> tuple[str, str]:
    """A folder is one machine's: the same path on another is another folder."""
    return hands.controls.machine(member.machine).name, member.path.casefold()


def _site_folder(controls: Controls, member: Member) -> str | None:
    """The folder the member's site has now, without case; None where there is no such site."""
    sites = controls.machine(member.machine).config.read().sites
    return next((one.physical_path.casefold() for one in sites if one.name.casefold() == member.site.casefold()), None)


def _pointing(member: Member, path: str) -> ConfigChange:
    return SetVirtualDirectory(member.site, "/", "/", settings({"physical_path": path}))
