"""Command lines as Windows takes them apart: first cmd.exe, then the program's own CommandLineToArgvW (arr.md 4.5)."""

from __future__ import annotations

import re

from arr_bluegreen.simulator.files import VARIABLES


class CmdRefused(Exception):
    """What the played cmd.exe answers instead of running something; ``text`` goes to stderr, exit code 1."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def split_arguments(line: str) -> list[str]:
    """``line`` as CommandLineToArgvW gives it: backslashes count only before quotes, ``""`` inside quotes is one."""
    at, arguments = _program(line)
    while at < len(line):
        if line[at] in " \t":
            at += 1
            continue
        word, at = _argument(line, at)
        arguments.append(word)
    return arguments


def through_cmd(line: str) -> str:
    """What cmd.exe hands to the program: variables expanded, carets taken away. Refuses operators and long lines."""
    if len(line) > 8191:
        raise CmdRefused("The command line is too long.\r\n")
    expanded = re.sub(r"%([^%]+)%", lambda found: VARIABLES.get(found[1].casefold(), found[0]), line)
    kept: list[str] = []
    quoted = escaped = False
    for sign in expanded:
        if escaped or quoted or sign not in '^&|<>"':
            kept.append(sign)
            quoted, escaped = quoted and not (sign == '"' and not escaped), False
        elif sign == '"':
            kept.append(sign)
            quoted = True
        elif sign == "^":
            escaped = True
        else:
            raise CmdRefused(f"This simulated host runs one program per command line, not '{sign}'.\r\n")
    return "".join(kept).strip()


# -- private ------------------------------------------------------------------------------------------


def _program(line: str) -> tuple[int, list[str]]:
    """The first word has rules of its own: a quoted path ends at the next quote, no backslash escapes."""
    line_start = len(line) - len(line.lstrip(" \t"))
    rest = line[line_start:]
    if rest.startswith('"'):
        end = rest.find('"', 1)
        end = len(rest) if end < 0 else end
        return line_start + end + 1, [rest[1:end]]
    found = re.match(r"[^ \t]*", rest)
    word = found[0] if found else ""
    return line_start + len(word), [word]


def _argument(line: str, at: int) -> tuple[str, int]:
    word: list[str] = []
    quoted = False
    while at < len(line) and (quoted or line[at] not in " \t"):
        if line[at] == "\\":
            slashes = len(line) - at - len(line[at:].lstrip("\\"))
            at += slashes
            if line[at : at + 1] == '"':
                word.append("\\" * (slashes // 2))
                if slashes % 2:
                    word.append('"')
                    at += 1
            else:
                word.append("\\" * slashes)
        elif line[at] == '"':
            if quoted and line[at + 1 : at + 2] == '"':
                word.append('"')
                at += 1
            else:
                quoted = not quoted
            at += 1
        else:
            word.append(line[at])
            at += 1
    return "".join(word), at
