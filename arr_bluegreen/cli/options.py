"""Parsers and the options every verb shares. argparse's errors become ``UsageError``, so one place prints them."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

from arr_bluegreen.errors import ExitCode, UsageError

Run = Callable[[argparse.Namespace, Any], ExitCode]


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises ``UsageError`` (exit code 2, one line) instead of printing its usage.

    ``asked`` is the verb on the command line when only that one is to be built, "" to build them all.
    """

    asked = ""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog.removeprefix('arr-bluegreen ')}: {message}", hint=f"See {self.prog} --help.")

    def format_help(self) -> str:
        """The help, as wide as the terminal."""
        self.formatter_class = argparse.HelpFormatter
        return super().format_help()


class Unasked(Parser):
    """A verb that is not on the command line: it takes options and forgets them."""

    def __init__(self) -> None:
        """Nothing of a parser is made."""

    def add_argument(self, *_: Any, **__: Any) -> Any:
        """Forgotten."""

    def set_defaults(self, **_: Any) -> None:
        """Forgotten."""

    def add_mutually_exclusive_group(self, **_: Any) -> Any:
        """A group that forgets too."""
        return self

    def add_argument_group(self, *_: Any, **__: Any) -> Any:
        """A group that forgets too."""
        return self


def noun_parser(noun: str, text: str, asked: str = "") -> Parser:
    """The parser of one noun; its file adds the verbs with ``verbs_of`` and ``verb``: all, or the ``asked`` one."""
    parser = Parser(prog=f"arr-bluegreen {noun}", description=text, allow_abbrev=False, formatter_class=_AtOnce)
    parser.asked = asked
    return parser


def verbs_of(parser: Parser) -> Any:
    """The verbs of a noun: hand the result to ``verb``."""
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=Parser, prog=parser.prog)
    verbs.asked = parser.asked  # type: ignore[attr-defined]  # ours: what ``verb`` looks at
    return verbs


def verb(verbs: Any, name: str, text: str, run: Run, *, target: bool = False, changes: bool = False) -> Parser:
    """One verb: ``run(arguments, out)`` answers its exit code.

    ``target`` adds --on and its kin, ``changes`` adds --dry-run and --yes.
    """
    if verbs.asked not in ("", name):
        return Unasked()
    parser: Parser = verbs.add_parser(name, help=text, description=text, allow_abbrev=False, formatter_class=_AtOnce)
    parser.set_defaults(run=run)
    common(parser)
    if target:
        on(parser)
    if changes:
        parser.add_argument("--dry-run", action="store_true", help="all but the act; prints what would change")
        parser.add_argument("--yes", action="store_true", help="do not ask")
    if target and changes:
        parser.add_argument(
            "--seen-within",
            type=float,
            default=60.0,
            metavar="SECONDS",
            help="shared configuration: how long each named machine gets to see the change (60)",
        )
    return parser


def has_verbs(parser: argparse.ArgumentParser) -> bool:
    """Whether a verb was built."""
    return any(action.choices for action in parser._actions if isinstance(action, argparse._SubParsersAction))


class _AtOnce(argparse.HelpFormatter):
    """argparse makes one for every option; to ask the terminal for its width each time takes longer than all else."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=100)


def seconds(text: str) -> timedelta:
    """A number of seconds on the command line, such as 30 or 0.5; at most ten years of them."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 10 * 365 * 86400:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds")
    return timedelta(seconds=number)


def count(text: str) -> int:
    """A whole number on the command line, 0 or more."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number, 0 or more")
    return int(text)


def common(parser: argparse.ArgumentParser) -> None:
    """--json, -v."""
    parser.add_argument("--json", action="store_true", help="the result as JSON on stdout, talk on stderr")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; twice: each message sent")


def on(parser: argparse.ArgumentParser) -> None:
    """--on TARGET and what a winrm target needs; secrets never by flag."""
    parser.epilog = _ENVIRONMENT
    parser.add_argument(
        "--on", metavar="TARGET", default=None, help="file:PATH, local, or winrm:HOST[:PORT][,HOST...] (default: local)"
    )
    parser.add_argument(
        "--despite-redirection", action="store_true", help="write a file that IIS does not read (shared configuration)"
    )
    parser.add_argument("--user", help="who signs in (default: $ARR_BLUEGREEN_USER)")
    parser.add_argument(
        "--password-file",
        metavar="FILE",
        help="its password; readable by you alone (default: $ARR_BLUEGREEN_PASSWORD, else asked on a terminal)",
    )
    transports = ["ntlm", "kerberos", "credssp", "certificate", "basic"]
    parser.add_argument("--transport", choices=transports, help="default: ntlm")
    parser.add_argument("--tls", action="store_true", help="HTTPS (port 5986 unless the target names one)")
    parser.add_argument("--ca", metavar="FILE", help="own CA file to verify the machine's certificate with")
    parser.add_argument(
        "--certificate", metavar="FILE", help="PEM, for --transport certificate (default: $ARR_BLUEGREEN_CERTIFICATE)"
    )
    parser.add_argument("--certificate-key", metavar="FILE", help="its key (default: $ARR_BLUEGREEN_CERTIFICATE_KEY)")
    parser.add_argument(
        "--allow-basic-over-http", action="store_true", help="let Basic go over plain HTTP (a simulator on loopback)"
    )


# -- private -------------------------------------------------------------------------------------------

_ENVIRONMENT = (
    "More by the environment: ARR_BLUEGREEN_ON (the target), ARR_BLUEGREEN_PROXY (an HTTP proxy to it; http_proxy and"
    " its like are never used), ARR_BLUEGREEN_KEPT_POWERSHELL=no (a PowerShell process per call, not one that is kept)."
)
