"""Real time that can be moved forward: what sleeps on it wakes as if the time had passed."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

_QUIET_TURNS = 40
_PATIENCE_SECONDS = 2.0


@dataclass(order=True, slots=True)
class _Sleeper:
    deadline: float
    number: int
    woken: asyncio.Future[None] = field(compare=False)
    is_work: bool = field(compare=False)


class AdjustableClock:
    """Runs with the machine's monotonic clock plus an offset that :meth:`advance` enlarges.

    Of two kinds of sleep, ``pace`` is a step of work under way and ``sleep`` a wait for something to become
    due. After an advance, work that has begun is given real time to come to its end; waits are not.

    Args:
        quiet_seconds: How much real time without any activity counts as settled. 0 where all that can happen
            happens on this event loop; an engine in other processes needs a little.
        most_jumps: How many exact jumps an advance makes before it strides.
    """

    def __init__(self, quiet_seconds: float = 0.0, most_jumps: int = 500) -> None:
        self._quiet_seconds = quiet_seconds
        self._most_jumps = most_jumps
        self._epoch = datetime.now(UTC)
        self._origin = time.monotonic()
        self._offset = 0.0
        self._sleepers: list[_Sleeper] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._activity = 0

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self._epoch + timedelta(seconds=self._elapsed())

    async def sleep(self, seconds: float) -> None:
        """Wait until ``seconds`` of this clock's time have passed."""
        await self._sleep(seconds, is_work=False)

    async def pace(self, seconds: float) -> None:
        """Spend ``seconds`` on a step of work under way."""
        await self._sleep(seconds, is_work=True)

    def touch(self) -> None:
        """Note that something happened; :meth:`advance` waits until nothing does any more."""
        self._activity += 1

    async def advance(self, seconds: float) -> datetime:
        """Move on by ``seconds`` and return the new time when everything due by then has settled."""
        # What was begun just now belongs to the present, not to the time after the first jump.
        await self._settle()
        target = self._elapsed() + seconds
        jumps = 0
        while (deadline := self._next_deadline()) is not None and deadline <= target:
            # After many exact jumps come strides, or a task that looks every second costs 86,400 turns.
            jumps += 1
            stride = seconds / self._most_jumps if jumps > self._most_jumps else 0.0
            self._jump(min(max(deadline, self._elapsed() + stride), target))
            await self._settle()
        self._jump(target)
        await self._settle()
        await self._finish_work()
        return self.now()

    async def _sleep(self, seconds: float, *, is_work: bool) -> None:
        self.touch()
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        deadline = self._elapsed() + seconds
        heapq.heappush(self._sleepers, _Sleeper(deadline, next(self._numbers), woken, is_work))
        self._arm()
        await woken
        self.touch()

    def _elapsed(self) -> float:
        return time.monotonic() - self._origin + self._offset

    def _jump(self, target: float) -> None:
        self._offset += max(0.0, target - self._elapsed())
        self._wake_due()

    def _next_deadline(self) -> float | None:
        while self._sleepers and self._sleepers[0].woken.done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0].deadline if self._sleepers else None

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._next_deadline()
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - self._elapsed()), self._wake_due)

    def _wake_due(self) -> None:
        now = self._elapsed()
        while (deadline := self._next_deadline()) is not None and deadline <= now:
            heapq.heappop(self._sleepers).woken.set_result(None)
        self._arm()

    async def _settle(self) -> None:
        """Return when nothing has happened for a number of turns of the event loop and the quiet time."""
        give_up = time.monotonic() + _PATIENCE_SECONDS
        turn = self._quiet_seconds / _QUIET_TURNS
        quiet, seen = 0, self._activity
        while quiet < _QUIET_TURNS and (not turn or time.monotonic() < give_up):
            await asyncio.sleep(turn)
            quiet = quiet + 1 if self._activity == seen else 0
            seen = self._activity

    async def _finish_work(self) -> None:
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < give_up:
            steps = [s.deadline for s in self._sleepers if s.is_work and not s.woken.done()]
            if not steps:
                return
            await asyncio.sleep(max(0.0, min(steps) - self._elapsed()))
            await self._settle()
