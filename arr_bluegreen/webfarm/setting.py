"""A setting of an application's own file (web.config, appsettings.json): what a slot has different from another."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class XmlSetting:
    """One attribute of one element of an XML file; ``value`` None takes the attribute away.

    ``path`` names the element: ``configuration/appSettings/add[@key='Slot']``, tags without namespaces.
    """

    path: str
    attribute: str
    value: str | None


@dataclass(frozen=True, slots=True)
class FileSettings:
    """The settings of one file, told by its path inside the release folder: tokens (text to text) first, then XML."""

    file: str = "web.config"
    tokens: tuple[tuple[str, str], ...] = ()
    xml: tuple[XmlSetting, ...] = ()
