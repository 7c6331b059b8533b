"""Background tasks that are never lost silently: each is kept, named, and its crash logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from sandkit_server.core.errors import Killed, SandkitError

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns the background tasks of one server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, name: str, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run ``work`` in the background."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended, and likewise what that begins while it ends."""
        while running := [task for task in self._tasks if task is not asyncio.current_task()]:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # Done tasks leave the set in a callback of the next turn.
            await asyncio.sleep(0)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, (Killed, SandkitError)):
            _log.error("background task %s crashed", task.get_name(), exc_info=error)
