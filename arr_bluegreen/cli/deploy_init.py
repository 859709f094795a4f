"""deploy init: a commented deployment.toml from what is on the machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from arr_bluegreen.cli.deploy_first import described_from_site
from arr_bluegreen.cli.output import Output
from arr_bluegreen.cli.target import machines
from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.deployment.description_read import parse_description
from arr_bluegreen.deployment.template import render
from arr_bluegreen.errors import DescriptionError, ExitCode, NoSuchObject, UsageError
from arr_bluegreen.webfarm import WebFarm


def init(arguments: argparse.Namespace, out: Output) -> ExitCode:
    """Write it, never over a file that is there (but with --force). What could not be seen is a comment to fill in."""
    path = Path(arguments.file)
    if path.exists() and not arguments.force:
        raise UsageError(f"{path} is there already", hint="Give another name, or --force.")
    with machines(arguments, out) as found:
        if arguments.from_site:
            text, farm = described_from_site(arguments, found[0])
        else:
            config = found[0].config.read()
            there = _farm(config, arguments.farm)
            text, farm = render(config, there), there.name
    note = ""
    try:
        parse_description(text)
    except DescriptionError as error:
        note = f"It needs your hand: {error}"
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error
    out.result(
        {"file": str(path), "farm": farm, "note": note}, [f"{path} is written, for the farm '{farm}'. {note}"]
    )
    return ExitCode.DONE


# -- private -------------------------------------------------------------------------------------------------


def _farm(config: Configuration, named: str | None) -> WebFarm:
    if named:
        return config.farm(named)
    if len(config.farms) == 1:
        return config.farms[0]
    names = tuple(one.name for one in config.farms)
    if not names:
        raise NoSuchObject("web farm", "(any)", where="the configuration")
    raise UsageError(f"which farm? There are {', '.join(names)}", hint="Say it with --farm.")
