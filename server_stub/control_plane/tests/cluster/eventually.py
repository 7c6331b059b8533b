"""Waiting for what controllers in another process do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

# Seconds the garbage collector may take: it looks again only some time after it has met something new.
_PATIENCE = 60.0


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return when ``condition`` holds."""
    async with asyncio.timeout(_PATIENCE):
        while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.1)
