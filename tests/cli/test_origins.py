"""``show --effective``: each setting with its value, and whether element, defaults or schema gave it (arr.md 3.3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.apphost.texts import FIXTURES
from tests.cli.ran import Ran

Cli = Callable[..., Ran]
TEXT = (FIXTURES / "blue-green.config").read_bytes()


def settings(cli: Cli, path: Path, *command: str) -> dict[str, dict[str, Any]]:
    path.write_bytes(TEXT)
    return {one["setting"]: one for one in cli(*command, "--effective", "--json").json["settings"]}


def test_a_server_says_what_is_written_and_where_and_what_the_schema_adds(cli: Cli, path: Path) -> None:
    found = settings(cli, path, "server", "show", "shop", "127.0.0.2")
    port, weight = found["http_port"], found["weight"]
    assert (port["value"], port["from"]) == (8001, "element")
    line = TEXT.decode().splitlines()[port["line"] - 1]
    assert line[port["column"] - 1 :].startswith('httpPort="8001"')
    assert (weight["value"], weight["from"], weight["line"]) == (100, "schema", None)


def test_a_pool_says_what_the_defaults_element_gives_it(cli: Cli, path: Path) -> None:
    found = settings(cli, path, "pool", "show", "DefaultAppPool")
    assert (found["managed_runtime_version"]["value"], found["managed_runtime_version"]["from"]) == ("v4.0", "defaults")
    assert (found["process_model.idle_timeout"]["value"], found["process_model.idle_timeout"]["from"]) == (
        1200,
        "schema",
    )
    told = cli("pool", "show", "defaultapppool", "--effective").out
    assert "process_model.load_user_profile = true" in told
    assert "(the defaults element, " in told


def test_a_site_says_its_own_settings(cli: Cli, path: Path) -> None:
    found = settings(cli, path, "site", "show", "Front")
    assert (found["server_auto_start"]["value"], found["server_auto_start"]["from"]) == (True, "element")
    assert "settings" not in cli("site", "show", "Front", "--json").json
