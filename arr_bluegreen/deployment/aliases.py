"""Addresses for the slots of one machine: a farm takes each address once, whatever its port (arr.md 5.10).

By default the loopback range: 127.0.0.2, 127.0.0.3, ... need no adapter and no hosts file. Where a name is wanted
(a certificate, Windows authentication), lines of our own in the hosts file do the same.
"""

from __future__ import annotations

import hashlib
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

    Where that says less than farm and slot do, a digest of them follows: ``1.0-rc.1`` and ``1.0-rc-1`` are two slots,
    and so two servers. Raises ``DescriptionError`` when it is too long.
    """
    whole = f"{farm}-{slot}".lower()
    name = re.sub(r"[^a-z0-9]+", "-", whole).strip("-")
    if name != whole:
        name = f"{name or 'slot'}-{_digest(whole)}"
    if len(name) > 63:
        raise DescriptionError(
            f"'{farm}' and '{slot}' make no host name of 1 to 63 letters, digits and hyphens",
            where="slots",
            hint="Name the member's address yourself.",
        )
    return name


def owner_mark(farm: str) -> str:
    """What marks a farm's own lines in the hosts file. ASCII, since nobody can tell that file's encoding: any other
    character of the farm's name is written as ``=XX``, and a long name ends in a digest."""
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_. ") else f"={ord(one):02X}" for one in farm)
    if plain != plain.strip(" "):
        plain = plain.replace(" ", "=20")
    return f"arr-bluegreen {plain if len(plain) <= 100 else f'{plain[:90]}~{_digest(farm)}'}"


def refuse_foreign(files: FileControl, farm: str, name: str, address: str = LOOPBACK) -> None:
    """Raises ``RefusedError`` when a line that is not ours sends the name elsewhere: ours would not be asked."""
    mine = our_aliases(files, farm)
    others = [ip for ip, there in (one for one in files.hosts_entries() if one not in mine) if _same(there, name)]
    if others and others[0] != address:
        raise RefusedError(
            f"the hosts file already sends '{name}' to {others[0]}", hint="Take another address for the slot."
        )


def refuse_elsewhere(wanted: str, site_on: str, arr: Sequence[str]) -> None:
    """Raises ``RefusedError`` for ``wanted`` ("auto" or "alias") where the site's machine is not the one ARR machine.

    Both give addresses that mean the machine that asks: ARR would look for the slot on itself.
    """
    others = [one for one in arr if one.casefold() != site_on.casefold()]
    if others:
        raise RefusedError(
            f'address = "{wanted}" leads to the ARR machine itself, and the member\'s site is on {site_on} while '
            f"{', '.join(others)} asks it",
            hint="Name the address by which every ARR machine reaches it.",
        )


def add_alias(files: FileControl, farm: str, name: str, address: str = LOOPBACK) -> bool:
    """``address name`` in the hosts file, among our own lines; True when it was written.

    Raises what ``refuse_foreign`` raises. A line of somebody else's that leads there already is enough.
    """
    refuse_foreign(files, farm, name, address)
    if any(ip == address and _same(there, name) for ip, there in files.hosts_entries()):
        return False
    kept = [pair for pair in our_aliases(files, farm) if not _same(pair[1], name)]
    return files.set_hosts_entries(owner_mark(farm), (*kept, (address, name)))


def remove_alias(files: FileControl, farm: str, name: str) -> bool:
    """Our own line for the name goes, and no other; True when the file was written."""
    mine = our_aliases(files, farm)
    kept = [pair for pair in mine if not _same(pair[1], name)]
    return len(kept) < len(mine) and files.set_hosts_entries(owner_mark(farm), kept)


def our_aliases(files: FileControl, farm: str) -> Sequence[tuple[str, str]]:
    """The hosts-file lines that carry the farm's mark, as (IP address, name)."""
    return files.hosts_entries(owner_mark(farm))


# -- private -------------------------------------------------------------------------------------------


def _same(name: str, other: str) -> bool:
    return name.casefold() == other.casefold()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
