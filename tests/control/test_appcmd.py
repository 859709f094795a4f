"""Edits as appcmd command lines, by their exact text; answers as errors by code, never by words (arr.md 4)."""

import pytest

from arr_bluegreen.apphost.edit import Edit
from arr_bluegreen.apphost.lower import lower
from arr_bluegreen.control.appcmd import judge, set_config
from arr_bluegreen.control.hresults import ALREADY_EXISTS, SHARING_VIOLATION
from arr_bluegreen.errors import RefusedError, RemoteError
from arr_bluegreen.webfarm import (
    FIRST,
    Action,
    ApplicationPool,
    Binding,
    Condition,
    Match,
    Position,
    Rule,
    Server,
    WebFarm,
    Where,
)
from arr_bluegreen.webfarm.change import (
    AddBinding,
    AddFarm,
    AddPool,
    AddRule,
    AddServer,
    ConfigChange,
    CopyIdentity,
    CopyLocation,
    MoveRule,
    RemoveFarm,
    RemoveRule,
    RemoveServer,
    SetFarm,
    SetPool,
    SetRule,
    SetServer,
    settings,
)


def line(*changes: ConfigChange) -> str | None:
    edits: list[Edit] = [edit for change in changes for edit in lower(change)]
    found = set_config(edits)
    return None if found is None else " ".join(found)


FARMS = "set config -section:webFarms"
RULES = "set config -section:system.webServer/rewrite/globalRules"
POOLS = "set config -section:system.applicationHost/applicationPools"
SITES = "set config -section:system.applicationHost/sites"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            SetServer("shop", "127.0.0.2", settings(enabled=False)),
            f"{FARMS} /[name='shop'].[address='127.0.0.2'].enabled:false /commit:apphost",
        ),
        (
            SetServer("shop", "127.0.0.2", settings(http_port=8002, weight=50)),
            f"{FARMS} /[name='shop'].[address='127.0.0.2'].applicationRequestRouting.httpPort:8002"
            " /[name='shop'].[address='127.0.0.2'].applicationRequestRouting.weight:50 /commit:apphost",
        ),
        (
            SetFarm(
                "my shop", settings({"health_check.url": "http://shop/up", "health_check.response_match": "all up"})
            ),
            f"{FARMS} \"/[name='my shop'].applicationRequestRouting.healthCheck.url:http://shop/up\""
            " \"/[name='my shop'].applicationRequestRouting.healthCheck.responseMatch:all up\" /commit:apphost",
        ),
        (RemoveServer("shop", "a1"), f"{FARMS} /-[name='shop'].[address='a1'] /commit:apphost"),
        (RemoveFarm("shop"), f"{FARMS} /-[name='shop'] /commit:apphost"),
        (
            AddServer("shop", Server("a1", enabled=False, http_port=8001)),
            f"{FARMS} /+[name='shop'].[address='a1',enabled='false']"
            " /[name='shop'].[address='a1'].applicationRequestRouting.httpPort:8001 /commit:apphost",
        ),
        (
            AddFarm(WebFarm("shop", servers=(Server("a1"),))),
            f"{FARMS} /+[name='shop',enabled='true'] /+[name='shop'].[address='a1',enabled='true'] /commit:apphost",
        ),
        (
            AddRule(
                Rule(
                    "to shop",
                    pattern_syntax="Wildcard",
                    stop_processing=True,
                    match=Match("*"),
                    conditions=(Condition("{HTTP_HOST}", "shop.example"),),
                    action=Action("Rewrite", "http://shop/{R:0}"),
                ),
                FIRST,
            ),
            f"{RULES} \"/+[@start,name='to shop',patternSyntax='Wildcard',stopProcessing='true']\""
            " \"/[name='to shop'].match.url:*\""
            " \"/+[name='to shop'].conditions.[input='{HTTP_HOST}',pattern='shop.example']\""
            " \"/[name='to shop'].action.type:Rewrite\""
            " \"/[name='to shop'].action.url:http://shop/{R:0}\" /commit:apphost",
        ),
        (RemoveRule("r"), f"{RULES} /-[name='r'] /commit:apphost"),
        (
            SetRule("r", settings({"action.url": "http://g/{R:0}"})),
            f"{RULES} /[name='r'].action.url:http://g/{{R:0}} /commit:apphost",
        ),
        (
            SetPool("p", settings({"process_model.max_processes": 2})),
            f"{POOLS} /[name='p'].processModel.maxProcesses:2 /commit:apphost",
        ),
        (
            AddBinding("s", Binding("http", "*:8001:")),
            f"{SITES} /+[name='s'].bindings.[protocol='http',bindingInformation='*:8001:'] /commit:apphost",
        ),
    ],
)  # fmt: skip
def test_a_change_is_this_command(change: ConfigChange, expected: str) -> None:
    assert line(change) == expected


