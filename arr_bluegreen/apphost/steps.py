"""Where an element is: its section, its location, and the steps below."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: a child element (no key), or an item of a collection told by its key attributes.

    Keys are compared without case unless the schema says ``caseSensitive`` (arr.md 1.0).
    """

    tag: str
    key: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """An element: its section (``"webFarms"``, ``"system.webServer/rewrite/globalRules"``), the steps below it,
    and the ``<location>`` it lies in ("" for none)."""

    section: str
    steps: tuple[Step, ...] = ()
    location: str = ""

    @property
    def path(self) -> str:
        """As errors name it: ``configuration/webFarms/webFarm[@name='shop']``."""
        below = [one.tag + "".join(f"[@{name}='{value}']" for name, value in one.key) for one in self.steps]
        location = [f"location[@path='{self.location}']"] if self.location else []
        return "/".join(["configuration", *location, self.section, *below])
