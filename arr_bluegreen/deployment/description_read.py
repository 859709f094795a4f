"""The text of deployment.toml -> ``Deployment``. Unknown keys, wrong types, contradictions: ``DescriptionError``."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

from arr_bluegreen.deployment.description import (
    App,
    Approval,
    Arr,
    Bake,
    Content,
    Deployment,
    Drain,
    Durable,
    Gate,
    Hook,
    Member,
    Retire,
    Slot,
    Slots,
    Stage,
    Switch,
    WarmUp,
)
from arr_bluegreen.deployment.description_check import check
from arr_bluegreen.deployment.toml_table import Table, nearest, parse_duration
from arr_bluegreen.errors import DescriptionError
from arr_bluegreen.webfarm.setting import FileSettings, XmlSetting

PHASES = ("deploy", "gate", "enable", "switch", "drain", "bake", "durable")
HOOK_MOMENTS = (*(f"{side}_{phase}" for phase in PHASES for side in ("before", "after")), "on_failure", "smoke_test")


def read_description(path: Path) -> Deployment:
    """The description in a file. Raises ``DescriptionError``: one line, with the key."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DescriptionError(
            f"cannot read {path}: {error.strerror or error}", hint="'deploy init' writes one from what is there."
        ) from error
    except UnicodeDecodeError as error:
        raise DescriptionError(f"{path} is not UTF-8 text") from error
    try:
        return parse_description(text, str(path.resolve().parent))
    except DescriptionError as error:
        raise DescriptionError(f"{path}: {error}", where=error.where, hint=error.hint) from error


