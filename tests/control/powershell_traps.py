"""What Windows PowerShell 5.1 does to values on their way into a reply, found in a script's tree.

Three traps, each met in a script of ours: an ``if`` as a value sends what its branches give through the pipeline, which
turns a collection into Object[]; where nothing is put out, ConvertTo-Json writes ``{}`` and not null (PowerShell issue
9231); an array from New-Object is wrapped and written as ``{"value": [...], "Count": n}`` (issues 5579 and 3163).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import tree_sitter
import tree_sitter_powershell


def parsed(data: bytes) -> tree_sitter.Tree:
    """The tree of a script."""
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language())).parse(data)


def nodes(root: tree_sitter.Node, *kinds: str) -> list[tree_sitter.Node]:
    """Every node at or below, of these kinds if any are named."""
    found, todo = [], [root]
    while todo:
        one = todo.pop()
        if not kinds or one.type in kinds:
            found.append(one)
        todo += one.children
    return found


def traps(text: bytes) -> list[str]:
    """Each trap with its line."""
    root = parsed(text).root_node
    return [*_assigned_ifs(root), *_nothing_at_the_end(root), *_wrapped(text.decode())]


# -- private -----------------------------------------------------------------------------------------------

_WRAPPED = re.compile(r"(?i)New-Object\s+(System\.)?(object|string|int|long|hashtable)\[\]")
_NO_LITERAL = ("member_access", "invokation_expression", "variable")


def _has_else(statement: tree_sitter.Node) -> bool:
    return any(child.type == "else_clause" for child in statement.children)


def _assigned_ifs(root: tree_sitter.Node) -> Iterator[str]:
    for assignment in nodes(root, "assignment_expression"):
        for statement in [child for child in assignment.children if child.type == "if_statement"]:
            blocks = [child for child in statement.children if child.type in ("statement_block", "else_clause")]
            if not _has_else(statement):
                yield f"{statement.start_point[0] + 1}: assigned, and without else there is no value at all"
            elif any(nodes(block, *_NO_LITERAL) for block in blocks):
                yield f"{statement.start_point[0] + 1}: a collection would leave the if as Object[]"


def _nothing_at_the_end(root: tree_sitter.Node) -> Iterator[str]:
    for function in nodes(root, "function_statement"):
        *_, last = nodes(function, "statement_list")[0].children
        if last.type == "if_statement" and not _has_else(last):
            *_, end = nodes(last, "statement_list")[0].children
            if end.type == "pipeline" and nodes(end, "cast_expression", "hash_literal_expression"):
                yield f"{last.start_point[0] + 1}: where the if says no, nothing is put out"


def _wrapped(text: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if _WRAPPED.search(line):
            yield f"{number}: an array of New-Object"
