"""The measurements: one module each, with ``run() -> dict[str, object]`` (a flat object of numbers); ``measure`` helps.

Run as ``python scripts/bench.py NAME``; imported as ``bench.NAME``, so a module says ``from bench.measure import ...``.
"""
