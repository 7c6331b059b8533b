"""What differs between waiting on an event loop and in a thread; this is the event loop's half."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Protocol


class AsyncClock(Protocol):
    """How a client measures and passes time. Replace it to test code that waits."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class AsyncSystemClock:
    """The time of this machine."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let that many seconds pass; other tasks run meanwhile."""
        import anyio

        await anyio.sleep(seconds)


def shielded(seconds: float) -> AbstractContextManager[object]:
    """A block that a cancellation from outside does not interrupt, for at most that many seconds."""
    import anyio

    return anyio.move_on_after(seconds, shield=True)


def current_home() -> object | None:
    """The event loop that runs; connections opened on one cannot be used on another.

    None on other than asyncio.
    """
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
