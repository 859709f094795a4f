"""The test suite, from nothing: ``python scripts/test.py [--long] [pytest arguments]``; short without --long."""

import sys

from _checkout import run_in_checkout

arguments = sys.argv[1:]
if "--long" in arguments:
    arguments.remove("--long")
else:
    arguments[:0] = ["-m", "not long"]
run_in_checkout("test", ["-m", "pytest", *arguments])
