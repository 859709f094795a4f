"""``config`` on a file: shown, checked, brought to a described state, copied, put back; and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SHOP
from tests.cli.ran import Ran

Cli = Callable[..., Ran]

STATE = """
schema = 1
[[farm]]
name = "shop"
health_check = {url = "http://shop/up", interval = "5s", status_code_match = "200"}
[farm.protocol.cache]
enabled = false
[[farm.server]]
address = "10.0.0.2"
enabled = true
weight = 7
[[farm.server]]
address = "10.0.0.3"
absent = true
[[farm]]
name = "api"
server = [{address = "api-blue", http_port = 9001}]
[[rule]]
name = "api"
position = "before To shop"
stop_processing = true
match = {url = ".*"}
conditions = [{input = "{HTTP_HOST}", pattern = "^api$"}]
action = {type = "Rewrite", url = "http://api/{R:0}"}
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    file = tmp_path / "state.toml"
    file.write_text(STATE, encoding="utf-8")
    return file


def test_show_is_the_file_in_short(cli: Cli) -> None:
    shown = cli("config", "show", "--json").json
    assert [one["name"] for one in shown["farms"]] == ["shop"]
    assert "10.0.0.2:80 offline" in cli("config", "show").out


def test_apply_reaches_the_state_and_is_then_nothing_to_do(cli: Cli, path: Path, state: Path) -> None:
    assert cli("config", "apply", str(state)).code == 0
    shown = cli("config", "show", "--json").json
    assert [(one["address"], one["enabled"], one["weight"]) for one in shown["farms"][0]["servers"]] == [
        ("10.0.0.1", True, 100),
        ("10.0.0.2", True, 7),
    ]
    assert [one["name"] for one in shown["rules"]] == ["api", "To shop"]
    assert cli("farm", "show", "shop", "--json").json["health_check"]["interval"] == 5
    before = path.stat()
    assert cli("config", "apply", str(state)).out == "nothing to do\n"
    assert path.stat() == before


def test_a_changed_condition_replaces_the_rule_in_its_place(cli: Cli, state: Path) -> None:
    cli("config", "apply", str(state))
    state.write_text(STATE.replace("^api$", "^api2$"), encoding="utf-8")
    assert cli("config", "apply", str(state)).code == 0
    assert [one["name"] for one in cli("rule", "list", "--json").json] == ["api", "To shop"]
    assert cli("rule", "show", "api", "--json").json["conditions"][0]["pattern"] == "^api2$"


def test_apply_in_a_dry_run_prints_the_diff(cli: Cli, path: Path, state: Path) -> None:
    ran = cli("config", "apply", str(state), "--dry-run")
    assert "+" in ran.out
    assert path.read_bytes() == SHOP


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[farm]]\nname = 'shop'\nenabeld = true", "'enabled'"),
        ("[[farm]]\nname = 'shop'\n[farm.health_check]\nurll = 'x'", "'url'"),
        ("[[farms]]\nname = 'x'", "'farm'"),
        ("[[rule]]\nname = 'x'\n[[rule.conditions]]\ninput = 'x'\npatern = 'y'", "'pattern'"),
        ("[[farm]]\nname = 'shop'\nenabled = 'yes'", "must be true or false"),
        ("[[farm]]\nname = 'shop'\nprotocol = {timeout = 30}", "must be a time"),
        ("[[farm]]\nenabled = true", "needs name"),
        ("[[farm]]\nname = 'a'\n[[farm]]\nname = 'A'", "twice"),
        ("[[rule]]\nname = 'a'\nposition = 'top'", "before NAME"),
        ("schema = 2", "schema must be 1"),
        ("[[farm", "not TOML"),
    ],
)
def test_what_is_wrong_in_a_state_is_one_line_and_changes_nothing(
    cli: Cli, path: Path, state: Path, text: str, words: str
) -> None:
    state.write_text(text, encoding="utf-8")
    ran = cli("config", "apply", str(state))
    assert ran.code == 2
    assert words in ran.err
    assert ran.err.count("\n") == 1
    assert path.read_bytes() == SHOP


def test_apply_keeps_the_floor_and_lets_blue_and_green_change_places(cli: Cli, state: Path) -> None:
    both = "{{address='10.0.0.1', enabled={}}}, {{address='10.0.0.2', enabled={}}}"
    servers = f"[[farm]]\nname='shop'\nexactly = true\nserver=[{both}]"
    state.write_text(servers.format("false", "false"), encoding="utf-8")
    assert cli("config", "apply", str(state)).code == 3
    state.write_text(servers.format("false", "true"), encoding="utf-8")
    assert cli("config", "apply", str(state)).code == 0
    assert len(cli("server", "list", "--json").json) == 2


