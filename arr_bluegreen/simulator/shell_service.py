"""The shell resource of WS-Management: Create, Command, Receive, Send, Signal, Delete (winrm.md 2)."""

from __future__ import annotations

import base64
import binascii
import codecs
from collections.abc import Callable
from xml.sax.saxutils import escape

from lxml import etree

from arr_bluegreen.simulator.shells import Process, Program, Shell, Shells
from arr_bluegreen.simulator.wsman_messages import (
    BROKEN_PIPE,
    CMD,
    CODE_PAGE_NOT_SUPPORTED,
    COMMAND_NOT_FOUND,
    INVALID_HEADER,
    OPERATION_ABORTED,
    OPERATION_TIMED_OUT,
    RESOURCE_NOT_FOUND,
    RSP,
    Message,
    SoapFault,
    reply,
)

FindProgram = Callable[[str, bool], Program]
"""The program for a command line; the flag says that cmd.exe is skipped (WINRS_SKIP_CMD_SHELL)."""


class ShellService:
    """Answers the messages of the shell resource. ``stream_chunk`` > 0 cuts output into streams of that many bytes."""

    def __init__(self, shells: Shells, find_program: FindProgram, *, stream_chunk: int = 0) -> None:
        self.shells, self._find, self.stream_chunk = shells, find_program, stream_chunk
        self._waiting: dict[Process, object] = {}

    async def answer(self, message: Message, user: str) -> bytes:
        """The reply to one message of ``user``; raises ``SoapFault``."""
        if message.resource_uri.rstrip("/") != CMD:
            raise SoapFault(RESOURCE_NOT_FOUND, "a:DestinationUnreachable", _NO_RESOURCE)
        if message.kind == "Create":
            return self._create(message, user)
        shell = self.shells.find(message.selectors.get("ShellId", ""), user)
        match message.kind:
            case "Command":
                return self._command(message, shell)
            case "Receive":
                return await self._receive(message, shell)
            case "Send":
                return self._send(message, shell)
            case "Signal":
                return self._signal(message, shell)
            case _:
                self.shells.close(shell)
                return reply(message, "")

    # -- private: one per message ----------------------------------------------------------------------

    def _create(self, message: Message, user: str) -> bytes:
        body = _body(message, "Shell")
        idle = (body.findtext(f"{{{RSP}}}IdleTimeOut") or "").strip()
        page = _codec(message.options.get("WINRS_CODEPAGE", "437"))
        shell = self.shells.open(user, idle_timeout=_idle(idle), codepage=page)
        shell.working_directory = (body.findtext(f"{{{RSP}}}WorkingDirectory") or "").strip()
        variables = body.iterfind(f"{{{RSP}}}Environment/{{{RSP}}}Variable")
        shell.environment = {one.get("Name", ""): one.text or "" for one in variables}
        selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet>'
        created = (
            f"<x:ResourceCreated><a:Address>http://127.0.0.1/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CMD}</w:ResourceURI>{selector}</a:ReferenceParameters></x:ResourceCreated>"
        )
        described = (
            f"<rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{CMD}</rsp:ResourceUri>"
            f"<rsp:Owner>{escape(user)}</rsp:Owner><rsp:ClientIP>127.0.0.1</rsp:ClientIP>"
            f"<rsp:IdleTimeOut>PT{shell.idle_timeout:.3f}S</rsp:IdleTimeOut><rsp:InputStreams>stdin</rsp:InputStreams>"
            f"<rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )
        return reply(message, created + described)

    def _command(self, message: Message, shell: Shell) -> bytes:
        body = _body(message, "CommandLine")
        self.shells.may_run(shell)
        words = [body.findtext(f"{{{RSP}}}Command") or ""]
        words += [one.text or "" for one in body.iterfind(f"{{{RSP}}}Arguments")]
        skip = message.options.get("WINRS_SKIP_CMD_SHELL", "FALSE").upper() in ("TRUE", "1")
        command = shell.start(self._find(" ".join(words), skip))
        return reply(
            message, f"<rsp:CommandResponse><rsp:CommandId>{command}</rsp:CommandId></rsp:CommandResponse>"
        )

    async def _receive(self, message: Message, shell: Shell) -> bytes:
        stream = _body(message, "Receive").find(f"{{{RSP}}}DesiredStream")
        command = "" if stream is None else stream.get("CommandId", "")
        process = _process(shell, command)
        mine = self._waiting[process] = object()  # a newer Receive takes the place of one whose client is gone
        try:
            there = await process.changed(message.operation_timeout)
            if self._waiting.get(process) is not mine or shell.commands.get(command) is not process:
                raise SoapFault(OPERATION_ABORTED, "w:InternalError", _ABORTED, "Receiver")
        finally:
            if self._waiting.get(process) is mine:
                del self._waiting[process]
        if not there:
            raise SoapFault(OPERATION_TIMED_OUT, "w:TimedOut", _TIMED_OUT, "Receiver")
        return reply(message, f"<rsp:ReceiveResponse>{self._output(message, command, process)}</rsp:ReceiveResponse>")

    def _send(self, message: Message, shell: Shell) -> bytes:
        stream = _body(message, "Send").find(f"{{{RSP}}}Stream")
        if stream is None:
            raise _bad_body()
        process = _process(shell, stream.get("CommandId", ""))
        if process.exit_code is not None:
            raise SoapFault(BROKEN_PIPE, "w:InternalError", "The pipe has been ended.", "Receiver")
        try:
            data = base64.b64decode(stream.text or "", validate=True)
        except binascii.Error as error:
            raise _bad_body() from error
        process.feed(data, end=stream.get("End", "false").casefold() in ("true", "1"))
        return reply(message, "<rsp:SendResponse/>")

    def _signal(self, message: Message, shell: Shell) -> bytes:
        body = _body(message, "Signal")
        command = body.get("CommandId", "")
        code = (body.findtext(f"{{{RSP}}}Code") or "").rsplit("/", 1)[-1]
        process = _process(shell, command)
        if code not in ("terminate", "ctrl_c", "ctrl_break"):
            raise _bad_body()
        process.kill()
        if code == "terminate":
            del shell.commands[command]
        return reply(message, "<rsp:SignalResponse/>")

    def _output(self, message: Message, command: str, process: Process) -> str:
        """What fits into the envelope, and whether that was all."""
        room = (min(message.max_envelope_size, 153600) - 4096) * 3 // 4
        parts: list[str] = []
        while process.output and room > 0:
            name, data = process.output.popleft()
            take = min(len(data), room, self.stream_chunk or len(data))
            if take < len(data):
                process.output.appendleft((name, data[take:]))
            parts.append(
                f'<rsp:Stream Name="{name}" CommandId="{command}">{base64.b64encode(data[:take]).decode()}</rsp:Stream>'
            )
            room -= take + 150  # the element's own text
        done = process.exit_code is not None and not process.output
        if done:
            parts += [f'<rsp:Stream Name="{one}" CommandId="{command}" End="true"/>' for one in ("stdout", "stderr")]
            code = f"<rsp:ExitCode>{process.exit_code}</rsp:ExitCode>"
            parts.append(f'<rsp:CommandState CommandId="{command}" State="{_STATE}/Done">{code}</rsp:CommandState>')
        else:
            parts.append(f'<rsp:CommandState CommandId="{command}" State="{_STATE}/Running"/>')
        return "".join(parts)


# -- private ------------------------------------------------------------------------------------------

_STATE = f"{RSP}/CommandState"
_NO_RESOURCE = (
    "The WS-Management service cannot process the request. The service cannot find the resource identified by the"
    " resource URI and selectors."
)
_TIMED_OUT = (
    "The WS-Management service cannot complete the operation within the time specified in OperationTimeout."
)
_ABORTED = "The I/O operation has been aborted because of either a thread exit or an application request."


def _body(message: Message, name: str) -> etree._Element:
    if message.body is None or message.body.tag != f"{{{RSP}}}{name}":
        raise _bad_body()
    return message.body


def _bad_body() -> SoapFault:
    return SoapFault(INVALID_HEADER, "w:SchemaValidationError", "The body of the message is not valid.")


def _process(shell: Shell, command: str) -> Process:
    process = shell.commands.get(command)
    if process is None:
        raise SoapFault(COMMAND_NOT_FOUND, "w:InvalidSelectors", "The command id is not valid.")
    return process


def _codec(page: str) -> str:
    """The Python codec of a Windows code page; a fault for one that is not there."""
    name = {"65001": "utf-8", "20127": "ascii"}.get(page.strip(), f"cp{page.strip()}")
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise SoapFault(CODE_PAGE_NOT_SUPPORTED, "w:InvalidOptions", "The code page is not supported.") from error


def _idle(text: str) -> float | None:
    """IdleTimeOut in seconds: xs:duration in seconds (``PT7200.000S``), or the plain number pywinrm users write."""
    number = text.removeprefix("PT").removesuffix("S")
    try:
        return float(number) if number else None
    except ValueError as error:
        raise SoapFault(INVALID_HEADER, "w:SchemaValidationError", "IdleTimeOut is not valid.") from error
