"""What differs between waiting on an event loop and in a thread; this is the event loop's half."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Protocol

from sandkit._core.errors import ConfigurationError


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


class AsyncHome:
    """Where connections belong: the event loop they were opened on."""

    def __init__(self) -> None:
        self._loop: object | None = None

    def enter(self) -> None:
        """Note the running loop the first time; refuse another one later.

        Raises:
            ConfigurationError: Another loop runs; its tasks cannot use these connections.
        """
        import asyncio

        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            return  # not asyncio, whose connections know their home themselves
        if self._loop is None:
            self._loop = running
        elif self._loop is not running:
            raise ConfigurationError(
                "this client was first used on another event loop, which its connections belong to; "
                "make one client per event loop, or use the blocking Client"
            )
