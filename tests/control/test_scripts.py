"""The .ps1 files: Windows PowerShell 5.1 by a real parser, and the habits winrm.md 3 and 5 ask for."""

import re
from pathlib import Path

import pytest

from arr_bluegreen.control import framing
from tests.control.powershell_traps import nodes, parsed, traps

FOLDER = Path(framing.__file__).parent / "scripts"
SCRIPTS = sorted(FOLDER.glob("*.ps1"))
CALLED = [one for one in SCRIPTS if one.stem not in ("bootstrap", "common")]


def functions(text: str) -> list[str]:
    return re.findall(r"(?m)^function ([\w-]+)", text)


def test_all_scripts_of_the_contract_are_there() -> None:
    assert {one.stem for one in CALLED} == {
        "machine", "status", "set_state", "set_healthy", "test_health", "remove_mapping", "read_config", "commit",
        "appcmd", "probe", "sites", "site_action", "files", "folder", "hosts_file", "web_config",
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
def test_no_value_is_changed_on_its_way_into_a_reply(script: Path) -> None:
    assert not traps(script.read_bytes())


@pytest.mark.parametrize(
    "trap",
    [
        b"$all = if ($kind -eq 'site') { $manager.Sites } else { $manager.ApplicationPools }",
        b"$all = if ($kind -eq 'site') { 'a' } else { $pools }",
        b"$only = if ($a) { 'x' }",
        b"$answers = New-Object object[] 3",
        b"function Read-It($s) {\n    if ($s.on) { [string]$s.path }\n}",
    ],
)
def test_each_of_these_traps_is_seen(trap: bytes) -> None:
    assert len(traps(trap + b"\n")) == 1


def test_the_bootstrap_writes_every_array_as_an_array() -> None:
    assert "Remove-TypeData System.Array -ErrorAction Ignore" in framing.bootstrap_text()


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


def test_whatever_writes_the_configuration_takes_the_writers_mutex_and_compares_the_file_first() -> None:
    """Octopus's IIS steps and ours take turns (arr.md 5.11); a foreign edit since the reading is never written over."""
    for name in ("commit", "appcmd"):
        body = framing.file_text(name)
        order = [body.index(one) for one in ("$mutex = Enter-Mutex", "Assert-Unchanged $path $Request.expect")]
        assert order == sorted(order)
        assert "$mutex.ReleaseMutex()" in body[body.rindex("finally") :]
    assert "Global\\Octopus-IIS-Metabase-Mutex" in framing.file_text("common")


def body_of(script: str, function: str) -> str:
    text = framing.script_text(script)
    return text[text.index(f"function {function}") :].split("\n}\n")[0]


def test_a_location_is_copied_without_the_sections_of_the_top() -> None:
    """To ask for an AppHostOnly section in a location is an error (arr.md 1.0 names three of ours)."""
    assert "'AppHostOnly', 'MachineOnly', 'MachineToRootWeb'" in body_of("commit", "Get-SectionPaths")
    assert "$section.AllowDefinition" in body_of("commit", "Get-SectionPaths")


def test_a_folder_is_read_while_its_app_writes_logs_and_moved_past_a_virus_scanner() -> None:
    assert "Open-Shared $relative[$name]" in body_of("folder", "Get-FolderDigest")
    assert "[IO.FileShare]::ReadWrite -bor [IO.FileShare]::Delete" in body_of("folder", "Open-Shared")
    move = body_of("folder", "Move-Folder")
    assert "@(5, 32, 33) -notcontains $code" in move
    assert "Start-Sleep" in move
    assert framing.file_text("folder").count("[IO.Directory]::Move(") == 1


def test_text_is_decoded_strictly_and_compared_by_code_units() -> None:
    assert "[Text.UTF8Encoding]::new($false, $true)" in body_of("files", "Read-Text")
    assert "[string]::CompareOrdinal(" in body_of("files", "Test-Expected")
    assert "ReadAllText" not in framing.script_text("files") + framing.script_text("web_config")


def test_appcmd_gets_a_stdin_of_its_own() -> None:
    """Ours carries the next requests."""
    text = framing.file_text("appcmd")
    assert "$start.RedirectStandardInput = $true" in text
    assert "$process.StandardInput.Close()" in text
    assert "Join-Path $env:windir" in text


def test_the_iis_assembly_is_loaded_by_path_and_in_one_place() -> None:
    """By name the GAC may hand out that of IIS Express, which edits another configuration (winrm.md 5)."""
    for script in SCRIPTS:
        text = script.read_text(encoding="utf-8")
        assert "LoadWithPartialName" not in text
        assert "-AssemblyName Microsoft.Web" not in text
        assert ("Microsoft.Web.Administration.ServerManager" in text) is (script.stem == "common")


@pytest.mark.parametrize("script", CALLED, ids=lambda one: one.stem)
def test_as_sent_it_still_parses_and_begins_with_its_param(script: Path) -> None:
    """``param`` must be the first statement of a script block; the common functions come right after it."""
    text = framing.script_text(script.stem)
    root = parsed(text.encode()).root_node
    assert not root.has_error
    assert next(line for line in text.splitlines() if not line.startswith("#")) == "param($Request)"
    assert ("function Open-Manager" in text) is ("# needs: common" in text)


def test_a_function_is_written_once_and_called_where_it_is_sent() -> None:
    """No copy of a common function in a script, and no script that calls one it does not ask for."""
    common = set(functions(framing.file_text("common")))
    assert "Open-Manager" in common
    for script in CALLED:
        own = functions(framing.file_text(script.stem))
        assert not common & set(own), script.name
        called = set(re.findall(r"\b[A-Z]\w+-\w+\b", framing.file_text(script.stem)))
        missing = (called & common) - set(functions(framing.script_text(script.stem)))
        assert not missing, script.name


def test_the_largest_script_is_one_send() -> None:
    for script in CALLED:
        assert len(framing.request_line("1", script.stem, {}, with_text=True)) < 40_000


def test_the_bootstrap_is_small_strict_and_leaves_stdin_alone() -> None:
    text = framing.bootstrap_text()
    assert len(text) < 2500
    assert "$input" not in text.lower()
    for habit in ("Set-StrictMode -Version 2", "$ErrorActionPreference = 'Stop'", "-Depth 20", "FullLanguage"):
        assert habit in text
    assert sum(map(len, framing.bootstrap_arguments())) + len(framing.POWERSHELL) < 8000
