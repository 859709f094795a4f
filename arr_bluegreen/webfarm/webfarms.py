"""``webFarms`` itself: what holds for every farm of the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebFarms:
    """The section's own attribute. On demand, a worker process tests only servers it sends requests to: fewer probes,
    since every process that has ARR loaded tests on its own (arr.md 1.1; what it does is inferred from its name)."""

    on_demand_health_check: bool = False
