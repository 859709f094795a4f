"""``python -m bench [NAME ...] [--json]``: runs the measurements; a table, or one flat JSON object."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

OWN = {"__init__", "__main__", "measure", "peers", "stage"}


def main(arguments: list[str]) -> int:
    """Exit code 0; 2 for a name that is none."""
    there = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in OWN)
    as_json = "--json" in arguments
    names = [one for one in arguments if one != "--json"] or there
    for name in names:
        if name not in there:
            print(f"bench: no measurement '{name}'. There: {', '.join(there)}.", file=sys.stderr)
            return 2
    found: dict[str, object] = {}
    for name in names:
        numbers = import_module(f"bench.{name}").run()
        found.update(numbers if len(names) == 1 else {f"{name}.{key}": value for key, value in numbers.items()})
    print(json.dumps(found) if as_json else table(found))
    return 0


def table(found: dict[str, object]) -> str:
    """Names and numbers, one a line, aligned."""
    width = max(map(len, found), default=0)
    return "\n".join(f"{name:<{width}}  {_short(value)}" for name, value in found.items())


# -- private ------------------------------------------------------------------------------------------------


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
