"""What people and machines see: results on stdout, talk on stderr, ASCII and no colour where stdout is no terminal.

rich is imported only when there is a table for a terminal to show.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

from arr_bluegreen.errors import ArrBlueGreenError


class Output:
    """One command's voice. With ``json`` the result is one JSON value on stdout and everything else goes to stderr."""

    def __init__(self, *, json: bool = False, verbose: int = 0) -> None:
        self.json = json
        self.verbose = verbose

    def take(self, arguments: argparse.Namespace) -> None:
        """Take --json and -v from the parsed arguments."""
        self.json = bool(getattr(arguments, "json", False))
        self.verbose = int(getattr(arguments, "verbose", 0))

    def result(self, value: Any, lines: Iterable[str] = ()) -> None:
        """The result: ``value`` as JSON with --json, else the lines (made only then)."""
        if self.json:
            from json import dumps

            print(dumps(value, indent=None, ensure_ascii=True, default=str))
        else:
            for line in lines:
                print(_fitted(line, sys.stdout))

    def diff(self, value: Any, text: str) -> None:
        """A unified diff: byte for byte what ``patch`` needs where stdout is no terminal, readable where it is one."""
        if self.json or sys.stdout.isatty():
            self.result(value, (line.rstrip("\r") for line in text.removesuffix("\n").split("\n")))
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()

    def table(self, value: Any, columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
        """Rows under columns for people, ``value`` as JSON with --json. Aligned text where stdout is no terminal."""
        if self.json:
            self.result(value)
            return
        cells = [[_cell(one) for one in row] for row in rows]
        if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
            _rich_table(columns, cells, title)
            return
        if title:
            print(_plain(title))
        widths = [max([len(name), *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
        for row in [list(columns), *cells]:
            print(_plain("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()))

    def width(self, stream: TextIO) -> int:
        """Columns a line on this stream may take: the terminal's, 120 where it is none."""
        import shutil

        return shutil.get_terminal_size().columns if stream.isatty() else 120

    def say(self, text: str, *, level: int = 0) -> None:
        """Talk: to stderr, when -v was given at least ``level`` times."""
        if self.verbose >= level:
            print(_fitted(text, sys.stderr), file=sys.stderr, flush=True)

    def error(self, error: ArrBlueGreenError) -> None:
        """One line on stderr (and with --json one object on stdout): what, where, what to do next."""
        print(_fitted(f"arr-bluegreen: {error.one_line()}", sys.stderr), file=sys.stderr, flush=True)
        if self.json:
            from json import dumps

            print(dumps({"error": str(error), "hint": error.hint, "exit_code": int(error.exit_code)}))


# -- private -----------------------------------------------------------------------------------------------


def _cell(value: object) -> str:
    if value is None:
        return "?"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _fitted(text: str, stream: TextIO) -> str:
    """On a terminal broken between words at its width, under the line's own indent; elsewhere one line is one line."""
    text = _plain(text, stream)
    if not stream.isatty() or "\n" in text:
        return text
    import shutil  # with textwrap 4 ms, and most output goes elsewhere
    import textwrap

    width = shutil.get_terminal_size().columns
    if len(text) <= width:
        return text
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.fill(
        text,
        width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
        replace_whitespace=False,
    )


def _plain(text: str, stream: Any = None) -> str:
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "ascii"
    if not stream.isatty():
        encoding = "ascii"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _rich_table(columns: Sequence[str], cells: list[list[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in cells:
        table.add_row(*row)
    Console().print(table)
