"""Reads the source as text and as trees, for ``test_floors``: modules, what they import, how long they are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
PACKAGE = "arr_bluegreen"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One file of source: its dotted name, its place in the checkout (with /), its text."""

    name: str
    place: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def room(self) -> str:
        """``apphost``, ``control``, ...; the file's own stem for files at the top (``errors``, ``__main__``)."""
        return self.name.split(".")[1] if "." in self.name else "__init__"

    def imports(self, *, run_time_only: bool = False) -> Iterator[tuple[str, int]]:
        """Each imported dotted name with its line: ``from a import b`` is both ``a`` and ``a.b``."""
        skipped = set(_inside_type_checking(self.tree)) if run_time_only else set()
        for node in ast.walk(self.tree):
            if node in skipped:
                continue
            if isinstance(node, ast.Import):
                yield from ((alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node)
                yield base, node.lineno
                yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)

    def functions(self) -> Iterator[Function]:
        """Every function, methods and inner ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))

    def _base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name if self.place.endswith("__init__.py") else self.name.rpartition(".")[0]
        parts = package.split(".")
        here = ".".join(parts[: len(parts) - node.level + 1])
        return f"{here}.{node.module}" if node.module else here


def package_modules() -> list[Module]:
    """Every module of the package."""
    return [_module(path) for path in sorted((CHECKOUT / PACKAGE).rglob("*.py"))]


def script_modules() -> list[Module]:
    """Every module below scripts/."""
    return [_module(path) for path in sorted((CHECKOUT / "scripts").rglob("*.py"))]


def edges(modules: list[Module]) -> dict[str, dict[str, int]]:
    """Module -> the modules of ours it imports when it runs, with the line."""
    names = {module.name for module in modules}
    found: dict[str, dict[str, int]] = {}
    for module in modules:
        wanted = [(name, line) for name, line in module.imports(run_time_only=True) if name in names]
        # ``from room import module`` names the room too; what is meant is the module
        real = [(n, at) for n, at in wanted if not any(m != n and m.startswith(n + ".") and at == b for m, b in wanted)]
        found[module.name] = {name: line for name, line in real if name != module.name}
    return found


def cycle(graph: dict[str, dict[str, int]]) -> list[str]:
    """One cycle as a list of names that ends where it begins; empty when there is none."""
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for target in graph.get(name, {}):
            if found := visit(target, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in graph if (found := visit(name, []))), [])


def length_without_docstring(function: Function) -> int:
    """Lines from the ``def`` to the end, the docstring's own lines left out."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def documented_by_protocols(modules: list[Module]) -> set[str]:
    """Names of methods that a Protocol or a base class of ours documents: who fulfils them need not say it again."""
    classes = [node for module in modules for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    bases = {ast.unparse(base).split("[")[0].split(".")[-1] for node in classes for base in node.bases}
    general = [node for node in classes if node.name in bases or "Protocol" in map(ast.unparse, node.bases)]
    methods = [inner for node in general for inner in node.body if isinstance(inner, Function)]
    told = {inner.name for inner in methods if ast.get_docstring(inner) or _is_stub(inner)}
    return told | {"error"}  # argparse's own


def without_docstring(module: Module, told: set[str]) -> Iterator[str]:
    """Public names that have none. A body of ``...`` only (a Protocol's property) may speak for itself.

    ``told`` are method names that a Protocol documents.
    """
    if ast.get_docstring(module.tree) is None and module.text.strip():
        yield f"{module.place}:1"
    yield from _undocumented(module.tree, module.place, told)


def strings(module: Module) -> Iterator[tuple[str, int]]:
    """Every string in the code with its line, docstrings left out."""
    documentation = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value, node.lineno


# -- private ------------------------------------------------------------------------------------------------


def _module(path: Path) -> Module:
    place = path.relative_to(CHECKOUT).as_posix()
    name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return Module(name, place, path.read_text(encoding="utf-8"))


def _inside_type_checking(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for inner in node.body:
                yield from ast.walk(inner)


def _undocumented(node: ast.Module | ast.ClassDef, place: str, told: set[str]) -> Iterator[str]:
    for inner in node.body:
        if not isinstance(inner, Function | ast.ClassDef) or inner.name.startswith("_"):
            continue
        fulfils = isinstance(node, ast.ClassDef) and inner.name in told
        if ast.get_docstring(inner) is None and not fulfils and not _is_stub(inner):
            yield f"{place}:{inner.lineno} {inner.name}"
        if isinstance(inner, ast.ClassDef):
            yield from _undocumented(inner, place, told)


def _is_stub(node: Function | ast.ClassDef) -> bool:
    only = node.body[0]
    return isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant) and only.value.value is ...
