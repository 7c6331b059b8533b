"""What all workers of one server process share: the engine, its steps, and patience."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from sandkit_server.core.port_errors import NotFound
from sandkit_server.core.supervision import Supervisor
from sandkit_server.disturbance.faults import Subject
from sandkit_server.disturbance.strikes import Step, Steps
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.failure import StepFailed
from sandkit_server.runtimes.memory.records import WorkloadRecord

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Workshop:
    """Collaborators and tools of the workers."""

    def __init__(self, engine: MemoryEngine, steps: Steps, supervisor: Supervisor) -> None:
        self.engine = engine
        self.steps = steps
        self.supervisor = supervisor

    @property
    def is_alive(self) -> bool:
        """Whether the server process these workers belong to still runs; a killed one cleans up nothing."""
        return self.steps.is_alive

    async def pace(self) -> None:
        """Take the time a transition takes at least."""
        await self.engine.clock.pace(self.engine.settings.transition_seconds)

    def at(self, point: str, record: WorkloadRecord, name: str | None = None) -> Step:
        """One step about a sandbox; ``name`` is the object's, by default the workload's."""
        subject = Subject(sandbox_id=record.id, name=name or record.id, metadata=record.metadata)
        return self.steps.at(point, subject)

    async def insist(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """Repeat ``attempt`` until it succeeds; what is gone already counts as done."""
        delay, longest = self.engine.settings.retry_seconds
        while True:
            try:
                return await attempt()
            except NotFound:
                return None
            except Exception as error:  # noqa: BLE001 - clean-up has to succeed in the end, whatever comes
                _log.warning("%s failed and is tried again: %s", what, error)
            await self.engine.clock.sleep(delay)
            delay = min(delay * 2, longest)

    def insist_later(self, what: str, attempt: Callable[[], Awaitable[None]]) -> None:
        """The same in the background."""
        self.supervisor.spawn(what, self.insist(what, attempt))

    async def within(self, seconds: float, reason: str, work: Coroutine[Any, Any, T]) -> T:
        """Do ``work`` in at most ``seconds`` of the engine's time. Raises StepFailed with ``reason``."""
        task = asyncio.ensure_future(work)
        timer = asyncio.ensure_future(self.engine.clock.sleep(seconds))
        try:
            await asyncio.wait({task, timer}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StepFailed(reason, f"not finished within {seconds:g} seconds")
            return await task
        finally:
            timer.cancel()
            if not task.done():
                task.cancel()
                await asyncio.wait({task})

    def release_unused_images(self) -> None:
        """Delete, in the background, the images nothing needs any more."""
        for ref in self.engine.unused_images():
            self.insist_later(f"deletion of image {ref}", partial(self._release, ref))

    async def _release(self, ref: str) -> None:
        async with self.steps.at("image.delete", Subject(name=ref)):
            image = self.engine.images.find(ref)
            if image is not None and ref in self.engine.unused_images():
                self.engine.images.remove(image)