def test_a_farm_that_rules_point_to_goes_only_with_them(cli: Cli, state: Path) -> None:
    state.write_text("[[farm]]\nname='shop'\nabsent=true", encoding="utf-8")
    assert cli("config", "apply", str(state)).code == 3
    state.write_text("[[farm]]\nname='shop'\nabsent=true\n[[rule]]\nname='To shop'\nabsent=true", encoding="utf-8")
    assert cli("config", "apply", str(state)).code == 0
    assert cli("config", "apply", str(state)).out == "nothing to do\n"


def test_check_prints_place_why_and_fix_and_exits_10_when_asked(cli: Cli, path: Path) -> None:
    ran = cli("config", "check")
    assert ran.code == 0
    assert f"{path}:22:9: warning ARR006" in ran.out
    assert cli("config", "check", "--exit-code").code == 10
    assert cli("config", "check", "--exit-code", "--severity", "error").code == 0
    found = cli("config", "check", "--json", "--severity", "warning").json
    assert {one["severity"] for one in found} == {"warning"}
    assert {"code", "line", "column", "element", "what", "why", "fix", "file", "title"} <= set(found[0])


def test_a_backup_is_restored_whole(cli: Cli, path: Path) -> None:
    cli("server", "offline", "shop", "10.0.0.1")
    assert "-            <server" in cli("config", "diff").out
    assert cli("config", "diff", "--exit-code").code == 10
    assert cli("config", "restore", "--dry-run").code == 0
    assert path.read_bytes() != SHOP
    assert cli("config", "restore").code == 0
    assert path.read_bytes() == SHOP
    assert cli("config", "restore").code == 0, "what was there before the restore is a backup too"


def test_undo_takes_back_our_writes_and_leaves_what_others_wrote(cli: Cli, path: Path) -> None:
    cli("server", "offline", "shop", "10.0.0.1")
    path.write_bytes(path.read_bytes().replace(b"</configuration>", b"<!-- an admin's -->\r\n</configuration>"))
    assert cli("config", "restore", "--undo").code == 0
    assert path.read_bytes() == SHOP.replace(b"</configuration>", b"<!-- an admin's -->\r\n</configuration>")


def test_a_backup_by_hand_is_listed(cli: Cli) -> None:
    name = cli("config", "backup", "--json").json["name"]
    assert [one["name"] for one in cli("config", "backup", "--list", "--json").json] == [name]
    assert cli("config", "diff", name).out == "no differences\n"


def test_shared_configuration_is_said_aloud_and_refused(cli: Cli, path: Path) -> None:
    path.with_name("redirection.config").write_text(
        '<configuration><configurationRedirection enabled="true" path="\\\\share\\iis" /></configuration>'
    )
    ran = cli("server", "offline", "shop", "10.0.0.1")
    assert ran.code == 3
    assert "share" in ran.err
    assert path.read_bytes() == SHOP
    assert "warning: shared configuration is on" in cli("config", "show").err


@pytest.mark.parametrize("command", [["farm", "list"], ["server", "offline", "shop", "10.0.0.1"], ["config", "check"]])
def test_file_targets_do_not_import_what_is_dear(path: Path, command: list[str]) -> None:
    code = (
        "import sys; from arr_bluegreen.cli.main import run; code = run(sys.argv[1:]);"
        "dear = {'requests', 'winrm', 'aiohttp', 'rich', 'spnego', 'jinja2'} & set(sys.modules);"
        "print(dear, file=sys.stderr); sys.exit(code or bool(dear))"
    )
    ran = subprocess.run([sys.executable, "-c", code, *command, "--on", f"file:{path}"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_a_list_imports_nothing_of_writing(path: Path) -> None:
    """Start-up is most of what a list takes: the words of changes alone are a third of it."""
    code = (
        "import sys; from arr_bluegreen.cli.main import run; run(sys.argv[1:]);"
        "room = 'arr_bluegreen.'; names = ('webfarm.change', 'control.interface', 'apphost.lint', 'apphost.editor');"
        "dear = {room + one for one in names} | {'hashlib', 'json', 'shutil', 'textwrap', 'difflib'};"
        "print(dear & set(sys.modules), file=sys.stderr); sys.exit(bool(dear & set(sys.modules)))"
    )
    command = [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {code}", "farm", "list"]
    ran = subprocess.run([*command, "--on", f"file:{path}"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
