"""``{version}``, ``{slot}`` and their like in a description: what each place fills in, and what it would leave."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches

from arr_bluegreen.deployment.description import Deployment, Member
from arr_bluegreen.errors import DescriptionError

SETTINGS = ("app", "slot", "release", "address", "port")
"""What the values of ``[[content.settings]]`` may hold."""

_NAMES = ("app", "slot", "release")
_FIELD = re.compile(r"\{(\w+)\}")
_MEMBER = ("site", "pool", "path", "health_file")


def check_placeholders(found: Deployment) -> None:
    """Raises ``DescriptionError`` for a placeholder that its place does not fill: it would be taken as it is written.

    A braced word in a pair's names, or in a source, is hardly ever meant so.
    """
    _refuse_unknown(found.content.source, ("version",), "content.source")
    per_release = found.slots.naming == "per-release"
    for slot in found.slots.slots:
        _refuse_unknown(slot.name, ("app", "release") if per_release else (), "slots.slot.name")
        for where, text in _member_texts(slot.members):
            if per_release:
                _refuse_unknown(text, _NAMES, where)
            elif any(one in _NAMES for one in _FIELD.findall(text)):
                hint = 'Write the name itself, or take naming = "per-release".'
                raise DescriptionError(f"'{text}': in a pair every name is meant as written", where=where, hint=hint)


def doubtful_settings(found: Deployment) -> Iterator[str]:
    """Braced words in the values of ``[[content.settings]]`` that are nearly a placeholder, in words. They may be meant
    as they are, so they are told and not refused."""
    for settings in found.content.settings:
        values = [value for _, value in settings.tokens] + [one.value or "" for one in settings.xml]
        for word in (word for value in values for word in _FIELD.findall(value)):
            near = "release" if word == "version" else next(iter(get_close_matches(word, SETTINGS, n=1)), "")
            if word not in SETTINGS and near:
                yield f"{settings.file}: {{{word}}} in a value stays as it is written (did you mean {{{near}}}?)"


# -- private -------------------------------------------------------------------------------------------------


def _member_texts(members: tuple[Member, ...]) -> Iterator[tuple[str, str]]:
    return ((f"slots.slot.member.{name}", getattr(one, name)) for one in members for name in _MEMBER)


def _refuse_unknown(text: str, known: tuple[str, ...], where: str) -> None:
    for word in _FIELD.findall(text):
        if word not in known:
            fields = ", ".join(f"{{{one}}}" for one in known) or "no placeholder"
            raise DescriptionError(f"'{text}' has {{{word}}}, which nothing fills in; there: {fields}", where=where)
