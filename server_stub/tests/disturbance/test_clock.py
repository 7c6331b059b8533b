"""Moving the clock of an engine that is elsewhere: fewer jumps, and patience for what comes later."""

from __future__ import annotations

import asyncio

from sandkit_server.disturbance.clock import AdjustableClock


async def test_many_waits_are_passed_in_strides() -> None:
    clock = AdjustableClock(most_jumps=5)
    woken = 0

    async def look_every_second() -> None:
        nonlocal woken
        while True:
            await clock.sleep(1)
            woken += 1

    looking = asyncio.ensure_future(look_every_second())
    before = clock.now()
    after = await clock.advance(1_000)
    looking.cancel()
    assert (after - before).total_seconds() >= 1_000
    assert 5 <= woken <= 15


async def test_what_is_set_off_elsewhere_is_waited_for() -> None:
    clock = AdjustableClock(quiet_seconds=0.2)
    done: list[str] = []

    async def ask_elsewhere() -> None:
        await clock.sleep(60)
        # The answer of another process: nothing on this event loop tells that it is on its way.
        await asyncio.sleep(0.05)
        clock.touch()
        done.append("answered")

    asking = asyncio.ensure_future(ask_elsewhere())
    await clock.advance(61)
    assert done == ["answered"]
    await asking


async def test_an_engine_that_never_rests_does_not_keep_the_clock_from_moving() -> None:
    clock = AdjustableClock(quiet_seconds=0.5)

    async def fidget() -> None:
        while True:
            clock.touch()
            await asyncio.sleep(0.01)

    fidgeting = asyncio.ensure_future(fidget())
    async with asyncio.timeout(30):
        await clock.advance(1)
    fidgeting.cancel()
