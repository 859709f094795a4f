"""``python -m arr_bluegreen`` and the console script ``arr-bluegreen``."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line; returns its exit code (README, exit codes)."""
    if sys.argv[1:] in (["--version"], ["-V"]):  # answered here: it costs what Python costs
        from arr_bluegreen import __version__

        print(f"arr-bluegreen {__version__}")
        return 0
    from arr_bluegreen.cli.main import run

    return int(run(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
