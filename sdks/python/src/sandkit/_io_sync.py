"""What differs between waiting on an event loop and in a thread; this is the thread's half."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Clock(Protocol):
    """How a client measures and passes time. Replace it to test code that waits."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass."""


class SystemClock:
    """The time of this machine."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Let that many seconds pass; other threads run meanwhile."""
        time.sleep(seconds)


def shielded(seconds: float) -> AbstractContextManager[object]:  # noqa: ARG001 - the twin needs the limit
    """A block that runs to its end: nothing cancels a thread from outside."""
    return nullcontext()


class Home:
    """Where connections belong: nowhere in particular, since threads may share them."""

    def enter(self) -> None:
        """Nothing to note and nothing to refuse."""
