"""One after the other: what makes a sandbox and what takes it away, within this server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """Whoever makes, deletes or sweeps for one id waits for its turn; other ids are not held up.

    An id comes back when a create is repeated under its key after a delete. Without turns the end of that
    delete would sweep the claims that the new create has found there and relies on (VOL-09, VOL-10).
    """

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def of(self, sandbox_id: str) -> AsyncIterator[None]:
        """Wait for the turn; it ends with the block."""
        lock = self._locks.setdefault(sandbox_id, asyncio.Lock())
        self._users[sandbox_id] = self._users.get(sandbox_id, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[sandbox_id] -= 1
            if not self._users[sandbox_id]:
                del self._users[sandbox_id], self._locks[sandbox_id]
