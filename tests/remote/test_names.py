"""Names that people give: they work, the same on a file and over WinRM, or are refused with the rule they break."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from arr_bluegreen.apphost import ApplicationHost
from arr_bluegreen.cli.main import run
from tests.control.simulated import CONFIG, PASSWORD, USER, Machine, simulated

NAMES = {
    "spaces": "The shop of ours",
    "dots": "shop.example.v1.2",
    "a quote": "Anna's shop",
    "double quotes": 'the "best" shop',
    "umlauts": "Gr\u00fc\u00dfe \u00c4\u00d6\u00dc",
    "an ampersand": "shop & sons",
    "a percent sign": "100% %TEMP% shop",
    "brackets": "shop [blue]",
    "64 characters": "s" * 64,
    "65 characters": "s" * 65,
    "260 characters": "s" * 260,
    "a slash": "shop/blue",
    "a backslash": "shop\\blue",
    "a trailing dot": "shop.",
    "a leading space": " shop",
    "empty": "",
    "a line break": "shop\nblue",
    "less than": "<shop>",
    "a comma": "shop, blue",
    "a semicolon and dollar": "shop;$(calc)",
    "another script": "\u5546\u5e97",
    "an emoji": "shop \U0001f600",
}
KINDS = {
    "site": lambda name: ("site", "add", name, "--path", r"C:\x", "--pool", "shop-blue", "--binding", "http/*:8999:"),
    "pool": lambda name: ("pool", "add", name),
    "farm": lambda name: ("farm", "create", name, "--server", "10.0.0.1"),
    "address": lambda name: ("server", "add", "shop", name, "--offline"),
    "rule": lambda name: ("rule", "add", name, "--match", "^never$", "--to", "http://shop/", "--despite", "ARR022"),
}


@dataclass
class Both:
    """One machine over WinRM and a file that read the same."""

    machine: Machine
    file: Path

    def types(self, *argv: str) -> tuple[int, int]:
        """The exit codes, of the file and of the machine."""
        remote = ("--on", f"winrm:127.0.0.1:{self.machine.port}", "--transport", "basic", "--allow-basic-over-http")
        return run([*argv, "--on", f"file:{self.file}"]), run([*argv, *remote, "--yes"])

    @property
    def configs(self) -> tuple[ApplicationHost, ApplicationHost]:
        """What stands in each."""
        data = self.file.read_bytes(), self.machine.host.config.data()
        return ApplicationHost.parse(data[0]), ApplicationHost.parse(data[1])


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with simulated() as one:
        yield one


@pytest.fixture
def both(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    monkeypatch.setenv("ARR_BLUEGREEN_USER", USER)
    monkeypatch.setenv("ARR_BLUEGREEN_PASSWORD", PASSWORD)
    file = tmp_path / "applicationHost.config"
    file.write_bytes(CONFIG.read_bytes())
    machine.host.config.commit(CONFIG.read_bytes())
    return Both(machine, file)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_name(both: Both, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same answer on both, in one line; a name that is taken stands there as it was given, and can be removed."""
    outcomes = {}
    for what, name in NAMES.items():
        codes = both.types(*KINDS[kind](name))  # type: ignore[no-untyped-call]  # KINDS holds lambdas of several arities
        said = capsys.readouterr().err
        assert codes[0] == codes[1], (what, codes, said)
        assert codes[0] in (0, 2, 3), (what, codes, said)
        outcomes[what] = codes[0]
        if codes[0]:
            assert "Traceback" not in said
            lines = [one for one in said.splitlines() if one.startswith("arr-bluegreen:")]
            assert len(lines) == 2, (what, said)
            assert all(len(one) > 40 for one in lines), (what, said)
            continue
        for config in both.configs:
            assert name in _names(config, kind), what
        if kind == "site":
            assert both.types("site", "remove", name, "--force") == (0, 0), what
            assert all(name not in _names(config, kind) for config in both.configs)
    good = {what for what, code in outcomes.items() if code == 0}
    assert good >= {"dots", "64 characters"}, outcomes
    assert not good & {"empty", "a line break"}, outcomes
    print(kind, sorted(good))


def _names(config: ApplicationHost, kind: str) -> list[str]:
    match kind:
        case "site":
            return [one.name for one in config.sites]
        case "pool":
            return [one.name for one in config.pools]
        case "farm":
            return [one.name for one in config.farms]
        case "address":
            return [one.address for one in config.farm("shop").servers]
        case _:
            return [one.name for rules in config.rule_lists for one in rules.rules]
