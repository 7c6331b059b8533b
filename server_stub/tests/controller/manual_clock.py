"""Time that moves when the test says so, for code that sleeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


class ManualClock:
    """Starts at 2026-01-01; :meth:`advance` wakes whoever is due, in order."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        due = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), due))
        await due

    async def advance(self, seconds: float) -> None:
        """Move on, letting everybody act at each instant something is due."""
        until = self._now + timedelta(seconds=seconds)
        await settle()
        while due_in_time := [due for due, _ in self._waiting() if due <= until]:
            self._now = max(self._now, min(due_in_time))
            for due, sleeper in self._waiting():
                if due <= self._now:
                    sleeper.set_result(None)
            self._sleepers = self._waiting()
            await settle()
        self._now = until

    def _waiting(self) -> list[tuple[datetime, asyncio.Future[None]]]:
        return [(due, sleeper) for due, sleeper in self._sleepers if not sleeper.done()]


async def settle() -> None:
    """Give every task as many turns as it can want."""
    for _ in range(200):
        await asyncio.sleep(0)
