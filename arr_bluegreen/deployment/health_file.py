"""The health file as ARR sees it: fetched by the farm's health URL from the slot itself."""

from __future__ import annotations

from urllib.parse import urlsplit

from arr_bluegreen.deployment.asking import ask_slot
from arr_bluegreen.deployment.description import Deployment, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.errors import RefusedError
from arr_bluegreen.webfarm import FarmStatus


def fetch_health(hands: Hands, slot: Slot) -> tuple[tuple[str, str], ...]:
    """Address and body of the health URL's path, from each member, with the health URL's host (arr.md 5.1)."""
    status = hands.now().of(slot)[0]
    parts = urlsplit(status.farm.health_check.url)
    answers = ask_slot(hands, slot, (parts.path or "/",), status.farm.health_check.timeout, host=parts.hostname or "")
    return tuple((member.address, answer.text if not answer.error else "") for member, _, answer in answers)


def write_health(hands: Hands, slot: Slot, text: str) -> None:
    """The health file of every member says ``text``."""
    hands.forget()
    for member in slot.members:
        hands.controls.machine(member.machine).files.write_text(member.health_file, text + "\n")


def refuse_unfit(deployment: Deployment, status: FarmStatus) -> None:
    """Raises ``RefusedError`` when the farm cannot be switched by health files: ARR must read them and believe them."""
    check, switch = status.farm.health_check, deployment.switch
    if not check.url:
        raise RefusedError(f"the farm '{status.farm.name}' has no health URL", hint="Set health_check.url to the file.")
    if not check.response_match or check.response_match not in switch.up or check.response_match in switch.down:
        raise RefusedError(
            f"the farm's response_match '{check.response_match}' must be in [switch] up = '{switch.up}' "
            f"and not in down = '{switch.down}'",
            hint="Else ARR cannot tell the two texts apart.",
        )
    if check.min_servers > 0:
        raise RefusedError(
            "minServers is above 0: below it ARR stops believing its test and sends to the slot whose file says down",
            hint="Set health_check.min_servers to 0 (arr.md 5.3).",
        )
