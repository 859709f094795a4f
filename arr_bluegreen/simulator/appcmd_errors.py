"""What appcmd prints when it fails: two envelopes on stdout, one exit code rule (arr.md 4.4)."""

from __future__ import annotations

from arr_bluegreen.simulator.config_errors import (
    BadValue,
    Duplicate,
    Incomplete,
    NoItem,
    NotDeclared,
    NotHere,
    Refused,
    UnknownName,
)


class AppcmdError(Exception):
    """One failure. With ``hresult`` the second envelope; ``bare`` text has no envelope at all (syntax errors)."""

    def __init__(self, message: str, exit_code: int, *, hresult: int | None = None, bare: bool = False) -> None:
        super().__init__(message)
        self.message, self.exit_code, self.hresult, self.bare = message, exit_code, hresult, bare

    def text(self) -> str:
        """The printed text, with a line end."""
        if self.bare:
            return f"{self.message}\n"
        if self.hresult is not None:
            return f"ERROR ( hresult:{self.hresult & 0xFFFFFFFF:08x}, message:{self.message} )\n"
        return f"ERROR ( message:{self.message} )\n"


def hresult_error(hresult: int, first: str, then: str) -> AppcmdError:
    """``ERROR ( hresult:..., message:first / then / )``; the exit code is the Win32 code in the low 16 bits."""
    return AppcmdError(f"{first}\n{then}\n", hresult & 0xFFFF, hresult=hresult)


def configuration_error(description: str, exit_code: int, filename: str = "") -> AppcmdError:
    """The envelope of a file that cannot be read or does not take a value."""
    return AppcmdError(
        f"Configuration error\nFilename: {filename}\nLine Number: 0\nDescription: {description}\n. ", exit_code
    )


def malformed_indexer() -> AppcmdError:
    """Quoting lost by the shell, usually; also quotes and brackets inside a name."""
    return AppcmdError(
        "Malformed collection indexer; format is [@position,name='value',name2='value2',...].  The @position"
        " specifier is optional, and be '@start', '@end', or '@N' where N is a numeric index into the collection.",
        87,
    )


def no_object(kind: str, name: str) -> AppcmdError:
    """An identifier that nothing has."""
    return AppcmdError(f'Cannot find {kind} object with identifier "{name}".', 1168)


def unknown_section(name: str) -> AppcmdError:
    """A section that is not declared."""
    return AppcmdError(f'Unknown config section "{name}".  Replace with ? for help.', 1168)


def as_appcmd_error(error: NoItem | UnknownName | Refused) -> AppcmdError:
    """What the configuration system says no to, in appcmd's words (arr.md 4.4)."""
    match error:
        case NoItem():
            return AppcmdError("Cannot find requested collection element.", 1168)
        case UnknownName(kind="section"):
            return syntax(f"This simulated host knows no schema of the section {error.name}.")
        case UnknownName():
            return AppcmdError(f'Unknown attribute "{error.name}".  Replace with -? for help.', 87)
        case BadValue():
            return configuration_error(f"{error.description}\n", 13)
        case Duplicate():
            return AppcmdError(f"New {error.tag} object missing required attributes. {error.description}\n. ", 183)
        case Incomplete():
            return AppcmdError(f"New {error.tag} object missing required attributes. ", 87)
        case NotDeclared():
            return unknown_section(error.section)
        case NotHere():
            return hresult_error(error.code or 0, "Failed to process input.", error.description)
        case _:
            return configuration_error(f"{error.description}\n", 13)


def syntax(message: str) -> AppcmdError:
    """A syntax error: no ERROR prefix."""
    return AppcmdError(message, 87, bare=True)
