"""A blue-green deployment under live traffic, from nothing: ``python scripts/demo.py [--json] [--broken]``."""

import sys

from _checkout import run_in_checkout

run_in_checkout("demo", ["-m", "arr_bluegreen", "demo", *sys.argv[1:]])
