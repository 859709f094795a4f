"""The kept PowerShell against a played pipe: framing cut anywhere, handshake, fall-back, what may be repeated."""

import base64
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arr_bluegreen.control.clixml import error_text
from arr_bluegreen.control.clock import SystemClock
from arr_bluegreen.control.framing import POWERSHELL, Answers, request_line, script_text
from arr_bluegreen.control.local import LocalLauncher, LocalProgram, why_not
from arr_bluegreen.control.powershell import PowerShell, may_repeat
from arr_bluegreen.control.script_errors import error_of
from arr_bluegreen.control.winrm_shell import Received
from arr_bluegreen.errors import (
    ArrBlueGreenError,
    BadZip,
    LockedError,
    NoSuchObject,
    RefusedError,
    RemoteError,
    UnreachableError,
    UsageError,
)


def wire(value: Any) -> bytes:
    return base64.b64encode(json.dumps(value).encode())


READY = b"ARRBG-READY " + wire({"version": "5.1", "is_64_bit": True, "language_mode": "FullLanguage", "computer": "W"})


def answer(number: str, reply: dict[str, Any]) -> bytes:
    body = wire({"ok": True, "reply": reply})
    lines = [body[at : at + 20] for at in range(0, len(body), 20)]
    return b"\n".join([b"ARRBG-BEGIN " + number.encode(), *lines, b"ARRBG-END " + number.encode()]) + b"\n"


class Pipe:
    """Plays powershell.exe: says ``ready`` (or nothing), then answers each request, or ends."""

    def __init__(self, ready: bytes, dies: bool = False) -> None:
        self.out = ready + b"\n"
        self.dies, self.stopped = dies, 0
        self.requests: list[dict[str, Any]] = []

    def send(self, data: bytes, *, end: bool = False, again: bool = False) -> None:
        call = json.loads(base64.b64decode(data))
        self.requests.append(call)
        if not self.dies:
            self.out += answer(call["id"], {"script": call["script"], "n": len(self.requests)})

    def receive(self, within: float) -> Received:
        out, self.out = self.out, b""
        return Received(out, b"", 1 if self.dies and not out else None)

    def stop(self) -> None:
        self.stopped += 1


class Launcher:
    """Hands out pipes in turn."""

    def __init__(self, *pipes: Pipe) -> None:
        self.pipes, self.started, self.forgotten = list(pipes), 0, 0

    def start(self, program: str, arguments: Sequence[str], *, again: bool = False) -> Pipe:
        assert program.endswith(r"\WindowsPowerShell\v1.0\powershell.exe")
        self.started += 1
        return self.pipes[min(self.started, len(self.pipes)) - 1]

    def forget(self) -> None:
        self.forgotten += 1


class Late(SystemClock):
    """Every look at the clock is a second later."""

    def __init__(self) -> None:
        self.at = 0.0

    def monotonic(self) -> float:
        self.at += 1.0
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def shell(launcher: Launcher, said: list[str] | None = None) -> PowerShell:
    heard = said if said is not None else []
    return PowerShell(launcher, "web01", Late(), lambda text, level: heard.append(text))


def test_one_process_answers_many_requests_and_gets_each_text_once() -> None:
    pipe = Pipe(READY)
    launcher = Launcher(pipe)
    kept = shell(launcher)
    assert [kept.call("status", {})["n"] for _ in range(3)] == [1, 2, 3]
    assert launcher.started == 1
    assert [("text" in one) for one in pipe.requests] == [True, False, False]
    assert base64.b64decode(pipe.requests[0]["text"]).decode() == script_text("status")


def test_a_process_that_never_says_ready_means_one_per_call() -> None:
    said: list[str] = []
    launcher = Launcher(Pipe(b"Welcome to this server"), Pipe(READY), Pipe(READY))
    kept = shell(launcher, said)
    assert kept.call("status", {})["n"] == 1
    assert kept.call("status", {})["n"] == 1
    assert not kept.kept
    assert any("a process per call from now on" in one for one in said)


