"""The house keeps its rules: who may import whom, how long a file gets, who may sleep. Read from the source itself."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from statistics import median

import pytest

from tests.floors import (
    CHECKOUT,
    PACKAGE,
    Module,
    cycle,
    documented_by_protocols,
    edges,
    length_without_docstring,
    package_modules,
    script_modules,
    strings,
    without_docstring,
)

MODULES = package_modules()
SCRIPTS = script_modules()

GROUND = {"errors", "webfarm"}
OVER_MANY = {"control.nodes", "control.shared_config"}
"""What makes of several machines one: no adapter, it knows the Protocols only, and so the sequence may know it."""
MAY_IMPORT = {
    "errors": set[str](),
    "webfarm": {"errors"},
    "apphost": GROUND,
    "control": GROUND | {"apphost"},
    "deployment": GROUND | {"control.interface", *OVER_MANY},
    "simulator": GROUND | {"control.interface"},
}
"""A room may import itself and these. What is not listed (cli, octopus, report, pytest_plugin, the top) is a roof."""

ONLY_IN = {
    "requests": ("control/", "simulator/load.py"),
    "winrm": ("control/",),
    "subprocess": ("control/", "simulator/load.py", "cli/demo_processes.py"),
    "rich": ("cli/",),
    "argparse": ("cli/", "simulator/load.py"),
    "aiohttp": ("simulator/", "pytest_plugin.py"),
    "spnego": ("simulator/",),
    "lxml": ("apphost/", "simulator/", "control/"),
    "pytest": ("pytest_plugin.py",),
    "tree_sitter": (),
}
"""Third parties (and subprocess) that only some files may import, below the package."""

XML_ONLY_IN = ("apphost/", "simulator/", "control/appcmd.py")
XML_NAMES = {
    "webFarms",
    "webFarm",
    "applicationRequestRouting",
    "applicationPools",
    "system.applicationHost",
    "system.webServer",
    "virtualDirectory",
    "bindingInformation",
    "hostAffinityProviderList",
    "configSections",
}
"""Names of applicationHost.config that are no plain words, so that a string of just this is an XML name."""

XML_PATH = re.compile("|".join(rf"(?:^|[</\[]){re.escape(name)}(?:$|[\s/\[>])" for name in sorted(XML_NAMES)))
"""One of those names alone, as a tag, or as a part of a path; a sentence may say "webFarms"."""

WITHOUT_IO = ("errors", "webfarm", "apphost", "deployment")
IO = ("socket", "ssl", "http", "urllib.request", "subprocess", "asyncio", "multiprocessing", "ctypes")
CALLS = ("os.system", "os.popen", "__import__")
IMPORTS_BY_NAME = ("webfarm/__init__.py", "apphost/schema.py")
"""``importlib`` only where a room puts off reading its own files; elsewhere it would hide a direction."""

LONGEST_FILE, LONGEST_FUNCTION = 350, 60


def below(module: Module, places: tuple[str, ...]) -> bool:
    """Whether a module of the package lies at or below one of the places."""
    return module.place.removeprefix(f"{PACKAGE}/").startswith(places) if places else False


def against_direction(modules: list[Module]) -> Iterator[str]:
    """Imports that point up, or through a wall."""
    for module in modules:
        allowed = MAY_IMPORT.get(module.room)
        narrow = module.name.removeprefix(f"{PACKAGE}.") in {"control.interface", *OVER_MANY}
        if narrow:
            allowed = GROUND | ({"control.interface", *OVER_MANY} if "interface" not in module.name else set())
        if allowed is None:
            continue
        for name, line in module.imports():
            if not name.startswith(f"{PACKAGE}."):
                continue
            target = name.removeprefix(f"{PACKAGE}.")
            own = target.split(".")[0] == module.room and not narrow
            if target == "control" and (narrow or module.room != "control"):
                continue  # the room in ``from arr_bluegreen.control import interface``; that name is judged too
            if not own and not any(target == one or target.startswith(f"{one}.") for one in allowed):
                yield f"{module.place}:{line} imports {target}"


def sleeps(modules: list[Module]) -> Iterator[str]:
    """Sleeping elsewhere than in the one clock (asyncio's own in the simulator)."""
    for module in modules:
        bare = any(name == "time.sleep" for name, _ in module.imports())
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            real = called == "time.sleep" or (bare and called == "sleep")
            if (real and module.place != f"{PACKAGE}/control/clock.py") or (
                called == "asyncio.sleep" and module.room != "simulator"
            ):
                yield f"{module.place}:{node.lineno} {called}"


def test_imports_point_down() -> None:
    """cli -> deployment -> control.interface -> webfarm <- apphost <- control; the simulator stands apart."""
    assert not list(against_direction(MODULES))


def test_the_rule_of_directions_can_fail() -> None:
    """A planted import of an adapter by the sequence is found, in every way of writing it."""
    for text in (
        "from arr_bluegreen.control.winrm import x",
        "from arr_bluegreen.control import winrm",
        "import arr_bluegreen.apphost",
        "def f():\n    from ..control.winrm import x",
    ):
        planted = Module("arr_bluegreen.deployment.x", "arr_bluegreen/deployment/x.py", text)
        assert list(against_direction([planted])), text
    fine = Module("arr_bluegreen.deployment.x", "arr_bluegreen/deployment/x.py", "from ..control.interface import X")
    assert not list(against_direction([fine]))


def test_no_import_cycle() -> None:
    """Imports inside functions count; imports for type checkers only do not."""
    assert not cycle(edges(MODULES))


@pytest.mark.parametrize("name", sorted(ONLY_IN))
def test_dear_libraries_stay_in_their_rooms(name: str) -> None:
    """Only the files named in ``ONLY_IN`` import it."""
    found = [
        f"{module.place}:{line}"
        for module in MODULES
        for imported, line in module.imports()
        if imported == name and not below(module, ONLY_IN[name])
    ]
    assert not found


def reaches_out(modules: list[Module]) -> Iterator[str]:
    """Where the rooms that only think reach for a socket, a process, or a module by its name."""
    for module in modules:
        for name, line in module.imports():
            if module.room in WITHOUT_IO and any(name == one or name.startswith(f"{one}.") for one in IO):
                yield f"{module.place}:{line} imports {name}"
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in CALLS:
                yield f"{module.place}:{node.lineno} {ast.unparse(node.func)}"
            if not isinstance(node, ast.Attribute | ast.Name):
                continue
            held = module.room in MAY_IMPORT and not below(module, IMPORTS_BY_NAME)
            if held and ast.unparse(node).endswith("import_module"):
                yield f"{module.place}:{node.lineno} imports by name"


def test_the_middle_does_no_io() -> None:
    """Words, text and sequence know no socket and no process; files are read and written by the journal alone."""
    assert not list(reaches_out(MODULES))


def test_the_rule_of_io_can_fail() -> None:
    """Each way of reaching out is found."""
    for text in (
        "import socket",
        "from urllib.request import urlopen",
        "import os\nos.system('x')",
        "import importlib\nimportlib.import_module('arr_bluegreen.control.winrm')",
    ):
        assert list(reaches_out([Module("arr_bluegreen.deployment.x", "arr_bluegreen/deployment/x.py", text)])), text


def test_one_place_sleeps() -> None:
    """Everything else waits on a ``Clock`` it was given."""
    assert not list(sleeps(MODULES))


def test_the_rule_of_sleeping_can_fail() -> None:
    """Both ways of writing it are found."""
    for text in ("import time\ntime.sleep(1)", "from time import sleep\nsleep(1)"):
        assert list(sleeps([Module("arr_bluegreen.deployment.x", "arr_bluegreen/deployment/x.py", text)]))


def test_files_are_short() -> None:
    """None above 350 lines."""
    long = {m.place: n for m in [*MODULES, *SCRIPTS] if (n := len(m.text.splitlines())) > LONGEST_FILE}
    assert not long


def test_functions_are_of_one_thought() -> None:
    """None above 60 lines, docstring not counted."""
    found = [
        f"{module.place}:{one.lineno} {one.name}: {length_without_docstring(one)}"
        for module in [*MODULES, *SCRIPTS]
        for one in module.functions()
        if length_without_docstring(one) > LONGEST_FUNCTION
    ]
    assert not found


def test_the_yardstick_is_reported(record_property: Callable[[str, object], None]) -> None:
    """Medians are told (``-rP``), not held: about 120 lines a file, about 9 a function."""
    files = [len(module.text.splitlines()) for module in MODULES]
    functions = [length_without_docstring(one) for module in MODULES for one in module.functions()]
    print(f"{len(files)} files, median {median(files)} lines; {len(functions)} functions, median {median(functions)}")
    record_property("median_file", median(files))
    record_property("median_function", median(functions))


def test_public_names_are_documented() -> None:
    """Every public module, class, function and method says what it is, here or in the Protocol it fulfils."""
    told = documented_by_protocols(MODULES)
    assert not [one for module in MODULES for one in without_docstring(module, told)]


def test_xml_names_stay_at_the_edge() -> None:
    """The names of applicationHost.config's elements occur only where it is read, written or played."""
    found = [
        f"{module.place}:{line} {text!r}"
        for module in MODULES
        if not below(module, XML_ONLY_IN)
        for text, line in strings(module)
        if XML_PATH.search(text)
    ]
    assert not found
    assert XML_PATH.search("webFarms/webFarm")
    assert XML_PATH.search("<webFarm name='x'>")


def test_powershell_scripts_are_packaged() -> None:
    """Each .ps1 below the package matches a pattern of package-data."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"][PACKAGE]
    scripts = [path.relative_to(CHECKOUT / PACKAGE).as_posix() for path in (CHECKOUT / PACKAGE).rglob("*.ps1")]
    assert not [one for one in scripts if not any(fnmatch(one, pattern) for pattern in patterns)]


def test_no_path_of_a_developers_machine() -> None:
    """Nothing in the checkout names a folder that only one machine has."""
    foreign = re.compile("/" + "work/(?:main|shared)|/tmp" + "/brief|/" + "root/")
    folders = [CHECKOUT / one for one in (PACKAGE, "scripts", "tests", "fixtures", ".ci")]
    below = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    files = [path for path in below if "__pycache__" not in path.parts]
    files += [path for path in CHECKOUT.iterdir() if path.suffix in (".md", ".toml")]
    found = [path.name for path in files if foreign.search(path.read_text(encoding="utf-8", errors="replace"))]
    assert not found


def test_nothing_is_silenced_without_a_reason() -> None:
    """Every ignore names its rule and says why; nothing is left for later."""
    bare = re.compile(r"#\s*type:\s*ignore(?!\[)|#\s*noqa(?!:)")
    unexplained = re.compile(r"#\s*(?:type:\s*ignore\[[\w, -]+\]|noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*)\s*$")
    later = re.compile(r"#.*\b(?:TODO|FIXME|XXX)\b")
    found = [
        f"{module.place}:{number} {line.strip()[-60:]}"
        for module in [*MODULES, *SCRIPTS]
        for number, line in enumerate(module.text.splitlines(), 1)
        if any(rule.search(line) for rule in (bare, unexplained, later))
    ]
    assert not found


def test_no_error_is_swallowed_whole() -> None:
    """No ``except Exception: pass``, and no bare ``except``."""
    found = [
        f"{module.place}:{node.lineno}"
        for module in [*MODULES, *SCRIPTS]
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (ast.unparse(node.type) in ("Exception", "BaseException") and isinstance(node.body[0], ast.Pass))
        )
    ]
    assert not found
