"""The machine's time, as the core wants it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """Wall-clock time that never goes back, also when the machine's is set back."""

    def __init__(self) -> None:
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """The present instant."""
        self._latest = max(self._latest, datetime.now(UTC))
        return self._latest

    async def sleep(self, seconds: float) -> None:
        """Wait; the event loop's own clock counts."""
        await asyncio.sleep(seconds)
