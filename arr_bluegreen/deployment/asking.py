"""Requests to a slot's members, made on their own machine, with the Host header that ARR will send."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from arr_bluegreen.control.interface import ProbeAnswer, ProbeRequest
from arr_bluegreen.deployment.description import Deployment, Member, Slot
from arr_bluegreen.deployment.hands import Hands
from arr_bluegreen.deployment.now import Now, server_of
from arr_bluegreen.deployment.wanted import QuickProbe
from arr_bluegreen.webfarm import FarmStatus


def host_header(deployment: Deployment, status: FarmStatus, address: str) -> str:
    """The Host header ARR sends to this server: its hostName, the farm's alternateHostName, the public host where the
    farm preserves it, else the address (arr.md 5.9)."""
    server = server_of(status, address)
    if server.host_name:
        return server.host_name
    if status.farm.protocol.alternate_host_name:
        return status.farm.protocol.alternate_host_name
    public = deployment.app.hosts[0] if deployment.app.hosts else ""
    return public if status.farm.protocol.preserve_host_header and public else address


def member_url(status: FarmStatus, address: str, path: str) -> str:
    """Where to connect for a path of this server."""
    port = server_of(status, address).http_port
    return f"http://{address}:{port}/{path.lstrip('/')}"


def ask_slot(
    hands: Hands,
    slot: Slot,
    paths: Sequence[str],
    timeout: timedelta,
    *,
    host: str = "",
    method: str = "GET",
    concurrency: int = 0,
    status: FarmStatus | None = None,
) -> tuple[tuple[Member, str, ProbeAnswer], ...]:
    """Every path of every member asked once, on the members' machines, at most ``concurrency`` at a time (0: all); with
    member and path. A path may name its own method: ``POST /fill``.

    ``status`` spares a look where one was just taken: only ports and host names are read from it.
    """
    status = status or hands.now().of(slot)[0]
    by_machine: dict[str, list[tuple[Member, str]]] = {}
    for member in slot.members:
        by_machine.setdefault(member.machine, []).extend((member, path) for path in paths)
    found: list[tuple[Member, str, ProbeAnswer]] = []
    for machine, pairs in by_machine.items():
        requests = [
            ProbeRequest(
                member_url(status, member.address, target),
                host=host or host_header(hands.deployment, status, member.address),
                method=verb or method,
                timeout=timeout,
            )
            for member, path in pairs
            for verb, target in (_split(path),)
        ]
        hands.beat(timeout * len(requests))
        step = concurrency or len(requests)
        parts = [requests[at : at + step] for at in range(0, len(requests), step)]
        answers = [one for part in parts for one in hands.controls.machine(machine).probe.ask(part)]
        found += [(member, path, answer) for (member, path), answer in zip(pairs, answers, strict=True)]
    return tuple(found)


def quick_probes(now: Now, slot: Slot) -> tuple[QuickProbe, ...]:
    """One request per member by which ``reconcile`` sees that it serves."""
    status, deployment = now.of(slot)[0], now.deployment
    return tuple(
        QuickProbe(
            member_url(status, one.address, deployment.gate.version_url),
            host_header(deployment, status, one.address),
            deployment.gate.status,
            one.machine,
        )
        for one in slot.members
    )


# -- private -------------------------------------------------------------------------------------------------


def _split(path: str) -> tuple[str, str]:
    """Method and path of ``POST /fill``; "" as method where none is named."""
    verb, space, target = path.partition(" ")
    return (verb, target.strip()) if space and verb.isalpha() and verb.isupper() else ("", path)
