"""Tokens in a slot's settings files: exact texts such as ``__SLOT__`` replaced by the slot's own. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from xml.sax.saxutils import escape

from arr_bluegreen.errors import DescriptionError
from arr_bluegreen.webfarm.setting import FileSettings, XmlSetting

EditXml = Callable[[str, Sequence[XmlSetting]], str]
"""Text and settings to text (``apphost.web_config.edit_xml``); ``UsageError`` for an element that is not there."""


def with_settings(text: str, wanted: FileSettings, edit_xml: EditXml | None = None) -> str:
    """The file's text with the tokens replaced and the XML settings made; the same text when all that holds already.

    Raises ``DescriptionError`` for a token that is not in the file (nor its value: then it was replaced before).
    """
    is_xml = text.lstrip("\ufeff \t\r\n").startswith("<")
    replaced = replace_tokens(text, wanted.tokens, where=wanted.file, quote=_quoted if is_xml else str)
    if not wanted.xml:
        return replaced
    if edit_xml is None:
        raise DescriptionError("XML settings cannot be made here", where=wanted.file)
    return edit_xml(replaced, wanted.xml)


def replace_tokens(
    text: str, tokens: Iterable[tuple[str, str]], *, where: str, quote: Callable[[str], str] = str
) -> str:
    """Every occurrence of each token replaced by its (quoted) value, the longest token first, in one pass of the text.

    What a value brings in is not looked at again, so that no value can become a token.
    """
    wanted = sorted(dict(tokens).items(), key=lambda pair: -len(pair[0]))
    for token, value in wanted:
        if not token:
            raise DescriptionError("an empty token", where=where)
        if token not in text and quote(value) not in text:
            hint = "Look at its spelling, or take it out of the description."
            raise DescriptionError(f"the token '{token}' is not in {where}", where=where, hint=hint)
    return _one_pass(text, [(token, quote(value)) for token, value in wanted])


# -- private -------------------------------------------------------------------------------------------


def _one_pass(text: str, tokens: Sequence[tuple[str, str]]) -> str:
    if not tokens:
        return text
    (token, value), *rest = tokens
    return value.join(_one_pass(piece, rest) for piece in text.split(token))


def _quoted(value: str) -> str:
    return escape(value, {'"': "&quot;", "'": "&apos;"})
