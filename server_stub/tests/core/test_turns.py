"""What is done about one id is done in turns; other ids are not held up."""

from __future__ import annotations

import asyncio

import pytest

from sandkit_server.core.turns import Turns


async def _take(turns: Turns, name: str, log: list[str], until: asyncio.Event) -> None:
    async with turns.of(name):
        log.append(f"{name} begins")
        await until.wait()
        log.append(f"{name} ends")


async def test_one_after_the_other() -> None:
    turns, log, go = Turns(), list[str](), asyncio.Event()
    tasks = [asyncio.create_task(_take(turns, name, log, go)) for name in ("a", "a", "b")]
    for _ in range(5):
        await asyncio.sleep(0)
    assert log == ["a begins", "b begins"]
    go.set()
    await asyncio.gather(*tasks)
    assert [entry for entry in log if entry.startswith("a")] == ["a begins", "a ends"] * 2


async def test_a_turn_ends_with_a_failure_and_with_a_cancellation() -> None:
    turns, log, never = Turns(), list[str](), asyncio.Event()
    with pytest.raises(RuntimeError):
        async with turns.of("a"):
            raise RuntimeError
    holder = asyncio.create_task(_take(turns, "a", log, never))
    waiter = asyncio.create_task(_take(turns, "a", log, never))
    for _ in range(5):
        await asyncio.sleep(0)
    for task in (waiter, holder):
        task.cancel()
    await asyncio.gather(holder, waiter, return_exceptions=True)
    async with asyncio.timeout(30), turns.of("a"):
        log.append("free")
    assert log == ["a begins", "free"]


async def test_nothing_is_kept_of_ids_nobody_waits_for() -> None:
    turns = Turns()
    for number in range(100):
        async with turns.of(str(number)):
            pass
    assert not turns._locks
    assert not turns._users
