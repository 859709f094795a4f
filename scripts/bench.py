"""The measurements, from nothing: ``python scripts/bench.py [NAME] [--json]``; they lie in ``scripts/bench/``."""

import os
import sys

from _checkout import CHECKOUT, run_in_checkout

paths = [str(CHECKOUT / "scripts"), os.environ.get("PYTHONPATH", "")]
run_in_checkout("test", ["-m", "bench", *sys.argv[1:]], {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
