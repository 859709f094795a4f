"""The step that puts the release's content in the idle slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from arr_bluegreen.deployment.content import ContentTools, ContentWish, put_content
from arr_bluegreen.deployment.description import Content, Deployment, Member, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.leases import FOLDER
from arr_bluegreen.deployment.now import Controls
from arr_bluegreen.deployment.proof import GateFailed
from arr_bluegreen.deployment.tokens import replace_tokens
from arr_bluegreen.errors import BadZip, RefusedError
from arr_bluegreen.webfarm.change import ConfigChange, SetVirtualDirectory, settings
from arr_bluegreen.webfarm.setting import FileSettings


@dataclass(frozen=True)
class DeployContent:
    """The content is in each member's folder, whole. Each release gets a new folder; the idle site points to it."""

    slot: Slot
    how: Content
    name: str = "content"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Put {self.how.source or 'the settings'} in {self.slot.name}"

    def explain(self) -> Sequence[str]:
        what = self.how.source or "The settings of the slot"
        return (f"{what} in {', '.join(one.path for one in self.slot.members)}.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("content") or hands.memory.get("switch_begun"))

    def perform(self, hands: Hands) -> None:
        live = {_place(hands, one) for one in hands.roles.old.members if one.path}
        for member in self.slot.members:
            if not member.path or _place(hands, member) in live:
                raise RefusedError(
                    f"the member {member.address} of '{self.slot.name}' has no folder of its own",
                    hint="Give it a 'path' that the live slot does not use.",
                )
        for member in self.slot.members:
            self._put(hands, member)
        hands.note("content", True)

    def _put(self, hands: Hands, member: Member) -> None:
        machine = hands.controls.machine(member.machine)
        release = hands.roles.version or hands.identity.run
        source = self.how.source.replace("{version}", release)
        local = Path(hands.deployment.folder) / source
        upload = bool(source) and local.is_file()
        wish = ContentWish(
            slot=self.slot.name,
            release=release,
            base=member.path,
            source=str(local) if upload else source,
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
        site = next((one for one in machine.config.read().sites if one.name.casefold() == member.site.casefold()), None)
        if site is not None and site.physical_path.casefold() != placed.path.casefold():
            change = SetVirtualDirectory(site.name, "/", "/", settings({"physical_path": placed.path}))
            machine.config.apply((change,))

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


def inspect_content(deployment: Deployment, controls: Controls, version: str) -> None:
    """A package of the controller judged before anything is done; raises ``BadZip`` or ``UsageError``."""
    source = deployment.content.source.replace("{version}", version)
    local = Path(deployment.folder) / source
    if source and local.is_file() and controls.inspect_zip is not None:
        controls.inspect_zip(str(local))


# -- private -------------------------------------------------------------------------------------------


def _place(hands: Hands, member: Member) -> tuple[str, str]:
    """A folder is one machine's: the same path on another is another folder."""
    return hands.controls.machine(member.machine).name, member.path.casefold()