def test_a_process_that_dies_twice_in_a_row_means_one_per_call() -> None:
    launcher = Launcher(Pipe(READY, dies=True), Pipe(READY, dies=True), Pipe(READY))
    kept = shell(launcher)
    assert kept.call("status", {})["n"] == 1
    assert not kept.kept
    assert launcher.started == 3


def test_where_no_process_lives_the_third_says_so() -> None:
    launcher = Launcher(*(Pipe(READY, dies=True) for _ in range(4)))
    with pytest.raises(UnreachableError):
        shell(launcher).call("status", {})
    assert launcher.started == 3


def test_a_commit_whose_process_died_is_unknown_and_not_repeated() -> None:
    launcher = Launcher(Pipe(READY, dies=True), Pipe(READY))
    with pytest.raises(UnreachableError) as caught:
        shell(launcher).call("commit", {"edits": [], "expect": None})
    assert caught.value.maybe_done
    assert launcher.started == 1


def test_constrained_language_is_refused() -> None:
    launcher = Launcher(Pipe(b"ARRBG-REFUSED ConstrainedLanguage"))
    with pytest.raises(RefusedError, match="ConstrainedLanguage"):
        shell(launcher).call("status", {})
    assert launcher.pipes[0].stopped


@pytest.mark.parametrize(
    ("script", "request_", "may"),
    [
        ("status", {}, True),
        ("set_state", {}, True),
        ("read_config", {}, True),
        ("commit", {}, False),
        ("appcmd", {}, False),
        ("probe", {"requests": [{"method": "GET"}]}, True),
        ("probe", {"requests": [{"method": "GET"}, {"method": "POST"}]}, False),
        ("site_action", {"actions": [{"verb": "start"}]}, True),
        ("site_action", {"actions": [{"verb": "recycle"}]}, False),
        ("files", {"ops": [{"op": "read"}]}, True),
        ("files", {"ops": [{"op": "read"}, {"op": "replace"}]}, False),
        ("folder", {"op": "append"}, True),
        ("folder", {"op": "expand"}, False),
        ("something new", {}, False),
    ],
)
def test_what_may_be_repeated_after_an_unknown_outcome(script: str, request_: dict[str, Any], may: bool) -> None:
    assert may_repeat(script, request_) is may


# -- framing ---------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 60), min_size=1), st.booleans(), st.booleans())
def test_an_answer_is_whole_however_it_is_cut(cuts: list[int], crlf: bool, banner: bool) -> None:
    stream = (b"\xef\xbb\xbfBanner ARRBG-END 7\n" if banner else b"") + READY + b"\n" + answer("7", {"text": "é\u2028"})
    stream = stream.replace(b"\n", b"\r\n") if crlf else stream
    answers = Answers()
    answers.expect("7")
    at = 0
    while at < len(stream):
        size = cuts[at % len(cuts)]
        answers.feed(stream[at : at + size])
        at += size
    assert answers.ready is not None
    assert answers.answer == {"ok": True, "reply": {"text": "é\u2028"}}


def test_a_late_answer_to_an_earlier_request_is_not_taken_for_this_one() -> None:
    answers = Answers()
    answers.expect("8")
    answers.feed(answer("7", {"n": 7}) + answer("8", {"n": 8}) + answer("7", {"n": 7}))
    assert answers.answer == {"ok": True, "reply": {"n": 8}}


def test_what_a_broken_receive_lost_does_no_harm_to_the_next_answer() -> None:
    answers = Answers()
    answers.expect("7")
    answers.feed(answer("7", {"n": 1})[:30])
    answers.interrupt()
    answers.feed(answer("7", {"n": 1})[50:] + answer("7", {"n": 2}))
    assert answers.answer == {"ok": True, "reply": {"n": 2}}


def test_garbage_between_the_marks_is_an_error() -> None:
    answers = Answers()
    answers.expect("7")
    with pytest.raises(RemoteError):
        answers.feed(b"ARRBG-BEGIN 7\n!!!\nARRBG-END 7\n")


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_request_is_one_ascii_line(request_: dict[str, Any]) -> None:
    line = request_line("1", "status", request_, with_text=False)
    assert line.count(b"\n") == 1
    assert json.loads(base64.b64decode(line))["request"] == json.loads(json.dumps(request_))


