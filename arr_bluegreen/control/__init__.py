"""Hands on a living machine: one file per way to reach it, all behind the Protocols of ``interface``."""
