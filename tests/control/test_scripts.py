"""The .ps1 files: Windows PowerShell 5.1 by a real parser, and the habits winrm.md 3 and 5 ask for."""

import re
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_powershell

from arr_bluegreen.control import framing

FOLDER = Path(framing.__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.glob("*.ps1"))
CALLED = [one for one in SCRIPTS if one.stem != "bootstrap"]


def nodes(root: tree_sitter.Node) -> list[tree_sitter.Node]:
    found, todo = [], [root]
    while todo:
        one = todo.pop()
        found.append(one)
        todo += one.children
    return found


def parsed(data: bytes) -> tree_sitter.Tree:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language())).parse(data)


def test_all_scripts_of_the_contract_are_there() -> None:
    assert {one.stem for one in CALLED} == {
        "machine", "status", "set_state", "set_healthy", "test_health", "remove_mapping", "read_config", "commit",
        "probe", "sites", "site_action", "files", "folder", "hosts_file", "web_config",
    }  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.stem)
def test_it_parses_as_windows_powershell(script: Path) -> None:
    wrong = [one for one in nodes(parsed(script.read_bytes()).root_node) if one.type == "ERROR" or one.is_missing]
    assert not wrong, f"{script.name}:{wrong[0].start_point[0] + 1}: {wrong[0].text!r}"


@pytest.mark.parametrize("broken", [b"if ($a) {", b"$x = 'a", b"foreach ($a in ) { }", b"$a ? 1 : 2", b"$a ?? 1"])
def test_the_parser_would_notice(broken: bytes) -> None:
    assert parsed(broken).root_node.has_error


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.stem)
def test_what_the_parser_misses(script: Path) -> None:
    """``try`` without ``catch``, and ``&&`` of PowerShell 7: the grammar takes both (winrm.md 3)."""
    for one in nodes(parsed(script.read_bytes()).root_node):
        if one.type == "try_statement":
            assert {"catch_clauses", "finally_clause"} & {child.type for child in one.children}, one.start_point
    text = script.read_text(encoding="utf-8")
    assert not re.search(r"&&|\|\||\?\?|\?\.|-Parallel|ConvertFrom-Json[^\n]*-AsHashtable|\bclass\b", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda one: one.stem)
def test_it_is_ascii_and_short_of_line(script: Path) -> None:
    text = script.read_bytes().decode("ascii")
    assert max(map(len, text.splitlines())) <= 150
    assert text.endswith("\n")
    assert "\t" not in text


@pytest.mark.parametrize("script", CALLED, ids=lambda one: one.stem)
def test_it_takes_a_request_and_says_what_it_is(script: Path) -> None:
    lines = script.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert next(line for line in lines if not line.startswith("#")) == "param($Request)"


def test_no_script_runs_text_from_outside() -> None:
    for script in CALLED:
        text = script.read_text(encoding="utf-8")
        assert not re.search(r"(?i)invoke-expression|\biex\b|scriptblock\]::create|invoke-command|start-process", text)


def test_states_are_set_by_name() -> None:
    text = framing.script_text("set_state")
    assert "SetAttributeValue('newState', [string]$pair[1])" in text
    assert "CommitChanges" not in text


def test_one_commit_and_only_one() -> None:
    assert framing.script_text("commit").count("CommitChanges()") == 1
    assert not any("CommitChanges()" in framing.script_text(one.stem) for one in CALLED if one.stem != "commit")


def test_the_iis_assembly_is_loaded_by_path() -> None:
    """By name the GAC may hand out that of IIS Express, which edits another configuration (winrm.md 5)."""
    for script in CALLED:
        text = script.read_text(encoding="utf-8")
        assert "LoadWithPartialName" not in text
        assert "-AssemblyName Microsoft.Web" not in text
        if "ServerManager" in text:
            assert r"System32\inetsrv\Microsoft.Web.Administration.dll" in text


def test_functions_of_one_name_are_one_text() -> None:
    """Each script stands alone, so some functions are there several times: never two versions of one."""
    seen: dict[str, str] = {}
    for script in CALLED:
        for found in re.finditer(r"(?ms)^function ([\w-]+).*?^}\n", script.read_text(encoding="utf-8")):
            if found[1] in ("Open-Manager", "Get-Farms", "Find-Named", "Read-Value", "Get-ConfigPath", "Get-Digest",
                            "Read-Bytes", "Read-Workers", "Get-ModuleVersion", "Remove-Partials"):  # fmt: skip
                assert seen.setdefault(found[1], found[0]) == found[0], f"{found[1]} in {script.name}"
    assert len(seen) == 10


def test_the_bootstrap_is_small_strict_and_leaves_stdin_alone() -> None:
    text = framing.bootstrap_text()
    assert len(text) < 2500
    assert "$input" not in text.lower()
    for habit in ("Set-StrictMode -Version 2", "$ErrorActionPreference = 'Stop'", "-Depth 20", "FullLanguage"):
        assert habit in text
    assert sum(map(len, framing.bootstrap_arguments())) + len(framing.POWERSHELL) < 8000
