"""Carries out what workload objects ask for: one worker per sandbox, driven by its state.

The controller keeps nothing of its own. Started over an engine whose last controller was killed anywhere,
it looks at each object and goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from sandkit_server.core.model import SandboxState
from sandkit_server.core.ports import PauseMode
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.pausing import FreezePause, PauseWay, RootfsPause
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.runtimes.memory.stopping import Stopper
from sandkit_server.runtimes.memory.workload_table import Superseded
from sandkit_server.runtimes.memory.workshop import Workshop

EXPIRED = "Expired"

_log = logging.getLogger(__name__)

# Where a transition goes when its worker crashed: the sandbox stays as usable as it was.
_AFTER_CRASH = {
    SandboxState.PENDING: SandboxState.FAILED,
    SandboxState.PAUSING: SandboxState.RUNNING,
    SandboxState.RESUMING: SandboxState.PAUSED,
}


class Controller:
    """The workers and the expiry of all sandboxes."""

    def __init__(self, shop: Workshop, committer: Committer) -> None:
        self._shop = shop
        self._engine = shop.engine
        starter = Starter(shop)
        self._committer = committer
        way: PauseWay = RootfsPause(shop, committer, starter)
        if shop.engine.settings.pause_mode is PauseMode.FREEZE:
            way = FreezePause(shop)
        self._way = way
        self._handlers: dict[SandboxState, tuple[str, Callable[[WorkloadRecord], Awaitable[None]]]] = {
            SandboxState.PENDING: ("reconcile.start", starter.start),
            SandboxState.PAUSING: ("reconcile.pause", way.pause),
            SandboxState.RESUMING: ("reconcile.resume", way.resume),
            SandboxState.STOPPING: ("reconcile.stop", Stopper(shop).stop),
        }
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._timers: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Go on with everything that is under way and watch every expiry."""
        self._engine.on_removal(self._removed)
        for job in self._engine.jobs:
            # Whoever ran it is no more; what it was for begins again.
            self._committer.discard_job(job)
        for record in self._engine.workloads:
            self._way.tidy_up(record)
            self.poke(record.id)
            self.watch_expiry(record)
        self._shop.release_unused_images()

    def stop(self) -> None:
        """Take no more notice of the engine."""
        self._engine.off_removal(self._removed)

    def poke(self, sandbox_id: str) -> None:
        """See to a sandbox whose state has changed."""
        if sandbox_id not in self._workers:
            self._workers[sandbox_id] = self._shop.supervisor.spawn(
                f"controller of {sandbox_id}", self._work(sandbox_id)
            )

    def terminate(
        self, record: WorkloadRecord, reason: str | None = None, message: str | None = None
    ) -> None:
        """Begin to stop a sandbox; whatever was being done with it is dropped."""
        if record.state is not SandboxState.STOPPING:
            self._engine.workloads.transition(record, record.state, SandboxState.STOPPING, reason, message)
            self.interrupt(record.id)
        self.poke(record.id)

    def interrupt(self, sandbox_id: str) -> None:
        """Drop what is being done with a sandbox. Effects are atomic, so nothing is left half done."""
        worker = self._workers.pop(sandbox_id, None)
        if worker is not None:
            worker.cancel()

    def watch_expiry(self, record: WorkloadRecord) -> None:
        """Terminate the sandbox when its time is over; called again whenever that moves."""
        timer = self._timers.pop(record.id, None)
        if timer is not None:
            timer.cancel()
        if record.expires_at is not None:
            self._timers[record.id] = self._shop.supervisor.spawn(
                f"expiry of {record.id}", self._await_expiry(record)
            )

    async def _await_expiry(self, record: WorkloadRecord) -> None:
        assert record.expires_at is not None
        await self._engine.clock.sleep((record.expires_at - self._engine.clock.now()).total_seconds())
        delay = self._engine.settings.retry_seconds[1]
        while self._engine.workloads.find(record.id) is record and record.state is not SandboxState.STOPPING:
            try:
                async with self._shop.at("reconcile.expire", record):
                    self.terminate(record, EXPIRED, "The sandbox reached its expiry.")
            except Exception as error:  # noqa: BLE001 - an expiry must come about, whatever comes between
                _log.warning("expiry of %s failed and is tried again: %s", record.id, error)
                await self._engine.clock.sleep(delay)

    async def _work(self, sandbox_id: str) -> None:
        try:
            while (record := self._engine.workloads.find(sandbox_id)) is not None:
                entry = self._handlers.get(record.state)
                if entry is None:
                    return
                await self._step(record, *entry)
        finally:
            if self._workers.get(sandbox_id) is asyncio.current_task():
                del self._workers[sandbox_id]

    async def _step(
        self, record: WorkloadRecord, point: str, handler: Callable[[WorkloadRecord], Awaitable[None]]
    ) -> None:
        state = record.state
        try:
            async with self._shop.at(point, record):
                pass
            await handler(record)
        except Superseded:
            return
        except Exception:  # noqa: BLE001 - whatever it is must show in the sandbox's status
            _log.exception("sandbox %s: %s crashed", record.id, point)
            await self._recover(record, state)

    async def _recover(self, record: WorkloadRecord, state: SandboxState) -> None:
        target = _AFTER_CRASH.get(state)
        if target is None or record.state is not state:
            await self._engine.clock.sleep(self._engine.settings.retry_seconds[1])
            return
        message = "The server failed on the way; its log has the cause."
        self._engine.workloads.transition(record, state, target, "InternalError", message)

    def _removed(self, record: WorkloadRecord) -> None:
        timer = self._timers.pop(record.id, None)
        current = asyncio.current_task()
        if timer is not None and timer is not current:
            timer.cancel()
        worker = self._workers.get(record.id)
        if worker is not None and worker is not current:
            self.interrupt(record.id)
        self._shop.release_unused_images()
