"""The real clock: the one place that sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """``interface.Clock`` on the machine's own time."""

    def now(self) -> datetime:
        """UTC, aware."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; nothing for zero or less."""
        if seconds > 0:
            time.sleep(seconds)
