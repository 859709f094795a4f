"""The step that puts the release's content in the idle slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from arr_bluegreen.deployment.content import ContentWish, put_content
from arr_bluegreen.deployment.description import Content, Member, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm.change import ConfigChange, SetVirtualDirectory, settings


@dataclass(frozen=True)
class DeployContent:
    """The content is in each member's folder, whole. A new folder is made for each release and the idle site pointed to it."""

    slot: Slot
    how: Content
    name: str = "content"
    phase: str = "deploy"

    def title(self) -> str:
        return f"Put {self.how.source} in {self.slot.name}"

    def explain(self) -> Sequence[str]:
        return (f"{self.how.source} in {', '.join(one.path for one in self.slot.members)}.",)

    def commits(self) -> Sequence[ConfigChange]:
        return ()

    def holds(self, hands: Hands) -> bool:
        return bool(hands.memory.get("content") or hands.memory.get("switch_begun"))

    def perform(self, hands: Hands) -> None:
        live = {one.path.casefold() for one in hands.roles.old.members if one.path}
        for member in self.slot.members:
            if not member.path or member.path.casefold() in live:
                raise RefusedError(
                    f"the member {member.address} of '{self.slot.name}' has no folder of its own",
                    hint="Give it a 'path' that the live slot does not use.",
                )
        for member in self.slot.members:
            self._put(hands, member)
        hands.note("content", True)

    def _put(self, hands: Hands, member: Member) -> None:
        machine = hands.controls.machine(member.machine)
        local = Path(hands.deployment.folder) / self.how.source
        upload = local.is_file()
        wish = ContentWish(
            slot=self.slot.name,
            release=hands.roles.version or hands.identity.run,
            base=member.path,
            source=str(local) if upload else self.how.source,
            upload=upload,
            run=hands.identity.run,
        )
        hands.forget()
        placed = put_content(wish, machine.files, machine.records(hands.deployment.app.farm), hands.machine_now())
        site = next((one for one in machine.config.read().sites if one.name.casefold() == member.site.casefold()), None)
        if site is not None and site.physical_path.casefold() != placed.path.casefold():
            change = SetVirtualDirectory(site.name, "/", "/", settings({"physical_path": placed.path}))
            machine.config.apply((change,))
