"""The measurements: one module each, with ``run() -> dict[str, object]`` (a flat object of numbers); ``measure`` helps.

Run as ``python scripts/bench.py NAME``; a module is imported as ``bench.NAME``, so it says ``from bench.measure import ...``.
"""
