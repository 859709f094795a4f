"""The test suite, from nothing: ``python scripts/test.py [--long] [pytest arguments]``; short without --long.

In as many processes as there are cores (at most four); ``-n 0`` runs it in one, to look closer.
"""

import sys

from _checkout import run_in_checkout

arguments = sys.argv[1:]
if "--long" in arguments:
    arguments.remove("--long")
else:
    arguments[:0] = ["-m", "not long"]
run_in_checkout("test", ["-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal", *arguments])