# -- errors, CLIXML ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [
        ({"message": "no farm 'x'; there: shop, b", "type": "NoSuchObject"}, NoSuchObject, None),
        ({"message": "IIS is not installed here", "type": "IisMissing"}, RefusedError, None),
        ({"message": "Access denied", "type": "X", "hresult": "0x80070005"}, RefusedError, None),
        ({"message": "links", "type": "BadZip"}, BadZip, None),
        ({"message": "held", "type": "Busy"}, LockedError, None),
        ({"message": "appcmd did not end", "type": "TimedOut"}, UnreachableError, None),
        ({"message": "no text", "type": "NotUtf8"}, UsageError, None),
        ({"message": "used", "type": "COMException", "hresult": "0x80070020"}, RemoteError, 0x80070020),
        (
            {"message": "changed", "type": "System.IO.FileLoadException", "hresult": "0x80131621"},
            RemoteError,
            0x80070011,
        ),
        ({"message": "odd", "type": "X", "hresult": "nonsense"}, RemoteError, None),
        ({}, RemoteError, None),
    ],
)
def test_what_a_script_tells_is_one_of_our_errors(
    told: dict[str, Any], kind: type[ArrBlueGreenError], code: int | None
) -> None:
    error = error_of(told, "web01", "status")
    assert type(error) is kind
    assert getattr(error, "code", None) == code
    assert error.hint


def test_a_missing_name_tells_what_is_there() -> None:
    error = error_of({"message": "no farm 'x'; there: shop, b", "type": "NoSuchObject"}, "web01", "status")
    assert error.one_line() == "no farm 'x' in web01. There: shop, b."


CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<Obj S="progress" RefId="0"><MS><S N="a">Preparing modules</S></MS></Obj>'
    b'<S S="Error">bad _x0041__x000D__x000A_</S><S S="warning">w</S><S S="Error">_xD83D__xDE00_ &amp; more</S></Objs>'
)


def test_only_errors_are_kept_of_clixml() -> None:
    assert error_text(CLIXML) == "bad A\r\n\U0001f600 & more"
    assert error_text(b"native words\r\n" + CLIXML + b"after" + CLIXML) == (
        "native words\r\nbad A\r\n\U0001f600 & moreafterbad A\r\n\U0001f600 & more"
    )
    assert error_text(b"#< CLIXML\r\n<Objs cut off") == "<Objs cut off"
    assert error_text(b"") == ""


# -- local ---------------------------------------------------------------------------------------------------------


def test_a_local_program_is_written_to_and_read_with_a_deadline() -> None:
    program = LocalProgram(
        [sys.executable, "-c", "import sys; [sys.stdout.write(l[::-1] + '!') or sys.stdout.flush() for l in sys.stdin]"]
    )
    try:
        program.send(b"abc\n")
        out, code = b"", None
        while not out.endswith(b"!"):
            out += program.receive(10).stdout
        assert out.split() == [b"cba!"]
        assert program.receive(0.01) == Received()
        program.send(b"xyz\n", end=True)
        while code is None:
            got = program.receive(10)
            out, code = out + got.stdout, got.code
        assert (out.split(), code) == ([b"cba!", b"zyx!"], 0)
    finally:
        program.stop()


def test_a_local_program_that_is_not_there_is_refused() -> None:
    with pytest.raises(RefusedError):
        LocalLauncher().start("/no/such/powershell.exe", ())


def test_a_program_of_windows_is_taken_from_where_this_windows_lies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WINDIR", str(tmp_path))
    with pytest.raises(RefusedError, match=tmp_path.name):
        LocalLauncher().start(POWERSHELL, ())


@pytest.mark.parametrize(
    ("platform", "elevated", "is_32_bit", "words"),
    [
        ("linux", True, False, "Windows machine"),
        ("win32", True, True, "32-bit"),
        ("win32", False, False, "not elevated"),
    ],
)
def test_local_says_why_it_cannot(platform: str, elevated: bool, is_32_bit: bool, words: str) -> None:
    error = why_not(platform, elevated, is_32_bit)
    assert error is not None
    assert words in str(error)
    assert error.hint
    assert why_not("win32", True, False) is None
