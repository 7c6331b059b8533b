"""The loop of a wait; what to conclude from each look is `_core.waiting`'s business."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

from sandkit._core import errors
from sandkit._core.accounts import Observation
from sandkit._core.options import RequestOptions
from sandkit._core.waiting import Limits, Polling, Subject, Wait
from sandkit._io_async import AsyncClock

_LAST_LOOK_SECONDS = 1.0
"""What the last look, at the deadline, may take."""


async def poll(
    subject: Subject,
    look: Callable[[RequestOptions], Awaitable[Observation]],
    clock: AsyncClock,
    limits: Limits,
) -> bool:
    """Look until a target state is there.

    Args:
        subject: What to wait for.
        look: Reads the state, with the given options.
        clock: The time.
        limits: The time for the whole wait and for one look.

    Returns:
        True; False when what was waited for is gone, and a target state stands for that.

    Raises:
        WaitTimeoutError: The time ran out.
        UnexpectedStateError: No target can follow any more.
        RequestError: A look failed for a reason that time does not heal.
    """
    wait = Wait(subject, clock.monotonic(), limits.whole)
    last_problem: errors.RequestError | None = None
    while True:
        at_least = 0.0
        left = max(_LAST_LOOK_SECONDS, wait.deadline - clock.monotonic())
        try:
            seen = await look(RequestOptions(timeout=min(left, limits.look), max_retries=0))
            if wait.saw(seen, clock.monotonic()):
                return True
            last_problem = None
        except errors.NotFoundError:
            if subject.machine.gone in subject.targets:
                return False
            raise
        except errors.RequestError as problem:
            at_least = wait.failed(problem)
            last_problem = problem
        try:
            delay = wait.pause(clock.monotonic(), Polling(), random.random, at_least)
        except errors.WaitTimeoutError as out_of_time:
            raise out_of_time from last_problem
        await clock.sleep(delay)
