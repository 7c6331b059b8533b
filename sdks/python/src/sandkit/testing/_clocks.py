"""Clocks whose time passes at once."""

from __future__ import annotations


class _Time:
    def __init__(self) -> None:
        self._now = 1000.0
        self.sleeps: list[float] = []
        """Every sleep, in seconds, in order."""

    @property
    def slept(self) -> float:
        """Seconds slept in all."""
        return sum(self.sleeps)

    def monotonic(self) -> float:
        """Seconds since some moment; only sleeping and `advance()` move it."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass without sleeping, as a slow answer would."""
        self._now += seconds

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self._now += seconds


class FakeClock(_Time):
    """Give it to `Client(clock=…)`: sleeping takes no time, and is remembered."""

    def sleep(self, seconds: float) -> None:
        """Move the time by that much, at once."""
        self._sleep(seconds)


class AsyncFakeClock(_Time):
    """Give it to `AsyncClient(clock=…)`: sleeping takes no time, and is remembered."""

    async def sleep(self, seconds: float) -> None:
        """Move the time by that much, at once."""
        self._sleep(seconds)
