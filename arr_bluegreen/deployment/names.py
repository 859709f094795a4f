"""Names of sites and pools: made by a pattern, and held to the rules IIS has for them (arr.md 3.1)."""

from __future__ import annotations

import re

from arr_bluegreen.errors import DescriptionError

POOL_RESERVED = '|<>&"/[]+=;:,?*@\\'
"""Characters a pool's name must not hold (arr.md 3.1, the validator of IIS)."""

SITE_RESERVED = "/?\\"
"""Characters a site's name must not hold (arr.md 3.1); the backslash would end a ``<location>`` path."""

LONGEST_POOL = 64
"""Windows makes the account ``IIS AppPool\\NAME`` of a pool's name, and account names end there."""

LONGEST_SITE = 259

_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9]|conin\$|conout\$)(\..*)?")
_FIELD = re.compile(r"\{(\w*)\}")


def instance_name(pattern: str, *, app: str, slot: str, release: str = "") -> str:
    """The name by a pattern such as ``{app}-{slot}`` or ``{app}-{release}``.

    Raises ``DescriptionError`` for an unknown field, or for ``{release}`` where no release is named.
    """
    fields = {"app": app, "slot": slot, "release": release}

    def filled(match: re.Match[str]) -> str:
        if match[1] not in fields:
            hint = "Use {app}, {slot} and {release}."
            raise DescriptionError(
                f"the name pattern '{pattern}' has an unknown field {match[0]}", where="slots", hint=hint
            )
        if not fields[match[1]]:
            raise DescriptionError(f"the name pattern '{pattern}' needs a {match[1]}, and none is given", where="slots")
        return fields[match[1]]

    return _FIELD.sub(filled, pattern)


def check_site_name(name: str, where: str = "site") -> str:
    """The name, when a site can bear it; ``DescriptionError`` with the rule it breaks otherwise."""
    return _check("site", name, SITE_RESERVED, LONGEST_SITE, where)


def check_pool_name(name: str, where: str = "pool") -> str:
    """The name, when a pool can bear it; ``DescriptionError`` with the rule it breaks otherwise."""
    return _check("pool", name, POOL_RESERVED, LONGEST_POOL, where)


def check_folder_name(name: str, where: str = "release") -> str:
    """The name, when a folder of Windows can bear it; ``DescriptionError`` with the rule it breaks otherwise."""
    if _DEVICES.fullmatch(name):
        raise DescriptionError(f"a folder cannot be called '{name}': Windows keeps that name for a device", where=where)
    return _check("folder", name, '<>:"/\\|?*', 200, where)


# -- private -------------------------------------------------------------------------------------------


def _check(kind: str, name: str, reserved: str, longest: int, where: str) -> str:
    rule = _broken_rule(name, reserved, longest)
    if rule:
        raise DescriptionError(
            f"a {kind} cannot be called '{_shown(name)}': {rule}", where=where, hint="Take another name."
        )
    return name


def _broken_rule(name: str, reserved: str, longest: int) -> str:
    if not name.strip():
        return "it is empty"
    bad = [one for one in dict.fromkeys(name) if one in reserved]
    if bad:
        return f"{' '.join(bad)} may not be in it"
    if any(ord(one) < 32 or ord(one) == 127 or 0xD800 <= ord(one) <= 0xDFFF for one in name):
        return "control characters may not be in it"
    if name != name.strip():
        return "it begins or ends with a space"
    if name.endswith("."):
        return "it ends with a dot, which Windows drops"
    if len(name) > longest:
        return f"it has {len(name)} characters, and {longest} are the most"
    return ""


def _shown(name: str) -> str:
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in name)
