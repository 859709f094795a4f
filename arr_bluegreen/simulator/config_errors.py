"""What the native configuration system says no to, before anyone (appcmd, a script, a file being loaded) puts it into
words of its own."""

from __future__ import annotations

from arr_bluegreen.errors import NoSuchObject, RemoteError


class NoItem(NoSuchObject):
    """No item of a collection has this key."""


class UnknownName(NoSuchObject):
    """An attribute or element that the schema has not."""


class Refused(RemoteError):
    """A change that the schema does not allow; ``code`` is its HRESULT, ``description`` the sentence of the file's
    error."""

    def __init__(self, description: str, code: int) -> None:
        super().__init__(description, code=code)
        self.description = description


class BadValue(Refused):
    """A value of the wrong type, out of its range, or with a sign in it that its validator refuses."""

    def __init__(self, name: str, complaint: str) -> None:
        super().__init__(f"The '{name}' attribute is invalid.  {complaint}", 0x8007000D)


class Duplicate(Refused):
    """A second item of the same key; the sentence is that of arr.md 4.4."""

    def __init__(self, tag: str, keys: list[tuple[str, str]], *, combined: bool = False) -> None:
        names, values = ", ".join(name for name, _ in keys), ", ".join(value for _, value in keys)
        kind = "combined" if combined else "unique"
        which = f"attribute '{names}' set to" if len(keys) == 1 else f"attributes '{names}' respectively set to"
        super().__init__(
            f"Cannot add duplicate collection entry of type '{tag}' with {kind} key {which} '{values}'", 0x800700B7
        )
        self.tag = tag


class Incomplete(Refused):
    """An item without an attribute that its schema requires."""

    def __init__(self, tag: str, name: str) -> None:
        super().__init__(f"Element '{tag}' is missing required attributes {name}", 0x8007000D)
        self.tag = tag


class NotHere(Refused):
    """A section that may stand at the top of applicationHost.config only (arr.md 1.0)."""

    def __init__(self, section: str, location: str) -> None:
        super().__init__("This configuration section cannot be used at this path.", 0x80070021)
        self.section, self.location = section, location


class NotDeclared(Refused):
    """A section that no ``configSections`` declares (arr.md 1.0)."""

    def __init__(self, section: str) -> None:
        text = f"The configuration section '{section}' cannot be read because it is missing a section declaration"
        super().__init__(text, 0x80070032)
        self.section = section
