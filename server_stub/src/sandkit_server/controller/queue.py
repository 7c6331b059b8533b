"""The work queue: which objects to look at, each at most once at a time, failing ones less and less often."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from sandkit_server.core.ports import Clock
from sandkit_server.core.supervision import Supervisor
from sandkit_server.kubernetes.backoff import Backoff

K = TypeVar("K")

_SLACK: Final = 64


class WorkQueue(Generic[K]):
    """Keys to be worked on.

    A key that is added while it waits is there once; one that is added while it is worked on is worked on
    once more afterwards. Nobody else works on a key meanwhile, so the work on one object never overlaps.
    """

    def __init__(self, clock: Clock, backoff: Callable[[], Backoff], *, workers: int = 16) -> None:
        """An empty queue.

        Args:
            clock: Times the delays.
            backoff: Makes the growing delays of one key that keeps failing.
            workers: How many keys are worked on at the same time.
        """
        self._clock = clock
        self._new_backoff = backoff
        self._slots = asyncio.Semaphore(workers)
        self._ready: dict[K, None] = {}
        self._active: set[K] = set()
        self._again: set[K] = set()
        self._later: list[tuple[datetime, int, K]] = []
        self._due: dict[K, datetime] = {}
        self._numbers = itertools.count()
        self._backoffs: dict[K, Backoff] = {}
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        """How many keys wait for their turn now."""
        return len(self._ready) + len(self._again)

    @property
    def failing(self) -> int:
        """How many keys failed when they were last worked on."""
        return len(self._backoffs)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for its turn and nothing is worked on; later work may be due."""
        return not self._ready and not self._active

    def add(self, key: K) -> None:
        """Work on ``key`` as soon as there is room."""
        if key in self._active:
            self._again.add(key)
        else:
            self._ready[key] = None
            self._woken.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on ``key`` after ``seconds``, or at an earlier time already set."""
        due = self._clock.now() + timedelta(seconds=max(seconds, 0.0))
        if key not in self._due or due < self._due[key]:
            self._due[key] = due
            heapq.heappush(self._later, (due, next(self._numbers), key))
            self._woken.set()
            if len(self._later) > 2 * len(self._due) + _SLACK:
                self._compact()

    def retry(self, key: K, at_least: float = 0.0) -> None:
        """Work on ``key`` again after a failure; each in a row waits longer."""
        delay = self._backoffs.setdefault(key, self._new_backoff()).delay()
        self.add_after(key, max(delay, at_least))

    def succeeded(self, key: K) -> None:
        """The work on ``key`` did not fail; the next failure is its first one."""
        self._backoffs.pop(key, None)

    async def run(self, work: Callable[[K], Coroutine[Any, Any, None]]) -> None:
        """Work for ever; cancel to stop, which cancels the work under way and waits for its end."""
        supervisor = Supervisor()
        try:
            while True:
                await self._slots.acquire()
                key = await self._next()
                supervisor.spawn(f"work on {key}", self._turn(key, work))
        finally:
            await supervisor.close()

    async def _turn(self, key: K, work: Callable[[K], Coroutine[Any, Any, None]]) -> None:
        try:
            await work(key)
        finally:
            self._active.discard(key)
            self._slots.release()
            if key in self._again:
                self._again.discard(key)
                self.add(key)

    async def _next(self) -> K:
        while True:
            self._woken.clear()
            left = self._promote()
            if self._ready:
                key = next(iter(self._ready))
                del self._ready[key]
                # What was planned for later is done now; the work says anew when to look again.
                self._due.pop(key, None)
                self._active.add(key)
                return key
            await self._wake_or(left)

    def _promote(self) -> float | None:
        """Move what is due to the ready ones, and tell how long until more is."""
        now = self._clock.now()
        while self._later:
            due, _, key = self._later[0]
            if self._due.get(key) != due:
                heapq.heappop(self._later)
            elif due > now:
                return (due - now).total_seconds()
            else:
                heapq.heappop(self._later)
                del self._due[key]
                self.add(key)
        return None

    def _compact(self) -> None:
        """Drop times that no longer count; those in a far future would pile up at every look at a key."""
        self._later = [(due, next(self._numbers), key) for key, due in self._due.items()]
        heapq.heapify(self._later)

    async def _wake_or(self, seconds: float | None) -> None:
        if seconds is None:
            await self._woken.wait()
            return
        either = [asyncio.ensure_future(each) for each in (self._sleep(seconds), self._woken.wait())]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    async def _sleep(self, seconds: float) -> bool:
        await self._clock.sleep(seconds)
        return True
