"""An event loop whose time jumps to the next timer as soon as nobody has anything to do."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Hours pass in no time, and always in the same order: sleeps and time-outs alike count from here."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        super().__init__(_Skipping(self._skip))

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._elapsed

    def _skip(self, seconds: float) -> None:
        self._elapsed += seconds


class LoopClock:
    """The product's clock, on a loop's own time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._loop.time())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Skipping(selectors.SelectSelector):
    def __init__(self, skip: Callable[[float], None]) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise AssertionError("everybody waits, and nothing is to come")
        self._skip(max(timeout, 0.0))
        return []
