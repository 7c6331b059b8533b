"""The work queue: once at a time, again when it changed meanwhile, later and later when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandkit_server.controller.queue import WorkQueue
from sandkit_server.kubernetes.backoff import Backoff

from .manual_clock import ManualClock, settle


class Workshop:
    """A queue whose work the test holds until it lets it go."""

    def __init__(self, workers: int = 2) -> None:
        self.clock = ManualClock()
        self.queue: WorkQueue[str] = WorkQueue(self.clock, lambda: Backoff(1.0, 8.0), workers=workers)
        self.begun: list[str] = []
        self.active: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def work(self, key: str) -> None:
        assert key not in self.active, "never two at a time on one key"
        self.active.add(key)
        self.begun.append(key)
        try:
            await self.gate.wait()
        finally:
            self.active.discard(key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.ensure_future(self.queue.run(self.work))
        try:
            await settle()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_key_that_waits_is_there_once() -> None:
    shop = Workshop()
    for _ in range(3):
        shop.queue.add("a")
    assert len(shop.queue) == 1
    async with shop.running():
        assert shop.begun == ["a"]
        assert shop.queue.is_idle


async def test_a_key_added_while_it_is_worked_on_is_worked_on_once_more() -> None:
    shop = Workshop()
    shop.gate.clear()
    async with shop.running():
        shop.queue.add("a")
        await settle()
        for _ in range(3):
            shop.queue.add("a")
        await settle()
        assert shop.begun == ["a"]
        shop.gate.set()
        await settle()
        assert shop.begun == ["a", "a"]


async def test_no_more_than_the_workers_work_at_once_and_the_rest_in_order() -> None:
    shop = Workshop(workers=2)
    shop.gate.clear()
    async with shop.running():
        for key in "abcd":
            shop.queue.add(key)
        await settle()
        assert shop.active == {"a", "b"}
        shop.gate.set()
        await settle()
        assert shop.begun == ["a", "b", "c", "d"]


async def test_the_earliest_of_several_times_counts() -> None:
    shop = Workshop()
    async with shop.running():
        shop.queue.add_after("a", 60)
        shop.queue.add_after("a", 10)
        shop.queue.add_after("a", 30)
        await shop.clock.advance(9.9)
        assert shop.begun == []
        await shop.clock.advance(0.2)
        assert shop.begun == ["a"]
        await shop.clock.advance(120)
        assert shop.begun == ["a"], "the other times went with it"


async def test_times_that_no_longer_count_take_no_room() -> None:
    shop = Workshop()
    async with shop.running():
        for _ in range(1_000):
            shop.queue.add_after("a", 1e6)
            shop.queue.add("a")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        shop.queue.add_after("a", 1e6)
        assert len(shop.queue._later) < 100
        seen = len(shop.begun)
        await shop.clock.advance(1.1e6)
        assert len(shop.begun) == seen + 1


async def test_failures_wait_longer_each_time_and_a_success_ends_that() -> None:
    shop = Workshop()
    async with shop.running():
        waits = []
        for _ in range(5):
            shop.queue.retry("a")
            seen = len(shop.begun)
            waited = 0.0
            while len(shop.begun) == seen:
                await shop.clock.advance(0.25)
                waited += 0.25
            waits.append(waited)
        assert waits[0] <= 1.0
        assert waits[-1] >= 4.0
        assert max(waits) <= 8.25
        assert shop.queue.failing == 1
        shop.queue.succeeded("a")
        assert shop.queue.failing == 0
        shop.queue.retry("a")
        seen = len(shop.begun)
        await shop.clock.advance(1.0)
        assert len(shop.begun) == seen + 1


async def test_a_retry_waits_as_long_as_it_was_told() -> None:
    shop = Workshop()
    async with shop.running():
        shop.queue.retry("a", 20.0)
        await shop.clock.advance(19.9)
        assert shop.begun == []
        await shop.clock.advance(0.2)
        assert shop.begun == ["a"]


async def test_a_change_does_not_wait_for_the_retry() -> None:
    shop = Workshop()
    async with shop.running():
        shop.queue.retry("a", 20.0)
        shop.queue.add("a")
        await settle()
        assert shop.begun == ["a"]


async def test_stopping_ends_the_work_under_way() -> None:
    shop = Workshop()
    shop.gate.clear()
    async with shop.running():
        shop.queue.add("a")
        await settle()
        assert shop.active == {"a"}
    assert shop.active == set()
