"""A first deployment.toml from a configuration: the farm's servers as slots, the sites behind them, the front."""

from __future__ import annotations

import json
import re

from arr_bluegreen.control.interface import Configuration
from arr_bluegreen.webfarm import Binding, Server, Site, WebFarm

NAMES = ("blue", "green")


def render(config: Configuration, farm: WebFarm) -> str:
    """The text of a deployment.toml for this farm, with comments. Other than two servers: it needs a hand."""
    hosts = public_hosts(config, farm)
    front = [site.name for site in config.sites if is_front(site, config, farm)]
    lines = [
        "# One blue-green deployment behind ARR. Which slot is live is read off the machine, never from here.",
        '# Times are "90s", "5m"; an unknown key is an error. The manual is fixtures/deployment.toml of arr-bluegreen.',
        "schema = 1",
        "",
        "[app]",
        f"name = {_text(farm.name)}",
        f"farm = {_text(farm.name)}",
        f"hosts = {_list(hosts)}  # the public host names; the first is sent as Host when a slot is asked",
        f"front = {_list(front)}  # the sites by which the public reaches ARR",
        "",
        "# [config]",
        '# writes = "when-safe"  # or "always", "never": may webFarms be written?',
        "",
        "[gate]",
        'version_url = "/"',
        '# version_header = "X-App-Version"  # or version_json = "version", version_text = "Version {version}"',
        "passes = 3",
        "",
        "[switch]",
        'by = "state"  # or "health-file", "enabled", "rule"',
        "",
        "[durable]",
        'by = "auto"  # "enabled" where writes are safe, else "reconcile"',
        "",
        "[drain]",
        'within = "60s"',
        'then = "cut"  # or "wait", "fail"',
    ]
    for name, server in _named(farm):
        lines += _slot(name, server, config)
    return "\n".join(lines) + "\n"


def public_hosts(config: Configuration, farm: WebFarm) -> list[str]:
    """The hosts that rules pointing to the farm ask for, as far as their patterns are plain names."""
    found: list[str] = []
    for rules in config.rule_lists:
        for rule in rules.rules:
            if f"//{farm.name.casefold()}/" not in rule.action.url.casefold() + "/":
                continue
            for one in rule.conditions:
                name = re.sub(r"\\(.)", r"\1", one.pattern.strip("^$"))
                if one.input.upper() == "{HTTP_HOST}" and re.fullmatch(r"[\w.-]+", name):
                    found.append(name)
    return list(dict.fromkeys(found))


def is_front(site: Site, config: Configuration, farm: WebFarm) -> bool:
    """Whether the site has a public web binding and is no farm server's."""
    slots = {found.name for _, server in _named(farm) if (found := site_of(server, config)) is not None}
    return site.name not in slots and any(one.port in (80, 443) for one in site.bindings)


def site_of(server: Server, config: Configuration) -> Site | None:
    """The site that answers the server's address and port; one bound to the address itself before one bound to all."""

    def fits(binding: Binding) -> bool:
        return binding.protocol == "http" and binding.port == server.http_port

    exact = (s for s in config.sites for b in s.bindings if fits(b) and b.address == server.address)
    some = (s for s in config.sites for b in s.bindings if fits(b) and b.address in ("*", "", server.address))
    return next(exact, None) or next(some, None)


# -- private -------------------------------------------------------------------------------------------------


def _named(farm: WebFarm) -> list[tuple[str, Server]]:
    names = [*NAMES, *(f"slot-{number}" for number in range(3, len(farm.servers) + 1))]
    if all(any(name in one.address.casefold() for one in farm.servers) for name in NAMES):
        names = [next((n for n in NAMES if n in one.address.casefold()), one.address) for one in farm.servers]
    return list(zip(names, farm.servers, strict=False))


def _slot(name: str, server: Server, config: Configuration) -> list[str]:
    site = site_of(server, config)
    lines = [
        "",
        "[[slots.slot]]",
        f"name = {_text(name)}",
        "[[slots.slot.member]]",
        f"address = {_text(server.address)}",
        f"http_port = {server.http_port}",
    ]
    if site is None:
        return [*lines, '# site = ""  # no site on this machine answers that port', '# pool = ""', '# path = ""']
    return [*lines, f"site = {_text(site.name)}", f"pool = {_text(site.pool)}", f"path = {_text(site.physical_path)}"]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: list[str]) -> str:
    return json.dumps(values, ensure_ascii=False)
