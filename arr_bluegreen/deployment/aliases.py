"""Addresses for the slots of one machine: a farm takes each address once, whatever its port (arr.md 5.10).

By default the loopback range: 127.0.0.2, 127.0.0.3, ... need no adapter and no hosts file. Where a name is wanted
(a certificate, Windows authentication), lines of our own in the hosts file do the same.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

from arr_bluegreen.control.interface import FileControl
from arr_bluegreen.errors import DescriptionError, RefusedError

LOOPBACK = "127.0.0.1"


def free_loopback(taken: Iterable[str]) -> str:
    """The first of 127.0.0.2 to 127.0.0.254 that is not among ``taken``; ``RefusedError`` when all are.

    127.0.0.1 stays with the machine: a health URL or a farm of the admin's own may use it.
    """
    used = {one.casefold() for one in taken}
    free = (f"127.0.0.{last}" for last in range(2, 255) if f"127.0.0.{last}" not in used)
    found = next(free, None)
    if found is None:
        raise RefusedError("127.0.0.2 to 127.0.0.254 are all servers of the farm", hint="Retire old instances first.")
    return found


def is_loopback(address: str) -> bool:
    """Whether the address is a loopback IP address, written as such."""
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def host_alias(farm: str, slot: str) -> str:
    """The name of a slot in the hosts file: ``shop-blue``. Letters, digits and hyphens only, at most 63 characters.

    Raises ``DescriptionError`` when farm and slot leave nothing of the kind.
    """
    name = re.sub(r"[^a-z0-9]+", "-", f"{farm}-{slot}".casefold()).strip("-")
    if not name or len(name) > 63:
        raise DescriptionError(
            f"'{farm}' and '{slot}' make no host name of 1 to 63 letters, digits and hyphens",
            where="slots",
            hint="Name the member's address yourself.",
        )
    return name


def owner_mark(farm: str) -> str:
    """What marks a farm's own lines in the hosts file."""
    return f"arr-bluegreen {farm}"


def add_alias(files: FileControl, farm: str, name: str, address: str = LOOPBACK) -> bool:
    """``address name`` in the hosts file, among our own lines; True when it was written.

    Raises ``RefusedError`` when a line that is not ours sends the name elsewhere: ours would not be asked.
    """
    mine = our_aliases(files, farm)
    others = [pair for pair in files.hosts_entries() if pair not in mine]
    foreign = next((ip for ip, there in others if there.casefold() == name.casefold()), None)
    if foreign == address:
        return False
    if foreign is not None:
        raise RefusedError(
            f"the hosts file already sends '{name}' to {foreign}", hint="Take another address for the slot."
        )
    if any(ip == address and there.casefold() == name.casefold() for ip, there in mine):
        return False
    kept = [pair for pair in mine if pair[1].casefold() != name.casefold()]
    return files.set_hosts_entries(owner_mark(farm), (*kept, (address, name)))


def remove_alias(files: FileControl, farm: str, name: str) -> bool:
    """Our own line for the name goes, and no other; True when the file was written."""
    mine = our_aliases(files, farm)
    kept = [pair for pair in mine if pair[1].casefold() != name.casefold()]
    return len(kept) < len(mine) and files.set_hosts_entries(owner_mark(farm), kept)


def our_aliases(files: FileControl, farm: str) -> Sequence[tuple[str, str]]:
    """The hosts-file lines that carry the farm's mark, as (IP address, name)."""
    return files.hosts_entries(owner_mark(farm))
