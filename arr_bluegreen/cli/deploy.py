"""``arr-bluegreen deploy``: the sequence. This file wires the verbs; what they do is in ``deploy_*``."""

from __future__ import annotations

import argparse
from typing import Any

from arr_bluegreen.cli import deploy_drain, deploy_init, deploy_retire, deploy_run, deploy_show, deploy_status
from arr_bluegreen.cli.options import Parser, Run, verb, verbs_of


def add(parser: Parser) -> None:
    """The verbs of the noun."""
    verbs = verbs_of(parser)
    one = verb(
        verbs, "init", "write a commented deployment.toml from what is on the machine", deploy_init.init, target=True
    )
    one.add_argument("file", metavar="FILE", nargs="?", default="deployment.toml")
    one.add_argument("--farm", help="which farm (needed when there are several)")
    one.add_argument("--from-site", metavar="SITE", help="no farm yet: the first run makes one beside this plain site")
    one.add_argument("--ports", default="8000-8999", metavar="FROM-TO", help="with --from-site: where the slots listen")
    one.add_argument("--force", action="store_true", help="write over a file that is there")
    _planned(verbs, "check", "is everything as a deployment needs it? Nothing is changed", deploy_show.check)
    one = _planned(verbs, "plan", "what a run would do, step by step", deploy_show.plan)
    one.add_argument("--out", metavar="PLAN", help="write the plan to a file, for 'deploy run --plan'")
    one = _planned(verbs, "run", "bring the new version live", deploy_run.run, changes=True)
    one.add_argument("--plan", metavar="PLAN", help="refuse (3) when the machines are not as this plan saw them")
    _watched(one)
    text = "the idle slot live as it is: one quick probe and the switch, no content"
    _watched(_planned(verbs, "switch", text, deploy_run.switch, changes=True))
    for name, text, run in (
        ("resume", "go on with a run that stopped; also the approval of one that waits", deploy_run.resume),
        ("switch-back", "the old slot live again", deploy_run.switch_back),
        ("abort", "end a run before its switch and clear the idle slot", deploy_run.abort),
    ):
        one = _described(verbs, name, text, run, changes=True)
        one.add_argument("--run", metavar="RUN", dest="run_name", help="which run (default: the last)")
        if name == "switch-back":
            _deciding(one)
        if name == "abort":
            _accepting(one)
        _watched(one)
    _draining(verbs)
    _described(verbs, "status", "where things stand, and what makes sense now", deploy_status.status)
    one = verb(verbs, "history", "the runs so far", deploy_show.history)
    _file(one)
    _retiring(verbs)
    _described(verbs, "unlock", "break a dead run's lock", deploy_show.unlock, changes=True)


# -- private -------------------------------------------------------------------------------------------------


def _planned(verbs: Any, name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    one = _described(verbs, name, text, run, changes=changes)
    one.add_argument("--version", metavar="V", default="", help="the version the gate must prove")
    _deciding(one)
    return one


def _deciding(one: Parser) -> None:
    one.add_argument("--live", metavar="SLOT", help="which slot is live, when the machines leave it open")
    _accepting(one)


def _accepting(one: Parser) -> None:
    one.add_argument("--accept-gap", action="store_true", help="allow writes that restart slots, this once")


def _draining(verbs: Any) -> None:
    text = "take a slot out of service and wait until it has finished its requests"
    one = _described(verbs, "drain", text, deploy_drain.drain, changes=True)
    one.add_argument("--slot", metavar="SLOT", required=True, help="which slot")
    one.add_argument("--within", metavar="TIME", help="the deadline, such as 90s (default: [drain] within)")
    one.add_argument("--then", choices=("wait", "cut", "fail"), help="what then (default: [drain] then)")
    one.add_argument("--live", metavar="SLOT", help="which slot is live, when the machines leave it open")


def _described(verbs: Any, name: str, text: str, run: Run, *, changes: bool = False) -> Parser:
    one = verb(verbs, name, text, run, target=True, changes=changes)
    _file(one)
    return one


def _retiring(verbs: Any) -> None:
    text = "stop and remove old instances; what stays is named"
    one = _described(verbs, "retire", text, deploy_retire.retire, changes=True)
    one.add_argument("--instance", metavar="NAME", help="only this one, at once")
    one.add_argument("--keep", type=int, metavar="N", help="how many older ones stay, the previous among them")
    one.add_argument("--live", metavar="SLOT", help="which instance is live, when the machines leave it open")
    _accepting(one)
    one.add_argument("--cut", action="store_true", help="stop also what still has requests when the drain time is over")


def _file(one: argparse.ArgumentParser) -> None:
    one.add_argument("file", metavar="FILE", nargs="?", default="deployment.toml", help="default: deployment.toml")
    one.add_argument(
        "--state-dir", metavar="DIR", help="where journals are kept (default: $ARR_BLUEGREEN_STATE_DIR, user data)"
    )


def _watched(one: argparse.ArgumentParser) -> None:
    one.add_argument(
        "--until",
        metavar="STEP",
        default="",
        help="stop before this phase or after this step (after:gate, where both are called so); resume goes on",
    )
    one.add_argument(
        "--events", metavar="EVENTS", nargs="?", const="-", help="events as JSON lines to a file (- or nothing: stdout)"
    )