@pytest.mark.parametrize(
    "change",
    [
        MoveRule("r", FIRST),
        AddRule(Rule("r"), Position(Where.BEFORE, "x")),
        CopyIdentity("a", "b"),
        CopyLocation("a", "b"),
        SetFarm("shop", settings({"health_check.url": None})),
        SetServer("it's", "a", settings(enabled=True)),
        SetServer("shop", "::1", settings(enabled=True)),
        SetFarm("shop", settings({"health_check.response_match": 'say "up"'})),
        AddRule(Rule("r", conditions=(Condition("{URL}", "^([0-9]+)$"),))),
    ],
)
def test_what_appcmd_cannot_say_safely_is_left_to_the_script(change: ConfigChange) -> None:
    assert line(change) is None


def test_two_sections_are_one_commit_of_the_script() -> None:
    assert line(AddPool(ApplicationPool("p")), SetServer("shop", "a", settings(enabled=True))) is None


def test_many_settings_of_one_section_are_one_command() -> None:
    many = [SetServer("shop", f"a{number}", settings(enabled=False)) for number in range(20)]
    told = line(*many)
    assert told is not None
    assert told.count(".enabled:false") == 20
    assert told.count("/commit:apphost") == 1


def test_a_line_longer_than_windows_takes_is_left_to_the_script() -> None:
    assert line(*(SetServer("shop", "a" * 100 + str(number), settings(enabled=False)) for number in range(300))) is None


LIE = 'Applied configuration changes to section "webFarms" for "MACHINE/WEBROOT/APPHOST"\r\n'
SHARING = "ERROR ( hresult:80070020, message:Failed to commit configuration changes.\r\nThe process ... )\r\n"


def test_the_word_changed_is_not_believed() -> None:
    with pytest.raises(RemoteError) as caught:
        judge(LIE + SHARING, 32, "web01")
    assert caught.value.code == SHARING_VIOLATION
    assert "held by another program" in str(caught.value)


def test_an_error_on_stdout_counts_even_with_exit_code_0() -> None:
    with pytest.raises(RemoteError):
        judge(LIE + SHARING, 0, "web01")


def test_done_is_done() -> None:
    judge(LIE, 0, "web01")


@pytest.mark.parametrize(
    ("text", "code", "hresult", "hint"),
    [
        ("ERROR ( message:Failed to add duplicate collection element. )", 183, ALREADY_EXISTS, "another name"),
        ("ОШИБКА ( hresult:800710d8, message:... )", 4312, 0x800710D8, "double binding"),
        ('ERROR ( message:Cannot find SITE object with identifier "x". )', 1168, 0x80070490, "exactly"),
        ("ERROR ( hresult:800706be, message:RPC )", 1726, 0x800706BE, "WAS"),
        ("ERROR ( hresult:80004001, message:Not implemented )", 1, 0x80004001, "Request Monitor"),
        ("Object 'X' is not supported.  Run 'appcmd.exe /?'", 87, 87, "Look"),
    ],
)
def test_answers_are_told_by_code_in_any_language(text: str, code: int, hresult: int, hint: str) -> None:
    with pytest.raises(RemoteError) as caught:
        judge(text, code, "web01")
    assert caught.value.code == hresult
    assert hint in caught.value.hint


def test_no_rights_is_a_refusal_that_says_what_to_do() -> None:
    with pytest.raises(RefusedError, match="no access"):
        judge("ERROR ( message:Configuration error ... insufficient permissions )", 5, "web01")