def parse_description(text: str, folder: str = "") -> Deployment:
    """The description in a text; raises ``DescriptionError``."""
    try:
        top = Table(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise DescriptionError(f"not TOML: {error}") from error
    if top.number("schema", 1) != 1:
        raise DescriptionError("'schema' must be 1; this file is of a newer arr-bluegreen", where="schema")
    found = _deployment(top, text, folder)
    top.finish()
    check(found)
    return found


# -- private -------------------------------------------------------------------------------------------------


def _deployment(top: Table, text: str, folder: str) -> Deployment:
    config, safety = top.table("config"), top.table("safety")
    found = Deployment(
        app=_app(top.table("app")),
        arr=_arr(top.table("arr")),
        writes=config.choice("writes", ("when-safe", "always", "never"), "when-safe"),
        seen_within=config.duration("seen_within", timedelta(seconds=60)),
        floor=safety.number("floor", 1),
        slots=_slots(top.table("slots")),
        content=_content(top.table("content")),
        warm_up=_warm_up(top.table("warm_up")),
        gate=_gate(top.table("gate")),
        switch=_switch(top.table("switch")),
        durable=_durable(top.table("durable")),
        drain=_drain(top.table("drain")),
        bake=_bake(top.table("bake")),
        retire=_retire(top.table("retire"), top.has("retire")),
        hooks=_hooks(top.table("hooks")),
        approvals=tuple(_approval(row) for row in top.tables("approval")),
        text=text,
        folder=folder,
    )
    config.finish()
    safety.finish()
    return found


def _app(table: Table) -> App:
    name = table.text("name")
    found = App(name, table.text("farm", name), table.texts("hosts"), table.texts("front"), table.text("from_site", ""))
    table.finish()
    return found


def _arr(table: Table) -> Arr:
    found = Arr(
        machines=table.texts("machines"),
        transport=table.choice("transport", ("ntlm", "kerberos", "credssp", "certificate", "basic"), "ntlm"),
        tls=table.flag("tls", False),
        ca=table.text("ca", ""),
        certificate=table.text("certificate", ""),
        certificate_key=table.text("certificate_key", ""),
        proxy=table.text("proxy", ""),
        kept_powershell=table.flag("kept_powershell", True),
        missing=table.choice("missing", ("refuse", "exclude"), "refuse"),
    )
    table.finish()
    if "@" in found.proxy:
        raise DescriptionError("no secrets here: a proxy's password goes into $ARR_BLUEGREEN_PROXY", where="arr.proxy")
    return found


def _slots(table: Table) -> Slots:
    naming = table.choice("naming", ("pair", "per-release"), "pair")
    identity = table.choice("identity", ("own", "copy"), "own")
    found = Slots(naming, tuple(_slot(row) for row in table.tables("slot")), identity)
    table.finish()
    return found


def _slot(table: Table) -> Slot:
    found = Slot(table.text("name"), tuple(_member(row) for row in table.tables("member")), table.text("farm", ""))
    table.finish()
    if not found.members:
        raise DescriptionError(f"slot '{found.name}' has no [[slots.slot.member]]", where="slots.slot")
    return found


def _member(table: Table) -> Member:
    found = Member(
        address=table.text("address"),
        http_port=0 if table.raw("http_port") == "auto" else table.number("http_port", 80, 1, 65535),
        machine=table.text("machine", ""),
        site=table.text("site", ""),
        pool=table.text("pool", ""),
        path=table.text("path", ""),
        health_file=table.text("health_file", ""),
    )
    table.finish()
    return found


def _content(table: Table) -> Content:
    files = tuple(_file_settings(row) for row in table.tables("settings"))
    found = Content(table.text("source", ""), table.text("version", ""), files)
    table.finish()
    return found


def _file_settings(table: Table) -> FileSettings:
    tokens = table.table("tokens")
    pairs = tuple((key, tokens.text(key)) for key in tokens.keys)
    found = FileSettings(table.text("file", "web.config"), pairs, tuple(_xml(row) for row in table.tables("xml")))
    table.finish()
    return found


def _xml(table: Table) -> XmlSetting:
    value = None if table.flag("remove", False) else table.text("value")
    found = XmlSetting(table.text("path"), table.text("attribute", "value"), value)
    table.finish()
    return found


def _warm_up(table: Table) -> WarmUp:
    base = WarmUp()
    found = WarmUp(
        paths=table.texts("paths", base.paths),
        method=table.text("method", base.method),
        host=table.text("host", base.host),
        status=table.text("status", base.status),
        text=table.text("text", base.text),
        times=table.number("times", base.times, 1, 1000),
        every=table.duration("every", base.every),
        within=table.duration("within", base.within),
        timeout=table.duration("timeout", base.timeout),
        concurrency=table.number("concurrency", base.concurrency, 0, 256),
        slower_than=table.duration_or_none("slower_than"),
    )
    table.finish()
    return found


def _gate(table: Table) -> Gate:
    base = Gate()
    found = Gate(
        version_url=table.text("version_url", base.version_url),
        version_header=table.text("version_header", ""),
        version_json=table.text("version_json", ""),
        version_text=table.text("version_text", ""),
        status=table.text("status", base.status),
        passes=table.number("passes", base.passes, 1, 1000),
        every=table.duration("every", base.every),
        within=table.duration("within", base.within),
        timeout=table.duration("timeout", base.timeout),
        slower_than=table.duration_or_none("slower_than"),
        health_url=table.text("health_url", ""),
        health_passes=table.number("health_passes", base.health_passes, 1, 1000),
    )
    table.finish()
    return found


def _switch(table: Table) -> Switch:
    base = Switch()
    rows = table.tables("stages")
    found = Switch(
        by=table.choice("by", ("state", "health-file", "enabled", "rule", "weights"), "state"),
        stages=tuple(Stage(row.number("percent", None, 1, 99), row.duration("hold", base.within)) for row in rows),
        up=table.text("up", base.up),
        down=table.text("down", base.down),
        within=table.duration("within", base.within),
        prove=table.flag("prove", True),
        rule=table.text("rule", ""),
        location=table.text("location", ""),
    )
    for row in rows:
        row.finish()
    table.finish()
    return found


def _durable(table: Table) -> Durable:
    found = Durable(table.choice("by", ("auto", "enabled", "health-file", "reconcile"), "auto"))
    table.finish()
    return found


def _drain(table: Table) -> Drain:
    base = Drain()
    found = Drain(
        sessions=table.choice("sessions", ("move", "keep"), base.sessions),
        sessions_within=table.duration("sessions_within", base.sessions_within),
        within=table.duration("within", base.within),
        web_sockets_within=table.duration_or_none("web_sockets_within"),
        quiet=table.duration("quiet", base.quiet),
        every=table.duration("every", base.every),
        then=table.choice("then", ("wait", "cut", "fail"), base.then),
    )
    table.finish()
    return found


def _bake(table: Table) -> Bake:
    base = Bake()
    found = Bake(
        time=table.duration("for", base.time),
        url=table.text("url", ""),
        status=table.text("status", base.status),
        every=table.duration("every", base.every),
        failures=table.number("failures", base.failures, 1, 1000),
        command=table.texts("command"),
        command_timeout=table.duration("command_timeout", base.command_timeout),
        on_fail=table.choice("on_fail", ("return", "hold"), base.on_fail),
    )
    table.finish()
    return found


def _retire(table: Table, in_run: bool) -> Retire:
    keep, after = table.number("keep", 1, 0, 100), table.duration("after", timedelta(0))
    found = Retire(keep, after, table.flag("stop", True), in_run)
    table.finish()
    return found


def _hooks(table: Table) -> tuple[Hook, ...]:
    found: list[Hook] = []
    for key in table.keys:
        if key not in HOOK_MOMENTS:
            raise table.wrong(key, f"is no moment of a run{nearest(key, HOOK_MOMENTS)}")
        found.append(_hook(table, key))
    return tuple(found)


def _hook(table: Table, key: str) -> Hook:
    if isinstance(table.raw(key), list):
        return Hook(key, _command(table, key, table.texts(key)))
    row = table.table(key)
    command = _command(row, "command", row.texts("command"))
    found = Hook(key, command, row.duration("timeout", parse_duration("60s")), row.flag("ignore_failure", False))
    row.finish()
    return found


def _command(table: Table, key: str, words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise table.wrong(key, 'must be a command as a list of words, such as ["python", "check.py"]')
    return words


def _approval(table: Table) -> Approval:
    found = Approval(
        before=table.choice("before", (*PHASES, "retire"), "switch"),
        within=table.duration("within", timedelta(hours=48)),
        otherwise=table.choice("otherwise", ("hold", "return", "go-on"), "hold"),
    )
    table.finish()
    return found
