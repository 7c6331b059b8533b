"""How long to wait before the next attempt: longer each time, and never in step with others."""

from __future__ import annotations

import random


class Backoff:
    """Delays in seconds that double from ``first`` up to ``longest``, each shortened at random by up to half.

    The randomness keeps the clients of a restarted API server from coming back all at once.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def delay(self) -> float:
        """How long to wait now; the following delay is twice as long."""
        present = self._next
        self._next = min(2 * present, self._longest)
        return present * random.uniform(0.5, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """An attempt succeeded: begin with the shortest delay again."""
        self._next = self._first
